#!/bin/sh
# Builds the release twice from clean folders and compares every byte of what would be published.
#   packaging/check-release.sh           Java, Javadoc, sources, SBOM; the CPU kernels are not compiled again
#   packaging/check-release.sh --native  the CPU kernels too
set -eu
cd "$(dirname "$0")/.."
native=${1:-}
modules=java
if [ "$native" = --native ]; then
  modules=native,java
  # A compiler cache would hand out the first build's objects.
  unset CMAKE_CXX_COMPILER_LAUNCHER CMAKE_C_COMPILER_LAUNCHER
else
  echo "############ NOT RUN: compiling the CPU kernels twice (--native does) ############"
fi
work=target/release
rm -rf "$work"
mkdir -p "$work"
for build in first second; do
  [ "$native" != --native ] || rm -rf target/cmake/cpu target/cmake/jni
  rm -rf java/target
  mvn -B -q package -Prelease -DskipTests -Dspotless.check.skip -pl $modules
  (cd java/target && sha256sum fettle-*.jar bom.json) >"$work/$build"
done
cat "$work/second"
cmp "$work/first" "$work/second" || { diff "$work/first" "$work/second"; echo "release: the two builds differ" >&2; exit 1; }
for kind in sources javadoc; do
  grep -q -- "-$kind.jar" "$work/second" || { echo "release: no $kind jar" >&2; exit 1; }
done
grep -q '"bomFormat" : "CycloneDX"' java/target/bom.json || { echo "release: no CycloneDX SBOM" >&2; exit 1; }
echo "release: two clean builds gave the same bytes; Javadoc without a warning"
