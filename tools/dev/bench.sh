# `./dev bench`, sourced by ./dev: reads benchmarks/goals.txt, runs programs and baselines in turn on the same cores, and prints
# `goal NAME VALUE UNIT` or `absent NAME reason` for each goal asked for.

bench_rounds=${TALWEG_BENCH_ROUNDS:-5}
# One round will do: matmul lets all sides run in turn by itself, and prints ratios, of which one does not take the best; those of
# JAX and PyTorch are set against it.
bench_once=' matmul jax_matmul torch_matmul '
bench_data=tests/data/blobs/blobs_1000_3_2_std2_seed2.csv
# Of the random networks.
bench_seed=${TALWEG_BENCH_SEED:-$((RANDOM * 32768 + RANDOM))}

# The rows of the table whose name or group is among the arguments; all without arguments.
bench_rows() {
  awk -v wanted=" $* " '!/^#/ && NF { if (wanted == "  " || index(wanted, " " $1 " ") || index(wanted, " " $2 " ")) print }' \
    benchmarks/goals.txt
}

# The programs a row's figures come from.
bench_programs() {
  awk '{ for (i = 5; i <= NF; i++) if ($i != "/") { sub(/\..*/, "", $i); print $i } }' | sort -u
}

# bench_python MODULE: a Python that has the module, or fails.
bench_python() {
  local python
  for python in ${TALWEG_PYTHON:-} "$bench_venv/bin/python" python3; do
    if "$python" -c "import $1" 2> /dev/null; then echo "$python"; return; fi
  done
  return 1
}
bench_venv=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/talweg-bench/venv

# bench_libraries: OpenBLAS and oneDNN, for matmul alone: pip's builds where `./dev bench peers` has installed them, else Debian's.
# Where neither can be had the benchmark says so and leaves their ratios out.
bench_libraries() {
  local place
  for place in "$bench_venv"/lib/python3*/site-packages/scipy_openblas32/lib/libscipy_openblas.so; do
    [ ! -e "$place" ] || export TALWEG_OPENBLAS=${TALWEG_OPENBLAS:-$place}
  done
  place=$bench_venv/lib/libdnnl.so.3
  [ ! -e "$place" ] || export TALWEG_ONEDNN=${TALWEG_ONEDNN:-$place}
  [ -n "${TALWEG_OPENBLAS:-}" ] && [ -n "${TALWEG_ONEDNN:-}" ] || (need "${peer_packages[@]}") || say "matmul runs without them"
}

# Whether a package is there, as a module of a Python or, where it is a library only, among the files of the environment.
bench_has() {
  case $1 in
    onednn-cpu-gomp) [ -e "$bench_venv/lib/libdnnl.so.3" ] ;;
    scipy-openblas32) [ -x "$bench_venv/bin/python" ] && "$bench_venv/bin/python" -c 'import scipy_openblas32' 2> /dev/null ;;
    *) bench_python "$1" > /dev/null ;;
  esac
}

# bench_peers PACKAGES...: installs them where they are missing. It may fail: the goals are absent then.
bench_peers() {
  local package missing=()
  for package in "$@"; do bench_has "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Installing ${missing[*]} into $bench_venv, some gigabytes"
  { [ -x "$bench_venv/bin/pip" ] || python3 -m venv "$bench_venv"; } >&2 ||
    { say "python3 could not make $bench_venv"; return 0; }
  for package in "${missing[@]}"; do "$bench_venv/bin/pip" install -q "$package" >&2 || say "pip could not install $package"; done
}

# bench_script OUT COMMAND...: makes OUT a program that runs the command with the program's argument, and bench_more after it.
bench_script() {
  local out=$1; shift
  { printf '#!/bin/sh\nexec'; printf ' %q' "$@"; printf ' "$@" %s\n' "${bench_more:-}"; } > "$out"
  chmod +x "$out"
}

# bench_build OUT PROGRAMS...: makes OUT/PROGRAM an executable, or writes why not to OUT/PROGRAM.absent.
bench_build() {
  local out=$1 program python bin targets=(); shift
  for program in "$@"; do
    case $program in
      random_*) targets+=("//benchmarks/random:random_network") ;;
      plain_* | peak | jax_* | torch_*) ;;
      *) [ ! -e "benchmarks/goals/$program.cc" ] || targets+=("//benchmarks/goals:$program") ;;
    esac
  done
  # What draws the figures is built before anything is measured.
  [ -z "$figures" ] || targets+=("//benchmarks/figures:shares")
  if [ ${#targets[@]} -gt 0 ]; then
    bazel build "${bazel_quiet[@]}" -c opt "${targets[@]}" >&2
    bin=$(bazel info -c opt bazel-bin 2> /dev/null)/benchmarks
  fi
  for program in "$@"; do
    case $program in
      plain_fit) clang++-19 -O3 -march=native -ffast-math -o "$out/$program" benchmarks/baselines/plain_fit.cc ;;
      peak) clang++-19 -O3 -march=native -o "$out/$program" benchmarks/baselines/peak.cc ;;
      jax_* | torch_*)
        if python=$(bench_python "${program%%_*}"); then
          # What goals need; figures need all rules and batches.
          local bench_more=
          [[ $program != *_large || -n $figures ]] || bench_more='momentum,adam 128,512'
          bench_script "$out/$program" "$python" "$root/$(ls benchmarks/*/"$program.py")"
        else
          echo "no Python here has ${program%%_*}; './dev bench peers' installs it with pip" > "$out/$program.absent"
        fi ;;
      random_*) bench_script "$out/$program" "$bin/random/random_network" "$bench_seed" "${program#random_}" --fit ;;
      plain_random_*)
        "$bin/random/random_network" "$bench_seed" "${program#plain_random_}" --plain > "$out/$program.cc"
        clang++-19 -O3 -march=native -ffast-math -o "$out/$program" "$out/$program.cc" ;;
      *)
        if [ -e "benchmarks/goals/$program.cc" ]; then
          ln -s "$bin/goals/$program" "$out/$program"
        else
          echo "benchmarks/goals/$program.cc is not written yet" > "$out/$program.absent"
        fi ;;
    esac
  done
}

