#include "train/callbacks.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/fake_run.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// An empty folder for one test.
std::string Folder() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / test.name();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

std::vector<std::string> Files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path().filename());
  }
  std::sort(files.begin(), files.end());
  return files;
}

FakeRun Scored() { return FakeRun({"loss", "accuracy", "val_loss", "lr"}); }

TEST(LambdaCallback, CallsWhatIsGiven) {
  std::string events;
  const auto note = [&events](const char* event) {
    return [&events, event](const auto&) { events += event; };
  };
  LambdaCallback all({.on_train_begin = note("("),
                      .on_epoch_begin = note("["),
                      .on_batch_begin = note("<"),
                      .on_batch_end = note(">"),
                      .on_epoch_end = note("]"),
                      .on_train_end = note(")")});
  LambdaCallback none({});
  const FakeRun run = Scored();
  for (Callback* callback : {static_cast<Callback*>(&all), static_cast<Callback*>(&none)}) {
    callback->OnTrainBegin(run);
    callback->OnEpochBegin(run);
    callback->OnBatchBegin(run);
    callback->OnBatchEnd(run);
    callback->OnEpochEnd(run);
    callback->OnTrainEnd(run);
  }
  EXPECT_EQ(events, "([<>])");
}

TEST(LambdaCallback, AsksForBatchesOnlyWhereItHasAFunctionForThem) {
  const auto nothing = [](const auto&) {};
  EXPECT_FALSE(LambdaCallback({.on_epoch_end = nothing}).WantsBatches());
  EXPECT_TRUE(LambdaCallback({.on_batch_begin = nothing}).WantsBatches());
  EXPECT_TRUE(LambdaCallback({.on_batch_end = nothing}).WantsBatches());
}

TEST(CsvLogger, SortsColumnsAndCountsEpochsFromZero) {
  const std::string path = Folder() + "/log.csv";
  CsvLogger log(path);
  FakeRun run = Scored();
  log.OnTrainBegin(run);
  run.EndEpoch(log, {0.5, 0.25, 1, 0.1});
  EXPECT_EQ(*ReadFile(path), "epoch,accuracy,loss,lr,val_loss\n0,0.25,0.5,0.1,1\n")
      << "a line is there as soon as its epoch ends";
  run.EndEpoch(log, {0.1 + 0.2, kNaN, 1e-9, 0.1});
  log.OnTrainEnd(run);
  EXPECT_EQ(*ReadFile(path),
            "epoch,accuracy,loss,lr,val_loss\n0,0.25,0.5,0.1,1\n"
            "1,nan,0.30000000000000004,0.1,1e-09\n");
  EXPECT_EQ(run.failure(), "");
}

TEST(CsvLogger, ReplacesAFileOrGoesOnWithIt) {
  const std::string path = Folder() + "/log.csv";
  for (const bool append : {false, false, true, true}) {
    CsvLogger log(path, {.separator = ';', .append = append});
    FakeRun run({"loss"});
    log.OnTrainBegin(run);
    run.EndEpoch(log, {0.5});
    log.OnTrainEnd(run);
    EXPECT_EQ(run.failure(), "");
  }
  EXPECT_EQ(*ReadFile(path), "epoch;loss\n0;0.5\n0;0.5\n0;0.5\n");
}

// What a kill left: a line that was not finished, and an epoch that will be repeated.
TEST(CsvLogger, GoesOnAfterAnInterruption) {
  const std::string path = Folder() + "/log.csv";
  struct Case {
    const char* before;
    bool goes_on;
    int64_t epoch;
    const char* after;
  };
  const Case cases[] = {
      {"0,4\n1,3\n2,2\n3,", true, 2, "0,4\n1,3\n2,0.5\n"},
      {"0,4\n1,3\n2,2\n3,", false, 0, "0,4\n1,3\n2,2\n0,0.5\n"},
      // Of several trainings the last one goes on.
      {"0,4\n1,3\n2,2\n0,9\n1,8\n", true, 1, "0,4\n1,3\n2,2\n0,9\n1,0.5\n"},
      {"0,4\n1,3\n0,9\n1,8\n", true, 1, "0,4\n1,3\n0,9\n1,0.5\n"},
      {"0,4\n1,3\n0,9\n", true, 0, "0,4\n1,3\n0,0.5\n"},
      {"0,4\n0,9\n", true, 0, "0,4\n0,0.5\n"},
      {"0,4\n1,3\n", true, 5, "0,4\n1,3\n5,0.5\n"},
      {"", true, 0, "0,0.5\n"},
  };
  const std::string header = "epoch,loss\n";
  for (const Case& c : cases) {
    ASSERT_TRUE(WriteFile(path, header + c.before).ok());
    CsvLogger log(path, {.append = true});
    FakeRun run({"loss"});
    run.epoch_ = c.epoch;
    run.goes_on_ = c.goes_on;
    log.OnTrainBegin(run);
    run.EndEpoch(log, {0.5});
    log.OnTrainEnd(run);
    EXPECT_EQ(run.failure(), "");
    EXPECT_EQ(*ReadFile(path), header + c.after);
  }
}

