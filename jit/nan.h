#ifndef TALWEG_JIT_NAN_H_
#define TALWEG_JIT_NAN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/engine.h"
#include "graph/graph.h"

namespace talweg {

// Where NaNs and infinities come from. Beside each float value of a graph goes its origin: nothing
// while all of its elements are finite, else the node that made one of finite operands, from which
// this one's descends; of several the earliest. Loops carry origins along, with the trip. So what
// is found is what spoiled the results: an infinity that a Select leaves out, or that becomes 0
// further on, is no origin of anything.

// The origins of a graph's outputs, as a graph of the same inputs: for each output that is float
// origin_values(graph) int64 scalars. Error: a graph that is too large for it.
absl::StatusOr<Graph> TrackOrigins(const Graph& graph);

// What that graph says, read for people; empty where all outputs are finite.
//
//   contract: float32[rows,50] x float32[50,3]: makes an infinity of finite numbers (model.cc:14)
//     in trip 0 of the loop (fit.cc:20), in trip 3 of the loop (fit.cc:25)
//     it reaches output 0 and 3 more
//
// A NaN or an infinity that an input or a constant has is told where there is nothing else.
std::string DescribeOrigins(const Graph& graph, absl::Span<const Array> origins);

// A run that looks at its results, and tells where the first NaN or infinity among them comes from.
// What finds out is compiled by `compile` when it is needed first.
RunFunction WatchForNan(const Graph& graph, RunFunction run,
                        std::function<absl::StatusOr<RunFunction>(const Graph&)> compile,
                        std::function<void(std::string_view)> tell);

}  // namespace talweg

#endif  // TALWEG_JIT_NAN_H_
