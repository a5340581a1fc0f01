#!/usr/bin/env bash
# Runs a program of goals.txt on its smallest sizes: goal_smoke_test.sh PROGRAM KEY... It fails where the program does, or where one
# of the keys is not printed with a number above 0. matmul checks by itself that the libraries' results, where there are any, are
# Talweg's but for rounding.
set -euo pipefail

printed=$("$1" --quick none)
shift
for key in "$@"; do
  awk -v key="$key" '{ for (i = 1; i < NF; i++) if ($i == key && $(i + 1) ~ /^[0-9.e+-]+$/ && $(i + 1) + 0 > 0) found = 1 } END { exit !found }' <<< "$printed" ||
    { echo "no '$key' above 0 in: $printed"; exit 1; }
done
