#ifndef TALWEG_TESTS_GRAPHS_RANDOM_GRAPH_H_
#define TALWEG_TESTS_GRAPHS_RANDOM_GRAPH_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/graph.h"

namespace talweg {

// Graphs drawn at random, for tests that hold for every graph: about 20 nodes (one graph in twenty
// has about 200) of every kind, element type and rank up to 4, with extents at which kernels go
// from one case to the next. Most values are finite and vary with the inputs, because operands are
// brought into the range that their op's record gives for tests; one in thirty is not.

struct RandomGraphOptions {
  // Only floats of this type and what has a derivative everywhere near, so that derivatives.h can
  // compare gradients.
  std::optional<DType> smooth = {};
  // The gradients of a sum of the outputs, by all float inputs, are outputs, too.
  bool gradients = false;
  // Some indices may be out of range, so that runs end with errors.
  bool wild = false;
  // Ends and numbers of trips of some loops depend on what the loops compute.
  bool own_trips = false;
};

struct RandomGraph {
  Graph graph;
  // The number of rows to run it with.
  int64_t rows = 1;
  // Of the nodes, those that were drawn, in bodies too; the others are their gradients.
  size_t drawn = 0;
};

// A pure function of its arguments. An error is one of the generator or of an op.
absl::StatusOr<RandomGraph> MakeRandomGraph(uint64_t seed, const RandomGraphOptions& options = {});

// Inputs for a graph: floats in [-2, 2], integers in [-9, 9], bools; a pure function of the seed
// and each input's name and type, so that they stay when a graph is cut down.
NamedArrays RandomInputs(const Graph& graph, uint64_t seed, int64_t rows, int64_t trips = 3);

// The same, but every element is one that arithmetic treats in a way of its own: NaN, infinities,
// zeros of both signs, denormals, the ends of integers.
NamedArrays SpecialInputs(const Graph& graph, uint64_t seed, int64_t rows, int64_t trips = 3);

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_RANDOM_GRAPH_H_
