// Forward mode against reverse mode, on graphs drawn at random: for any directions u of the results
// and v of the inputs, <u, J v> = <J^T u, v>. And second derivatives along a direction by all four
// orders of the two modes, and by differences. A failure is cut down and printed.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "autodiff/tangent.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/graphs/shrink.h"
#include "tests/jit/passes/random_loops.h"

namespace talweg {
namespace {

struct Check {
  std::string fault;    // "property: how it is wrong"; empty where nothing is
  bool finite = false;  // whether there was a finite number to compare
  bool moves = false;   // whether it was not zero
};

bool HasFloat32(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    return std::any_of(node.types.begin(), node.types.end(),
                       [](const Type& type) { return type.dtype == kFloat32; });
  });
}

// Those drawn at random are not linear in dy, so that there is no J they are the transpose of.
bool HasCustom(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    return node.kind() == Kind::kCustom ||
           (node.kind() == Kind::kLoop && HasCustom(*node.As<LoopAttributes>().body));
  });
}

// A graph's inputs and outputs on a tape, and a direction for each that is a float.
struct Inlined {
  Tape t;
  std::vector<Value> xs, dxs, ys;
};

Inlined InlineOf(const Graph& graph) {
  Inlined in;
  const Value anchor(in.t.state(), -1);
  std::vector<Value> inputs;
  bool trips = false;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type& type = graph.input_type(i);
    trips = trips || Uses(type.shape, kTrips);
    inputs.push_back(in.t.Input(graph.input_name(i), type.dtype, type.shape));
    if (!IsFloat(type.dtype)) continue;
    in.xs.push_back(inputs.back());
    in.dxs.push_back(in.t.Input(absl::StrCat("d_", graph.input_name(i)), type.dtype, type.shape));
  }
  for (const Value& y : Inline(graph, inputs, anchor)) {
    // Where only the loop knows how many trips it makes, nobody can say how long `u` is.
    if (!trips && y.ok() && Uses(y.shape(), kTrips)) continue;
    if (y.ok() && IsFloat(y.dtype())) in.ys.push_back(y);
  }
  return in;
}

// The sum of products, and of their sizes.
struct Product {
  long double sum = 0, size = 0;
  void Add(const Array& a, const Array& b) {
    for (int64_t i = 0; i < a.size(); i++) {
      const long double term = static_cast<long double>(a.At(i)) * b.At(i);
      sum += term;
      size += std::fabs(term);
    }
  }
};

std::string Text(const absl::Status& status) { return std::string(status.message()); }

Check CheckDuality(const Engine& engine, const Graph& graph, uint64_t seed, int64_t rows) {
  Inlined in = InlineOf(graph);
  if (in.xs.empty() || in.ys.empty()) return {};
  std::vector<Value> us;
  for (size_t i = 0; i < in.ys.size(); i++) {
    us.push_back(in.t.Input(absl::StrCat("u_", i), in.ys[i].dtype(), in.ys[i].shape()));
  }
  std::vector<Value> outputs = JacobianVectorProduct(in.ys, in.xs, in.dxs);
  const std::vector<Value> gradients = VectorJacobianProduct(in.ys, us, in.xs);
  outputs.insert(outputs.end(), gradients.begin(), gradients.end());
  const absl::StatusOr<Graph> both = in.t.Finish(outputs);
  if (!both.ok()) return {absl::StrCat("build: ", Text(both.status()))};
  if (const absl::Status s = Verify(*both); !s.ok()) return {absl::StrCat("verifier: ", Text(s))};
  const absl::StatusOr<Executable> executable = engine(*both);
  if (!executable.ok()) return {absl::StrCat("compile: ", Text(executable.status()))};
  const NamedArrays at = RandomInputs(*both, seed, rows);
  const absl::StatusOr<std::vector<Array>> out = executable->Run(at);
  if (!out.ok()) return {absl::StrCat("run: ", Text(out.status()))};

  Product forward, reverse;
  for (size_t i = 0; i < in.ys.size(); i++) forward.Add((*out)[i], at.at(absl::StrCat("u_", i)));
  size_t next = in.ys.size();
  for (size_t i = 0; i < both->inputs().size(); i++) {
    const auto direction = at.find(absl::StrCat("d_", both->input_name(i)));
    if (direction != at.end()) reverse.Add((*out)[next++], direction->second);
  }
  // Reverse mode multiplies what was not selected by zero, which may be NaN.
  if (!std::isfinite(forward.size) || !std::isfinite(reverse.size)) return {};
  // Directions are of size 1 or so, and what cancels leaves its rounding.
  const long double size = std::max(forward.size, reverse.size);
  const double tolerance = HasFloat32(graph) ? 1e-3 : 1e-9;
  Check check{.fault = "", .finite = true, .moves = size > 0};
  if (std::fabs(forward.sum - reverse.sum) > tolerance * std::max(1.0L, size)) {
    check.fault = absl::StrCat("duality: <u, J v> = ", static_cast<double>(forward.sum),
                               ", <J^T u, v> = ", static_cast<double>(reverse.sum), " of terms of ",
                               static_cast<double>(size));
  }
  return check;
}

