#include "tests/graph/every_kind.h"

#include <utility>
#include <vector>

#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {

Graph GraphOfEveryKind() {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
  const Value labels = t.Input("labels", kInt32, {kRows}), seed = t.Input("seed", kInt64, {});
  const Value batches = t.Input("batches", kFloat32, {10, 4, 2});
  const Value h = Tanh(MatMul(x, w) + RandomUniform(seed, kFloat32, {3}));
  const Value picked = Gather(h, labels, 1, 1);
  const Value spread = ScatterAdd(picked, t.Iota(kRows), kRows);
  const Value both = Reshape(Concat({w, Reverse(w, {1}) + 1}, 1), {12});
  const Value mean = Mean(h, 0);
  const LoopResult loop =
      Loop(t, {.carried = {w}, .scanned = {batches}}, [&](LoopBody& body) -> LoopStep {
        const Value loss = Sum(MatMul(body.scanned[0], body.carried[0]));
        return {.carried = {body.carried[0] * loss + Cast(body.trip, kFloat32)},
                .stacked = {loss},
                .stop = Greater(loss, 100)};
      });
  const Value custom = CustomGradient(
      {h}, [](absl::Span<const Value> v) { return Sign(v[0]); },
      [](absl::Span<const Value>, const Value&, const Value& dy) {
        return std::vector<Value>{dy};
      });
  absl::StatusOr<Graph> graph =
      t.Finish({spread, both, mean, loop.carried[0], loop.stacked[0], loop.trips, custom});
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

}  // namespace talweg
