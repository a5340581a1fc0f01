#ifndef TALWEG_JIT_TRACE_H_
#define TALWEG_JIT_TRACE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace talweg {

// What to show of a compile, and where. From outside:
//
//   TALWEG_TRACE=graph,time ./program                     to standard error
//   TALWEG_TRACE=loops,asm TALWEG_TRACE_DIR=/tmp/t ./program
//                     a file a stage and compile: /tmp/t/001_talweg.loops.txt, 001_talweg.asm.s ...
//
// From code, besides what the environment asks for:
//
//   Jit(graph, {.trace = {.passes = true, .sink = [](std::string_view stage, std::string_view text)
//                                             { std::cout << text; }}});
//
// Nothing of it changes a bit of a result. Showing code makes it anew, also where the cache of
// compiled code has it.
struct Trace {
  bool graph = false;     // the graph as it was given
  bool passes = false;    // and after each pass that changed it, with the time that each pass took
  bool loops = false;     // the loop IR
  bool llvm = false;      // LLVM's IR
  bool assembly = false;  // the machine code as text; the word is "asm"
  bool time = false;      // what each stage of the compile took
  // Finds out, after a run that had a NaN or an infinity among its results, in which node it came
  // up: its op, the types of its operands, the user's line, and in loops the trip. The graph is
  // then run a second time with a check behind each node, which takes several times as long.
  bool nan = false;
  // Prints JitEngine::Report at the end of the engine, for that of talweg.h the end of the process;
  // and measures what stands in it.
  bool table = false;
  // Tells perf and GDB of the compiled functions, one for each section of the loop IR, by name;
  // perf in /tmp/perf-PID.map, which is yours to remove:
  //
  //   TALWEG_TRACE=perf perf record ./program && perf report --sort=symbol
  //
  // Compiling takes longer then, and goes without the cache.
  bool perf = false;
  bool gdb = false;

  // Gets each text with the word of its stage ("asm"), as soon as it is there; may be called from
  // several threads at once. Without a sink the texts go to files in `folder`; without that to
  // standard error.
  std::function<void(std::string_view stage, std::string_view text)> sink = nullptr;
  std::string folder = "";
};

// The stages by the words that TALWEG_TRACE knows them by.
struct TraceStage {
  const char* word;
  bool Trace::* wanted;
  const char* file;  // how the names of their files end; "": there is no text
};
absl::Span<const TraceStage> TraceStages();

// A list of words with commas between; spaces around them do not count. Words that do not exist are
// left out, and put into `unknown`.
Trace ParseTrace(std::string_view words, std::vector<std::string>* unknown);

// What TALWEG_TRACE and TALWEG_TRACE_DIR said when this was called first. An unknown word is then
// reported on standard error, in one line.
const Trace& EnvironmentTrace();

// Where the texts of one compile go: to one trace, or to that of the environment too. Thread-safe.
class Tracer {
 public:
  explicit Tracer(const Trace& trace, const Trace& environment = EnvironmentTrace());
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Whether somebody wants to see the stage: Wants(&Trace::loops).
  bool Wants(bool Trace::* stage) const;
  // Shows it to those who want it.
  void Show(bool Trace::* stage, std::string_view text);

 private:
  struct Target;
  std::vector<std::unique_ptr<Target>> targets_;
};

}  // namespace talweg

#endif  // TALWEG_JIT_TRACE_H_
