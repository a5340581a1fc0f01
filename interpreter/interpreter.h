#ifndef TALWEG_INTERPRETER_INTERPRETER_H_
#define TALWEG_INTERPRETER_INTERPRETER_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/shape.h"
#include "graph/engine.h"

namespace talweg {

// The reference engine. It runs every graph, loops included, with exactly the semantics that
// graph/attributes.h, graph/order.h and graph/scalar.h state, and is what other engines are
// compared with, bit for bit.
//
//   absl::StatusOr<Executable> f = Interpret(*tape.Finish({loss}));
//   absl::StatusOr<std::vector<Array>> out = f->Run({{"x", x}});
//
// It is an Engine. A graph is turned once, for each value of its run-time symbols, into a flat list
// of instructions over preplanned memory (plan.h); views cost nothing, loops swap their carried
// buffers. Nothing is fused: each node is an instruction of its own.
//
// Errors when it is made: those of Verify (graph/verify.h). Errors of a run, each with op and
// user's line: an index out of range, more trips than a loop's scanned values have, memory that can
// not be had.
absl::StatusOr<Executable> Interpret(const Graph& graph);

// The same without vector instructions, as on a machine that lacks AVX2 and FMA. Slower; the bits
// are the same, which is what it is for.
absl::StatusOr<Executable> InterpretPortably(const Graph& graph);

// The plan for these values of the symbols as text, for people: an instruction a line, with the
// buffers it writes and reads (their strides where they are not contiguous), bodies of loops below
// their loop.
//
//    3  contract       %4 <- %0 %1  float32[32,50]  # model.cc:13
//    4  add            %5 <- %4 %2[0,1]  float32[32,50]  # model.cc:13
absl::StatusOr<std::string> DumpPlan(const Graph& graph, const SymbolValues& symbols);

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_INTERPRETER_H_
