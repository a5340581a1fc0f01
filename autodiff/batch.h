#ifndef TALWEG_AUTODIFF_BATCH_H_
#define TALWEG_AUTODIFF_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg {

// What Batch makes.
struct Batched {
  // The inputs of the single graph under their names and in their order, the chosen ones
  // [size, ...], and its outputs.
  Graph graph;
  // For each output whether it depends on a chosen input, and so is [size, ...] too. The others are
  // the same for all instances, and stay as they were.
  std::vector<bool> outputs;
};

// The graph that runs `size` instances of a graph side by side: independent ones, that share the
// inputs that are not chosen. Slice k of each output is, to the bit, the output of the single graph
// for slice k of each input:
//
//   // one model and rate for each seed, the same data
//   absl::StatusOr<Batched> many = Batch(fit, {"seed", "rate"}, 16);
//   absl::StatusOr<Executable> f = Compile(many->graph);            // seed: int64[16], ...
//
// Each kind of node has one rule (autodiff/batch_rules.h). Sums keep the order that they have in
// the single graph. What does not depend on a chosen input is computed once. The result is a graph
// like others: it can be differentiated, printed, and batched again.
//
// Loops run until no instance has a trip to do, if the number of trips or the end depends on the
// instance: each carried value is then select(active, next, present), and stacked slices of trips
// that an instance did not run are zero, as they are in the single graph. The number of trips has a
// value for each instance. Where the extent of an output is that number (`trips`), it is the
// greatest of all instances. An index that an instance would use in a trip that it does not run is
// not looked at; any other index out of range fails the run for all instances. Derivatives are
// taken best before: Batch(gradient) has what the single gradient has. The gradient of a batched
// loop also goes through trips that an instance does not run, by 0 times their derivatives, which
// is NaN where these are not finite (a division by what the instance has counted down to 0).
//
// Errors: an input that does not exist or is chosen twice; a negative size; numbers of `rows` that
// differ between the instances of a loop, or numbers of trips where a value inside of the graph has
// that extent. These name the op and the user's line.
absl::StatusOr<Batched> Batch(const Graph& graph, absl::Span<const std::string> inputs,
                              int64_t size);

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_BATCH_H_
