#!/bin/sh
# run.sh [--parts LIST] [--out FOLDER] [--seconds N] [--host]
#
# Builds Fettle's CUDA library for the device of this machine, checks it and times it. Needs nvcc (13), CMake, Ninja, and
# for the last part python3 with PyTorch. Parts, separated by commas; all of them by default:
#   build      the CUDA library, for the device's architecture
#   device     graphs, streams, launch shapes, row states
#   suite      the same bits on java, cpu and cuda
#   vectors    the golden vectors on cuda
#   misuse     what bad calls get
#   large      a tensor of more than 2^32 bytes
#   sanitizer  compute-sanitizer: memcheck, racecheck, initcheck, synccheck
#   bench      times, beside a device copy and PyTorch
# --host: what can be done without a device: build for sm_90, and suite, vectors and misuse on java and cpu.
# Everything is written to the folder (results by default); a short table comes last. The exit status is 0 only if every
# part that was asked for passed. Within N seconds (570 by default); what finds no time left counts as failed.
set -u
kit=$(cd "$(dirname "$0")" && pwd)
parts=
out=$kit/results
seconds=570
host=
while [ $# -gt 0 ]; do
  case $1 in
    --parts) parts=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --host) host=1; shift ;;
    *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
if [ -n "$host" ]; then known="build suite vectors misuse"; else known="build device suite vectors misuse large sanitizer bench"; fi
parts=$(echo "${parts:-$known}" | tr ',' ' ')
for part in $parts; do
  case " $known " in *" $part "*) ;; *) echo "run.sh: no such part${host:+ without a device}: $part" >&2; exit 2 ;; esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
start=$(date +%s)
PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
# Another library may be tried in its place, for example the emulation of the C++ tests.
library=${FETTLE_CUDA_LIBRARY:-$kit/build/jar/org/fettle/linux-x86_64/libfettle_cuda.so}

# NVIDIA's libraries, for products of matrices: the caller's, the toolkit's, or those beside PyTorch. Without them these steps
# are refused by name.
libraries() {
  toolkit=${CUDA_HOME:-/usr/local/cuda}/lib64
  if [ -e "$toolkit/libcublas.so.13" ] && [ -e "$toolkit/libcusolver.so.12" ]; then
    echo "$toolkit"
    return
  fi
  python3 -c '
import importlib.util, os
packages = os.path.dirname(os.path.dirname(importlib.util.find_spec("torch").origin))
folders = [folder for folder, _, files in os.walk(os.path.join(packages, "nvidia"))
           if any(name.startswith("lib") and ".so" in name for name in files)]
print(":".join(folders))' 2>/dev/null
}
found=$(libraries)
found=${LD_LIBRARY_PATH:-}${found:+${LD_LIBRARY_PATH:+:}$found}

# For Java alone, so that PyTorch keeps its own. The preset looks into its link path before the loader does.
java() {
  LD_LIBRARY_PATH=$found "$kit/java/bin/java" -XX:+IgnoreUnrecognizedVMOptions --enable-native-access=ALL-UNNAMED \
    -Dorg.bytedeco.javacpp.platform.linkpath="$found" \
    -Dorg.bytedeco.javacpp.cachedir="$kit/cache" -Dfettle.cuda.library.path="$library" -cp "$kit/lib/*" "$@"
}

# The classes run one JVM after the other would cost a start each: one JVM runs them all.
suite() {
  result=$1
  shift
  java $options org.fettle.device.DeviceSuite "$result" "$@"
}

part_build() {
  if [ -n "$host" ]; then
    architecture=90
  else
    architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .) || return 1
    nvidia-smi
  fi
  echo "for sm_$architecture"
  cmake -S "$kit/sources" -B "$kit/build" -G Ninja -DFETTLE_CPU=OFF -DFETTLE_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$architecture-real" && cmake --build "$kit/build"
}

part_device() { suite "$out/device.json" org.fettle.internal.CudaDeviceTest; }

part_suite() {
  # Smaller than in a build, and the longest last: what ended before the time was over is in the log.
  options="$options -Dfettle.samebits.largest=20000 -Dfettle.primitives.cases=20"
  suite "$out/suite.json" org.fettle.kernels.KernelRegistryTest org.fettle.samebits.CodecTest \
    org.fettle.kernels.RecipesSameBitsTest org.fettle.sparsity.MasksTest \
    org.fettle.sparsity.SelectionTest org.fettle.sparsity.SparseKernelsTest org.fettle.pruning.MaskedStepsTest \
    org.fettle.sparsity.HalfProductTest org.fettle.sparsity.CsrLibraryTest \
    org.fettle.internal.algebra.AlgebraTest org.fettle.steps.StepAccuracyTest \
    org.fettle.steps.StepBitsTest org.fettle.averages.AverageProfilesTest org.fettle.merge.MergeBitsTest \
    org.fettle.averages.SeveralAveragesTest org.fettle.steps.StoredStatesTest \
    org.fettle.internal.PrimitiveBitsTest org.fettle.samebits.SameBitsTest
}

