#include "jit/passes/fuse.h"

#include <algorithm>
#include <cstddef>

#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

size_t LargestGroup(const Fusion& fusion) {
  size_t largest = 0;
  for (const Fusion::Group& group : fusion.groups) largest = std::max(largest, group.nodes.size());
  return largest;
}

// Maps move down to their readers, but not into groups that are full: where the last group is not,
// all of a long chain would end in it.
TEST(Fuse, KeepsGroupsOfALongChainWithinTheirLimit) {
  for (const int nodes : {1050, 100001}) {
    Tape t;
    Value y = t.Input("x", kFloat32, {4});
    for (int i = 0; i < nodes; i++) y = Sin(y);
    const Graph graph = *t.Finish({y});
    const FuseOptions options;
    EXPECT_LE(LargestGroup(Fuse(graph)), static_cast<size_t>(options.most_nodes)) << nodes;
  }
}

// A nest of a contraction takes maps only: blocks and threads are not for others.
TEST(Fuse, KeepsGathersAndReductionsOutOfAContractionsGroup) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {64, 8}), w = t.Input("w", kFloat32, {8, 16});
  const Value table = t.Input("table", kFloat32, {5, 16}), ids = t.Input("ids", kInt32, {64});
  const Value cube = t.Input("cube", kFloat32, {64, 16, 3});
  const Value product = MatMul(x, w);
  const Value rows = Gather(table, ids);
  const Value sums = Sum(cube, {2});
  const Graph graph = *t.Finish({product + rows + sums, product});
  const Fusion fusion = Fuse(graph);
  const auto group = [&](const Value& v) { return fusion.group[static_cast<size_t>(v.id())]; };
  EXPECT_NE(group(product), group(rows));
  EXPECT_NE(group(product), group(sums));
  EXPECT_EQ(group(rows), group(sums));
}

// Who reads a value twice is one reader: the square needs no place in memory.
TEST(Fuse, MakesAPrologueOfWhatItsReaderReadsTwice) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {64, 8}), y = t.Input("y", kFloat32, {64, 8});
  const Value difference = x - y;
  const Value square = difference * difference;
  const Graph graph = *t.Finish({Sum(square)});
  const Fusion fusion = Fuse(graph);
  EXPECT_TRUE(fusion.prologue[static_cast<size_t>(square.id())]);
  EXPECT_TRUE(fusion.prologue[static_cast<size_t>(difference.id())]);
  EXPECT_EQ(fusion.readers[static_cast<size_t>(difference.id())], 1);
}

}  // namespace
}  // namespace talweg
