// ReduceLROnPlateau and EarlyStopping against plain transcriptions of Keras 2.3.1's callbacks, over
// thousands of random runs: metrics on a coarse grid, so that ties and exact thresholds happen,
// with NaNs and infinities among them.

#include "optim/adjustments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "tests/optim/epochs.h"
#include "tests/optim/updates.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double DrawMetric(Draw& draw) {
  const double u = draw.Uniform(0, 1);
  if (u < 0.08) return kNaN;
  if (u < 0.10) return kInfinity;
  if (u < 0.11) return -kInfinity;
  // Eighths meet thresholds exactly, tenths within a rounding error.
  return static_cast<double>(draw.Below(17)) / (draw.Below(2) == 0 ? 8 : 10);
}

double DrawDelta(Draw& draw) {
  const double deltas[] = {0, 0.125, 0.25, 1e-4, 0.1, 0.2};
  return deltas[draw.Below(6)];
}

struct PlateauSettings {
  double factor, patience, min_delta, cooldown, min_lr;
};

// The callback's on_epoch_end.
class PlainPlateau {
 public:
  PlainPlateau(PlateauSettings settings, bool greater, double lr)
      : lr(lr), s_(settings), greater_(greater), best_(greater ? -kInfinity : kInfinity) {}

  void OnEpochEnd(double current) {
    if (cooldown_counter_ > 0) {
      cooldown_counter_ -= 1;
      wait_ = 0;
    }
    const bool improved =
        greater_ ? current > best_ + s_.min_delta : current < best_ - s_.min_delta;
    if (improved) {
      best_ = current;
      wait_ = 0;
    } else if (!(cooldown_counter_ > 0)) {
      wait_ += 1;
      if (wait_ >= s_.patience && lr > s_.min_lr) {
        lr = std::max(lr * s_.factor, s_.min_lr);
        cooldown_counter_ = s_.cooldown;
        wait_ = 0;
      }
    }
  }

  double lr;

 private:
  PlateauSettings s_;
  bool greater_;
  double best_, wait_ = 0, cooldown_counter_ = 0;
};

TEST(ReduceLROnPlateau, DoesWhatKerasDoes) {
  struct Row {
    std::string monitor, mode;
    bool greater;
  };
  const std::vector<Row> rows = {{"val_loss", "auto", false}, {"val_accuracy", "auto", true},
                                 {"loss", "max", true},       {"accuracy", "min", false},
                                 {"val_loss", "min", false},  {"val_accuracy", "max", true}};
  for (const Row& row : rows) {
    // Somebody else raises the rate again: what was counted at the least rate shows then.
    absl::StatusOr<Epochs> epochs =
        Epochs::Make({LearningRateScheduler([](Value epoch, Value rate) {
                        return Select(Equal(epoch, 15), 0.1, rate);
                      }),
                      ReduceLROnPlateau({.monitor = row.monitor, .mode = row.mode})});
    ASSERT_TRUE(epochs.ok()) << epochs.status();
    int reductions = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
      Draw draw(seed);
      const PlateauSettings s = {.factor = draw.Uniform(0, 1),
                                 .patience = static_cast<double>(draw.Below(5)),
                                 .min_delta = DrawDelta(draw),
                                 .cooldown = static_cast<double>(draw.Below(4)),
                                 .min_lr = 0.05 * static_cast<double>(draw.Below(4))};
      epochs->Bind("ReduceLROnPlateau/factor", s.factor);
      epochs->Bind("ReduceLROnPlateau/patience", s.patience);
      epochs->Bind("ReduceLROnPlateau/min_delta", s.min_delta);
      epochs->Bind("ReduceLROnPlateau/cooldown", s.cooldown);
      epochs->Bind("ReduceLROnPlateau/min_lr", s.min_lr);
      epochs->Start(0.1);
      PlainPlateau plain(s, row.greater, 0.1);
      for (int epoch = 0; epoch < 30; epoch++) {
        if (epoch == 15) plain.lr = 0.1;
        const double before = plain.lr, metric = DrawMetric(draw);
        plain.OnEpochEnd(metric);
        reductions += plain.lr != before;
        const absl::StatusOr<Epochs::Output> out =
            epochs->Run({.metrics = {{row.monitor, metric}}});
        ASSERT_TRUE(out.ok()) << out.status();
        ASSERT_EQ(out->rate, plain.lr)
            << row.monitor << " " << row.mode << ", seed " << seed << ", epoch " << epoch;
        ASSERT_EQ(out->begin_rate, before);
        ASSERT_FALSE(out->stop);
      }
    }
    EXPECT_GT(reductions, 1000) << "the cases hardly test anything";
  }
}

