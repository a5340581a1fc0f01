// Contractions in blocks (jit/loops/macro.h): the interpreter's bits at every edge of tiles, blocks
// and vectors.

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
#include "talweg.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/jit/known_caches.h"
#include "train/fit_graph.h"

namespace talweg {
namespace {

NamedEngine In(int64_t block, const std::string& cpu, bool evaluate) {
  JitOptions options = {.cpu = cpu, .block = block, .cache = "off", .evaluate = evaluate};
  options.verify = true;
  return {
      absl::StrCat(evaluate ? "the evaluator" : "the JIT", " for ", cpu, " in blocks of ", block),
      [options](const Graph& graph) { return Jit(graph, options); }};
}

// The interpreter, and blocks small enough that small shapes have several of each kind.
std::vector<NamedEngine> Engines() {
  std::vector<NamedEngine> engines = {{"the interpreter", Interpret}, In(4, "native", false)};
  for (const char* cpu : {"avx512", "avx2", "x86-64"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    for (int64_t block : {1, 5, 8}) engines.push_back(In(block, cpu, true));
  }
  if (native::DetectTarget("avx2").ok()) engines.push_back(In(5, "avx2", false));
  engines.push_back(In(8, "x86-64", false));
  return engines;
}

void ExpectSame(absl::Span<const NamedEngine> engines, const Graph& graph, int64_t rows = 1) {
  const auto ran = RunOnEngines(engines, graph, RandomInputs(graph, 7, rows));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

// The loops that it becomes.
std::string LoopsOf(const Graph& graph, int64_t block, const std::string& cpu) {
  const absl::StatusOr<loops::Program> program =
      loops::Lower(graph, MachineOfKnownCaches(cpu), {.block = block});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? loops::ToString(*program) : "";
}

bool IsInBlocks(const Graph& graph, int64_t block, const std::string& cpu = "avx2") {
  return absl::StrContains(LoopsOf(graph, block, cpu), "packed");
}

struct Sizes {
  int64_t rows, columns, terms;
};

// Operands of these sizes, either of them transposed or not.
Graph Product(const Sizes& s, DType dtype, bool turn_lhs, bool turn_rhs) {
  Tape t;
  const Value a = t.Input("a", dtype, turn_lhs ? Shape{s.terms, s.rows} : Shape{s.rows, s.terms});
  const Value b =
      t.Input("b", dtype, turn_rhs ? Shape{s.columns, s.terms} : Shape{s.terms, s.columns});
  const Value c = Contract(a, b, {.lhs_sum = {turn_lhs ? 0 : 1}, .rhs_sum = {turn_rhs ? 1 : 0}});
  return *t.Finish({c});
}

TEST(Macro, HasTheBitsOfOneChainAtEveryEdge) {
  const std::vector<NamedEngine> engines = Engines();
  std::mt19937 random(1);
  const auto pick = [&](std::initializer_list<int64_t> of) {
    return of.begin()[random() % of.size()];
  };
  for (int i = 0; i < 60; i++) {
    // One chain, whichever operand is turned: a wide result (graph/order.h).
    const Sizes sizes = {pick({2, 3, 4, 5, 7, 8, 9, 16, 17}),
                         pick({16, 17, 23, 31, 32, 33, 40, 49}),
                         pick({1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31})};
    const DType dtype = i % 3 == 0 ? kFloat64 : kFloat32;
    SCOPED_TRACE(absl::StrCat(sizes.rows, "x", sizes.columns, "x", sizes.terms, " ", Name(dtype),
                              " ", i % 4));
    const Graph graph = Product(sizes, dtype, i % 2 != 0, i % 4 >= 2);
    EXPECT_TRUE(IsInBlocks(graph, 4) || sizes.terms < 2);
    ExpectSame(engines, graph);
  }
}

TEST(Macro, TakesSeveralAxesOfEveryKind) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value a = t.Input("a", dtype, {3, 5, 4, 3, 7});
    const Value b = t.Input("b", dtype, {4, 19, 3, 3, 2});
    std::vector<Value> outputs = {
        // Batch 3, sums of 4 x 3 terms, keeps 5 x 7 and 19 x 2.
        Contract(a, b, {.lhs_batch = {0}, .rhs_batch = {3}, .lhs_sum = {2, 3}, .rhs_sum = {0, 2}}),
        Contract(b, a, {.lhs_sum = {2, 0}, .rhs_sum = {3, 2}}),
        Contract(a, a, {.lhs_batch = {3, 0}, .rhs_batch = {3, 0}, .lhs_sum = {4}, .rhs_sum = {4}}),
    };
    const Graph graph = *t.Finish(outputs);
    EXPECT_TRUE(IsInBlocks(graph, 4));
    ExpectSame(Engines(), graph);
  }
}

TEST(Macro, ReadsOperandsThroughViewsAndComputesWhatFollows) {
  Tape t;
  const Value a = t.Input("a", kFloat32, {9, 14}), b = t.Input("b", kFloat32, {20, 14});
  const Value bias = t.Input("bias", kFloat32, {20}), w = t.Input("w", kFloat32, {9, 20});
  const Value window = Pad(Slice(b, 1, 2, 12), {{0, 0}, {3, 1}});
  const Value z = Contract(a, window, {.lhs_sum = {1}, .rhs_sum = {1}});
  const Value h = Relu(z + bias);
  const Value next = w - 0.1 * (h + 0.9 * w);
  const Graph graph =
      *t.Finish({h, next, Contract(Reverse(a, {0}), w, {.lhs_sum = {0}, .rhs_sum = {0}})});
  EXPECT_TRUE(IsInBlocks(graph, 4));
  ExpectSame(Engines(), graph);
}

// What the columns are does not depend on the term: what the loop over whole groups of terms has
// read is not there for the loop over the rest.
TEST(Macro, ReadsOperandsThatAreTheSameForAllTerms) {
  for (const int64_t terms : {3, 4, 7, 9}) {
    SCOPED_TRACE(terms);
    Tape t;
    const Value x = t.Input("x", kFloat32, {5, terms}), b = t.Input("b", kFloat32, {64});
    ExpectSame(Engines(), *t.Finish({MatMul(x, BroadcastTo(b, {terms, 64}))}));
  }
  Tape t;
  const Value x = t.Input("x", kFloat32, {512, 64}), c = t.Input("c", kFloat32, {16});
  const Value rows = t.Constant(Array::Vector<int64_t>({512, 3, 100}));
  const LoopResult loop =
      Loop(t, {.trips = 3, .carried = {t.Constant(Array(0.0f))}, .rows = rows, .rows_limit = 512},
           [&](LoopBody& body) -> LoopStep {
             const Value h = Tanh(Gather(x, body.tape.Iota(kRows)));
             // Rows means something in the body only.
             const Value spread = BroadcastTo(OnOneTape({c, body.trip})[0], {kRows, 16});
             const Value dw = Contract(h, spread, {.lhs_sum = {0}, .rhs_sum = {0}});
             return {.carried = {body.carried[0] + Sum(dw)}, .stacked = {dw}};
           });
  const Graph graph = *t.Finish({loop.carried[0], loop.stacked[0]});
  ExpectSame(Engines(), graph);
  ExpectSame(EnginesOfEachProcessor(), graph);
}

TEST(Macro, TakesExtentsThatAreKnownWhenItRuns) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value x = t.Input("x", dtype, {kRows, 9}), w = t.Input("w", dtype, {9, 21});
    const Value y = MatMul(x, w);
    const Value dw = Contract(x, Tanh(y), {.lhs_sum = {0}, .rhs_sum = {0}});
    const Value wide = Contract(w, y, {.lhs_sum = {1}, .rhs_sum = {1}});  // rows in the lanes
    const Value moved = dw + t.Input("bias", dtype, {21});
    const Value next = MatMul(y, t.Input("v", dtype, {21, 18}));  // y in memory with rows to spare
    const Graph graph = *t.Finish({y, dw, wide, moved, next});
    EXPECT_TRUE(IsInBlocks(graph, 4));
    for (int64_t rows : {0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 33}) {
      SCOPED_TRACE(rows);
      ExpectSame(Engines(), graph, rows);
    }
  }
}

