#include "tests/jit/passes/check.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/table.h"
#include "tests/graphs/random_graph.h"

namespace talweg::passes {
namespace {

// As RandomInputs, but every element is one that arithmetic treats in a way of its own.
NamedArrays SpecialInputs(const Graph& graph, uint64_t seed, int64_t rows, int64_t trips) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double kNan = std::nan("");
  const std::vector<double> floats = {0.0, -0.0, 1.0, -1.0, kNan, kInf, -kInf, 1e-310, -1e-40, 2.5};
  // A great int64 might be a number of trips.
  const std::vector<double> narrow = {0, 1, -1, 2, 3, -2147483648.0, 2147483647.0};
  const std::vector<double> wide = {0, 1, -1, 2, 3, -1e18};
  std::mt19937_64 random(seed);
  NamedArrays inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type& type = graph.input_type(i);
    const std::vector<double>& values = IsFloat(type.dtype)    ? floats
                                        : type.dtype == kInt64 ? wide
                                                               : narrow;
    Array doubles =
        Array::Zeros(kFloat64, Resolve(type.shape, {.rows = rows, .trips = trips})).value();
    for (double& x : doubles.mutable_data<double>()) x = values[random() % values.size()];
    inputs[graph.input_name(i)] = doubles.Cast(type.dtype).value();
  }
  return inputs;
}

// How the outputs for these inputs differ.
std::string CompareRuns(const Executable& before, const Executable& after,
                        const NamedArrays& inputs) {
  const absl::StatusOr<std::vector<Array>> wanted = before.Run(inputs), got = after.Run(inputs);
  if (!wanted.ok()) return "";
  if (!got.ok()) return absl::StrCat("fails: ", got.status().message());
  for (size_t k = 0; k < wanted->size(); k++) {
    if (SameBits((*wanted)[k], (*got)[k])) continue;
    std::string text =
        absl::StrCat("output ", k, " is ", (*got)[k].ToString(), ", not ", (*wanted)[k].ToString());
    for (const auto& [name, array] : inputs) {
      absl::StrAppend(&text, "\n  for ", name, " = ", array.ToString());
    }
    return text;
  }
  return "";
}

}  // namespace

Graph Parse(std::string_view text) {
  const absl::StatusOr<Graph> graph = ParseGraph(text, AllOps());
  EXPECT_TRUE(graph.ok()) << graph.status() << "\n" << text;
  return graph.ok() ? *graph : Graph();
}

std::string Compare(const Graph& before, const Graph& after) {
  if (const absl::Status status = Verify(after); !status.ok()) {
    return absl::StrCat("verifier: ", status.message());
  }
  if (before.inputs().size() != after.inputs().size()) return "another number of inputs";
  for (size_t i = 0; i < before.inputs().size(); i++) {
    if (before.input_type(i) != after.input_type(i)) return absl::StrCat("input ", i, " changed");
    if (before.input_name(i) != after.input_name(i)) return absl::StrCat("input ", i, " changed");
  }
  if (before.outputs().size() != after.outputs().size()) return "another number of outputs";
  const absl::StatusOr<Executable> a = Interpret(before), b = Interpret(after);
  if (!a.ok()) return "";
  if (!b.ok()) return absl::StrCat("interpreter: ", b.status().message());
  const int64_t rows[] = {20, 1, 0, 2}, trips[] = {3, 1, 0, 2};
  for (size_t i = 0; i < 4; i++) {
    for (const uint64_t seed : {i, i + 4}) {
      const std::string ordinary =
          CompareRuns(*a, *b, RandomInputs(before, seed, rows[i], trips[i]));
      if (!ordinary.empty()) return ordinary;
      const std::string special =
          CompareRuns(*a, *b, SpecialInputs(before, seed, rows[i], trips[i]));
      if (!special.empty()) return special;
    }
  }
  return "";
}

void ExpectBecomes(PassFunction pass, std::string_view before, std::string_view after) {
  const Graph graph = Parse(before), wanted = Parse(after);
  const Graph got = pass(graph);
  EXPECT_EQ(Print(got, {.lines = false}), Print(wanted, {.lines = false}));
  EXPECT_EQ(Compare(graph, got), "") << before;
  EXPECT_TRUE(pass(got) == got) << "done twice it gives:\n" << Print(pass(got), {.lines = false});
}

void ExpectStays(PassFunction pass, std::string_view text) { ExpectBecomes(pass, text, text); }

}  // namespace talweg::passes
