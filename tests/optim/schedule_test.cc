#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "tests/graphs/engines.h"
#include "tests/optim/updates.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

constexpr double kPi = std::numbers::pi;
constexpr int kUpdatesPerEpoch = 4;

// A schedule as a function of the epoch and the update.
class Rates {
 public:
  explicit Rates(const Schedule& schedule) : hypers_(tape_) {
    const ScheduleScope scope(hypers_.Within("rate"), tape_.Input("epoch", kInt64, {}),
                              tape_.Input("update", kInt64, {}),
                              tape_.Constant(Array(int64_t{kUpdatesPerEpoch})));
    const absl::StatusOr<Graph> graph = tape_.Finish({schedule.Rate(scope)});
    if (!graph.ok()) {
      status_ = graph.status();
      return;
    }
    executable_ = EveryEngine(*graph);
    status_ = executable_.status();
    bound_ = hypers_.Bindings();
  }

  std::string error() const { return std::string(status_.message()); }
  absl::Status Check() const { return hypers_.Check(); }
  void Bind(const std::string& name, double number) { Bind(name, Array(number)); }
  void Bind(const std::string& name, const Array& array) {
    bound_.insert_or_assign("rate/" + name, array);
  }
  double At(int64_t epoch, int64_t update) const {
    if (!status_.ok()) return std::nan("");
    NamedArrays inputs = bound_;
    inputs.insert_or_assign("epoch", Array(epoch));
    inputs.insert_or_assign("update", Array(update));
    const absl::StatusOr<std::vector<Array>> out = executable_->Run(inputs);
    return out.ok() ? (*out)[0].At(0) : std::nan("");
  }

 private:
  Tape tape_;
  HyperScope hypers_;
  absl::Status status_;
  absl::StatusOr<Executable> executable_ = absl::UnknownError("not compiled");
  NamedArrays bound_;
};

// In epochs; the number of updates is far off, so a mistaken unit shows.
void ExpectRates(const Schedule& schedule, const std::function<double(double n)>& expected,
                 int epochs = 60) {
  const Rates rates(schedule);
  ASSERT_EQ(rates.error(), "");
  for (int n = 0; n < epochs; n++) {
    const double rate = rates.At(n, 1000 + 7 * n);
    ASSERT_NEAR(rate, expected(n), 1e-15 + 1e-13 * std::abs(expected(n))) << "epoch " << n;
  }
}

TEST(Schedule, IsANumber) {
  const Schedule schedule = 0.25;
  ExpectRates(schedule, [](double) { return 0.25; });
  ASSERT_TRUE(schedule.constant().has_value());
  EXPECT_EQ(schedule.constant()->number(), 0.25);
  EXPECT_FALSE((schedule * 2).constant().has_value());
}

TEST(Schedule, IsAFunctionOfTheUser) {
  const Schedule inverse_root = [](ScheduleScope& s) { return 0.5 / Sqrt(s.update() + 4); };
  EXPECT_EQ(Rates(inverse_root).At(3, 12), 0.5 / 4);
}

TEST(Schedule, ReportsARateThatIsNoFloatScalar) {
  const auto error = [](Schedule::Function f) { return Rates(Schedule(f)).error(); };
  EXPECT_THAT(error([](ScheduleScope& s) { return Cast(s.epoch(), kInt32); }),
              HasSubstr("schedule: its function returned int32[]; it must be a float scalar"));
  EXPECT_THAT(error([](ScheduleScope&) { return Value(); }), HasSubstr("a value of no tape"));
}

TEST(TimeDecay, DividesByTime) {
  ExpectRates(TimeDecay({.initial = 0.01, .decay = 0.1}),
              [](double n) { return 0.01 / (1 + 0.1 * n); });
  // The tutorial's curve of updates.
  const Rates rates(TimeDecay({.initial = 0.01, .decay = 0.1, .unit = kUpdates}));
  EXPECT_NEAR(rates.At(0, 49), 0.001695, 1e-6);
  EXPECT_NEAR(rates.At(0, 199), 0.000478, 1e-6);
}

TEST(StepDecay, DropsAtEachMultiple) {
  ExpectRates(StepDecay({.initial = 0.8, .drop = 0.5, .every = 7}),
              [](double n) { return 0.8 * std::pow(0.5, std::floor(n / 7)); });
}

TEST(MultiStep, DropsAtEachMilestone) {
  ExpectRates(MultiStep({.initial = 0.8, .drop = 0.25, .at = {5, 20, 33}}),
              [](double n) { return 0.8 * std::pow(0.25, (n >= 5) + (n >= 20) + (n >= 33)); });
  ExpectRates(MultiStep({.initial = 0.8}), [](double) { return 0.8; });
}

