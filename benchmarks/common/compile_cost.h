#ifndef TALWEG_BENCHMARKS_COMMON_COMPILE_COST_H_
#define TALWEG_BENCHMARKS_COMMON_COMPILE_COST_H_

#include <string>

#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::bench {

// What compiling a training costs: Fit() of it in a new process, from the call to the result. In it
// are the plan, the graphs of the first parameters and of the fit, their passes, lowering, code
// generation and linking.
struct CompileProblem {
  Training training;
  TrainTest data;
};

// The main() of a program that measures it: 1 and a line on stderr that begins "error: " where that
// fails. `problem` is made from the path that the program is called with. Prints, in milliseconds,
//
//   cold_ms               less the time of the training itself: the same executable run again
//   cold_without_runs_ms  less the time of all that was compiled and run: the training's first run,
//                         and that of the first parameters, which a large network draws slowly
//   cold_engine_ms        the part of it that the engine took, from graphs to code in memory
//
// the best of `processes`, each a process of its own: the program starts itself again. Cold is
// without an object cache; the same with warm_ is with one that an earlier process has filled.
int CompileCostMain(int argc, char** argv, int processes,
                    absl::StatusOr<CompileProblem> (*problem)(const std::string& samples));

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_COMPILE_COST_H_
