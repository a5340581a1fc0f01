#!/usr/bin/env bash
# Runs a program of Google Benchmark's for a moment: smoke_test.sh PROGRAM. It fails where the program does, runs nothing, or
# reports an error in one of its benchmarks.
set -euo pipefail

printed=$("$1" --benchmark_min_time=0.000001 --benchmark_filter='^[^x]*$|/[0-9]{1,3}x')
echo "$printed"
grep -q ' us \| ms ' <<< "$printed"
! grep -q 'ERROR OCCURRED' <<< "$printed"