# What a backend refuses by name is counted apart from what it gets wrong.
replayed() {
  java org.fettle.replay.Replay --backend "$1" "$kit/vectors" >"$out/vectors-$1.txt" 2>&1
  awk -v backend="$1" '
    / passed, / && /failed$/ { passed = $1 }
    /^FAIL / { file = $0; getline; if (/has no CUDA driver|products on backend .* need/) { if (!refused++) print } else { print file; print; wrong++ } }
    END { print backend ": " passed + 0 " passed, " refused + 0 " refused by name, " wrong + 0 " wrong"; exit passed > 0 && !wrong ? 0 : 1 }
  ' "$out/vectors-$1.txt"
}

part_vectors() {
  if [ -n "$host" ]; then
    replayed java && replayed cpu
  else
    replayed cuda
  fi
}

part_misuse() {
  suite "$out/misuse.json" org.fettle.misuse.PlanMisuseTest org.fettle.misuse.PlanBuilderMisuseTest \
    org.fettle.misuse.TensorMisuseTest org.fettle.misuse.ValuesMisuseTest org.fettle.misuse.RecordsMisuseTest
}

part_large() {
  options="$options -Dfettle.device.large=true"
  suite "$out/large.json" org.fettle.internal.CudaDeviceTest
}

part_sanitizer() {
  sanitizer=$(command -v compute-sanitizer) || { echo "compute-sanitizer is not there"; return 1; }
  bad=0
  for tool in memcheck racecheck initcheck synccheck; do
    "$sanitizer" --tool "$tool" --error-exitcode 9 --log-file "$out/$tool.log" \
      "$kit/java/bin/java" -Dorg.bytedeco.javacpp.cachedir="$kit/cache" -Dfettle.cuda.library.path="$library" \
      -Dfettle.device.backend=cuda -Dfettle.device.shapes=1 -cp "$kit/lib/*" org.fettle.device.DeviceSuite \
      "$out/$tool.json" org.fettle.internal.CudaDeviceTest org.fettle.kernels.KernelRegistryTest
    status=$?
    tail -n 1 "$out/$tool.log"
    [ $status = 0 ] || { echo "$tool: exit status $status"; bad=1; }
  done
  return $bad
}

part_bench() {
  java org.fettle.internal.DeviceBenchmark "$out/fettle.json" || return 1
  python3 "$kit/torch_times.py" "$out/torch.json" || return 1
  python3 "$kit/compare.py" "$out/fettle.json" "$out/torch.json" >"$out/bench.txt" || return 1
  cat "$out/bench.txt"
}

# Seconds that a part may take.
limit_of() {
  case $1 in build) echo 300 ;; suite) echo 180 ;; sanitizer) echo 240 ;; bench) echo 240 ;; *) echo 90 ;; esac
}

# A part runs in a process of its own, so that its time can end.
if [ -n "${FETTLE_PART:-}" ]; then
  options=
  [ -n "$host" ] || options=-Dfettle.device.backend=cuda
  "part_$FETTLE_PART"
  exit $?
fi
: >"$out/table.txt"
failed=0
json=
if [ -n "$host" ]; then device=false; else device=true; fi
for part in $parts; do
  begun=$(date +%s)
  left=$((seconds - (begun - start)))
  limit=$(limit_of "$part")
  [ "$limit" -le "$left" ] || limit=$left
  if [ "$limit" -lt 5 ]; then
    verdict="FAIL, no time left"
    status=124
  else
    echo "== $part"
    FETTLE_PART=$part timeout -k 5 "$limit" "$0" ${host:+--host} --out "$out" >"$out/$part.log" 2>&1
    status=$?
    tail -n 15 "$out/$part.log"
    case $status in 0) verdict=pass ;; 124 | 137) verdict="FAIL, took too long" ;; 3) verdict="FAIL, no device" ;; *) verdict=FAIL ;; esac
  fi
  [ $status = 0 ] || failed=1
  took=$(($(date +%s) - begun))
  printf '%-10s %-22s %4d s\n' "$part" "$verdict" "$took" >>"$out/table.txt"
  json="$json${json:+, }{\"part\": \"$part\", \"status\": $status, \"seconds\": $took}"
done
printf '{"device": %s, "parts": [%s]}\n' "$device" "$json" >"$out/results.json"
echo
[ ! -f "$out/bench.txt" ] || cat "$out/bench.txt"
cat "$out/table.txt"
exit $failed
