// What the tutorial's reader is to see, as numbers. One run is one draw, so what is said of a
// setting is said of its average over seeds: ten of them, thirty where two settings lie close.

#include "examples/tutorial/experiments.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/tutorial/problem.h"
#include "gtest/gtest.h"

namespace talweg::tutorial {
namespace {

constexpr int64_t kSeeds = 10;

// Everything that the tutorial fits, for each of the seeds; made once.
const std::vector<Trial>& Trials() {
  static const auto& trials = *new std::vector<Trial>([] {
    Progress progress(stderr, false, 24 * kSeeds);
    absl::StatusOr<Lab> lab = Lab::Open({.seeds = kSeeds, .figures = false});
    EXPECT_TRUE(lab.ok()) << lab.status();
    if (!lab.ok()) return std::vector<Trial>();
    for (const Experiment& experiment : kExperiments) {
      const absl::Status status = experiment.conduct(*lab);
      EXPECT_TRUE(status.ok()) << status;
    }
    const absl::Status status = lab->Run(progress);
    EXPECT_TRUE(status.ok()) << status;
    return lab->trials();
  }());
  return trials;
}

// The fits of one run, one a seed.
std::vector<History> FitsOf(const std::string& run) {
  std::vector<History> fits;
  for (const Trial& trial : Trials()) {
    if (trial.run == run) fits.push_back(trial.history);
  }
  EXPECT_EQ(fits.size(), static_cast<size_t>(kSeeds)) << run;
  return fits;
}

using Quantity = std::function<double(const History&)>;

double Mean(const std::vector<History>& fits, const Quantity& quantity) {
  double sum = 0;
  for (const History& fit : fits) sum += quantity(fit) / static_cast<double>(fits.size());
  return sum;
}

double Median(const std::vector<History>& fits, const Quantity& quantity) {
  std::vector<double> values;
  for (const History& fit : fits) values.push_back(quantity(fit));
  return Percentile(values, 0.5);
}

double FinalAccuracy(const History& fit) { return fit.last("accuracy"); }

// The mean absolute change of test accuracy from epoch to epoch, over epochs 101 to 200.
double Volatility(const History& fit) {
  const absl::Span<const double> accuracy = fit["val_accuracy"];
  double sum = 0;
  for (size_t i = 100; i < 200; i++) sum += std::abs(accuracy[i] - accuracy[i - 1]);
  return sum / 100;
}

// The first epoch at which the column reaches a value; 1 more than there are if it never does.
Quantity FirstEpoch(std::string column, double value) {
  return [=](const History& fit) {
    const absl::Span<const double> values = fit[column];
    const auto it =
        std::find_if(values.begin(), values.end(), [&](double v) { return v >= value; });
    return static_cast<double>(it - values.begin() + 1);
  };
}

// How often the rate was reduced.
double Drops(const History& fit) {
  const absl::Span<const double> rates = fit["lr"];
  double drops = 0;
  for (size_t i = 1; i < rates.size(); i++) drops += rates[i] < rates[i - 1];
  return drops;
}

TEST(DecayCurves, BendAsTheTutorialsDo) {
  for (const double decay : {1e-1, 1e-2, 1e-3, 1e-4}) EXPECT_EQ(DecayedRate(0.01, decay, 0), 0.01);
  EXPECT_NEAR(DecayedRate(0.01, 1e-1, 49), 0.001695, 5e-7);
  EXPECT_NEAR(DecayedRate(0.01, 1e-1, 199), 0.000478, 5e-7);
  EXPECT_NEAR(DecayedRate(0.01, 1e-1, 3200), 3.1e-5, 5e-7);
  EXPECT_NEAR(DecayedRate(0.01, 1e-4, 3200), 0.00758, 5e-6);
}

TEST(LearningRate, ThreeRatesLearnEachMoreSlowly) {
  const Quantity half_way = FirstEpoch("accuracy", 0.65);
  const double first = Mean(FitsOf("lrate=0.1"), half_way),
               second = Mean(FitsOf("lrate=0.01"), half_way),
               third = Mean(FitsOf("lrate=0.001"), half_way);
  EXPECT_LT(2 * first, second);
  EXPECT_LT(2 * second, third);
  EXPECT_LT(third, 100);
}

TEST(LearningRate, TheSmallestLearnNothing) {
  for (const char* run : {"lrate=1e-06", "lrate=1e-07"}) {
    EXPECT_LT(Mean(FitsOf(run), FinalAccuracy), 0.4) << run << ": one class of three by chance";
    EXPECT_LT(Mean(FitsOf(run),
                   [](const History& fit) {
                     return std::abs(fit.last("accuracy") - fit["accuracy"][0]);
                   }),
              0.05)
        << run;
  }
}

TEST(LearningRate, TheLargestOscillates) {
  Progress progress(stderr, false, 60);
  absl::StatusOr<Lab> lab = Lab::Open({.seeds = 30, .figures = false});
  ASSERT_TRUE(lab.ok()) << lab.status();
  double volatility[2];
  for (int i = 0; i < 2; i++) {
    Training training = Baseline();
    training.rate = i == 0 ? 1.0 : 0.1;
    lab->Repeat("learning_rate", i == 0 ? "large" : "good", training);
  }
  ASSERT_TRUE(lab->Run(progress).ok());
  for (size_t i = 0; i < 2; i++) {
    std::vector<History> fits;
    for (size_t j = 30 * i; j < 30 * (i + 1); j++) fits.push_back(lab->trials()[j].history);
    volatility[i] = Mean(fits, Volatility);
  }
  EXPECT_GE(volatility[0], 4 * volatility[1]);
  EXPECT_LT(Mean(FitsOf("lrate=1.0"), FinalAccuracy),
            Mean(FitsOf("lrate=0.1"), FinalAccuracy) - 0.15);
}

TEST(Momentum, MuchOfItArrivesEarly) {
  for (const char* run : {"momentum=0.9", "momentum=0.99"}) {
    EXPECT_LE(Mean(FitsOf(run), FirstEpoch("accuracy", 0.8)), 50) << run;
  }
  EXPECT_GT(Mean(FitsOf("momentum=0.0"), FirstEpoch("accuracy", 0.8)), 50);
}

TEST(Momentum, MakesTestAccuracySteadier) {
  const double none = Mean(FitsOf("momentum=0.0"), Volatility);
  for (const char* run : {"momentum=0.5", "momentum=0.9", "momentum=0.99"}) {
    EXPECT_LT(Mean(FitsOf(run), Volatility), 0.8 * none) << run;
  }
}

TEST(Decay, OfALotEndsPoorlyAndOfALittleAsNone) {
  const double none = Mean(FitsOf("momentum=0.0"), FinalAccuracy);
  EXPECT_LT(Mean(FitsOf("decay=0.1"), FinalAccuracy), none - 0.1);
  EXPECT_LT(Mean(FitsOf("decay=0.01"), FinalAccuracy), none - 0.05);
  EXPECT_LT(Mean(FitsOf("decay=0.1"), FinalAccuracy), Mean(FitsOf("decay=0.01"), FinalAccuracy));
  EXPECT_NEAR(Mean(FitsOf("decay=0.0001"), FinalAccuracy), none, 0.015);
}

TEST(Patience, TooLittleEndsTooEarly) {
  const double two = Mean(FitsOf("patience=2"), FinalAccuracy),
               five = Mean(FitsOf("patience=5"), FinalAccuracy),
               ten = Mean(FitsOf("patience=10"), FinalAccuracy),
               fifteen = Mean(FitsOf("patience=15"), FinalAccuracy);
  EXPECT_LT(two, five);
  EXPECT_LT(five, std::min(ten, fifteen));
}

TEST(Patience, DropsTheRateAtOnceOrHardlyEver) {
  const Quantity rate_after_25 = [](const History& fit) { return fit["lr"][25]; };
  EXPECT_LE(Median(FitsOf("patience=2"), rate_after_25), 1.1e-4) << "a hundredth of 0.01, or less";
  for (const History& fit : FitsOf("patience=2")) EXPECT_LE(rate_after_25(fit), 1.1e-3);
  EXPECT_LE(Median(FitsOf("patience=15"), Drops), 1);
  EXPECT_LE(Mean(FitsOf("patience=15"), Drops), 1);
}

TEST(Optimizer, AdaptiveOnesArriveEarlyAndStayCalm) {
  for (const char* run : {"opt=rmsprop", "opt=adam"}) {
    EXPECT_LE(Mean(FitsOf(run), FirstEpoch("val_accuracy", 0.8)), 50) << run;
    // What is still to come after epoch 50 is less than a twentieth of what has been reached.
    const double by_50 = Mean(FitsOf(run), [](const History& fit) {
      const absl::Span<const double> accuracy = fit["accuracy"];
      return *std::max_element(accuracy.begin(), accuracy.begin() + 50);
    });
    EXPECT_GE(by_50, 0.95 * Mean(FitsOf(run), FinalAccuracy)) << run;
  }
  const double sgd = Mean(FitsOf("opt=sgd"), Volatility);
  for (const char* run : {"opt=rmsprop", "opt=adagrad", "opt=adam"}) {
    EXPECT_GE(sgd, 3 * Mean(FitsOf(run), Volatility)) << run;
  }
}

struct LearningRateMonitor : Callback {
  std::vector<double> rates;
  void OnTrainBegin(const Run&) override { rates.clear(); }
  void OnEpochEnd(const Run& run) override { rates.push_back(run.rate()); }
};

// The monitor sees what the plateau has done with the rate, one epoch before the history shows it.
TEST(Patience, MonitorSeesReducedRates) {
  Progress progress(stderr, false, 1);
  absl::StatusOr<Lab> lab = Lab::Open({.epochs = 40, .figures = false});
  ASSERT_TRUE(lab.ok()) << lab.status();
  Training training = Baseline();
  training.adjust = {ReduceLROnPlateau({.patience = 2})};
  LearningRateMonitor monitor;
  lab->Repeat("", "", training, [&](size_t) { return &monitor; });
  ASSERT_TRUE(lab->Run(progress).ok());
  const History& history = lab->trials()[0].history;
  ASSERT_EQ(monitor.rates.size(), 40u);
  EXPECT_EQ(history["lr"][0], 0.01);
  for (size_t i = 0; i + 1 < 40; i++) EXPECT_EQ(monitor.rates[i], history["lr"][i + 1]) << i;
  EXPECT_GT(Drops(history), 0);
}

}  // namespace
}  // namespace talweg::tutorial