TEST(CsvLogger, WritesTheHeaderThatWasCutShort) {
  const std::string path = Folder() + "/log.csv";
  for (const char* cut : {"epoch,loss", "epoch,lo"}) {
    ASSERT_TRUE(WriteFile(path, std::string_view(cut)).ok());
    CsvLogger log(path, {.append = true});
    FakeRun run({"loss"});
    log.OnTrainBegin(run);
    run.EndEpoch(log, {0.5});
    log.OnTrainEnd(run);
    EXPECT_EQ(*ReadFile(path), "epoch,loss\n0,0.5\n");
  }
}

TEST(CsvLogger, GoesOnThroughALink) {
  const std::string folder = Folder();
  ASSERT_TRUE(WriteFile(folder + "/target.csv", std::string_view("epoch,loss\n0,3\n1,2\n2,")).ok());
  std::filesystem::create_symlink("target.csv", folder + "/log.csv");
  CsvLogger log(folder + "/log.csv", {.append = true});
  FakeRun run({"loss"});
  run.goes_on_ = true;
  run.epoch_ = 1;
  log.OnTrainBegin(run);
  run.EndEpoch(log, {0.5});
  log.OnTrainEnd(run);
  EXPECT_EQ(run.failure(), "");
  EXPECT_TRUE(std::filesystem::is_symlink(folder + "/log.csv"));
  EXPECT_EQ(*ReadFile(folder + "/target.csv"), "epoch,loss\n0,3\n1,0.5\n");
}

TEST(CsvLogger, ServesOneTrainingAfterTheOther) {
  const std::string path = Folder() + "/log.csv";
  CsvLogger log(path);
  for (const double loss : {0.5, 0.25}) {
    FakeRun run({"loss"});
    log.OnTrainBegin(run);
    run.EndEpoch(log, {loss});
    log.OnTrainEnd(run);
  }
  EXPECT_EQ(*ReadFile(path), "epoch,loss\n0,0.25\n");
}

TEST(CsvLogger, SaysWhatIsWrong) {
  const std::string folder = Folder();
  const auto failure = [](const std::string& path, const CsvLoggerOptions& options) {
    CsvLogger log(path, options);
    FakeRun run({"loss"});
    log.OnTrainBegin(run);
    run.EndEpoch(log, {0.5});
    log.OnTrainEnd(run);
    return run.failure();
  };
  EXPECT_THAT(failure(folder + "/none/log.csv", {}),
              AllOf(HasSubstr("none/log.csv"), HasSubstr("No such file")));
  EXPECT_THAT(failure(folder, {}), HasSubstr("directory"));
  EXPECT_THAT(failure("/dev/full", {}), HasSubstr("No space left"));
  for (char separator : {'.', '+', '"', '7', 'e', 'n', '\n'}) {
    EXPECT_THAT(failure(folder + "/log.csv", {.separator = separator}), HasSubstr("separator"));
  }
  ASSERT_TRUE(WriteFile(folder + "/other.csv", std::string_view("epoch,val_loss\n0,1\n")).ok());
  EXPECT_THAT(failure(folder + "/other.csv", {.append = true}),
              AllOf(HasSubstr("'epoch,val_loss'"), HasSubstr("'epoch,loss'")));
  EXPECT_EQ(*ReadFile(folder + "/other.csv"), "epoch,val_loss\n0,1\n");
}

TEST(CsvLogger, DoesNotWaitForWhoReadsAFifo) {
  const std::string path = Folder() + "/fifo.csv";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  CsvLogger log(path);
  FakeRun run({"loss"});
  log.OnTrainBegin(run);
  EXPECT_THAT(run.failure(), HasSubstr("fifo.csv: "));
}