TEST(ReduceLROnPlateau, HasKerasDefaults) {
  absl::StatusOr<Epochs> epochs = Epochs::Make({ReduceLROnPlateau()});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  EXPECT_TRUE(epochs->Check().ok());
  epochs->Start(0.5);
  PlainPlateau plain({.factor = 0.1, .patience = 10, .min_delta = 1e-4, .cooldown = 0, .min_lr = 0},
                     /*greater=*/false, 0.5);
  for (int epoch = 0; epoch < 60; epoch++) {
    // 0.9e-4 is no improvement, 1.1e-4 is one.
    const double loss = 1 - (epoch < 30 ? 0.9e-4 : 1.1e-4 * epoch) * (epoch > 0);
    plain.OnEpochEnd(loss);
    EXPECT_EQ(epochs->Run({.metrics = {{"val_loss", loss}}})->rate, plain.lr) << epoch;
  }
  EXPECT_LT(plain.lr, 0.01);
}

struct StoppingSettings {
  double min_delta, patience;
  std::optional<double> baseline;
};

class PlainEarlyStopping {
 public:
  PlainEarlyStopping(StoppingSettings settings, bool greater)
      : s_(settings),
        greater_(greater),
        best_(settings.baseline.value_or(greater ? -kInfinity : kInfinity)) {}

  // Whether to stop; `weights` become the best ones then.
  bool OnEpochEnd(double current, std::vector<double>& weights) {
    const double delta = greater_ ? s_.min_delta : -s_.min_delta;
    const bool improved = greater_ ? current - delta > best_ : current - delta < best_;
    if (improved) {
      best_ = current;
      wait_ = 0;
      best_weights_ = weights;
      return false;
    }
    wait_ += 1;
    if (wait_ < s_.patience) return false;
    if (best_weights_.has_value()) weights = *best_weights_;
    return true;
  }

 private:
  StoppingSettings s_;
  bool greater_;
  double best_, wait_ = 0;
  std::optional<std::vector<double>> best_weights_;
};

TEST(EarlyStopping, DoesWhatKerasDoes) {
  for (const bool greater : {false, true}) {
    for (const bool with_baseline : {false, true}) {
      for (const bool restore : {false, true}) {
        const std::string monitor = greater ? "val_accuracy" : "val_loss";
        EarlyStoppingOptions options{.monitor = monitor, .restore_best_weights = restore};
        if (with_baseline) options.baseline = 1;
        absl::StatusOr<Epochs> epochs = Epochs::Make({EarlyStopping(options)});
        ASSERT_TRUE(epochs.ok()) << epochs.status();
        int late_stops = 0, restored = 0;
        for (uint64_t seed = 1; seed <= 700; seed++) {
          SCOPED_TRACE(testing::Message() << monitor << " baseline " << with_baseline << " restore "
                                          << restore << " seed " << seed);
          Draw draw(seed);
          StoppingSettings s = {.min_delta = DrawDelta(draw),
                                .patience = static_cast<double>(draw.Below(6)),
                                .baseline = std::nullopt};
          if (with_baseline) s.baseline = static_cast<double>(draw.Below(17)) / 8;
          epochs->Bind("EarlyStopping/min_delta", s.min_delta);
          epochs->Bind("EarlyStopping/patience", s.patience);
          if (with_baseline) epochs->Bind("EarlyStopping/baseline", *s.baseline);
          epochs->Start(0.1);
          PlainEarlyStopping plain(s, greater);
          bool stop = false;
          for (int epoch = 0; epoch < 25 && !stop; epoch++) {
            const double metric = DrawMetric(draw);
            const std::vector<double> p = draw.Uniforms(2, -1, 1);
            std::vector<double> expected = p;
            stop = plain.OnEpochEnd(metric, expected);
            const absl::StatusOr<Epochs::Output> out =
                epochs->Run({.metrics = {{monitor, metric}}, .p = p});
            ASSERT_TRUE(out.ok()) << out.status();
            ASSERT_EQ(out->stop, stop) << "epoch " << epoch;
            ASSERT_EQ(out->p, restore ? expected : p) << "epoch " << epoch;
            ASSERT_EQ(out->rate, 0.1);
            late_stops += stop && epoch > 3;
            restored += stop && expected != p;
          }
        }
        EXPECT_GT(late_stops, 50);
        EXPECT_GT(restored, 50);
      }
    }
  }
}

TEST(EarlyStopping, TakesAPatienceOfZeroAsOne) {
  absl::StatusOr<Epochs> epochs = Epochs::Make({EarlyStopping()});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  for (const double patience : {0, 1}) {
    epochs->Bind("EarlyStopping/patience", patience);
    epochs->Start(0.1);
    EXPECT_FALSE(epochs->Run({.metrics = {{"val_loss", 3}}})->stop);
    EXPECT_FALSE(epochs->Run({.metrics = {{"val_loss", 2}}})->stop);
    EXPECT_TRUE(epochs->Run({.metrics = {{"val_loss", 2}}})->stop);
  }
}

