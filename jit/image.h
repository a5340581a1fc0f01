#ifndef TALWEG_JIT_IMAGE_H_
#define TALWEG_JIT_IMAGE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "jit/jit.h"
#include "jit/llvm/cache.h"
#include "jit/llvm/host.h"
#include "jit/loops/ir.h"

namespace talweg {

// A compiled graph as it is kept for the next process (jit/llvm/cache.h): its machine code, and
// what a run of it needs to know besides. Whoever finds it there runs no pass and lowers nothing.
struct Image {
  loops::RunTables tables;
  std::string object;
};

// What makes images of graphs, besides the options.
struct Toolchain {
  std::string llvm;       // the version of the library in this process
  std::string triple;     // "x86_64-pc-linux-gnu"
  std::string libc;       // the C library's version: constants are folded with its functions
  std::string sources;    // a hash of Talweg's own files that decide what becomes of a graph
  std::string processor;  // on which constants are folded, also where code is made for another
};
const Toolchain& ThisToolchain();

// Two equal keys mean equal images: in it is all that passes, lowering and emission read. Users'
// lines are, since errors of a run name them. Of an op of Talweg's its name will do, as its record
// is among the sources; one of the user's own is there with its formula, for tomorrow it may be
// another. The graph has passed Verify.
native::ObjectCache::Key KeyOf(const Graph& graph, const JitOptions& options,
                               const native::Target& target,
                               const Toolchain& toolchain = ThisToolchain());

// The ops that draw random numbers are numbered as the graph has them.
std::string ToBytes(const Image& image, const Graph& graph);

// Nothing where the bytes are no image of this graph.
std::optional<Image> ImageFromBytes(absl::string_view bytes, const Graph& graph);

}  // namespace talweg

#endif  // TALWEG_JIT_IMAGE_H_