// The last block of terms may end where the operand does, and a tile of rows where a buffer does.
TEST(Macro, ReadsNothingThatIsNotThere) {
  for (const char* cpu : {"avx512", "avx2"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    const std::vector<NamedEngine> engines = {{"the interpreter", Interpret}, In(0, cpu, true)};
    ExpectSame(engines, Product({64, 64, 2056}, kFloat32, false, false));
    Tape t;
    const Value x = t.Input("x", kFloat32, {96, 128}), w = t.Input("w", kFloat32, {128, 200});
    LoopOptions options{.trips = 1, .carried = {t.Constant(Array(0.0f))}};
    options.rows = t.Constant(Array::Vector<int64_t>({96}));
    options.rows_limit = 96;
    const LoopResult loop = Loop(t, options, [&](LoopBody& body) -> LoopStep {
      const Value hidden = Tanh(Gather(x, body.tape.Iota(kRows)));
      const Value out = MatMul(hidden, w);
      return {.carried = {body.carried[0] + Sum(out, {0, 1}) + Sum(hidden, {0, 1})}};
    });
    ExpectSame(engines, *t.Finish({loop.carried[0]}));
  }
}

// Rows are read where they are, with their terms side by side or apart: all of those that the last
// tile has, though the tile before it has some of them, too.
TEST(Macro, ReadsRowsWhereTheyLie) {
  for (const char* cpu : {"avx512", "avx2"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    const std::vector<NamedEngine> engines = {
        {"the interpreter", Interpret}, In(0, cpu, true), In(0, cpu, false)};
    const std::vector<int64_t> slowly = {71}, all = {33, 64, 71, 83};
    for (int64_t rows : IsSlow() ? slowly : all) {
      Tape t;
      const Value x = t.Input("x", kFloat32, {2, rows, 400}),
                  w = t.Input("w", kFloat32, {400, 900});
      const Value old = t.Input("old", kFloat32, {rows, 900});
      // Of a slice, of rows from the last one to the first, and of rows that are changed in place.
      const Value first = At(x, 0, 0), second = At(x, 0, 1);
      const LoopResult loop =
          Loop(t, {.carried = {old}, .scanned = {x}}, [&](LoopBody& body) -> LoopStep {
            return {.carried = {0.9 * body.carried[0] - MatMul(body.scanned[0], w)}};
          });
      ExpectSame(engines,
                 *t.Finish({MatMul(second, w), MatMul(Reverse(first, {0}), w),
                            Contract(x, w, {.lhs_sum = {2}, .rhs_sum = {0}}), loop.carried[0]}));

      Tape apart;
      const Value y = apart.Input("y", kFloat32, {2, 401, rows}),
                  v = apart.Input("v", kFloat32, {401, 900});
      const Value slice = At(y, 0, 1);
      const ContractAxes axes = {.lhs_sum = {0}, .rhs_sum = {0}};
      ExpectSame(engines, *apart.Finish({Contract(slice, v, axes),
                                         Contract(Reverse(slice, {0}), Relu(v), axes),
                                         Contract(Reverse(slice, {1}), v, axes),
                                         Contract(y, v, {.lhs_sum = {1}, .rhs_sum = {0}})}));
    }
    // As many rows as are known when it runs, fewer than a tile has among them.
    Tape t;
    const Value x = t.Input("x", kFloat32, {64, 300}), w = t.Input("w", kFloat32, {300, 900});
    const Value counts = t.Constant(Array::Vector<int64_t>({64, 5, 1, 16, 63}));
    LoopOptions options{.trips = 5, .carried = {t.Constant(Array(0.0f))}, .scanned = {counts}};
    options.rows = counts;
    options.rows_limit = 64;
    const LoopResult loop = Loop(t, options, [&](LoopBody& body) -> LoopStep {
      const Value hidden = Tanh(Gather(x, body.tape.Iota(kRows)));
      const Value out = MatMul(hidden, w);
      // Terms that are counted at run time, as in the gradient of weights.
      const Value of_weights = Contract(hidden, out, {.lhs_sum = {0}, .rhs_sum = {0}});
      return {.carried = {body.carried[0] + Sum(Relu(out), {0, 1}) + Sum(hidden, {0, 1}) +
                          Sum(of_weights, {0, 1})}};
    });
    ExpectSame(engines, *t.Finish({loop.carried[0]}));
  }
}

// Those whose terms lie apart where their lines of the caches stay there, and where there is much
// to multiply with each; or where there is one panel of columns only. Then nothing is packed but
// those.
TEST(Macro, PacksRowsThatLieApartWhereTheyWouldLeaveTheCaches) {
  const auto packs_rows = [](int64_t terms, int64_t rows, int64_t columns, const char* cpu) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {terms, rows}),
                w = t.Input("w", kFloat32, {terms, columns});
    const Graph graph = *t.Finish({Contract(x, w, {.lhs_sum = {0}, .rhs_sum = {0}})});
    EXPECT_TRUE(IsInBlocks(graph, 0, cpu));
    return absl::StrContains(LoopsOf(graph, 0, cpu), absl::StrCat("packed ", graph.inputs()[0]));
  };
  EXPECT_FALSE(packs_rows(100, 520, 10000, "avx512"));
  EXPECT_TRUE(packs_rows(512, 700, 700, "avx512"));    // too many lines for the first cache
  EXPECT_TRUE(packs_rows(100, 16384, 700, "avx512"));  // for the second
  EXPECT_FALSE(packs_rows(512, 16384, 10, "avx512"));
  EXPECT_TRUE(packs_rows(512, 700, 700, "avx2"));
  EXPECT_FALSE(packs_rows(512, 700, 10, "avx2"));
}

