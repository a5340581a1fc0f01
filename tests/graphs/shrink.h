#ifndef TALWEG_TESTS_GRAPHS_SHRINK_H_
#define TALWEG_TESTS_GRAPHS_SHRINK_H_

#include <cstdint>
#include <functional>
#include <string>

#include "graph/graph.h"

namespace talweg {

// The smallest graph found for which `fails` still holds: with one output, with nodes replaced by
// inputs or by their operands, without what is then unused. Every graph that is asked about passes
// the verifier. `fails(graph)` must hold.
Graph Shrink(Graph graph, const std::function<bool(const Graph&)>& fails);

// A C++ test that repeats a failure: it parses the graph's text and hands it with the seed of its
// inputs to `check`, a function (const Graph&, uint64_t seed, int64_t rows) -> std::string that
// says what is wrong.
std::string Reproducer(const Graph& graph, uint64_t seed, int64_t rows, std::string_view check);

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_SHRINK_H_
