#ifndef TALWEG_TESTS_JIT_PASSES_CHECK_H_
#define TALWEG_TESTS_JIT_PASSES_CHECK_H_

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace talweg::passes {

// What tests of passes are written with: text before, text after.

using PassFunction = Graph (*)(const Graph&);

// The graph of a text; a failure of the test where it is none.
Graph Parse(std::string_view text);

// What is wrong with `after` as what a pass made of `before`: the verifier's objection, another
// type of an input or output, or an output with other bits. Both run on the interpreter, with
// ordinary inputs and with inputs of zeros of both signs, NaNs, infinities and denormal numbers,
// and with several numbers of rows and trips. Where `before` fails at run time nothing is compared.
// Empty where nothing is wrong.
std::string Compare(const Graph& before, const Graph& after);

// That the pass makes the second graph of the first; that the bits are the same; and that it leaves
// the second as it is.
void ExpectBecomes(PassFunction pass, std::string_view before, std::string_view after);
// That the pass leaves the graph as it is: what it might do would change a bit.
void ExpectStays(PassFunction pass, std::string_view text);

}  // namespace talweg::passes

#endif  // TALWEG_TESTS_JIT_PASSES_CHECK_H_
