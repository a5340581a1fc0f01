#include "tools/trace_training.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

KerasTrace ReadTrace(const std::string& name) {
  const absl::StatusOr<KerasTrace> trace =
      ReadKerasTrace("tests/data/keras_2_3_1/" + name + ".json");
  EXPECT_TRUE(trace.ok()) << trace.status();
  return trace.value_or(KerasTrace());
}

// Three epochs of a run: long enough for a comparison, and quick.
KerasTrace Short(const std::string& name = "momentum_0.9") {
  KerasTrace trace = ReadTrace(name);
  trace.epochs = 3;
  for (auto& [column, values] : trace.columns) values.resize(3);
  return trace;
}

TEST(ReplayTrace, IsTheSameWithCallbacksThatOnlyWatch) {
  const KerasTrace trace = Short();
  KerasTrace watched = trace;
  watched.callbacks.push_back({.name = "CSVLogger", .filename = "log.csv"});
  watched.callbacks.push_back({.name = "ModelCheckpoint", .filepath = "best.h5"});
  const absl::StatusOr<KerasTrace> a = ReplayTrace(MainEngines()[0].make, trace);
  const absl::StatusOr<KerasTrace> b = ReplayTrace(MainEngines()[0].make, watched);
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ(FormatKerasTrace(*a), FormatKerasTrace(*b));
}

// ---- Each rule of the comparison can fail, and not before it should. ----

TEST(Disagreements, AreNoneBetweenATraceAndItself) {
  const KerasTrace trace = Short();
  EXPECT_THAT(Disagreements(trace, trace, {.epochs = 3, .tolerance = 0}), IsEmpty());
}

TEST(Disagreements, FindOneChangedNumberOfEachColumn) {
  const KerasTrace trace = Short();
  const Agreement agreement{.epochs = 3, .tolerance = 1e-9};
  for (const char* column : {"loss", "val_loss", "lr"}) {
    const double tolerance = std::string(column) == "lr" ? 1e-12 : 1e-9;
    KerasTrace changed = trace;
    changed.columns[column][1] *= 1 + 0.9 * tolerance;
    EXPECT_THAT(Disagreements(changed, trace, agreement), IsEmpty()) << column;
    changed.columns[column][1] = trace.columns.at(column)[1] * (1 + 1.2 * tolerance);
    EXPECT_THAT(Disagreements(changed, trace, agreement),
                ElementsAre(HasSubstr(std::string(column) + " differs in 1 of 3 epochs, first in "
                                                            "epoch 2")));
    // The other way round as well.
    EXPECT_EQ(Disagreements(trace, changed, agreement).size(), 1u);
  }
}

TEST(Disagreements, CountSamplesOfTheAccuracies) {
  const KerasTrace trace = Short();
  const Agreement agreement{.epochs = 3, .tolerance = 1e-9};
  for (const char* column : {"accuracy", "val_accuracy"}) {
    KerasTrace changed = trace;
    changed.columns[column][0] -= 1.0 / 500;
    EXPECT_THAT(Disagreements(changed, trace, agreement), IsEmpty()) << column;
    // Errors of either sign add up.
    changed.columns[column][2] += 1.0 / 500;
    EXPECT_THAT(Disagreements(changed, trace, agreement),
                ElementsAre(HasSubstr(std::string(column) + " differs by 2.000 samples")));
  }
}

TEST(Disagreements, FindChangedWeightsWhereTheWholeRunIsDefined) {
  const KerasTrace trace = Short();
  const Agreement whole{.epochs = 3, .tolerance = 1e-9}, part{.epochs = 2, .tolerance = 1e-9};
  for (const auto& [name, weights] : trace.final_weights) {
    double scale = 0;
    for (int64_t i = 0; i < weights.size(); i++) scale = std::max(scale, std::abs(weights.At(i)));
    KerasTrace changed = trace;
    double& last = changed.final_weights[name].mutable_data<double>().back();
    last += 0.9e-6 * scale;
    EXPECT_THAT(Disagreements(changed, trace, whole), IsEmpty()) << name;
    last += 0.3e-6 * scale;
    EXPECT_THAT(Disagreements(changed, trace, whole),
                ElementsAre(HasSubstr("final weights " + name + " differ")));
    EXPECT_THAT(Disagreements(changed, trace, part), IsEmpty()) << name;
  }
  KerasTrace changed = trace;
  changed.final_weights.erase("hidden/bias");
  EXPECT_THAT(Disagreements(changed, trace, whole),
              ElementsAre("final weights hidden/bias are missing"));
  changed.final_weights["hidden/bias"] = Array::Vector<double>({1});
  EXPECT_THAT(Disagreements(changed, trace, whole), ElementsAre(HasSubstr("[1]")));
}