TEST(Adjustments, ReportWrongOptions) {
  const auto error = [](const Adjustment& a) {
    return std::string(Epochs::Make({a}).status().message());
  };
  EXPECT_EQ(error(ReduceLROnPlateau({.mode = "least"})),
            "ReduceLROnPlateau: the mode is 'least'; it must be auto, min or max");
  EXPECT_EQ(error(EarlyStopping({.mode = ""})),
            "EarlyStopping: the mode is ''; it must be auto, min or max");
  EXPECT_EQ(error(ReduceLROnPlateau({.monitor = "val_los"})),
            "ReduceLROnPlateau: there is no metric 'val_los'; there are loss, accuracy, val_loss, "
            "val_accuracy");
  EXPECT_THAT(error(EarlyStopping({.monitor = "f1"})), HasSubstr("there is no metric 'f1'"));
}

TEST(Adjustments, CheckTheirNumbers) {
  const auto message = [](const Adjustment& a) {
    return std::string(Epochs::Make({a})->Check().message());
  };
  EXPECT_EQ(message(ReduceLROnPlateau({.factor = 1})),
            "hyper-parameter ReduceLROnPlateau/factor is 1; it must be at least 0 and less than 1");
  EXPECT_EQ(message(ReduceLROnPlateau({.factor = 2.5})).substr(0, 50),
            "hyper-parameter ReduceLROnPlateau/factor is 2.5; i");
  EXPECT_THAT(message(ReduceLROnPlateau({.factor = -0.1})), HasSubstr("factor is -0.1"));
  EXPECT_THAT(message(ReduceLROnPlateau({.patience = -1})), HasSubstr("patience is -1"));
  EXPECT_THAT(message(ReduceLROnPlateau({.cooldown = -2})), HasSubstr("cooldown is -2"));
  EXPECT_THAT(message(ReduceLROnPlateau({.min_lr = kNaN})), HasSubstr("min_lr is nan"));
  EXPECT_THAT(message(EarlyStopping({.patience = -1})), HasSubstr("EarlyStopping/patience is -1"));
  EXPECT_EQ(message(EarlyStopping()), "");
}

TEST(TerminateOnNaN, StopsOnLossesThatAreNotFinite) {
  absl::StatusOr<Epochs> epochs = Epochs::Make({TerminateOnNaN()});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(0.1);
  for (const double loss : {0.0, -3.0, 1e308, kNaN, kInfinity, -kInfinity}) {
    const absl::StatusOr<Epochs::Output> out = epochs->Run({.batch_loss = loss});
    EXPECT_EQ(out->batch_stop, !std::isfinite(loss)) << loss;
    EXPECT_FALSE(out->stop);
  }
}

// Halves the rate at each positive multiple of ten, as Keras users write it.
TEST(LearningRateScheduler, CallsAFunctionOfEpochAndRateBeforeEachEpoch) {
  const Adjustment halve = LearningRateScheduler([](Value epoch, Value rate) {
    const Value tens = epoch / 10;
    const Value drops = And(Greater(epoch, 0), Equal(tens, Floor(tens)));
    return Select(drops, rate * 0.5, rate);
  });
  absl::StatusOr<Epochs> epochs = Epochs::Make({halve});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(0.8);
  for (int epoch = 0; epoch < 35; epoch++) {
    EXPECT_EQ(epochs->Run({})->begin_rate, 0.8 * std::pow(0.5, epoch / 10)) << epoch;
  }
}

TEST(LearningRateScheduler, FollowsASchedule) {
  const Schedule by_both = TimeDecay({.initial = 0.8, .decay = 1}) +
                           TimeDecay({.initial = 0.8, .decay = 1, .unit = kUpdates});
  // The scheduler wins over what another adjustment made of the rate.
  absl::StatusOr<Epochs> epochs =
      Epochs::Make({LearningRateScheduler(by_both), ReduceLROnPlateau({.patience = 1})});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(0.5);
  for (int epoch = 0; epoch < 5; epoch++) {
    const absl::StatusOr<Epochs::Output> out = epochs->Run({});
    const double rate = 0.8 / (1 + epoch) + 0.8 / (1 + 16 * epoch);
    EXPECT_NEAR(out->begin_rate, rate, 1e-15);
    EXPECT_NEAR(out->rate, epoch == 0 ? rate : rate * 0.1, 1e-15);
  }
}

TEST(LearningRateScheduler, ReportsARateThatIsNoFloat64Scalar) {
  const Adjustment wrong =
      LearningRateScheduler([](Value epoch, Value) { return Cast(epoch, kFloat32); });
  EXPECT_EQ(std::string(Epochs::Make({wrong}).status().message()),
            "LearningRateScheduler: the rate is set to float32[]; it must be a float64 scalar");
}

}  // namespace
}  // namespace talweg
