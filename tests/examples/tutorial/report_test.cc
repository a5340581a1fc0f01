// Averages, bands and the texts made of them.

#include "examples/tutorial/report.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "examples/tutorial/lab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/memory_limit.h"

namespace talweg::tutorial {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Trial Fit(std::string run, int64_t seed, std::vector<std::vector<double>> rows) {
  Trial trial{.experiment = "momentum",
              .run = std::move(run),
              .seed = seed,
              .history = History({"loss", "accuracy", "val_loss", "val_accuracy", "lr"}),
              .seconds = 0.25};
  for (const std::vector<double>& row : rows) trial.history.Append(row);
  return trial;
}

TEST(AverageOf, IsMeanAndStandardError) {
  const Average average = AverageOf({1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(average.mean, 3);
  // The squares add up to 4 + 1 + 0 + 9.
  EXPECT_DOUBLE_EQ(average.error, std::sqrt(14.0 / 3 / 4));
  EXPECT_EQ(AverageOf({5}).error, 0);
}

TEST(Percentile, LiesBetweenNeighboursAsNumPys) {
  // numpy.percentile([3, 1, 2, 10], [0, 10, 50, 90, 100])
  const std::vector<double> values = {3, 1, 2, 10};
  EXPECT_DOUBLE_EQ(Percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(Percentile(values, 0.1), 1.3);
  EXPECT_DOUBLE_EQ(Percentile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(Percentile(values, 0.9), 7.9);
  EXPECT_DOUBLE_EQ(Percentile(values, 1), 10);
  EXPECT_EQ(Percentile({kInfinity, kInfinity}, 0.1), kInfinity);
  EXPECT_TRUE(std::isnan(Percentile({1, NAN, 2}, 0.5)));
}

TEST(CurveOf, HasABandFromTwoFitsOn) {
  EXPECT_THAT(CurveOf({{{1, 2, 3}}}).mean, ElementsAre(1, 2, 3));
  EXPECT_THAT(CurveOf({{{1, 2, 3}}}).low, IsEmpty());
  const Curve two = CurveOf({{{0, 10}, {10, 30, 7}}});
  EXPECT_THAT(two.mean, ElementsAre(5, 20, 7)) << "the shorter fit is left out after its end";
  EXPECT_THAT(two.low, ElementsAre(1, 12, 7));
  EXPECT_THAT(two.high, ElementsAre(9, 28, 7));
  const std::vector<std::vector<double>> rates = {{1e-2}, {1e-9}, {1e-90}};
  EXPECT_THAT(CurveOf(rates, Middle::kMedian).mean, ElementsAre(1e-9));
}

TEST(CurvesOf, HasAllButTheRates) {
  const RunCurves curves = CurvesOf({Fit("a", 1, {{0.5, 0.25, 1, 0.75, 0.01}})});
  EXPECT_EQ(curves.title, "a");
  EXPECT_THAT(curves.loss.mean, ElementsAre(0.5));
  EXPECT_THAT(curves.accuracy.mean, ElementsAre(0.25));
  EXPECT_THAT(curves.val_accuracy.mean, ElementsAre(0.75));
  EXPECT_THAT(curves.rate.mean, IsEmpty()) << "an epoch's row has the rate before it";
}

// The text of the file.
std::string Written(const std::vector<Trial>& trials) {
  const std::string path = testing::TempDir() + "/history.csv";
  const absl::Status status = WriteHistoryCsv(path, trials);
  EXPECT_TRUE(status.ok()) << status;
  const absl::StatusOr<std::string> text = ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

TEST(WriteHistoryCsv, HoldsEachEpochInDecimalsThatReadBack) {
  EXPECT_EQ(Written({Fit("momentum=0.0", 1, {{0.1, 1, NAN, kInfinity, 1e-5}, {2, 0, 0, 0, 1}}),
                     Fit("momentum=0.5", 7, {{1.0 / 3, 0.5, 1, 1, -kInfinity}})}),
            "experiment,run,seed,epoch,loss,accuracy,val_loss,val_accuracy,lr\n"
            "momentum,momentum=0.0,1,1,0.1,1,nan,inf,1e-05\n"
            "momentum,momentum=0.0,1,2,2,0,0,0,1\n"
            "momentum,momentum=0.5,7,1,0.3333333333333333,0.5,1,1,-inf\n");
}

TEST(WriteHistoryCsv, QuotesTitlesThatHoldACommaOrAQuote) {
  const std::string title = "lr=0.1, \"mom\"=0.9";
  const absl::StatusOr<talweg::Table> table =
      ParseCsv(Written({Fit(title, 3, {{1, 2, 3, 4, 5}})}), {.text = {"experiment", "run"}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(std::get<std::vector<std::string>>(table->Find("run")->cells), ElementsAre(title));
  EXPECT_THAT(*Numbers(*table, "lr"), ElementsAre(5));
}

TEST(WriteHistoryCsv, SaysWhereItCannotWrite) {
  EXPECT_THAT(WriteHistoryCsv("/nowhere/history.csv", {}).message(),
              HasSubstr("/nowhere/history.csv"));
}

TEST(WriteHistoryCsv, SaysThatThereIsNoMemory) {
  if (!MemoryLimit::IsPossible()) GTEST_SKIP() << "the sanitizer owns the addresses";
  Trial trial = Fit("a", 1, {});
  for (int i = 0; i < 200000; i++) trial.history.Append({0.1, 0.2, 0.3, 0.4, 1.0 / 3});
  const std::string path = testing::TempDir() + "/no_memory.csv";
  const std::vector<Trial> trials = {trial};
  absl::Status status;
  {
    const MemoryLimit limit(1 << 20);
    status = WriteHistoryCsv(path, trials);
  }
  EXPECT_EQ(status.message(),
            "can not write '" + path + "': no memory for the text of 1 histories");
}

TEST(Table, ShowsFinalAccuraciesAndTheirErrors) {
  const Trial one = Fit("a", 1, {{0, 0.1, 0, 0.2, 0}, {0, 0.5, 0, 0.75, 0}});
  const Trial other = Fit("a", 2, {{0, 0.7, 0, 0.75, 0}});
  EXPECT_THAT(Table({one}, 0.25), HasSubstr("momentum    a             0.500          0.750"));
  EXPECT_THAT(Table({one}, 0.25), HasSubstr("0.250 s\n"));
  EXPECT_THAT(Table({one, other}, 0.3), HasSubstr("\n2 fits in 0.30 s\n"));
  EXPECT_THAT(Table({one, other}, 0.5), HasSubstr("0.600 ± 0.100  0.750 ± 0.000"));
  EXPECT_EQ(Table({}, 0), "");
}

TEST(Titled, WritesNumbersAsPython) {
  EXPECT_EQ(Titled("lrate", 1), "lrate=1.0");
  EXPECT_EQ(Titled("lrate", 0.0001), "lrate=0.0001");
  EXPECT_EQ(Titled("lrate", 1e-5), "lrate=1e-05");
  EXPECT_EQ(Titled("momentum", 0), "momentum=0.0");
  EXPECT_EQ(Titled("momentum", 0.99), "momentum=0.99");
}

}  // namespace
}  // namespace talweg::tutorial
