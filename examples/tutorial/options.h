#ifndef TALWEG_EXAMPLES_TUTORIAL_OPTIONS_H_
#define TALWEG_EXAMPLES_TUTORIAL_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "talweg.h"

namespace talweg::tutorial {

// NumPy's generator, whose shuffles --weights asks for, takes 32 bits.
inline constexpr int64_t kMaxSeed = std::numeric_limits<uint32_t>::max();

// What the command line says. Paths are absolute, or relative to where the program runs.
struct Options {
  std::string out = "figures";
  std::vector<std::string> experiments = {};  // names of kExperiments; empty: all
  int64_t seed = 1;
  bool seed_given = false;
  int64_t seeds = 1;
  int64_t epochs = 200;
  DType precision = kFloat32;
  std::string engine = {};   // empty: the default one
  std::string cache = {};    // a folder, "off", or empty: the default
  std::string weights = {};  // empty: each seed's own
  bool figures = true;
  bool help = false;
};

// Reads the arguments, without the program's name. Relative paths are taken from `standing`, if it
// is not empty. Errors, each one sentence that names the argument: unknown ones, missing or wrong
// values, an experiment that does not exist (the message lists them), the same option twice.
absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments,
                                     std::string_view standing);

// The text of --help.
std::string Usage();

// Makes the folder for the figures, where it is missing, and sees whether files of these names can
// be written there: better now than after the fits.
absl::Status PrepareFolder(const std::string& folder, absl::Span<const std::string> files);

// folder/name.
std::string JoinPath(std::string_view folder, std::string_view name);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_OPTIONS_H_