TEST(Exponential, MultipliesSmoothlyOrInStairs) {
  ExpectRates(Exponential({.initial = 0.3, .factor = 0.9, .every = 4}),
              [](double n) { return 0.3 * std::pow(0.9, n / 4); });
  ExpectRates(Exponential({.initial = 0.3, .factor = 0.9, .every = 4, .staircase = true}),
              [](double n) { return 0.3 * std::pow(0.9, std::floor(n / 4)); });
}

TEST(Polynomial, EndsAtItsLength) {
  ExpectRates(Polynomial({.initial = 0.5, .final = 0.1, .length = 30, .power = 2.5}), [](double n) {
    return 0.1 + (0.5 - 0.1) * std::pow(1 - std::min(n, 30.0) / 30, 2.5);
  });
}

TEST(Cosine, EndsAtItsLength) {
  ExpectRates(Cosine({.initial = 0.5, .final = 0.1, .length = 40}), [](double n) {
    return 0.1 + (0.5 - 0.1) * (1 + std::cos(kPi * std::min(n, 40.0) / 40)) / 2;
  });
}

// Restarts found by walking from cycle to cycle; lengths are whole numbers, so they are exact.
double WalkedRestart(double n, double initial, double final, double length, double stretch,
                     double shrink) {
  while (n >= length) {
    n -= length;
    length *= stretch;
    initial *= shrink;
  }
  return final + (initial - final) * (1 + std::cos(kPi * n / length)) / 2;
}

TEST(CosineRestarts, RestartsOnTime) {
  for (const double stretch : {1.0, 2.0, 3.0, 5.0}) {
    for (const double length : {1.0, 3.0, 7.0, 10.0}) {
      for (const double shrink : {1.0, 0.5}) {
        SCOPED_TRACE(testing::Message() << stretch << " " << length << " " << shrink);
        ExpectRates(
            CosineRestarts({.initial = 0.5,
                            .final = 0.01,
                            .length = length,
                            .stretch = stretch,
                            .shrink = shrink}),
            [&](double n) { return WalkedRestart(n, 0.5, 0.01, length, stretch, shrink); }, 200);
      }
    }
  }
}

TEST(WarmUp, RisesToTheFirstRateAndThenBeginsAnew) {
  ExpectRates(WarmUp(5, Cosine({.initial = 0.4, .length = 20}), 0.1), [](double n) {
    if (n < 5) return 0.1 + (0.4 - 0.1) * n / 5;
    return 0.4 * (1 + std::cos(kPi * std::min(n - 5, 20.0) / 20)) / 2;
  });
  ExpectRates(WarmUp(0, 0.5), [](double) { return 0.5; });
}

TEST(OneCycle, RisesAndFalls) {
  const OneCycleOptions options = {
      .peak = 0.8, .length = 50, .rise = 0.2, .start = 0.1, .final = 0.01};
  ExpectRates(OneCycle(options), [](double n) {
    const double m = std::min(n, 50.0);
    const double low = m < 10 ? 0.08 : 0.008, f = m < 10 ? 1 - m / 10 : (m - 10) / 40;
    return low + (0.8 - low) * (1 + std::cos(kPi * f)) / 2;
  });
  for (const double rise : {0.0, 1.0}) {
    OneCycleOptions edge = options;
    edge.rise = rise;
    const Rates rates(OneCycle(edge));
    EXPECT_NEAR(rates.At(0, 0), rise == 0 ? 0.8 : 0.08, 1e-15);
    EXPECT_NEAR(rates.At(50, 0), rise == 0 ? 0.008 : 0.8, 1e-15);
  }
}

TEST(Piecewise, ChangesAtItsBoundaries) {
  ExpectRates(Piecewise({.boundaries = {5, 20}, .rates = {0.1, 0.5, 0.02}}), [](double n) {
    return n < 5 ? 0.1 : n < 20 ? 0.5 : 0.02;
  });
  ExpectRates(Piecewise({.rates = {0.3}}), [](double) { return 0.3; });
}

TEST(Piecewise, ReportsListsThatDoNotFit) {
  EXPECT_THAT(Rates(Piecewise({.boundaries = {5}, .rates = {0.1}})).error(),
              HasSubstr("Piecewise has 1 boundaries and 1 rates; it needs one rate more"));
  EXPECT_THAT(Rates(Piecewise({.boundaries = {5, 5}, .rates = {1, 2, 3}})).error(),
              HasSubstr("Piecewise has the boundary 5 after 5; boundaries must ascend"));
}

