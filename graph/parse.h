#ifndef TALWEG_GRAPH_PARSE_H_
#define TALWEG_GRAPH_PARSE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg {

// Reads the text that Print wrote (print.h describes it), or that somebody wrote by hand. `ops` are
// the ops that the text may use besides those of core_ops.h; usually all of them, AllOps() of
// ops/table.h.
//
//   absl::StatusOr<Graph> graph = ParseGraph(text, AllOps());
//
// The text need not be trusted: whatever it is, the result is a graph that Verify accepts, or an
// error. Time and memory are in proportion to its length. Errors say where, and what is expected:
//
//   line 3, column 17: expected '(', found 'order'
//   line 9, column 20: no op is called 'tahn'
//   node %7: sum: float32[3,2]: ... (text:8)       from Verify; the text's line, too
//
// A node's source line is its line of the text, in a file called "text".
absl::StatusOr<Graph> ParseGraph(std::string_view text, absl::Span<const Op* const> ops);

}  // namespace talweg

#endif  // TALWEG_GRAPH_PARSE_H_
