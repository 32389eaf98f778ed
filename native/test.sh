#!/bin/sh
# Builds and runs the C++ tests: native/test.sh [sanitize|asan|ubsan|test]
set -eu
cd "$(dirname "$0")/.."
preset=${1:-sanitize}
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset"