// What the system would do by itself is to end the process.
TEST(CsvLogger, LivesWithALimitOnTheLengthOfFiles) {
  const std::string path = Folder() + "/short.csv";
  const auto run_limited = [&] {
    const struct rlimit small = {20, 20};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) std::exit(2);
    CsvLogger log(path);
    FakeRun run({"loss"});
    log.OnTrainBegin(run);
    for (int i = 0; i < 9 && run.failure().empty(); i++) run.EndEpoch(log, {0.5});
    const bool refused = run.failure().find("short.csv: File too large") != std::string::npos;
    std::exit(refused ? 0 : 1);
  };
  EXPECT_EXIT(run_limited(), testing::ExitedWithCode(0), "");
}

TEST(ModelCheckpoint, NamesFilesAsPythonFormatsNumbers) {
  const std::string folder = Folder();
  ModelCheckpoint save(folder +
                       "/{epoch:02d}-{val_loss:.2f}-{loss:08.3f}-{accuracy:.3e}-{lr}-{{x}}");
  FakeRun run = Scored();
  run.parameters_ = {{"a/b", Array::Vector<float>({1, 2})}};
  save.OnTrainBegin(run);
  run.EndEpoch(save, {-0.12345, 0.5, 0.456, 0.1});
  run.EndEpoch(save, {1, 0.75, 0.123, 1e-5});
  EXPECT_EQ(run.failure(), "");
  EXPECT_THAT(Files(folder), ElementsAre("01-0.46--000.123-5.000e-01-0.1-{x}",
                                         "02-0.12-0001.000-7.500e-01-1e-05-{x}"));
}

TEST(ModelCheckpoint, SavesParametersWithWhatTheEpochMeasured) {
  const std::string path = Folder() + "/model.safetensors";
  ModelCheckpoint save(path);
  FakeRun run({"loss"});
  run.parameters_ = {{"hidden/kernel", Array::Matrix<float>({{1, -2}, {3, 0.5f}})}};
  save.OnTrainBegin(run);
  run.EndEpoch(save, {0.25});
  const absl::StatusOr<SavedArrays> saved = LoadArrays(path);
  ASSERT_TRUE(saved.ok()) << saved.status();
  ASSERT_EQ(saved->arrays.size(), 1u);
  EXPECT_TRUE(SameBits(saved->arrays.at("hidden/kernel"), run.parameters_.at("hidden/kernel")));
  EXPECT_EQ(saved->metadata, (Metadata{{"epoch", "1"}, {"loss", "0.25"}, {"seed", "3"}}));
}

// The epochs after which a file is there, for a monitor with these values.
std::vector<std::string> Saves(ModelCheckpointOptions options, const std::vector<double>& values) {
  const std::string folder = Folder();
  ModelCheckpoint save(folder + "/{epoch}", options);
  FakeRun run({options.monitor});
  save.OnTrainBegin(run);
  for (const double value : values) run.EndEpoch(save, {value});
  EXPECT_EQ(run.failure(), "");
  return Files(folder);
}

TEST(ModelCheckpoint, SavesTheBestOnly) {
  const std::vector<double> values = {kNaN, 3, 4, 4, 2, kNaN, 5};
  const auto best = [&](const char* monitor, const char* mode) {
    return Saves({.monitor = monitor, .save_best_only = true, .mode = mode}, values);
  };
  EXPECT_THAT(best("val_loss", "auto"), ElementsAre("2", "5"));
  EXPECT_THAT(best("val_accuracy", "auto"), ElementsAre("2", "3", "7"));
  EXPECT_THAT(best("val_loss", "max"), ElementsAre("2", "3", "7"));
  EXPECT_THAT(best("val_accuracy", "min"), ElementsAre("2", "5"));
  EXPECT_THAT(best("fmeasure", "auto"), ElementsAre("2", "3", "7"));
}

TEST(ModelCheckpoint, LooksAtEveryPeriodThEpoch) {
  EXPECT_THAT(Saves({.monitor = "loss", .period = 3}, {1, 1, 1, 1, 1, 1, 1}),
              ElementsAre("3", "6"));
  // The best of those that it looks at: 2 of epoch 2, then 1 of epoch 6.
  EXPECT_THAT(Saves({.monitor = "loss", .save_best_only = true, .period = 2}, {0, 2, 0, 3, 0, 1}),
              ElementsAre("2", "6"));
}

TEST(ModelCheckpoint, BeginsAnewWithEachTraining) {
  const std::string folder = Folder();
  ModelCheckpoint save(folder + "/{loss}", {.monitor = "loss", .save_best_only = true});
  for (const double loss : {1.0, 2.0}) {
    FakeRun run({"loss"});
    save.OnTrainBegin(run);
    run.EndEpoch(save, {loss});
  }
  EXPECT_THAT(Files(folder), ElementsAre("1", "2"));
}

