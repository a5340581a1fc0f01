// The program replay_trace as its users run it.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "data/keras_trace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/trace_training.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kTrace[] = "tests/data/keras_2_3_1/early_stopping.json";

struct Outcome {
  int exit_code = -1;
  std::string err;
};

Outcome RunReplay(const std::string& arguments) {
  const std::string err = testing::TempDir() + "/err";
  const int status = std::system(("tools/replay_trace " + arguments + " 2> '" + err + "'").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(err).value_or("")};
}

TEST(ReplayTraceProgram, WritesATraceThatAgrees) {
  const std::string out = testing::TempDir() + "/replayed.json";
  const Outcome outcome =
      RunReplay(std::string("--engine=interpreter --in=") + kTrace + " --out='" + out + "'");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  const absl::StatusOr<KerasTrace> ours = ReadKerasTrace(out), keras = ReadKerasTrace(kTrace);
  ASSERT_TRUE(ours.ok()) << ours.status();
  ASSERT_TRUE(keras.ok()) << keras.status();
  EXPECT_EQ(ours->name, keras->name);
  EXPECT_EQ(ours->spec, keras->spec);
  EXPECT_THAT(Disagreements(*ours, *keras, StrictAgreement(*keras)), testing::IsEmpty());
  // It is a run of its own, not a copy.
  EXPECT_NE(ReadFile(out).value_or(""), FormatKerasTrace(*keras));
}

TEST(ReplayTraceProgram, WritesTheSameOnEachEngine) {
  std::string texts[2];
  for (const bool jit : {false, true}) {
    const std::string out = testing::TempDir() + "/of_engine.json";
    const Outcome outcome = RunReplay(std::string("--engine=") + (jit ? "jit" : "interpreter") +
                                      " --in=" + kTrace + " --out='" + out + "'");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    texts[jit] = ReadFile(out).value_or("");
  }
  EXPECT_NE(texts[0], "");
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(ReplayTraceProgram, NeedsNoneOfTheResults) {
  absl::StatusOr<KerasTrace> trace = ReadKerasTrace(kTrace);
  ASSERT_TRUE(trace.ok()) << trace.status();
  trace->columns.clear();
  trace->final_weights.clear();
  const std::string in = testing::TempDir() + "/without.json", out = in + ".replayed";
  ASSERT_TRUE(WriteFile(in, FormatKerasTrace(*trace)).ok());
  const Outcome outcome = RunReplay("--engine=jit --in='" + in + "' --out='" + out + "'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const absl::StatusOr<KerasTrace> ours = ReadKerasTrace(out), keras = ReadKerasTrace(kTrace);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_THAT(Disagreements(*ours, *keras, StrictAgreement(*keras)), testing::IsEmpty());
}

TEST(ReplayTraceProgram, TakesRelativePathsFromWhereItsUserStands) {
  const std::string folder = testing::TempDir();
  ASSERT_TRUE(WriteFile(folder + "/mine.json", ReadFile(kTrace).value_or("")).ok());
  ASSERT_EQ(setenv("BUILD_WORKING_DIRECTORY", folder.c_str(), 1), 0);
  const Outcome outcome = RunReplay("--in=mine.json --out=replayed_here.json");
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(ReadKerasTrace(folder + "/replayed_here.json").ok());
}

TEST(ReplayTraceProgram, ReportsOneLineAndExitsWithOne) {
  const std::string out = testing::TempDir() + "/never.json";
  const std::string in = std::string(" --in=") + kTrace, to = " --out='" + out + "'";
  for (const auto& [arguments, reason] : std::vector<std::pair<std::string, std::string>>{
           {"", "--in=FILE is missing"},
           {in, "--out=FILE is missing"},
           {to + " --in=no_such.json", "no_such.json"},
           {to + " --in=tests/data/keras_2_3_1/agreement.json", "agreement.json: "},
           {in + " --out=/no/such/folder/x.json", "/no/such/folder/x.json"},
           {in + to + " --engine=abacus", "no engine 'abacus'"},
           {in + to + " --speed=9", "unknown argument --speed=9"},
           {in + to + " more", "unknown argument more"},
           {in + to + " --engine", "unknown argument --engine"}}) {
    const Outcome outcome = RunReplay(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << arguments;
    EXPECT_THAT(outcome.err, StartsWith("error: ")) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr(reason)) << arguments;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace talweg
