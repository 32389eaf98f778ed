#!/bin/sh
# Compiles the kernels to PTX and looks for arithmetic that is not rounded as the source says it:
#   cuda-kernels/ptx-check.sh [FILE.cu...]
# Every operation on floats must carry .rn (the assembler may then not contract it), none may flush denormals or be an
# approximation. Prints every finding; the exit status is 0 only without one.
set -eu
cd "$(dirname "$0")/src"
PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- *.cu
found=0
for file in "$@"; do
  nvcc -std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -DFETTLE_TIER=cuda \
    -I../../native/include -I../../native/src -I. -arch=compute_90 -ptx "$file" -o "$work/kernels.ptx"
  # Operations on floats: the mnemonic ends in the type. min, max, neg, abs, setp, selp, mov, ld and st do not round.
  if grep -nE '^[[:space:]]*(add|sub|mul|mad|fma|div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.[a-z0-9.]*f(16|32|64)[[:space:]]' \
      "$work/kernels.ptx" | grep -vE '(add|sub|mul|fma|div|sqrt|rcp)\.rn\.f(32|64)[[:space:]]'; then
    echo "$file: arithmetic that is not rounded to nearest" >&2
    found=1
  fi
  if grep -nE '\.(ftz|approx)[. ]' "$work/kernels.ptx"; then
    echo "$file: a flush or an approximation" >&2
    found=1
  fi
  echo "$file: $(grep -cE '(add|sub|mul|fma|div|sqrt|rcp)\.rn\.f(32|64)' "$work/kernels.ptx") operations looked at"
done
exit $found