// Without an option, where the model of caches says so.
TEST(Macro, TakesWhatIsLarge) {
  EXPECT_FALSE(IsInBlocks(Product({64, 64, 64}, kFloat32, false, false), 0));
  std::vector<NamedEngine> engines = {{"the interpreter", Interpret}};
  for (const char* cpu : {"native", "avx2"}) {
    if (native::DetectTarget(cpu).ok()) engines.push_back(In(0, cpu, false));
  }
  int i = 0;
  for (const Sizes& sizes : std::vector<Sizes>{{260, 700, 456},
                                               {256, 455, 457},
                                               {301, 912, 355},
                                               {97, 1000, 333},
                                               {1027, 70, 258},
                                               {64, 64, 4500}}) {
    SCOPED_TRACE(absl::StrCat(sizes.rows, "x", sizes.columns, "x", sizes.terms));
    const DType dtype = i % 3 == 1 ? kFloat64 : kFloat32;
    const Graph graph = Product(sizes, dtype, i % 2 != 0, i % 4 >= 2);
    EXPECT_TRUE(IsInBlocks(graph, 0));
    ExpectSame(engines, graph);
    i++;
  }
}

// Few rows read columns that lie side by side as fast without blocks, which copy them, where tiles
// are high; those that lie apart are copied anyway. Blocks also do what follows the sums, if that
// is much.
TEST(Macro, TakesBlocksWhereTheyPay) {
  for (const std::string cpu : {"avx512", "avx2"}) {
    SCOPED_TRACE(cpu);
    const bool is_high = cpu == "avx512";
    const auto is_in_blocks = [&](const Sizes& s, bool turned) {
      return IsInBlocks(Product(s, kFloat32, false, turned), 0, cpu);
    };
    EXPECT_FALSE(is_in_blocks({31, 512, 784}, false));
    EXPECT_EQ(is_in_blocks({32, 512, 784}, false), !is_high);
    EXPECT_TRUE(is_in_blocks({64, 512, 784}, false));
    EXPECT_FALSE(is_in_blocks({15, 2048, 2048}, false));
    EXPECT_TRUE(is_in_blocks({16, 2048, 2048}, false));

    EXPECT_FALSE(is_in_blocks({15, 2048, 2048}, true));
    EXPECT_EQ(is_in_blocks({16, 2048, 2048}, true), is_high);
    EXPECT_TRUE(is_in_blocks({40, 512, 784}, true));
    EXPECT_FALSE(IsInBlocks(Product({32, 2048, 2048}, kFloat64, false, true), 0, cpu));
    EXPECT_FALSE(is_in_blocks({63, 200, 200}, true));
    EXPECT_TRUE(is_in_blocks({64, 200, 200}, true));

    using Following = std::function<Value(const Value& sums, const Value& of_its_size)>;
    const auto followed = [&](const Following& by) {
      Tape t;
      const Value product =
          MatMul(t.Input("x", kFloat32, {400, 300}), t.Input("w", kFloat32, {300, 300}));
      return IsInBlocks(*t.Finish({by(product, t.Input("h", kFloat32, {400, 300}))}), 0, cpu);
    };
    EXPECT_EQ(followed([](const Value& sums, const Value& h) { return Relu(sums + At(h, 0, 0)); }),
              !is_high);
    EXPECT_TRUE(followed([](const Value& sums, const Value& h) { return Relu(sums + h); }));
  }
}

