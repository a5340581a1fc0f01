# ./dev mutants: plants one mistake of tools/dev/mutants.txt after the other into a copy of the compiler's source, and sees
# that a test finds it. tests/jit/planted_test does the like, in seconds, to what the compiler makes; this is for the code that
# makes it. Takes minutes a mistake: what is changed is compiled again, and linked with some ten tests.

# The tests that are asked, the quick ones first.
mutant_tests=(//tests/interpreter/... //tests/jit/... //tests/ops:sweep_test //tests/ops:sweep_kinds_test //tests/ops:cast_test
  //tests/ops:fuzz_test)

# mutants [WORDS]: all, or those whose line has the words.
mutants() {
  local copy found=0 missed=0 name file expression log words=${*:-}
  copy=$(mktemp -d)
  log=$(mktemp)
  trap '(cd "'"$copy"'" && [ -f WORKSPACE ] && bazel clean --expunge) > /dev/null 2>&1; rm -rf "'"$copy"'" "'"$log"'"' EXIT
  git archive HEAD | tar -x -C "$copy"
  [ ! -f .bazelrc.user ] || cp .bazelrc.user "$copy"
  cd "$copy"
  ask() { bazel test --build_tests_only --notest_keep_going --test_output=errors "${mutant_tests[@]}" < /dev/null > "$log" 2>&1; }
  ask || { tail -50 "$log" >&2; die "the tests fail without a mistake"; }
  while IFS='|' read -r name file expression; do
    case $name in '' | '#'*) continue ;; esac
    [[ $name == *"$words"* ]] || continue
    cp "$file" original
    sed -i "$expression" "$file"
    if cmp -s "$file" original; then
      say "missed: $name: the expression changes nothing in $file"
      missed=$((missed + 1))
    elif ask; then
      say "missed: $name"
      missed=$((missed + 1))
    elif grep -q '^ERROR.*Compiling' "$log"; then
      say "missed: $name: it does not compile"
      missed=$((missed + 1))
    else
      say "found:  $name, by $(grep -oE '^//[^ ]+ +.*FAILED|^FAIL: [^ ]+' "$log" | grep -oE '//[^ ]+' | sort -u | head -3 | tr '\n' ' ')"
      found=$((found + 1))
    fi
    cp original "$file"
  done < tools/dev/mutants.txt
  printf '%d found, %d missed\n' "$found" "$missed"
  [ "$missed" = 0 ]
}
