// Repeats the run that a trace of Keras 2.3.1 describes (data/keras_trace.h), from its initial
// weights and in float64, and writes what came out as a file of the same form. What the trace says
// that Keras measured is not looked at, and may be missing:
//
//   replay_trace --in=tests/data/keras_2_3_1/nadam.json --out=nadam.json --engine=interpreter
//
// Relative paths are taken from where its user stands, under `bazel run` too.
// Exit code 0, or 1 after one line "error: ..." on stderr.

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/keras_trace.h"
#include "data/user_path.h"
#include "talweg.h"
#include "tools/trace_training.h"

ABSL_FLAG(std::string, in, "", "the trace to repeat");
ABSL_FLAG(std::string, out, "", "the file to write");
ABSL_FLAG(std::string, engine, "interpreter", "what runs it; a wrong name lists the right ones");

namespace talweg {
namespace {

// The library that parses flags would end the program with a report of its own.
absl::Status CheckArguments(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    const size_t name = argument.find_first_not_of('-'), equals = argument.find('=');
    if (argument.starts_with("--help")) continue;
    if (!argument.starts_with("-") || name == argument.npos || equals == argument.npos ||
        absl::FindCommandLineFlag(argument.substr(name, equals - name)) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown argument ", argument, "; there are --in=F, --out=G, --engine=E"));
    }
  }
  return absl::OkStatus();
}

absl::Status Replay(const std::string& in, const std::string& out, const std::string& engine_name) {
  if (in.empty()) return absl::InvalidArgumentError("--in=FILE is missing");
  if (out.empty()) return absl::InvalidArgumentError("--out=FILE is missing");
  const absl::StatusOr<Engine> engine = EngineByName(engine_name);
  if (!engine.ok()) return engine.status();
  const absl::StatusOr<KerasTrace> trace = ReadKerasTrace(in, TraceResults::kIgnore);
  if (!trace.ok()) return trace.status();
  const absl::StatusOr<KerasTrace> ours = ReplayTrace(*engine, *trace);
  if (!ours.ok()) {
    return absl::Status(ours.status().code(), absl::StrCat(in, ": ", ours.status().message()));
  }
  return WriteFile(out, FormatKerasTrace(*ours));
}

}  // namespace
}  // namespace talweg

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("replay_trace --in=F.json --out=G.json --engine=E");
  absl::Status status = talweg::CheckArguments(argc, argv);
  if (status.ok()) {
    absl::ParseCommandLine(argc, argv);
    status =
        talweg::Replay(talweg::UserPath(absl::GetFlag(FLAGS_in)),
                       talweg::UserPath(absl::GetFlag(FLAGS_out)), absl::GetFlag(FLAGS_engine));
  }
  if (status.ok()) return 0;
  std::string message(status.message());
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}
