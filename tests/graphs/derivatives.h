#ifndef TALWEG_TESTS_GRAPHS_DERIVATIVES_H_
#define TALWEG_TESTS_GRAPHS_DERIVATIVES_H_

#include <cstdint>
#include <string>

#include "graph/graph.h"

namespace talweg {

// What a graph's derivatives were found to be.
struct DerivativeCheck {
  std::string fault;    // "derivative 1: how it is wrong"; empty where nothing is
  bool finite = false;  // whether the first derivative is a number
};

// Compares the first and second derivative of a sum of the graph's float outputs along a random
// direction of its float inputs, as reverse mode gives them, with other ways to the same number:
//
//   float64   jets (to 1e-9), and differences of four points (to 1e-5)
//   float32   jets of the same graph in float64 (to 2e-3)
//
// All floats of the graph must be of one type, and it must have no kinks near its inputs.
DerivativeCheck CheckDerivatives(const Graph& graph, uint64_t seed, int64_t rows);

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_DERIVATIVES_H_
