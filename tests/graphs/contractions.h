#ifndef TALWEG_TESTS_GRAPHS_CONTRACTIONS_H_
#define TALWEG_TESTS_GRAPHS_CONTRACTIONS_H_

#include <cstdint>
#include <random>

#include "absl/status/statusor.h"
#include "graph/graph.h"

namespace talweg {

// A contraction larger than those of random graphs: dims from 1 to 300, mostly around the ends of
// vectors, tiles and blocks, with transposed operands, batches, rows known at run time only,
// epilogues, gradients and updates.
struct RandomContraction {
  absl::StatusOr<Graph> graph;
  int64_t rows = 0;  // to run it with
};
RandomContraction MakeRandomContraction(std::mt19937_64& random);

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_CONTRACTIONS_H_
