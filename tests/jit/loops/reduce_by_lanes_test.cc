// Sums of many chains with their terms in the lanes, a tile of results at a time
// (jit/loops/reduce_by_lanes.cc): the interpreter's bits around every edge.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

// Thin results of each width: a vector of results and what is left over, of one lane up.
constexpr int64_t kColumns[] = {1, 3, 5, 8, 9, 10, 13, 15};
// One below the number of terms from which tiles pay, that number, and trips with a rest.
constexpr int64_t kTerms[] = {63, 64, 129, 785};

Value Product(const Value& x, const Value& w) {
  return Contract(x, w, {.lhs_sum = {1}, .rhs_sum = {0}});
}

void ExpectSame(const Tape& tape, const std::vector<Value>& outputs, int64_t rows) {
  Tape t = tape;
  const absl::StatusOr<Graph> graph = t.Finish(outputs);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto ran = RunOnEngines(EnginesOfEachProcessor(), *graph, RandomInputs(*graph, 7, rows));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

TEST(Chains, OfTilesHaveTheBitsOfEachResult) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t terms : kTerms) {
      // A known number of rows, one that is known when it runs, and one that a loop binds.
      for (const int64_t rows : {7, 1, 33}) {
        if (dtype == kFloat64 && rows != 7) continue;
        if (IsSlow() && (rows == 1 || terms == 64)) continue;
        SCOPED_TRACE(absl::StrCat(Name(dtype), " ", terms, " terms, ", rows, " rows"));
        Tape t;
        const Value known = t.Input("known", dtype, {rows, terms});
        const Value x = t.Input("x", dtype, {kRows, terms});
        std::vector<Value> outputs;
        for (const int64_t columns : kColumns) {
          const Value w = t.Input(absl::StrCat("w", columns), dtype, {terms, columns});
          const Value b = t.Input(absl::StrCat("b", columns), dtype, {columns});
          outputs.push_back(Relu(Product(known, w) + b));
          outputs.push_back(Tanh(Product(x, w) + b));
          outputs.push_back(Product(known, Transpose(Transpose(w))));
        }
        ExpectSame(t, outputs, rows);
      }
    }
  }
}

TEST(Chains, OfRowsThatALoopBinds) {
  for (const int64_t columns : kColumns) {
    SCOPED_TRACE(columns);
    Tape t;
    const Value x = t.Input("x", kFloat32, {3, 9, 200});
    const Value w = t.Input("w", kFloat32, {200, columns});
    const Value rows = t.Constant(Array::Vector<int64_t>({9, 9, 4}));
    const LoopResult loop =
        Loop(t, {.scanned = {x}, .rows = rows, .rows_limit = 9}, [&](LoopBody& body) -> LoopStep {
          ViewAttributes first{.axes = IdentityMaps(2), .fill = 0, .shape = {kRows, Dim(200)}};
          const Value here = View(body.scanned[0], std::move(first), {});
          return {.carried = {}, .stacked = {Sum(Product(here, w), 0)}};
        });
    ExpectSame(t, {loop.stacked[0]}, 1);
  }
}

// No op makes blocks of many chains yet; a graph that is read from a text may have them.
TEST(Chains, InBlocks) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {6, 9000}), w = t.Input("w", kFloat32, {9000, 10});
  ContractAttributes a;
  a.lhs_sum = {1};
  a.rhs_sum = {0};
  a.order = {.chains = kManyChains, .block = kReduceBlock};
  ExpectSame(t, {MakeNode(kContractOp, {x, w}, std::move(a), {})}, 1);
}

}  // namespace
}  // namespace talweg
