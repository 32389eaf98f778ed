#!/bin/sh
# Registers and spills of every kernel, as rows of a Markdown table, for one architecture; the build's own flags:
#   cuda-kernels/register-report.sh sm_90 [FILE.cu...]
set -eu
architecture=${1:?an architecture, for example sm_90}
shift
cd "$(dirname "$0")/src"
PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- *.cu
for file in "$@"; do
  nvcc -std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true --Werror=all-warnings -DFETTLE_TIER=cuda \
    -I../../native/include -I../../native/src -I. -Xcompiler=-Wall,-Wextra,-Werror \
    "-arch=$architecture" -cubin -Xptxas=-v "$file" -o "$work/kernels.cubin" 2>>"$work/report" || {
    cat "$work/report" >&2
    exit 1
  }
done
# Of three lines per kernel: its name, its spills, its registers.
c++filt <"$work/report" >"$work/names"
awk '
  /Compiling entry function/ {
    name = $0
    sub(/^[^'\'']*'\''/, "", name); sub(/'\'' for .*/, "", name)
    gsub(/\(anonymous namespace\)::/, "", name); sub(/^void /, "", name); gsub(/fettle::cuda::/, "", name); sub(/\(.*/, "", name)
  }
  /bytes stack frame/ {
    spilled = ""
    for (i = 2; i <= NF; i++) {
      if ($i == "spill" && $(i + 1) ~ /^stores/) stores = $(i - 2)
      if ($i == "spill" && $(i + 1) ~ /^loads/) loads = $(i - 2)
    }
    if (stores + loads > 0) spilled = ", " stores "/" loads
  }
  /Used [0-9]+ registers/ {
    for (i = 1; i <= NF; i++) if ($i == "registers" || $i == "registers,") print "| `" name "` | " $(i - 1) spilled " |"
  }' "$work/names" >"$work/rows"
[ -s "$work/rows" ] || {
  echo "register-report: no kernel was reported" >&2
  exit 1
}
sort "$work/rows"
