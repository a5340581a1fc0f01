// What a sweep gives, and what of a user's ends it.

#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "talweg.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

TEST(SweepResult, FindsTheBestRun) {
  SweepResult result{.inputs = {"rate"}, .runs = {}};
  const double losses[] = {0.5, NAN, 0.25, 0.25, 4}, accuracies[] = {0.5, 1, 0.75, 0.25, 0.5};
  for (size_t i = 0; i < 5; i++) {
    SweepRun run{.index = i, .values = {0.1 * static_cast<double>(i)}, .epochs = 1};
    run.history = History({"loss", "accuracy"});
    run.history.Append({losses[i], accuracies[i]});
    result.runs.push_back(run);
  }
  EXPECT_EQ(result.best("loss").value(), 2u);
  EXPECT_EQ(result.best("loss", "max").value(), 4u);
  EXPECT_EQ(result.best("accuracy").value(), 1u);
  EXPECT_EQ(result.best("accuracy", "min").value(), 3u);
  // Of all epochs, as where the parameters of the best one were restored.
  SweepResult longer = result;
  longer.runs[4].history.Append({0.125, 0.5});
  longer.runs[4].history.Append({NAN, 0.5});
  EXPECT_EQ(longer.best("loss").value(), 2u);
  EXPECT_EQ(longer.best("loss", "auto", SweepValue::kBest).value(), 4u);
  EXPECT_THAT(result.best("val_loss").status().message(),
              HasSubstr("no column 'val_loss'; they have loss, accuracy"));
  EXPECT_THAT(result.best("loss", "least").status().message(),
              HasSubstr("the mode is 'least'; it must be auto, min or max"));
  EXPECT_EQ(result.ToCsv(),
            "run,rate,epochs,end,loss,accuracy\n0,0,1,epochs,0.5,0.5\n1,0.1,1,epochs,nan,1\n"
            "2,0.2,1,epochs,0.25,0.75\n3,0.30000000000000004,1,epochs,0.25,0.25\n"
            "4,0.4,1,epochs,4,0.5\n");
  // Each column has a name of its own.
  result.inputs = {"epochs"};
  EXPECT_THAT(result.ToCsv(), ::testing::StartsWith("run,epochs,epochs_run,end,loss,accuracy\n"));
}

// A number of the user's own may have the name of what runs measure: tables have no two columns of
// one name, which ReadCsv would refuse.
TEST(SweepResult, TellsInputsFromWhatRunsMeasured) {
  SweepResult result;
  result.inputs = {"loss", "rate", "end"};
  result.runs.resize(1);
  result.runs[0].values = {1, 2, 3};
  result.runs[0].history = History({"loss"});
  const std::string csv = result.ToCsv();
  EXPECT_THAT(csv,
              ::testing::StartsWith("run,input/loss,rate,input/end,epochs,end,loss\n0,1,2,3,"));
  EXPECT_TRUE(ParseCsv(csv, {.text = {"end"}}).ok());
}

// As from Fit: when no run works any more.
TEST(Sweep, PassesOnWhatAUsersFunctionThrows) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 90, .cluster_std = 2, .seed = 3});
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  const TrainTest data = *Split(*OneHotTargets(*blobs, 3), 50);
  const Training training = {.model = [](Scope& s, Value x) { return Dense(s, "output", x, 3); },
                             .loss = SoftmaxCrossEntropy,
                             .epochs = 1};
  for (const int threads : {1, 2}) {
    const SweepOptions options{.threads = threads, .finished = [](const SweepRun& run) {
                                 if (run.index == 2) throw std::out_of_range("a table of two");
                               }};
    EXPECT_THROW(
        Sweep(JitEngine({.cache = "off"}), training, {Seeds(8)}, data.train, data.test, options)
            .status()
            .IgnoreError(),
        std::out_of_range);
  }
}

}  // namespace
}  // namespace talweg
