#include "tests/jit/passes/check.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/elementwise.h"
#include "ops/table.h"
#include "tests/graphs/random_graph.h"

namespace talweg::passes {
namespace {

// How two results differ.
std::string Difference(const std::vector<Array>& wanted, const std::vector<Array>& got,
                       const NamedArrays& inputs) {
  for (size_t k = 0; k < wanted.size(); k++) {
    if (SameBits(wanted[k], got[k])) continue;
    std::string text =
        absl::StrCat("output ", k, " is ", got[k].ToString(), ", not ", wanted[k].ToString());
    for (const auto& [name, array] : inputs) {
      absl::StrAppend(&text, "\n  for ", name, " = ", array.ToString());
    }
    return text;
  }
  return "";
}

// How inputs and outputs of two graphs differ.
std::string BorderDifference(const Graph& before, const Graph& after) {
  if (before.inputs().size() != after.inputs().size()) return "another number of inputs";
  for (size_t i = 0; i < before.inputs().size(); i++) {
    if (before.input_type(i) != after.input_type(i) ||
        before.input_name(i) != after.input_name(i)) {
      return absl::StrCat("another input ", i);
    }
  }
  if (before.outputs().size() != after.outputs().size()) return "another number of outputs";
  for (size_t k = 0; k < before.outputs().size(); k++) {
    if (before.output_type(k) != after.output_type(k)) return absl::StrCat("another output ", k);
  }
  return "";
}

}  // namespace

Graph Parse(std::string_view text) {
  std::vector<const Op*> ops(AllOps().begin(), AllOps().end());
  ops.insert(ops.end(), {&kExpOfNotPositiveOp, &kLogOfAtLeastOneOp});
  const absl::StatusOr<Graph> graph = ParseGraph(text, ops);
  EXPECT_TRUE(graph.ok()) << graph.status() << "\n" << text;
  return graph.ok() ? *graph : Graph();
}

Reference::Reference(Graph graph, absl::Span<const Sizes> sizes, uint64_t seed)
    : graph_(std::move(graph)) {
  const absl::StatusOr<Executable> executable = Interpret(graph_);
  for (const Sizes& size : sizes) {
    inputs_.push_back(RandomInputs(graph_, seed, size.rows, size.trips));
    inputs_.push_back(SpecialInputs(graph_, seed, size.rows, size.trips));
    seed++;
  }
  for (const NamedArrays& inputs : inputs_) {
    outputs_.push_back(executable.ok() ? executable->Run(inputs) : executable.status());
  }
}

absl::Status Reference::status() const {
  for (const auto& outputs : outputs_) {
    if (!outputs.ok()) return outputs.status();
  }
  return absl::OkStatus();
}

std::string Reference::Compare(const Graph& after) const {
  if (const absl::Status status = Verify(after); !status.ok()) {
    return absl::StrCat("verifier: ", status.message());
  }
  if (std::string text = BorderDifference(graph_, after); !text.empty()) return text;
  const absl::StatusOr<Executable> executable = Interpret(after);
  for (size_t i = 0; i < inputs_.size(); i++) {
    if (!outputs_[i].ok()) continue;
    const absl::StatusOr<std::vector<Array>> got =
        executable.ok() ? executable->Run(inputs_[i]) : executable.status();
    if (!got.ok()) return absl::StrCat("fails: ", got.status().message());
    if (std::string text = Difference(*outputs_[i], *got, inputs_[i]); !text.empty()) return text;
  }
  return "";
}

bool Reference::ran() const {
  return absl::c_any_of(outputs_, [](const auto& outputs) { return outputs.ok(); });
}

std::string Compare(const Graph& before, const Graph& after) {
  const Reference::Sizes sizes[] = {{20, 3}, {1, 1}, {0, 0}, {2, 2}, {20, 4}, {3, 0}, {1, 9}};
  const Reference reference(before, sizes, 1);
  if (reference.ran()) return reference.Compare(after);
  return Reference(after, sizes, 1).ran() ? "does not fail any more" : "";
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
