#ifndef TALWEG_TESTS_GRAPHS_ENGINES_H_
#define TALWEG_TESTS_GRAPHS_ENGINES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "graph/value.h"

namespace talweg {

// Everything that runs graphs. All must agree to the bit (NaNs as a class), so whatever is tested
// by these functions is tested on all of them; a new engine is a line of engines.cc.
struct NamedEngine {
  std::string name;
  Engine make;
};
// Those that run every graph: the interpreter (which is the first), the interpreter without
// vectors, the loop evaluator, the JIT.
absl::Span<const NamedEngine> MainEngines();
// The JIT with one option changed, or one kind of option: for lesser processors (avx512, avx2,
// x86-64), at other levels of code generation, without fusion, with contractions in small blocks,
// and from a warm cache; ...
absl::Span<const NamedEngine> CodeVariants();
// ... and without each pass, without several, without any.
absl::Span<const NamedEngine> PassVariants();
// All of them.
const std::vector<NamedEngine>& AllEngines();
// The interpreter, and the loop evaluator and the JIT for each processor that this machine can
// stand for, with what they make verified. For tests of the lowering alone.
std::vector<NamedEngine> EnginesOfEachProcessor();

// The engines by which a graph is judged: the main ones, one code variant and one pass variant, as
// a hash of its text picks them, so that a run over many graphs has them all. With TALWEG_ENGINES
// =all in the environment: all.
std::vector<NamedEngine> EnginesFor(const Graph& graph);

// All of EnginesFor(graph) as one engine: each run is one on every engine, twice on the
// interpreter, and gives its outputs; or the error, if all say the same; or, as an internal error,
// which two differ where. Tests use it in place of an engine. A run that somebody watches or may
// stop (RunOptions) is one on the last engine only. A graph that Verify refuses is refused in its
// words.
//
// Which error, if a graph has several? A run tells of one, and which one is not defined: engines
// run nodes in orders of their own. So where errors differ, each must be what the interpreter says
// of a graph that ends at one of the nodes (of the outermost graph). And what fails in a part of a
// loop that no output needs may fail or not: the passes may remove it, or may be left out. Where
// the reference has an error and another engine has not, the interpreter must have none of the
// graph without such parts. An error tells the types of the node's operands as the passes have left
// them; these may differ, too. These are the only differences that pass. Memory is no part of this:
// an engine may need less of it than another, so graphs that need more than there is are for one
// engine.
absl::StatusOr<Executable> EveryEngine(const Graph& graph);
// The same of these engines, of which the first is the reference.
absl::StatusOr<Executable> CompileOn(absl::Span<const NamedEngine> engines, const Graph& graph);

// Compiles and runs at once.
absl::StatusOr<std::vector<Array>> RunOnAllEngines(const Graph& graph, const NamedArrays& inputs);
absl::StatusOr<std::vector<Array>> RunOnAllEngines(const std::vector<Value>& outputs,
                                                   const NamedArrays& inputs);
absl::StatusOr<std::vector<Array>> RunOnEngines(absl::Span<const NamedEngine> engines,
                                                const Graph& graph, const NamedArrays& inputs);

// How the outcomes of the reference and of another engine differ for a graph; empty where they do
// not, or where the difference is one of those that pass.
using Outcome = absl::StatusOr<std::vector<Array>>;
std::string Difference(const Graph& graph, absl::Span<const Array> inputs, const Outcome& reference,
                       const Outcome& other);

// A line for each engine: how many graphs it has run in this process, and the mean time for
// compiling and running one. It is also printed when the process ends.
std::string EngineReport();

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_ENGINES_H_