Check CheckSecond(const Engine& engine, const Graph& graph, uint64_t seed, int64_t rows) {
  Inlined in = InlineOf(graph);
  if (in.xs.empty() || in.ys.empty()) return {};
  Value f = Scalar(in.ys[0], kFloat64, 0);
  for (const Value& y : in.ys) f = f + Sum(Tanh(y));
  const std::vector<Value> gradients = Gradient(f, in.xs);
  Value along = Scalar(f, kFloat64, 0);
  for (size_t i = 0; i < in.xs.size(); i++) along = along + Sum(gradients[i] * in.dxs[i]);
  const std::vector<Value> ways[] = {
      HessianVectorProduct(f, in.xs, in.dxs),                         // forward over reverse
      Gradient(along, in.xs),                                         // reverse over reverse
      Gradient(JacobianVectorProduct({f}, in.xs, in.dxs)[0], in.xs),  // reverse over forward
      gradients};
  std::vector<Value> outputs;
  for (const std::vector<Value>& way : ways) {
    outputs.insert(outputs.end(), way.begin(), way.end());
  }
  // Forward over forward gives the curvature alone, v^T H v.
  outputs.push_back(Tangent(Tangent(f, in.xs, in.dxs), in.xs, in.dxs));
  const absl::StatusOr<Graph> all = in.t.Finish(outputs);
  if (!all.ok()) return {absl::StrCat("build: ", Text(all.status()))};
  const absl::StatusOr<Executable> executable = engine(*all);
  if (!executable.ok()) return {absl::StrCat("compile: ", Text(executable.status()))};
  NamedArrays at = RandomInputs(*all, seed, rows);
  double elements = 0;
  for (const auto& [name, array] : at) {
    if (name.starts_with("d_")) elements += static_cast<double>(array.size());
  }
  for (auto& [name, array] : at) {
    if (!name.starts_with("d_")) continue;
    for (double& x : array.mutable_data<double>()) x /= std::sqrt(std::max(1.0, elements));
  }
  const auto run = [&](double by) -> std::vector<Array> {
    NamedArrays moved = at;
    for (auto& [name, array] : moved) {
      const auto direction = at.find(absl::StrCat("d_", name));
      if (direction == at.end()) continue;
      const absl::Span<double> x = array.mutable_data<double>();
      for (size_t i = 0; i < x.size(); i++) x[i] += by * direction->second.data<double>()[i];
    }
    const absl::StatusOr<std::vector<Array>> out = executable->Run(moved);
    return out.ok() ? *out : std::vector<Array>();
  };
  const std::vector<Array> here = run(0);
  if (here.empty()) return {"run: failed"};
  // (8 (g(h) - g(-h)) - (g(2h) - g(-2h))) / 12h: some step suits.
  const size_t n = in.xs.size();
  Check check{.fault = "", .finite = true};
  long double curvature = 0, size = 1;
  for (size_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < here[i].size(); k++) {
      const double got = here[i].At(k);
      const double v = at.at(absl::StrCat("d_", in.xs[i].node().As<InputAttributes>().name)).At(k);
      curvature += static_cast<long double>(got) * v;
      size += std::fabs(got * v);
      check.moves |= got != 0;
      for (size_t way = 1; way < 3; way++) {
        const double other = here[way * n + i].At(k);
        if (!std::isfinite(got) || !std::isfinite(other)) return {};
        if (std::fabs(got - other) > 1e-9 * std::max(1.0, std::fabs(other))) {
          check.fault = absl::StrCat("second: Hv is ", got, ", by way ", way, " ", other);
          return check;
        }
      }
    }
  }
  if (std::fabs(here.back().At(0) - curvature) > 1e-9 * size) {
    check.fault = absl::StrCat("second: v^T H v is ", here.back().At(0), " forward, ",
                               static_cast<double>(curvature), " by Hv");
    return check;
  }
  std::string worst;
  for (const double h : {1e-3, 1e-4, 1e-5, 1e-2, 1e-6}) {
    const std::vector<Array> g[] = {run(h), run(-h), run(2 * h), run(-2 * h)};
    worst.clear();
    for (size_t i = 0; i < n && worst.empty(); i++) {
      for (int64_t k = 0; k < here[i].size() && worst.empty(); k++) {
        const auto at_place = [&](size_t which) { return g[which][3 * n + i].At(k); };
        const double wanted =
            (8 * (at_place(0) - at_place(1)) - (at_place(2) - at_place(3))) / (12 * h);
        const double got = here[i].At(k);
        if (!(std::fabs(got - wanted) <= 1e-5 * std::max(1.0, std::fabs(wanted)))) {
          worst = absl::StrCat("differences: Hv is ", got, ", differences ", wanted);
        }
      }
    }
    if (worst.empty()) return check;
  }
  check.fault = worst;
  return check;
}

