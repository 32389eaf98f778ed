#!/bin/sh
# Gathers what a machine with a GPU, nvcc, CMake, Ninja and PyTorch needs to build the CUDA library and to try it, without
# Java, Maven and network: target/device-kit, packed as target/device-kit.tar.gz. Started by ./fettle device-kit, after a
# build. Further golden vectors: FETTLE_GOLDEN=FOLDER ./fettle device-kit
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
kit=$root/target/device-kit
home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
most=$((60 * 1024 * 1024))

[ -f "$root/tests/target/test-class-path.txt" ] || {
  echo "device-kit: tests/target/test-class-path.txt is missing: build first" >&2
  exit 1
}
rm -rf "$kit" "$kit.tar.gz"
mkdir -p "$kit/lib" "$kit/sources/native" "$kit/sources/cuda-kernels" "$kit/vectors"

# The Java runtime: these modules are what the jars need.
"$home/bin/jlink" --module-path "$home/jmods" --output "$kit/java" --strip-debug --no-header-files --no-man-pages \
  --compress=2 --add-modules java.base,java.logging,java.management,java.sql,java.xml,jdk.unsupported,jdk.zipfs

# Jars, and the tests as one jar, without the vectors.
cp -R "$root/tests/target/test-classes" "$kit/staged"
rm -rf "$kit/staged/golden"
"$home/bin/jar" --create --no-compress --file "$kit/lib/0-tests.jar" -C "$root/tests/target/classes" . -C "$kit/staged" .
rm -rf "$kit/staged"
tr ':' '\n' <"$root/tests/target/test-class-path.txt" | while read -r jar; do
  case $jar in
    *.jar) cp "$jar" "$kit/lib/" ;;
    *) echo "device-kit: $jar on the class path of the tests is no jar: build with package" >&2; exit 1 ;;
  esac
done

# Of the CUDA preset's glue only what is called.
rm -f "$kit"/lib/cuda-*-linux-x86_64.jar
glue=$(tr ':' '\n' <"$root/tests/target/test-class-path.txt" | grep '/cuda-[^/]*-linux-x86_64\.jar$' || true)
if [ -n "$glue" ]; then
  mkdir "$kit/staged"
  (
    cd "$kit/staged"
    folder=org/bytedeco/cuda/linux-x86_64
    "$home/bin/jar" --extract --file "$glue" $folder/libjnicudart.so $folder/libjnicublas.so $folder/libjnicusolver.so \
      $folder/libjnicusparse.so
  )
  "$home/bin/jar" --create --file "$kit/lib/$(basename "$glue")" -C "$kit/staged" .
  rm -rf "$kit/staged"
fi

# Sources: all that the build id is made of, and no more.
cp "$root/CMakeLists.txt" "$root/CMakePresets.json" "$kit/sources/"
cp -R "$root/cmake" "$kit/sources/"
for name in include src CMakeLists.txt exports.txt; do cp -R "$root/native/$name" "$kit/sources/native/"; done
for name in src CMakeLists.txt exports.txt; do cp -R "$root/cuda-kernels/$name" "$kit/sources/cuda-kernels/"; done

cp -R "$root/tests/src/test/resources/golden/." "$kit/vectors/"
[ -z "${FETTLE_GOLDEN:-}" ] || cp -R "$FETTLE_GOLDEN" "$kit/vectors/more"
cp "$root/device-kit/run.sh" "$root/device-kit/torch_times.py" "$root/device-kit/compare.py" "$kit/"
chmod +x "$kit/run.sh"

tar -C "$root/target" -czf "$kit.tar.gz" device-kit
bytes=$(wc -c <"$kit.tar.gz")
echo "target/device-kit.tar.gz: $((bytes / 1000000)) MB; there: tar xzf device-kit.tar.gz && device-kit/run.sh"
[ "$bytes" -le $most ] || {
  echo "device-kit: larger than 60 MB" >&2
  exit 1
}