// Smaller products have lanes along their rows, however the left operand lies: no element is stored
// alone, as if the right operand's columns were the rows.
TEST(Macro, LeavesSmallerProductsToLanesAlongTheirRows) {
  for (const char* cpu : {"avx512", "avx2"}) {
    for (const int64_t n : {64, 100, 128, 160, 200, 256}) {
      for (const bool turned : {false, true}) {
        SCOPED_TRACE(absl::StrCat(cpu, " ", n, turned));
        const Graph graph = Product({n, n, n}, kFloat32, turned, false);
        const absl::StatusOr<loops::Program> program =
            loops::Lower(graph, MachineOfKnownCaches(cpu));
        ASSERT_TRUE(program.ok()) << program.status();
        const std::string text = loops::ToString(*program);
        EXPECT_TRUE(absl::StrContains(text, "store 'output 0'["));
        EXPECT_FALSE(absl::StrContains(text, absl::StrCat(" step ", n, "] "))) << text;
      }
    }
  }
}

// What follows of the group is computed beside the next tile's sums, and the next columns are
// fetched: at tiles and blocks that are whole and that are not, also where several blocks of terms
// keep their sums, and where sums alone are stored from the registers.
TEST(Macro, FinishesATileBesideTheNextOne) {
  std::vector<NamedEngine> engines = {{"the interpreter", Interpret}, In(0, "native", true)};
  for (const char* cpu : {"native", "avx2"}) {
    if (native::DetectTarget(cpu).ok()) engines.push_back(In(0, cpu, false));
  }
  for (const Sizes& sizes :
       std::vector<Sizes>{{75, 900, 300}, {64, 512, 768}, {67, 1100, 333}, {65, 70, 5000}}) {
    for (const bool turned : {false, true}) {
      SCOPED_TRACE(absl::StrCat(sizes.rows, "x", sizes.columns, "x", sizes.terms, turned));
      Tape t;
      const Value x = t.Input("x", kFloat32, {sizes.rows, sizes.terms});
      const Value w =
          t.Input("w", kFloat32,
                  turned ? Shape{sizes.columns, sizes.terms} : Shape{sizes.terms, sizes.columns});
      const Value bias = t.Input("bias", kFloat32, {sizes.columns});
      const Value velocity = t.Input("v", kFloat32, {sizes.rows, sizes.columns});
      const Value z = Contract(x, w, {.lhs_sum = {1}, .rhs_sum = {turned ? 1 : 0}});
      const Graph update = *t.Finish({Relu(z + bias), 0.9 * velocity - Sqrt(z * z + 1e-7) / bias});
      EXPECT_TRUE(IsInBlocks(update, 0));
      ExpectSame(engines, update);
      ExpectSame(engines, Product(sizes, kFloat32, false, turned));
    }
  }
}