TEST(Disagreements, FindTooFewAndTooManyEpochs) {
  const KerasTrace trace = Short();
  KerasTrace fewer = trace, more = trace;
  for (auto& [name, column] : fewer.columns) column.resize(2);
  for (auto& [name, column] : more.columns) column.resize(4, column.back());
  const Agreement whole{.epochs = 3, .tolerance = 1e-9}, part{.epochs = 2, .tolerance = 1e-9};
  EXPECT_THAT(Disagreements(fewer, trace, whole), ElementsAre("2 epochs instead of Keras's 3"));
  EXPECT_THAT(Disagreements(more, trace, whole), ElementsAre("4 epochs instead of Keras's 3"));
  EXPECT_THAT(Disagreements(fewer, trace, part), IsEmpty());
  EXPECT_THAT(Disagreements(more, trace, part), IsEmpty());
  EXPECT_THAT(Disagreements(trace, trace, {.epochs = 4, .tolerance = 1e-9}),
              ElementsAre("the agreement is for 4 epochs, the trace has 3"));
}

TEST(Disagreements, TakeNaNForNaNOnly) {
  const Agreement agreement{.epochs = 3, .tolerance = 1e-9};
  const KerasTrace trace = Short();
  for (const auto& [name, column] : trace.columns) {
    for (const double odd : {kNaN, std::numeric_limits<double>::infinity()}) {
      KerasTrace changed = trace;
      changed.columns[name][1] = odd;
      EXPECT_THAT(Disagreements(changed, changed, agreement), IsEmpty()) << name;
      EXPECT_EQ(Disagreements(changed, trace, agreement).size(), 1u) << name << " " << odd;
      EXPECT_EQ(Disagreements(trace, changed, agreement).size(), 1u) << name << " " << odd;
    }
  }
  KerasTrace changed = trace;
  changed.final_weights["hidden/bias"].mutable_data<double>()[0] = kNaN;
  EXPECT_THAT(Disagreements(changed, changed, agreement), IsEmpty());
  EXPECT_EQ(Disagreements(changed, trace, agreement).size(), 1u);
  EXPECT_EQ(Disagreements(trace, changed, agreement).size(), 1u);
}

// ---- The repetition. ----

TEST(ReplayTrace, KeepsTheSpecAndReplacesTheNumbers) {
  KerasTrace trace = Short();
  const KerasTrace keras = trace;
  // The repetition must not look at what it is to find.
  for (auto& [name, column] : trace.columns) column = {kNaN};
  trace.final_weights.clear();
  const absl::StatusOr<KerasTrace> ours = ReplayTrace(EveryEngine, trace);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->spec, keras.spec);
  EXPECT_THAT(Disagreements(*ours, keras, {.epochs = 3, .tolerance = 1e-9}).size(),
              keras.final_weights.size());  // whose final weights are those of 200 epochs
  EXPECT_EQ(ours->columns.at("lr"), keras.columns.at("lr"));
}