// The history of a training that goes on says what the best was, and which epochs were looked at.
TEST(ModelCheckpoint, KnowsTheBestOfATrainingThatGoesOn) {
  const std::string folder = Folder();
  ModelCheckpoint first(folder + "/first_{loss}",
                        {.monitor = "loss", .save_best_only = true, .period = 2});
  ModelCheckpoint second(folder + "/second_{loss}",
                         {.monitor = "loss", .save_best_only = true, .period = 2});
  FakeRun run({"loss"});
  first.OnTrainBegin(run);
  for (const double loss : {9, 5, 1}) run.EndEpoch(first, {loss});
  second.OnTrainBegin(run);
  for (const double loss : {6, 2, 4}) run.EndEpoch(second, {loss});
  EXPECT_THAT(Files(folder), ElementsAre("first_5", "second_4"));
}

TEST(ModelCheckpoint, SaysWhatIsWrongBeforeAnythingIsComputed) {
  const auto failure = [](const std::string& path, const ModelCheckpointOptions& options) {
    ModelCheckpoint save(path, options);
    FakeRun run = Scored();
    save.OnTrainBegin(run);
    return run.failure();
  };
  EXPECT_EQ(failure("m", {}), "");
  EXPECT_THAT(failure("m", {.period = 0}), HasSubstr("a period of 0"));
  EXPECT_THAT(failure("m", {.mode = "best"}), HasSubstr("'best'"));
  EXPECT_THAT(failure("m", {.monitor = "val_accuracy", .save_best_only = true}),
              AllOf(HasSubstr("'val_accuracy'"), HasSubstr("loss, accuracy, val_loss, lr")));
  EXPECT_THAT(failure("{val_acc:.2f}", {}),
              AllOf(HasSubstr("'val_acc'"), HasSubstr("accuracy, epoch, loss")));
  for (const char* path : {"{epoch", "epoch}", "{", "}", "a{{b}"}) {
    EXPECT_THAT(failure(path, {}), AllOf(HasSubstr("a brace without its other"),
                                         HasSubstr(std::string("'") + path + "'")));
  }
  for (const char* path :
       {"{epoch:x}", "{epoch:-2d}", "{loss:d}", "{epoch:.2d}", "{loss:.f}", "{loss:.2f }",
        "{loss:1000f}", "{loss:.99999999999f}", "{epoch:02d:}", "{loss:%f}"}) {
    EXPECT_THAT(failure(path, {}), HasSubstr("the format")) << path;
  }
}

TEST(ModelCheckpoint, SaysBeforeTheFirstEpochWhatNoFileCanBeAt) {
  const std::string folder = Folder();
  std::filesystem::create_directories(folder + "/a}b/taken");
  std::filesystem::create_symlink("nowhere", folder + "/link");
  const auto failure = [](const std::string& path) {
    ModelCheckpoint save(path);
    FakeRun run({"loss"});
    save.OnTrainBegin(run);
    return run.failure();
  };
  EXPECT_THAT(failure(""), HasSubstr("ModelCheckpoint: can not write ''"));
  EXPECT_THAT(failure(folder + "/"), HasSubstr("directory"));
  EXPECT_THAT(failure(folder + "/a}}b/taken"), HasSubstr("a folder, not a regular file"));
  EXPECT_THAT(failure(folder + "/link"), HasSubstr("a symbolic link"));
  EXPECT_EQ(failure(folder + "/a}}b/m"), "");
  EXPECT_EQ(failure(folder + "/{epoch}"), "");
  // Nothing stays of having tried.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder + "/a}b"), {}), 1);
}

TEST(ModelCheckpoint, PassesOnThatAFileCanNotBeWritten) {
  // A folder that no epoch could make is found before the first; one that an epoch names, after it.
  ModelCheckpoint fixed(Folder() + "/none/{epoch}");
  FakeRun run({"loss"});
  fixed.OnTrainBegin(run);
  EXPECT_THAT(run.failure(), AllOf(HasSubstr("ModelCheckpoint: can not write"),
                                   HasSubstr("/none/1"), HasSubstr("No such file or directory")));
  ModelCheckpoint named(Folder() + "/none_{epoch}/m");
  FakeRun other({"loss"});
  named.OnTrainBegin(other);
  EXPECT_EQ(other.failure(), "");
  other.EndEpoch(named, {1});
  EXPECT_THAT(other.failure(), AllOf(HasSubstr("ModelCheckpoint: "), HasSubstr("none_1")));
}

}  // namespace
}  // namespace talweg
