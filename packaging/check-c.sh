#!/bin/sh
# Installs header, library and pkg-config file below target/, and builds and runs the C and C++ examples against them, without Java.
set -eu
cd "$(dirname "$0")/.."
build=$PWD/target/cmake/cpu
prefix=$PWD/target/c/prefix
if [ ! -f "$build/shared/libfettle.so" ]; then
  echo "############ NOT RUN: the C examples, because there is no native build ############"
  exit 0
fi
rm -rf target/c
# Moved once, because a pkg-config file with the path of a build machine in it would still pass in place.
cmake --install "$build" --prefix "$prefix.first" >/dev/null
mv "$prefix.first" "$prefix"
if command -v pkg-config >/dev/null; then
  flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs fettle)
else
  echo "pkg-config is missing: its file is not checked"
  flags="-I$prefix/include -L$prefix/lib -lfettle"
fi
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
# shellcheck disable=SC2086 # lists of words
${CC:-cc} -std=c99 -O2 $warnings examples/c/train.c $flags -lm -o target/c/train
# shellcheck disable=SC2086
${CXX:-c++} -std=c++17 -O2 $warnings examples/c/dlpack.cpp $flags -lm -o target/c/dlpack
for example in train dlpack; do
  LD_LIBRARY_PATH=$prefix/lib target/c/$example
done
echo "C examples: built with pkg-config against the installed header, and ran"
