#!/bin/sh
# The binary gate: what the shipped jars may and may not contain. Started by Maven after the jars are made:
#   tests/binary-gate.sh JAVA_HOME VERSION
# Prints every finding; the exit status is 0 only without one.
set -eu
cd "$(dirname "$0")/.."
java_home=$1
version=$2
jars=java/target/fettle-$version
platform=linux-x86_64
objects=target/cmake/cpu/native/CMakeFiles
work=java/target/binary-gate
export LC_ALL=C

# The oldest glibc that the libraries load on. README.md states these numbers.
cpu_glibc=2.14
cuda_glibc=2.34

if [ ! -d "$objects" ]; then
  echo "binary gate: NOT RUN, there is no native build"
  exit 0
fi

# Into a file, because most checks stand at the end of a pipe, where a variable would be lost.
finding() {
  echo "binary gate: $*" | tee -a "$work/findings" >&2
}

# none "what must not be" < lines: every line is a finding.
none() {
  while IFS= read -r line; do echo "$line"; done >"$work/none"
  [ ! -s "$work/none" ] || finding "$1: $(head -n 5 "$work/none" | tr -s ' \t\n' ' ')"
}

# same "what" EXPECTED ACTUAL: two files with the same lines.
same() {
  diff -u "$2" "$3" >"$work/diff" || { finding "$1 differ from $2:"; sed 's/^/  /' "$work/diff" >&2; }
}

disassemble() { objdump -d --no-show-raw-insn "$@" | sed -n 's/^ *[0-9a-f]*:\t//p'; }

unpack() {
  mkdir -p "$2"
  (cd "$2" && "$java_home/bin/jar" xf "$OLDPWD/$1")
}

# library FILE GLIBC NEEDED-PATTERN: the properties of one shared library.
library() {
  file=$1
  readelf -hW "$file" | grep -q 'X86-64' || finding "$file is not for x86-64"
  objdump -T "$file" | grep -oE '\((GLIBC|GLIBCXX|CXXABI|GCC)_[A-Z0-9.]*\)|(GLIBC|GLIBCXX|CXXABI|GCC)_[A-Z0-9.]+' |
    tr -d '()' | sort -uV >"$work/versions"
  grep -v '^GLIBC_[0-9]' "$work/versions" | none "$file needs versions of something other than glibc"
  newest=$(sed -n 's/^GLIBC_\([0-9.]*\)$/\1/p' "$work/versions" | tail -n 1)
  [ "$(printf '%s\n%s\n' "$newest" "$2" | sort -V | tail -n 1)" = "$2" ] ||
    finding "$file needs glibc $newest, the stated floor is $2"
  readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE "^($3)\$" | none "$file needs the libraries"
  readelf -dW "$file" | grep -E '\((RPATH|RUNPATH|TEXTREL|RELR)\)' | none "$file has the dynamic entries"
  readelf -lW "$file" | grep 'GNU_STACK' | grep -v 'RW ' | none "$file has an executable stack"
  readelf -lW "$file" | grep -q 'GNU_RELRO' || finding "$file has no RELRO"
  readelf -dW "$file" | grep -q 'BIND_NOW\|FLAGS.*NOW' || finding "$file is not bound at load"
}

exports() { nm -D --defined-only "$1" | sed 's/.* //' | sort; }

# ---- what is in the jars ----
rm -rf "$work"
mkdir -p "$work"
unpack "$jars.jar" "$work/main"
unpack "$jars-$platform.jar" "$work/cpu"
jni=$work/cpu/org/fettle/$platform/libjnifettle.so
shared=target/cmake/cpu/shared/libfettle.so

find "$work/main" -name '*.so*' | none "the main jar holds libraries"
find "$work/cpu" -name '*.so*' ! -path "$jni" | none "the CPU jar holds other libraries"
[ -f "$jni" ] || { finding "the CPU jar holds no $jni"; exit 1; }
id=$(sed -n 's/^build.id=//p' "$work/main/org/fettle/internal/native.properties")
grep -q "$id" "$jni" || finding "the CPU jar is not of build $id, which the main jar belongs to"

# ---- the CPU libraries ----
for file in "$jni" "$shared"; do
  library "$file" $cpu_glibc 'libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0'
