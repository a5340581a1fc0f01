#!/usr/bin/env bash
# Runs a program of Google Benchmark's for a moment: smoke_test.sh PROGRAM. It fails where the program does, runs nothing, or
# reports an error in one of its benchmarks. The
# largest sizes are left out.
set -euo pipefail

printed=$("$1" --benchmark_min_time=0.000001 --benchmark_filter='-/(512x|1024x|4194304)')
echo "$printed"
grep -q ' us \| ms ' <<< "$printed"
! grep -q 'ERROR OCCURRED' <<< "$printed"