using Property = Check (*)(const Engine&, const Graph&, uint64_t, int64_t);

// The failing graph, small.
std::string Small(Property property, const Graph& graph, uint64_t seed, int64_t rows) {
  const auto fault = [&](const Graph& g) {
    const std::string text = property(AllEngines()[0].make, g, seed, rows).fault;
    return text.substr(0, text.find(':'));
  };
  const std::string wanted = fault(graph);
  if (wanted.empty()) return Print(graph, {.lines = false});
  const Graph small = Shrink(graph, [&](const Graph& g) { return fault(g) == wanted; });
  return absl::StrCat(property(AllEngines()[0].make, small, seed, rows).fault, "\n",
                      Print(small, {.lines = false}));
}

struct Tally {
  int64_t graphs = 0, finite = 0, moving = 0;
  void Add(const Check& check) {
    graphs++;
    finite += check.finite;
    moving += check.moves;
  }
  void Print(const char* what) const {
    std::cout << what << ": " << graphs << " graphs, " << finite << " finite, " << moving
              << " not zero" << std::endl;
  }
};

// All engines on one of `every`, which must agree to the bit; else the interpreter.
Tally OnRandomGraphs(Property property, const RandomGraphOptions& options, int64_t count,
                     uint64_t every) {
  Tally tally;
  for (const uint64_t seed : FuzzSeeds(count)) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed, options);
    EXPECT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    if (!random.ok() || (!options.smooth && HasCustom(random->graph))) continue;
    const Engine engine = seed % every == 0 ? Engine(EveryEngine) : AllEngines()[0].make;
    const Check check = property(engine, random->graph, seed, random->rows);
    EXPECT_EQ(check.fault, "") << "seed " << seed << "\n"
                               << Small(property, random->graph, seed, random->rows);
    tally.Add(check);
    if (!check.fault.empty()) break;
  }
  return tally;
}

TEST(Duality, OfSmoothGraphs) {
  const Tally tally = OnRandomGraphs(CheckDuality, {.smooth = kFloat64}, 1100, 10);
  tally.Print("float64");
  EXPECT_GE(tally.moving * 10, tally.graphs * 9);
}

TEST(Duality, OfSmoothGraphsInFloat32) {
  const Tally tally = OnRandomGraphs(CheckDuality, {.smooth = kFloat32}, 330, 10);
  tally.Print("float32");
  EXPECT_GE(tally.moving * 10, tally.graphs * 9);
}

// Of all kinds and types: ties, casts, integers between, nothing that is finite everywhere.
TEST(Duality, OfAnyGraphs) {
  const Tally tally = OnRandomGraphs(CheckDuality, {}, 1100, 10);
  tally.Print("any");
  EXPECT_GE(tally.moving * 2, tally.graphs);
}

// The derivatives of a graph that has some already.
TEST(Duality, OfGraphsWithGradients) {
  const Tally tally =
      OnRandomGraphs(CheckDuality, {.smooth = kFloat64, .gradients = true}, 110, 20);
  tally.Print("with gradients");
  EXPECT_GE(tally.moving * 10, tally.graphs * 9);
}

TEST(Duality, OfLoopsInLoops) {
  Tally tally;
  int64_t refused = 0;
  for (const uint64_t seed : FuzzSeeds(330)) {
    const absl::StatusOr<Graph> graph = passes::MakeRandomLoops(seed);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const Engine engine = seed % 10 == 0 ? Engine(EveryEngine) : AllEngines()[0].make;
    const Check check = CheckDuality(engine, *graph, seed, static_cast<int64_t>(seed % 4));
    // The one loop that reverse mode does not know.
    if (check.fault.find("a reversed loop that stops early") != std::string::npos) {
      refused++;
      continue;
    }
    ASSERT_EQ(check.fault, "") << "seed " << seed << "\n" << Small(CheckDuality, *graph, seed, 1);
    tally.Add(check);
  }
  tally.Print("loops");
  EXPECT_GE(tally.moving * 4, tally.graphs);
  EXPECT_LE(refused * 4, tally.graphs);
}

TEST(HessianVectorProduct, IsWhatOtherWaysToItSay) {
  const Tally tally = OnRandomGraphs(CheckSecond, {.smooth = kFloat64}, 220, 20);
  tally.Print("second derivatives");
  EXPECT_GE(tally.moving * 10, tally.graphs * 8);
}

// A gradient that contradicts its own transpose must be found.
TEST(Duality, IsBrokenByAGradientThatIsNotLinear) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3});
  const Value y = CustomGradient(
      {x}, [](absl::Span<const Value> v) { return Tanh(v[0]); },
      [](absl::Span<const Value>, const Value&, const Value& dy) {
        return std::vector<Value>{dy + Square(dy)};
      });
  const Graph graph = t.Finish({y * 2.0}).value();
  const std::string fault = CheckDuality(EveryEngine, graph, 1, 0).fault;
  EXPECT_TRUE(fault.starts_with("duality: <u, J v>")) << fault;
}

}  // namespace
}  // namespace talweg
