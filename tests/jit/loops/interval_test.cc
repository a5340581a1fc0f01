// Which indices are checked (jit/loops/interval.h): those that how they were made keeps inside are
// not, all others are, and no engine tells the difference.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "jit/jit.h"
#include "talweg.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

constexpr int64_t kCount = 21;

int ChecksIn(const Graph& graph) {
  std::string loops;
  JitOptions options = {.cache = "off"};
  options.trace.loops = true;
  options.trace.sink = [&](std::string_view, std::string_view text) { loops = text; };
  const auto executable = Jit(graph, options);
  EXPECT_TRUE(executable.ok()) << executable.status();
  EXPECT_FALSE(loops.empty());
  int count = 0;
  const std::string word = "check_index";
  for (size_t at = loops.find(word); at != loops.npos; at = loops.find(word, at + 1)) count++;
  return count;
}

bool IsChecked(const Graph& graph) { return ChecksIn(graph) > 0; }

// What `indices` picks of kCount rows of three numbers, and whether that is checked. On all
// engines.
template <typename F>
bool IsCheckedOf(const F& indices, int64_t rows = kCount) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {rows, 3});
  const Value key = t.Input("key", kInt64, {});
  const Value picked = Gather(x, indices(t, key));
  const absl::StatusOr<Graph> graph = t.Finish({picked});
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return false;
  std::vector<float> numbers;
  for (int64_t i = 0; i < 3 * rows; i++) numbers.push_back(static_cast<float>(i));
  const auto ran = TryRun(
      t, {picked}, {{"x", *Array::From<float>({rows, 3}, numbers)}, {"key", Array(int64_t{5})}});
  EXPECT_EQ(ran.ok(), rows == kCount) << ran.status();
  return IsChecked(*graph);
}

TEST(Checks, OfWhatLiesInsideAreLeftOut) {
  EXPECT_FALSE(IsCheckedOf([](Tape&, const Value& key) { return Permutation(key, kCount); }));
  EXPECT_FALSE(IsCheckedOf([](Tape& t, const Value&) { return t.Iota(kCount, kInt32); }));
  // Views and picks of it.
  EXPECT_FALSE(IsCheckedOf([](Tape&, const Value& key) {
    return Reverse(Slice(Permutation(key, kCount), 0, 2, 19), {0});
  }));
  EXPECT_FALSE(IsCheckedOf([](Tape& t, const Value& key) {
    return Gather(Permutation(key, kCount), Reshape(t.Iota(16), {4, 4}));
  }));
  // Places.
  EXPECT_FALSE(IsCheckedOf([](Tape&, const Value& key) {
    return ArgMax(RandomUniform(key, kFloat32, {5, kCount}), 1);
  }));
}

TEST(Checks, OfOthersAreThere) {
  // Of fewer rows than there are numbers: an error.
  EXPECT_TRUE(IsCheckedOf([](Tape&, const Value& key) { return Permutation(key, kCount); }, 20));
  // Computed, or padded with what may be anything.
  EXPECT_TRUE(
      IsCheckedOf([](Tape&, const Value& key) { return Permutation(key, kCount - 1) + 1; }));
  EXPECT_TRUE(IsCheckedOf(
      [](Tape&, const Value& key) { return Pad(Permutation(key, kCount), {{2, 3}}, 4); }));
  EXPECT_TRUE(IsCheckedOf([](Tape&, const Value& key) { return Reshape(key + 3, {1}); }));
}

// A place may be picked of no places at all, if there are no rows: that is an error by itself, and
// what was picked is nothing to go by.
TEST(Checks, OfWhatIsPickedOfRows) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 5});
  const Value table = t.Input("table", kFloat32, {5, 3});
  const Value which = t.Input("which", kInt64, {});
  const Value picked = Gather(table, Gather(ArgMax(x, 1), which));
  const absl::StatusOr<Graph> graph = t.Finish({picked});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(ChecksIn(*graph), 2);
  for (const int64_t rows : {0, 2}) {
    const auto ran = TryRun(t, {picked},
                            {{"x", *Array::Zeros(kFloat32, {rows, 5})},
                             {"table", *Array::Zeros(kFloat32, {5, 3})},
                             {"which", Array(int64_t{1})}});
    EXPECT_EQ(ran.ok(), rows == 2) << ran.status();
  }
}

// In a loop's body, of what the loop was given; not of what it carries.
TEST(Checks, InLoops) {
  for (const bool carried : {false, true}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {kCount});
    const Value order = Permutation(t.Input("key", kInt64, {}), kCount);
    const LoopResult loop =
        Loop(t, {.trips = 3, .carried = {x, order}}, [&](LoopBody& body) -> LoopStep {
          const Value next = carried ? body.carried[1] : order;
          return {.carried = {body.carried[0] * Gather(x, next), Reverse(body.carried[1], {0})}};
        });
    const absl::StatusOr<Graph> graph = t.Finish({loop.carried[0]});
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(IsChecked(*graph), carried);
    std::vector<float> numbers(kCount, 1.5f);
    numbers[7] = -2;
    EXPECT_TRUE(
        TryRun(t, {loop.carried[0]}, {{"x", Array::Vector(numbers)}, {"key", Array(int64_t{3})}})
            .ok());
  }
}

}  // namespace
}  // namespace talweg