done
exports "$shared" >"$work/exports"
same "the exported symbols of libfettle.so" native/exports.txt "$work/exports"
# The JNI library exports one function per native method, and JavaCPP's own.
for class in Native OwnerReferences; do
  "$java_home/bin/javap" -p -cp "$work/main" "org.fettle.internal.$class" |
    sed -n "s/.* native .* \\([A-Za-z0-9]*\\)(.*/Java_org_fettle_internal_${class}_\\1/p"
done | sort -u >"$work/methods"
exports "$jni" | sed -n 's/^\(Java_org_fettle[^_]*_[^_]*_[^_]*_[A-Za-z0-9]*\).*/\1/p' | sort -u >"$work/functions"
same "the JNI functions" "$work/methods" "$work/functions"
exports "$jni" | grep -vE '^(JNI_On(Unl|L)oad(_jnijavacpp)?|Java_org_(fettle_internal_(Native|OwnerReferences)|bytedeco_javacpp)_.*)$' |
  none "the JNI library exports"

# ---- the objects that they were linked from ----
base=$(find $objects/fettle_base.dir target/cmake/jni/CMakeFiles/jnifettle.dir -name '*.o')
for object in $base; do
  disassemble "$object" | grep -E '^v|%[yz]mm|%k[0-7]' | none "baseline object $object holds tier instructions"
done
for tier in v3 v4; do
  tier_objects=$(find $objects/fettle_$tier.dir -name '*.o' 2>/dev/null || true)
  [ -n "$tier_objects" ] || [ -z "$(find native/src/cpu -name '*.cpp')" ] || finding "no object of tier $tier"
  for object in $tier_objects; do
    # One weak symbol compiled for v4 may be the copy that the linker keeps for the baseline.
    nm -C "$object" | grep -E ' [WVu] ' | none "tier object $object has shared inline functions"
    nm -uC "$object" | sed 's/^ *U //' | grep -vE '^(mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_|fettle.*)(@.*)?$' |
      none "tier object $object calls out (a loop that was not vectorised?)"
    nm -C --defined-only "$object" | grep ' [TDBR] ' | grep -vE "::$tier::|_$tier\$" |
      none "tier object $object defines symbols that are not named after its tier"
  done
done
for object in $(find $objects/fettle_v3.dir -name '*.o' 2>/dev/null || true); do
  disassemble "$object" | grep -E '%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])' | none "v3 object $object holds v4 instructions"
done

# Nothing of ours runs when the library is loaded, and nothing that a linker flag brought along (-ffast-math adds a
# constructor that makes the process flush denormals). What may run: the compiler's own two, frame_dummy and the CPU
# detection behind __builtin_cpu_supports.
for object in $(find $objects target/cmake/jni/CMakeFiles/jnifettle.dir -name '*.o'); do
  readelf -SW "$object" | grep -E '\.(init_array|ctors|preinit_array)' | none "$object has constructors"
done
for file in "$jni" "$shared"; do
  bytes=$(readelf -SW "$file" | sed -n 's/.* \.init_array *INIT_ARRAY *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\).*/\1/p')
  [ $((0x${bytes:-0})) -le 16 ] || finding "$file has a constructor that is not ours (crtfastmath?)"
done

# ---- the CUDA jar ----
if [ -f "$jars-$platform-cuda.jar" ]; then
  unpack "$jars-$platform-cuda.jar" "$work/cuda"
  cuda=$work/cuda/org/fettle/$platform/libfettle_cuda.so
  find "$work/cuda" -name '*.so*' ! -path "$cuda" | none "the CUDA jar holds other libraries"
  [ -f "$cuda" ] || { finding "the CUDA jar holds no $cuda"; exit 1; }
  grep -q "$id" "$cuda" || finding "the CUDA jar is not of build $id"
  library "$cuda" $cuda_glibc 'libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|ld-linux-x86-64\.so\.2'
  exports "$cuda" >"$work/exports"
  same "the exported symbols of libfettle_cuda.so" cuda-kernels/exports.txt "$work/exports"
  objdump -d "$cuda" | grep ldmxcsr | none "libfettle_cuda.so sets MXCSR"
else
  echo "binary gate: NOT RUN for the CUDA jar, which was not built"
fi

[ ! -s "$work/findings" ] || { echo "binary gate: $(wc -l <"$work/findings") findings" >&2; exit 1; }
echo "binary gate: passed (glibc $cpu_glibc, build $id)"
