#include "plot/gnuplot.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg::plot {
namespace {

using ::testing::HasSubstr;

// A program that stands in for gnuplot.
std::string FakeGnuplot(const std::string& name, const std::string& body) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(RunGnuplot, ReturnsWhatGnuplotPrints) {
  const auto output = RunGnuplot("gnuplot", "set print '-'\nprint 6 * 7\n");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, "42\n");
}

TEST(RunGnuplot, HandsOverScriptsAndOutputsBeyondThePipeSizes) {
  std::string script = "set print '-'\n$data << EOD\n";
  for (int i = 0; i < 100000; i++) absl::StrAppend(&script, i, "\n");
  absl::StrAppend(&script, "EOD\ndo for [i=1:|$data|] { print $data[i] }\n");
  const auto output = RunGnuplot("gnuplot", script);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->size(), 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5 + 90000 * 6u);
}

TEST(RunGnuplot, SaysWhichPackageIsMissing) {
  for (const std::string name : {"/nowhere/gnuplot", "gnuplot-that-is-not-there", ""}) {
    const absl::Status status = RunGnuplot(name, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(status.message(), absl::StrCat("the program '", name,
                                             "' was not found: install the package gnuplot-nox"));
  }
}

// No package would help there.
TEST(RunGnuplot, TellsAProgramThatMayNotBeRunFromOneThatIsMissing) {
  const std::string path = FakeGnuplot("no_program", "");
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  for (const std::string& name : {path, testing::TempDir()}) {
    const absl::Status status = RunGnuplot(name, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(status.message(), absl::StrCat("no program ", Quoted(name),
                                             " that may be run was found: permission ", "denied"));
  }
}

TEST(RunGnuplot, PassesOnWhatGnuplotSaysOfAMistake) {
  const absl::Status status = RunGnuplot("gnuplot", "set terminal nosuchterminal\n").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("gnuplot failed with exit code 1: "));
  EXPECT_THAT(status.message(), HasSubstr("unknown or ambiguous terminal"));
}

TEST(RunGnuplot, ReportsExitCodes) {
  EXPECT_EQ(RunGnuplot(FakeGnuplot("silent", "exit 3"), "").status().message(),
            "gnuplot failed with exit code 3 and said nothing");
  EXPECT_EQ(RunGnuplot(FakeGnuplot("loud", "printf 'one\\n two \\n\\n' >&2; exit 4"), "")
                .status()
                .message(),
            "gnuplot failed with exit code 4: 'two'");
  EXPECT_EQ(RunGnuplot(FakeGnuplot("killed", "kill -9 $$"), "").status().message(),
            "gnuplot was ended by signal 9");
}

// A pipe would fill here, and kill us with SIGPIPE when the program ends without reading.
TEST(RunGnuplot, SurvivesAProgramThatDoesNotRead) {
  const std::string script(10 << 20, '\n');
  EXPECT_EQ(RunGnuplot(FakeGnuplot("deaf", "exit 5"), script).status().message(),
            "gnuplot failed with exit code 5 and said nothing");
}

TEST(RunGnuplot, IgnoresTheUsersLocaleAndSettings) {
  const std::string home = absl::StrCat(testing::TempDir(), "/home");
  std::filesystem::create_directories(home);
  std::ofstream(home + "/.gnuplot") << "set print '-'\nprint 'from the settings'\n";
  ASSERT_EQ(setenv("HOME", home.c_str(), 1), 0);
  ASSERT_EQ(setenv("GNUPLOT_LIB", "/nowhere", 1), 0);
  ASSERT_EQ(setenv("LC_ALL", "de_DE.UTF-8", 1), 0);
  const auto environment = RunGnuplot(FakeGnuplot("environment", "env"), "");
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_THAT(*environment, HasSubstr("LC_ALL=C.UTF-8\n"));
  EXPECT_THAT(*environment, testing::Not(HasSubstr("de_DE")));
  EXPECT_THAT(*environment, testing::Not(HasSubstr("GNUPLOT_LIB")));
  EXPECT_THAT(*environment, HasSubstr(absl::StrCat("HOME=", home)));
  const auto output = RunGnuplot("gnuplot", "set print '-'\nprint 1.5\n");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, "1.5\n");
}

}  // namespace
}  // namespace talweg::plot
