#ifndef TALWEG_TESTS_DOCS_WALK_H_
#define TALWEG_TESTS_DOCS_WALK_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace talweg {

// What docs/walk.md shows: one training step on its way to machine code. Each stage is printed by
// the compiler's own printers, as TALWEG_TRACE does it, for a processor that does not depend on
// where this runs.
struct WalkStages {
  std::string graph, simplified, groups, loops, llvm, assembly;
  std::vector<std::pair<std::string, std::string>> passes;  // what each did that did something
};
absl::StatusOr<WalkStages> Walk();

// The blocks of the page by their names: excerpts of the stages.
std::vector<std::pair<std::string, std::string>> WalkBlocks(const WalkStages& stages);

}  // namespace talweg

#endif  // TALWEG_TESTS_DOCS_WALK_H_