Training SmallTraining(Rule rule) {
  return {.model =
              [](Scope& s, Value x) {
                const Value h = Relu(Dense(s, "hidden", x, 24, HeUniform()));
                return Dense(s, "output", Relu(Dense(s, "second", h, 19)), 3);
              },
          .loss = SoftmaxCrossEntropy,
          .rule = std::move(rule),
          .rate = 0.05,
          .metrics = {Accuracy},
          .batch = 13,
          .epochs = 2,
          .seed = 1};
}

// Weights are updated in place, from the sums of the gradient, over batches of 13 and of 8.
TEST(Macro, TrainsToTheSameBits) {
  const std::vector<std::pair<std::string, Rule>> rules = {{"momentum", Sgd({.momentum = 0.9})},
                                                           {"Adam", Adam()}};
  const DataTypes types = {{kFloat32, {17}}, {kFloat32, {3}}};
  for (const auto& [name, rule] : rules) {
    SCOPED_TRACE(name);
    const Training training = SmallTraining(rule);
    const auto plan = PlanTraining(training, types, true);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const absl::StatusOr<Graph> graph = FitGraph(training, *plan, types, 34, 20);
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_TRUE(IsInBlocks(*graph, 4));
    ExpectSame(Engines(), *graph);
  }
}

}  // namespace
}  // namespace talweg