TEST(RateTable, HasARateForEachEpochAndKeepsTheLast) {
  const std::vector<double> rates = {0.1, 0.5, 0.02, 0};
  ExpectRates(RateTable({.rates = rates}),
              [&](double n) { return rates[static_cast<size_t>(std::min(n, 3.0))]; });
  ExpectRates(RateTable({.rates = {0.3}}), [](double) { return 0.3; });
  const Rates by_update(RateTable({.rates = rates, .unit = kUpdates}));
  EXPECT_EQ(by_update.At(0, 2), 0.02);
  EXPECT_EQ(by_update.At(9, 1), 0.5);
  // Where a part of a chain counts in fractions, it is the whole units that count.
  ExpectRates(Then(0.7, 2.5, RateTable({.rates = rates})), [&](double n) {
    return n < 2.5 ? 0.7 : rates[static_cast<size_t>(std::min(n - 2.5, 3.0))];
  });
}

TEST(RateTable, IsOneInputWhoseNumbersAreChecked) {
  Rates rates(RateTable({.rates = {0.1, 0.5}}));
  rates.Bind("rates", Array::Vector<double>({0.25, 0.75}));
  EXPECT_EQ(rates.At(0, 0), 0.25);
  EXPECT_EQ(rates.At(7, 0), 0.75);
  EXPECT_THAT(Rates(RateTable({})).error(), HasSubstr("schedule: RateTable has no rates"));
  EXPECT_EQ(Rates(RateTable({.rates = {1, 2, -3, -4}})).Check().message(),
            "hyper-parameter rate/rates[2] is -3; it must be finite and at least 0");
}

TEST(Schedule, AddsAndMultiplies) {
  ExpectRates(0.5 * TimeDecay({.initial = 0.4, .decay = 1}) + 0.001,
              [](double n) { return 0.5 * (0.4 / (1 + n)) + 0.001; });
}

TEST(Then, BeginsAnewAtTheBoundary) {
  ExpectRates(Then(0.5, 10, TimeDecay({.initial = 0.2, .decay = 1})),
              [](double n) { return n < 10 ? 0.5 : 0.2 / (1 + n - 10); });
}

TEST(Chain, RunsItsPartsOneAfterAnother) {
  const Schedule decay = TimeDecay({.initial = 0.2, .decay = 1});
  const auto part = [](double n) { return 0.2 / (1 + n); };
  ExpectRates(Chain({{decay, 4}, {decay, 6}}, decay), [&](double n) {
    return n < 4 ? part(n) : n < 10 ? part(n - 4) : part(n - 10);
  });
}

TEST(Then, CountsTheOtherUnitFromItsBoundaryToo) {
  const Schedule by_update = TimeDecay({.initial = 1, .decay = 1, .unit = kUpdates});
  const Schedule by_epoch = TimeDecay({.initial = 1, .decay = 1});
  // Four updates an epoch: epoch 3 begins with update 12, and update 10 lies in epoch 2.
  const Schedule at_epoch = Then(5, 3, by_update);
  EXPECT_EQ(Rates(at_epoch).At(2, 11), 5);
  EXPECT_EQ(Rates(at_epoch).At(3, 13), 0.5);
  const Schedule at_update = Then(5, 10, by_epoch, kUpdates);
  EXPECT_EQ(Rates(at_update).At(2, 9), 5);
  EXPECT_EQ(Rates(at_update).At(2, 10), 1);
  EXPECT_EQ(Rates(at_update).At(3, 12), 0.5);
}

TEST(Schedule, RunsWithOtherNumbersWithoutANewGraph) {
  Rates rates(CosineRestarts({.initial = 0.5, .length = 10}));
  for (const double stretch : {1.0, 2.0, 1.5}) {
    rates.Bind("stretch", stretch);
    rates.Bind("length", 8);
    for (int n = 0; n < 50; n++) {
      ASSERT_NEAR(rates.At(n, 0), WalkedRestart(n, 0.5, 0, 8, stretch, 1), 1e-14);
    }
  }
}

TEST(Schedule, ChecksItsNumbers) {
  const auto message = [](const Schedule& s) { return std::string(Rates(s).Check().message()); };
  EXPECT_EQ(message(-0.1), "hyper-parameter rate/value is -0.1; it must be finite and at least 0");
  EXPECT_THAT(message(CosineRestarts({.stretch = 0.5})), HasSubstr("rate/stretch is 0.5"));
  EXPECT_THAT(message(WarmUp(5, StepDecay({.every = 0}))), HasSubstr("rate/then/every is 0"));
  EXPECT_THAT(message(StepDecay({.drop = -1})), HasSubstr("rate/drop is -1"));
  EXPECT_THAT(message(Exponential({.factor = -1})), HasSubstr("rate/factor is -1"));
}

}  // namespace
}  // namespace talweg
