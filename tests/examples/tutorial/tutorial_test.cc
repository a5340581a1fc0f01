// The program as its users call it: what it writes, and what it says to wrong use.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "data/csv.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/examples/tutorial/program.h"

namespace talweg::tutorial {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

namespace fs = std::filesystem;

const std::vector<std::string>& FigureNames() {
  static const auto& names = *new std::vector<std::string>{
      "1_blobs",         "2_learning_rate", "3_momentum",          "4_decay_curves", "5_decay",
      "6_patience_rate", "7_patience_loss", "8_patience_accuracy", "9_optimizer"};
  return names;
}

std::set<std::string> FilesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

Table HistoryIn(const std::string& folder) {
  absl::StatusOr<Table> table = ReadCsv(folder + "/history.csv", {.text = {"experiment", "run"}});
  EXPECT_TRUE(table.ok()) << table.status();
  return table.ok() ? *table : Table();
}

std::vector<std::string> Texts(const Table& table, std::string_view name) {
  return std::get<std::vector<std::string>>(table.Find(name)->cells);
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The one sentence on standard error.
std::string Complaint(const std::vector<std::string>& arguments) {
  const Outcome outcome = RunTutorial(arguments);
  EXPECT_EQ(outcome.exit_code, 1) << testing::PrintToString(arguments);
  EXPECT_THAT(outcome.err, StartsWith("error: "));
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "one line: " << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  return outcome.err;
}

TEST(Tutorial, DrawsNineFiguresAndWritesTheHistory) {
  const std::string folder = NewFolder() + "/made/by/it";
  const Outcome outcome = RunTutorial({"--out=" + folder, "--epochs=2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::set<std::string> expected = {"history.csv"};
  for (const std::string& name : FigureNames()) {
    expected.insert(name + ".png");
    expected.insert(name + ".svg");
  }
  EXPECT_EQ(FilesIn(folder), expected);
  EXPECT_EQ(FirstLine(folder + "/history.csv"),
            "experiment,run,seed,epoch,loss,accuracy,val_loss,val_accuracy,lr");

  const Table history = HistoryIn(folder);
  ASSERT_EQ(history.rows(), 24 * 2);
  std::vector<std::string> runs;
  for (const std::string& run : Texts(history, "run")) {
    if (runs.empty() || runs.back() != run) runs.push_back(run);
  }
  EXPECT_THAT(
      runs, ElementsAre("lrate=1.0", "lrate=0.1", "lrate=0.01", "lrate=0.001", "lrate=0.0001",
                        "lrate=1e-05", "lrate=1e-06", "lrate=1e-07", "momentum=0.0", "momentum=0.5",
                        "momentum=0.9", "momentum=0.99", "decay=0.1", "decay=0.01", "decay=0.001",
                        "decay=0.0001", "patience=2", "patience=5", "patience=10", "patience=15",
                        "opt=sgd", "opt=rmsprop", "opt=adagrad", "opt=adam"));
  // A table with a line a run, and on the way a line a run, for this is no terminal.
  for (const std::string& run : runs) {
    EXPECT_THAT(outcome.out, HasSubstr(run));
    EXPECT_THAT(outcome.err, HasSubstr(run + ": train 0."));
  }
  EXPECT_THAT(outcome.err, HasSubstr("24/24 optimizer opt=adam"));
  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("\x1b")));
}

TEST(Tutorial, RunsOfOneSeedHaveTheSameStartAndOrder) {
  const std::string folder = NewFolder();
  ASSERT_EQ(RunTutorial({"--out=" + folder, "--epochs=5", "--seeds=2", "--seed=3", "--no-figures",
                         "--experiments=learning_rate,momentum,optimizer"})
                .exit_code,
            0);
  EXPECT_EQ(FilesIn(folder), (std::set<std::string>{"history.csv"}));
  std::vector<std::string> rows[3];
  std::ifstream file(folder + "/history.csv");
  for (std::string line; std::getline(file, line);) {
    const std::string runs[] = {"lrate=0.01,", "momentum=0.0,", "opt=sgd,"};
    for (int i = 0; i < 3; i++) {
      const size_t at = line.find(runs[i]);
      if (at != std::string::npos) rows[i].push_back(line.substr(at + runs[i].size()));
    }
  }
  ASSERT_EQ(rows[0].size(), 10u);
  EXPECT_THAT(rows[0][0], StartsWith("3,1,"));
  EXPECT_THAT(rows[0][5], StartsWith("4,1,"));
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_EQ(rows[0], rows[2]);
}

TEST(Tutorial, TakesRelativePathsFromWhereItsUserStands) {
  const std::string folder = NewFolder();
  const Outcome outcome = RunTutorial({"--out=some/figures", "--experiments=decay_curves"},
                                      {{"BUILD_WORKING_DIRECTORY", folder}});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(FilesIn(folder + "/some/figures"),
            (std::set<std::string>{"4_decay_curves.png", "4_decay_curves.svg", "history.csv"}));
  EXPECT_EQ(HistoryIn(folder + "/some/figures").rows(), 0) << "nothing was fitted";
}

TEST(Tutorial, WritesTheNumbersWhereGnuplotIsMissing) {
  const std::string folder = NewFolder();
  const Outcome outcome =
      RunTutorial({"--out=" + folder, "--experiments=momentum", "--epochs=1"}, {{"PATH", folder}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("\nerror: figures are left out: can not draw '" + folder +
                                     "/3_momentum': the program 'gnuplot' was not found: install "
                                     "the package gnuplot-nox\n"));
  EXPECT_THAT(outcome.out, HasSubstr("momentum=0.99"));
  EXPECT_EQ(FilesIn(folder), (std::set<std::string>{"history.csv"}));
  EXPECT_EQ(HistoryIn(folder).rows(), 4);
}

TEST(Tutorial, DrawsTheOtherFiguresWhereSomeFail) {
  const std::string folder = NewFolder(), tools = NewFolder();
  // A gnuplot that fails for the figures 1_blobs and 4_decay_curves.
  std::ofstream(tools + "/gnuplot") << "#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\n"
                                    << "cat > " << tools << "/script\n"
                                    << "grep -q -e 'class 0' -e iteration " << tools << "/script"
                                    << " && { echo tired >&2; exit 3; }\n"
                                    << "exec gnuplot \"$@\" < " << tools << "/script\n";
  fs::permissions(tools + "/gnuplot", fs::perms::owner_all);
  const Outcome outcome = RunTutorial(
      {"--out=" + folder, "--experiments=blobs,momentum,decay_curves,decay", "--epochs=1"},
      {{"PATH", tools}});
  EXPECT_EQ(outcome.exit_code, 1);
  const std::string reason = "': gnuplot failed with exit code 3: 'tired'";
  EXPECT_THAT(outcome.err,
              HasSubstr("\nerror: figures are left out: can not draw '" + folder + "/1_blobs" +
                        reason + "; can not draw '" + folder + "/4_decay_curves" + reason + "\n"));
  EXPECT_EQ(FilesIn(folder), (std::set<std::string>{"3_momentum.png", "3_momentum.svg",
                                                    "5_decay.png", "5_decay.svg", "history.csv"}));
}

// The program's files must not take the number of an output that its caller has closed.
TEST(Tutorial, SaysThatItsOutputCannotBeWritten) {
  const std::string complaint = "error: can not write to the standard output: ";
  for (const std::string& out : {std::string("/dev/full"), std::string("-")}) {
    const std::string reason = out == "-" ? "Bad file descriptor" : "No space left on device";
    const Outcome help = RunTutorial({"--help"}, {}, out);
    EXPECT_EQ(help.exit_code, 1) << out;
    EXPECT_EQ(help.err, complaint + reason + "\n");
    const std::string folder = NewFolder();
    const Outcome outcome =
        RunTutorial({"--out=" + folder, "--experiments=momentum", "--epochs=1"}, {}, out);
    EXPECT_EQ(outcome.exit_code, 1) << out;
    EXPECT_THAT(outcome.err, HasSubstr("\n" + complaint + reason + "\n"));
    EXPECT_EQ(FilesIn(folder),
              (std::set<std::string>{"3_momentum.png", "3_momentum.svg", "history.csv"}));
    EXPECT_EQ(HistoryIn(folder).rows(), 4);
  }
}

// Byte for byte: without a name it is the JIT that runs the graphs.
TEST(Tutorial, WritesTheSameHistoryOnEachEngine) {
  for (const char* precision : {"float32", "float64"}) {
    std::vector<std::string> histories;
    for (const char* engine : {"", "jit", "interpreter"}) {
      const std::string folder = NewFolder();
      std::vector<std::string> arguments = {"--out=" + folder, "--epochs=40", "--no-figures",
                                            std::string("--precision=") + precision};
      if (*engine != 0) arguments.push_back(std::string("--engine=") + engine);
      const Outcome outcome = RunTutorial(arguments);
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      std::ifstream file(folder + "/history.csv", std::ios::binary);
      histories.emplace_back(std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>());
      EXPECT_EQ(HistoryIn(folder).rows(), 24 * 40);
    }
    EXPECT_EQ(histories[0], histories[1]) << precision;
    EXPECT_EQ(histories[1], histories[2]) << precision;
  }
}

TEST(Tutorial, HelpsAndSucceeds) {
  const Outcome outcome = RunTutorial({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* flag : {"--out", "--experiments", "--seed=", "--seeds", "--epochs",
                           "--precision", "--engine", "--cache", "--no-figures", "--weights"}) {
    EXPECT_THAT(outcome.out, HasSubstr(flag));
  }
}

TEST(Tutorial, KeepsCompiledCodeForTheNextRun) {
  const std::string folder = NewFolder(), cache = folder + "/cache";
  const auto run = [&](const std::string& out, const std::string& place) {
    const Outcome outcome = RunTutorial({"--out=" + folder + out, "--experiments=momentum",
                                         "--epochs=2", "--no-figures", "--cache=" + place});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  };
  const auto history = [&](const std::string& out) {
    std::ifstream file(folder + out + "/history.csv");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_THAT(run("/off", "off"), Not(HasSubstr("note: ")));
  EXPECT_THAT(run("/cold", cache), Not(HasSubstr("note: ")));
  const std::set<std::string> entries = FilesIn(cache);
  EXPECT_FALSE(entries.empty());
  EXPECT_THAT(run("/warm", cache), Not(HasSubstr("note: ")));
  EXPECT_EQ(FilesIn(cache), entries);
  fs::permissions(cache, fs::perms::all);
  EXPECT_THAT(run("/open", cache), StartsWith("note: compiled code is not cached: '" + cache +
                                              "' can be written by other users\n"));
  EXPECT_EQ(history("/cold"), history("/off"));
  EXPECT_EQ(history("/warm"), history("/off"));
  EXPECT_EQ(history("/open"), history("/off"));
}

// Hyper-parameters and seeds compile nothing: sgd with any rate, momentum and decay is one fit, and
// with a plateau, rmsprop, adagrad and adam it is four more; and all begin with the same weights.
TEST(Tutorial, CompilesFiveFitsForAllOfThem) {
  const std::string folder = NewFolder(), cache = folder + "/cache";
  ASSERT_EQ(RunTutorial(
                {"--out=" + folder, "--epochs=2", "--seeds=2", "--no-figures", "--cache=" + cache})
                .exit_code,
            0);
  EXPECT_EQ(FilesIn(cache).size(), 5u + 1u);
}

TEST(Tutorial, ComplainsInOneSentence) {
  EXPECT_THAT(Complaint({"--experiments=momentum,speed"}),
              HasSubstr("there is no experiment 'speed'; there are blobs, learning_rate, momentum, "
                        "decay_curves, decay, patience, optimizer"));
  for (const char* epochs : {"0", "-1", "abc", "1.5", "1e3", "99999999999999999999"}) {
    EXPECT_THAT(Complaint({std::string("--epochs=") + epochs}),
                HasSubstr("--epochs takes a whole number from 1"));
  }
  EXPECT_THAT(Complaint({"--epochs="}), HasSubstr("--epochs needs a value"));
  EXPECT_THAT(Complaint({"--no-figure"}), HasSubstr("there is no option '--no-figure'"));
  EXPECT_THAT(Complaint({"--epochs", "5"}), HasSubstr("--epochs needs a value"));
  EXPECT_THAT(Complaint({"--seeds=0"}), HasSubstr("--seeds takes a whole number from 1"));
  EXPECT_THAT(Complaint({"--seeds=1000000"}), HasSubstr("makes 24000000 fits; at most 1000000"));
  EXPECT_THAT(Complaint({"--seed=-3"}), HasSubstr("--seed takes a whole number from 0"));
  EXPECT_THAT(Complaint({"--seed=4294967295", "--seeds=2"}), HasSubstr("beyond 4294967295"));
  EXPECT_THAT(Complaint({"--precision=float16"}), HasSubstr("float32 or float64, not 'float16'"));
  EXPECT_THAT(Complaint({"--engine=steam"}), HasSubstr("there is no engine 'steam'"));
  EXPECT_THAT(Complaint({"--cache=examples/tutorial/tutorial"}), HasSubstr("is a file"));
  EXPECT_THAT(Complaint({"--epoch=5"}), HasSubstr("there is no option '--epoch'"));
  EXPECT_THAT(Complaint({"figures"}), HasSubstr("not 'figures'"));
  EXPECT_THAT(Complaint({"--no-figures=1"}), HasSubstr("takes no value"));
  EXPECT_THAT(Complaint({"--seed=1", "--seed=2"}), HasSubstr("given twice"));
  EXPECT_THAT(Complaint({"--experiments=decay,decay"}), HasSubstr("names decay twice"));
}

TEST(Tutorial, ComplainsOfAFolderThatCannotBeWritten) {
  const std::string folder = NewFolder(), file = folder + "/file";
  std::ofstream(file) << "x";
  EXPECT_THAT(Complaint({"--out=" + file}), HasSubstr("cannot be written"));
  EXPECT_THAT(Complaint({"--out=" + file + "/below"}), HasSubstr("cannot be written"));
  EXPECT_THAT(Complaint({"--out=/proc/figures"}), HasSubstr("cannot be written"));
  fs::create_directories(folder + "/out/history.csv");
  EXPECT_THAT(Complaint({"--out=" + folder + "/out"}), HasSubstr("not a regular file"));
}

// Before the fits, and only where it is to be drawn.
TEST(Tutorial, ComplainsOfAFigureThatCannotBeWritten) {
  const std::string folder = NewFolder();
  fs::create_directories(folder + "/3_momentum.svg");
  const std::vector<std::string> arguments = {"--out=" + folder, "--experiments=momentum",
                                              "--epochs=1"};
  EXPECT_THAT(Complaint(arguments),
              HasSubstr("/3_momentum.svg': it is a folder, not a regular file"));
  EXPECT_EQ(FilesIn(folder), (std::set<std::string>{"3_momentum.svg"}));
  std::vector<std::string> without = arguments;
  without.push_back("--no-figures");
  EXPECT_EQ(RunTutorial(without).exit_code, 0);
}

TEST(Tutorial, ComplainsOfWeightsThatAreNone) {
  const std::string folder = NewFolder(), file = folder + "/weights";
  const auto complaint = [&](const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    return Complaint({"--out=" + folder, "--weights=" + file, "--experiments=momentum"});
  };
  EXPECT_THAT(Complaint({"--out=" + folder, "--weights=" + folder + "/none"}),
              HasSubstr(folder + "/none"));
  EXPECT_THAT(complaint(""), HasSubstr(file));
  EXPECT_THAT(complaint("{\"spec\": 1}"), HasSubstr(file));
  EXPECT_THAT(complaint("\x10 not a model"), HasSubstr(file));
  const auto model = [](const std::string& header, const std::string& data) {
    return std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + data;
  };
  EXPECT_THAT(complaint(model("{}", "")), HasSubstr(file + ": it holds no arrays to start from"));
  EXPECT_THAT(complaint(model(R"({"__metadata__":{"seed":"7"}})", "")), HasSubstr("no arrays"));
  const std::string array = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const auto with_seed = [&](const std::string& seed) {
    return model(R"({"__metadata__":{"seed":")" + seed + R"("},)" + array + "}", std::string(4, 0));
  };
  EXPECT_THAT(complaint(with_seed("4294967296")), HasSubstr(file + ": its seed is '4294967296'"));
  std::ofstream(file, std::ios::binary) << with_seed("4294967295");
  EXPECT_THAT(Complaint({"--out=" + folder, "--weights=" + file, "--seeds=2"}),
              HasSubstr(file + ": its seed is 4294967295, and --seeds=2 asks for seeds from there "
                               "on beyond 4294967295"));
  EXPECT_EQ(FilesIn(folder), (std::set<std::string>{"weights"})) << "nothing was written";
}

}  // namespace
}  // namespace talweg::tutorial
