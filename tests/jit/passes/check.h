#ifndef TALWEG_TESTS_JIT_PASSES_CHECK_H_
#define TALWEG_TESTS_JIT_PASSES_CHECK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/graph.h"

namespace talweg::passes {

// What tests of passes are written with: text before, text after.

using PassFunction = Graph (*)(const Graph&);

// The graph of a text; a failure of the test where it is none.
Graph Parse(std::string_view text);

// What a graph computes on the interpreter: for ordinary inputs, and for inputs of zeros of both
// signs, NaNs, infinities and denormal numbers.
class Reference {
 public:
  struct Sizes {
    int64_t rows, trips;
  };
  // Runs the graph with these numbers of rows and trips.
  Reference(Graph graph, absl::Span<const Sizes> sizes, uint64_t seed);

  // What is wrong with a graph that a pass made of this one: the verifier's objection, another type
  // of an input or output, an error or another bit of an output. Where the graph itself fails at
  // run time, nothing is compared. Empty where nothing is wrong.
  std::string Compare(const Graph& after) const;

  const Graph& graph() const { return graph_; }
  // The first error of its own runs.
  absl::Status status() const;
  // Whether any of them had a result.
  bool ran() const;

 private:
  Graph graph_;
  std::vector<NamedArrays> inputs_;
  std::vector<absl::StatusOr<std::vector<Array>>> outputs_;
};

// The same of two graphs, with several numbers of rows and trips.
std::string Compare(const Graph& before, const Graph& after);

// That the pass makes the second graph of the first; that the bits are the same; and that it leaves
// the second as it is.
void ExpectBecomes(PassFunction pass, std::string_view before, std::string_view after);
// That the pass leaves the graph as it is: what it might do would change a bit.
void ExpectStays(PassFunction pass, std::string_view text);

}  // namespace talweg::passes

#endif  // TALWEG_TESTS_JIT_PASSES_CHECK_H_
