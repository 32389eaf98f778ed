#!/bin/sh
# Builds the CUDA library where there is a compiler for it. Started by Maven in the root folder.
set -eu
cd "$(dirname "$0")/.."

PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
if ! command -v nvcc >/dev/null 2>&1; then
  rm -rf target/cmake/cuda/jar
  echo "nvcc not found: the CUDA library is not built"
  exit 0
fi
cmake --preset cuda
cmake --build --preset cuda
