# `./dev bench`, sourced by ./dev: reads benchmarks/goals.txt, runs programs and baselines in turn on the same cores, and prints
# `goal NAME VALUE UNIT` or `absent NAME reason` for each goal asked for.

bench_rounds=5
bench_data=tests/data/blobs/blobs_1000_3_2_std2_seed2.csv

# The rows of the table whose name or group is among the arguments; all without arguments.
bench_rows() {
  awk -v wanted=" $* " '!/^#/ && NF { if (wanted == "  " || index(wanted, " " $1 " ") || index(wanted, " " $2 " ")) print }' \
    benchmarks/goals.txt
}

# The programs a row's figures come from.
bench_programs() {
  awk '{ for (i = 5; i <= NF; i++) if ($i != "/") { sub(/\..*/, "", $i); print $i } }' | sort -u
}

# bench_build OUT PROGRAMS...: makes OUT/PROGRAM an executable, or writes why not to OUT/PROGRAM.absent.
bench_build() {
  local out=$1 program targets=(); shift
  for program in "$@"; do
    case $program in
      plain_fit) clang++-19 -O3 -march=native -ffast-math -o "$out/$program" benchmarks/baselines/plain_fit.cc ;;
      peak) clang++-19 -O3 -march=native -o "$out/$program" benchmarks/baselines/peak.cc ;;
      jax_fit)
        local python=${TALWEG_PYTHON:-python3}
        if "$python" -c 'import jax' 2> /dev/null; then
          printf '#!/bin/sh\nexec %q %q "$@"\n' "$python" "$root/benchmarks/baselines/jax_fit.py" > "$out/$program"
          chmod +x "$out/$program"
        else
          echo "$python has no jax (TALWEG_PYTHON names another)" > "$out/$program.absent"
        fi ;;
      *)
        if [ -e "benchmarks/goals/$program.cc" ]; then
          targets+=("//benchmarks/goals:$program")
        else
          echo "benchmarks/goals/$program.cc is not written yet" > "$out/$program.absent"
        fi ;;
    esac
  done
  [ ${#targets[@]} -gt 0 ] || return 0
  bazel build "${bazel_quiet[@]}" -c opt "${targets[@]}" >&2
  local bin; bin=$(bazel info -c opt bazel-bin 2> /dev/null)
  for program in "${targets[@]#*:}"; do ln -s "$bin/benchmarks/goals/$program" "$out/$program"; done
}

# bench_run OUT CORES PROGRAMS...: all programs in turn, bench_rounds times; writes `CORES PROGRAM.KEY VALUE` lines to OUT/figures.
bench_run() {
  local out=$1 cores=$2 round program printed pin=(); shift 2
  # The last core we may use: the first ones serve the system's interrupts.
  [ "$cores" = all ] || pin=(taskset -c "$(sed -n 's/^Cpus_allowed_list:.*[^0-9]\([0-9]*\)$/\1/p' /proc/self/status)")
  for ((round = 1; round <= bench_rounds; round++)); do
    for program in "$@"; do
      [ ! -e "$out/$program.absent" ] || continue  # it failed in an earlier round
      if printed=$("${pin[@]}" "$out/$program" "$bench_data"); then
        say "round $round: $program: $printed"
        awk -v prefix="$cores $program." '{
          for (i = 1; i < NF; i++) if ($(i + 1) ~ /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/) { print prefix $i, $(i + 1); i++ }
        }' <<< "$printed" >> "$out/figures"
      else
        echo "$program failed" > "$out/$program.absent"
        touch "$out/broken"
      fi
    done
  done
}

# bench_absent OUT ROW: why a row cannot be measured, or fails.
bench_absent() {
  local program
  for program in $(bench_programs <<< "$2"); do
    [ ! -e "$1/$program.absent" ] || { cat "$1/$program.absent"; return 0; }
  done
  return 1
}

# bench_line OUT ROW: the line of one goal, from OUT/figures.
bench_line() {
  local out=$1 name group cores unit figures reason
  read -r name group cores unit figures <<< "$2"
  if reason=$(bench_absent "$out" "$2"); then
    echo "absent $name $reason"
    return
  fi
  awk -v name="$name" -v cores="$cores" -v unit="$unit" -v figures="$figures" '
    $1 == cores {
      less = $2 ~ /_(s|ms|us|ns)$/
      if (!($2 in best) || (less ? $3 < best[$2] : $3 > best[$2])) best[$2] = $3
    }
    END {
      n = split(figures, figure, " / ")
      for (i = 1; i <= n; i++) if (!(figure[i] in best)) { print "absent", name, figure[i], "was not printed"; exit 1 }
      printf "goal %s %.4f %s\n", name, n == 2 ? best[figure[1]] / best[figure[2]] : best[figure[1]], unit
    }' "$out/figures" || touch "$out/broken"
}

# A subshell, so that its folder goes when it ends, however it ends.
bench() (
  local out name row cores rows
  for name in "$@"; do [ -n "$(bench_rows "$name")" ] || die "there is no goal or group '$name' in benchmarks/goals.txt"; done
  [ -e "$bench_data" ] || die "$bench_data is missing"
  rows=$(bench_rows "$@")
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  : > "$out/figures"
  bench_build "$out" $(bench_programs <<< "$rows")
  for cores in 1 all; do
    bench_run "$out" "$cores" $(
      while read -r row; do bench_absent "$out" "$row" > /dev/null || echo "$row"; done <<< "$rows" |
        awk -v cores="$cores" '$3 == cores' | bench_programs
    )
  done
  while read -r row; do bench_line "$out" "$row"; done <<< "$rows"
  [ ! -e "$out/broken" ]
)