// Every part of the spec has an effect: a run with another setting does not agree.
TEST(ReplayTrace, DependsOnEachSetting) {
  const KerasTrace trace = Short();
  const auto agrees = [&](const KerasTrace& changed) {
    const absl::StatusOr<KerasTrace> ours = ReplayTrace(EveryEngine, changed);
    EXPECT_TRUE(ours.ok()) << ours.status();
    if (!ours.ok()) return true;
    for (const std::string& fault : Disagreements(*ours, trace, {.epochs = 3, .tolerance = 1e-9})) {
      if (!fault.starts_with("final weights")) return false;
    }
    return true;
  };
  EXPECT_TRUE(agrees(trace));
  const std::vector<void (*)(KerasTrace&)> changes = {
      [](KerasTrace& t) { t.seed++; },
      [](KerasTrace& t) { t.batch = 31; },
      [](KerasTrace& t) { t.train = 501; },
      [](KerasTrace& t) { t.data.seed++; },
      [](KerasTrace& t) { t.data.cluster_std = 1.999; },
      [](KerasTrace& t) { t.loss = "mse"; },
      [](KerasTrace& t) { t.clip_probabilities = 0.2; },
      [](KerasTrace& t) { t.optimizer.lr = 0.0101; },
      [](KerasTrace& t) { t.optimizer.momentum = 0.91; },
      [](KerasTrace& t) { t.optimizer.decay = 1e-4; },
      [](KerasTrace& t) { t.optimizer.nesterov = true; },
      [](KerasTrace& t) { t.optimizer.clipnorm = 0.1; },
      [](KerasTrace& t) { t.optimizer.clipvalue = 0.01; },
      [](KerasTrace& t) { t.optimizer.name = "Nadam"; },
      [](KerasTrace& t) {
        t.callbacks = {{.name = "LearningRateScheduler", .drop = 0.5, .every = 2}};
      },
      [](KerasTrace& t) { t.initial_weights["output/bias"].mutable_data<double>()[0] = 1e-3; },
  };
  for (size_t i = 0; i < changes.size(); i++) {
    KerasTrace changed = trace;
    changes[i](changed);
    EXPECT_FALSE(agrees(changed)) << "change " << i;
  }
}

// The scheduler multiplies at positive multiples of `every`, epochs counted from 0, and two
// callbacks of one class keep apart.
TEST(ReplayTrace, RunsCallbacksInTheirOrder) {
  KerasTrace trace = Short();
  trace.epochs = 7;
  trace.callbacks = {{.name = "LearningRateScheduler", .drop = 0.5, .every = 2},
                     {.name = "LearningRateScheduler", .drop = 0.1, .every = 3}};
  trace.optimizer.lr = 1;
  const absl::StatusOr<KerasTrace> ours = ReplayTrace(EveryEngine, trace);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_THAT(ours->columns.at("lr"),
              testing::Pointwise(testing::DoubleEq(),
                                 std::vector<double>{1, 1, 0.5, 0.05, 0.025, 0.025, 0.00125}));
}

TEST(ReplayTrace, SparseTargetsGiveTheSameRun) {
  const KerasTrace trace = Short();
  KerasTrace sparse = trace;
  sparse.loss = "sparse_categorical_crossentropy";
  const absl::StatusOr<KerasTrace> ours = ReplayTrace(EveryEngine, sparse);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_THAT(Disagreements(*ours, trace, {.epochs = 2, .tolerance = 1e-9}), IsEmpty());
}

TEST(ReplayTrace, ReportsWhatCanNotBe) {
  const auto message = [](const KerasTrace& trace) {
    return std::string(ReplayTrace(EveryEngine, trace).status().message());
  };
  KerasTrace trace = Short();
  trace.loss = "mean_square";
  EXPECT_THAT(message(trace), HasSubstr("unknown loss 'mean_square'"));
  trace = Short();
  trace.optimizer.name = "AdamW";
  EXPECT_THAT(message(trace), HasSubstr("'AdamW'"));
  trace = Short();
  trace.callbacks = {{.name = "TensorBoard"}};
  EXPECT_THAT(message(trace), HasSubstr("'TensorBoard'"));
  trace.callbacks = {{.name = "ReduceLROnPlateau", .factor = 1}};
  EXPECT_THAT(message(trace), HasSubstr("factor is 1"));
  trace.callbacks = {{.name = "EarlyStopping", .monitor = "val_acc"}};
  EXPECT_THAT(message(trace), HasSubstr("val_acc"));
  trace = Short();
  trace.initial_weights.erase("hidden/bias");
  EXPECT_THAT(message(trace), HasSubstr("hidden/bias"));
}

}  // namespace
}  // namespace talweg
