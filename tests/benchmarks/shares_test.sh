#!/usr/bin/env bash
# shares_test.sh PROGRAM: figures of measurements, drawn where there is something to draw, refused where the peak is missing.
set -euo pipefail

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cat > "$out/figures" << END
1 peak.peak_gflops_f32 100.0
1 peak.peak_gflops_f64 50.0
1 matmul.talweg_float32_nn_64_gflops 40
1 matmul.talweg_float32_nn_64_gflops 80
1 matmul.talweg_float32_nn_128_gflops 90
1 matmul.openblas_float64_nn_64_gflops 45
1 matmul.talweg_float32_nn_1x1024x1024_gflops 5
END
"$1" "$out/figures" "$out/new/folder"
for kind in png svg; do [ -s "$out/new/folder/matmul.$kind" ]; done
for name in Talweg OpenBLAS; do grep -q "$name" "$out/new/folder/matmul.svg"; done
if grep -q PyTorch "$out/new/folder/matmul.svg"; then exit 1; fi
[ ! -e "$out/new/folder/large.svg" ]  # nothing was measured

sed -i '/f64/d' "$out/figures"
if "$1" "$out/figures" "$out/none" 2> "$out/error"; then exit 1; fi
grep -q '^error: the peak was not measured' "$out/error"