# bench_launcher CORES: the command that starts a program, a word a line. On a busy machine a long run is interrupted and a short
# one is not, so that only a priority above others' makes a ratio of the two fair; where we may not ask for it, we do without.
bench_launcher() {
  # The last core we may use: the first ones serve the system's interrupts.
  [ "$1" = all ] || printf '%s\n' taskset -c "$(sed -n 's/^Cpus_allowed_list:.*[^0-9]\([0-9]*\)$/\1/p' /proc/self/status)"
  if chrt -f 1 true 2> /dev/null; then printf '%s\n' chrt -f 1
  elif nice -n -20 true 2> /dev/null; then printf '%s\n' nice -n -20
  fi
  printf '%s\n' timeout 600
}

# bench_run OUT CORES PROGRAMS...: all programs in turn, bench_rounds times; writes `CORES PROGRAM.KEY VALUE` lines to OUT/figures.
bench_run() {
  local out=$1 cores=$2 round program printed launcher; shift 2
  mapfile -t launcher < <(bench_launcher "$cores")
  for ((round = 1; round <= bench_rounds; round++)); do
    for program in "$@"; do
      [ ! -e "$out/$program.absent" ] || continue  # it failed in an earlier round
      [ "$round" = 1 ] || [[ $bench_once != *" $program "* ]] || continue
      if printed=$("${launcher[@]}" "$out/$program" "$bench_data"); then
        say "round $round: $program: $(tr '\n' ' ' <<< "$printed" | cut -c 1-1500)"
        awk -v prefix="$cores $program." '$1 != "absent" {
          for (i = 1; i < NF; i++) if ($(i + 1) ~ /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/) { print prefix $i, $(i + 1); i++ }
        }' <<< "$printed" >> "$out/figures"
        # `absent KEY reason`: what a program could not measure here, and is not broken for.
        awk -v prefix="$program." '$1 == "absent" { sub(/^absent /, ""); print prefix $0 }' <<< "$printed" >> "$out/absent"
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
  awk -v figures=" ${2#* * * * } " 'index(figures, " " $1 " ") { sub(/^[^ ]* /, ""); print; found = 1; exit } END { exit !found }' \
    "$1/absent"
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

# bench_figures OUT DIR: draws what was measured of matmul and of large, share of peak against size, into DIR.
bench_figures() {
  "$(bazel info -c opt bazel-bin 2> /dev/null)/benchmarks/figures/shares" "$1/figures" "$2" || touch "$1/broken"
}

# A subshell, so that its folder goes when it ends, however it ends.
bench() (
  local out name row cores rows figures=
  case ${1:-} in
    --figures=/*) figures=${1#--figures=}; shift ;;
    --figures=*) figures=$stands/${1#--figures=}; shift ;;
    -*) die "bench takes --figures=DIR and names of goals and groups" ;;
  esac
  for name in "$@"; do [ -n "$(bench_rows "$name")" ] || die "there is no goal or group '$name' in benchmarks/goals.txt"; done
  [ -e "$bench_data" ] || die "$bench_data is missing"
  rows=$(bench_rows "$@")
  ! grep -q ' random_' <<< "$rows" || say "random networks of seed $bench_seed (TALWEG_BENCH_SEED chooses another)"
  for name in "$@"; do
    case $name in
      peers) bench_peers jax torch scipy-openblas32 onednn-cpu-gomp ;;
      *_over_jax) bench_peers jax ;;
      *_over_torch | *_over_pytorch) bench_peers torch ;;
    esac
  done
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  : > "$out/figures"
  : > "$out/absent"
  # The figures show shares of the peak.
  [ -z "$figures" ] || need "${figure_packages[@]}"
  [ -z "$figures" ] || rows+=$'\npeak figures 1 1 peak.peak_gflops_f32'
  ! grep -q ' matmul\.' <<< "$rows" || bench_libraries
  bench_build "$out" $(bench_programs <<< "$rows")
  for cores in 1 all; do
    bench_run "$out" "$cores" $(
      while read -r row; do bench_absent "$out" "$row" > /dev/null || echo "$row"; done <<< "$rows" |
        awk -v cores="$cores" '$3 == cores' | bench_programs
    )
  done
  while read -r row; do [[ $row == 'peak figures '* ]] || bench_line "$out" "$row"; done <<< "$rows"
  [ -z "$figures" ] || bench_figures "$out" "$figures"
  [ ! -e "$out/broken" ]
)
