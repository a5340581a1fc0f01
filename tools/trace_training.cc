#include "tools/trace_training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/nn.h"
#include "ops/reduce.h"
#include "optim/adjustments.h"
#include "optim/rules.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

constexpr double kRateTolerance = 1e-12;
constexpr double kWeightFactor = 1000;

// Keras ran on Theano, which computes in float64 but holds a bare Python number of an expression in
// float32. Keras makes variables, which are float64, of lr, momentum, decay, the betas and
// RMSprop's rho; epsilon, the two clippings, Nadam's schedule_decay and Adadelta's rho stay bare.
// Without this rounding runs with these options part from the recorded ones at 1e-8.
double Bare(double x) {
  // Volatile, because g++ 12 takes two neighbouring conversions to float and back for nothing
  // (-ftree-slp-vectorize).
  const volatile float rounded = static_cast<float>(x);
  return rounded;
}
std::optional<double> Bare(const std::optional<double>& x) {
  return x ? std::optional(Bare(*x)) : std::nullopt;
}

// ---- Rules and adjustments: Keras's option where the trace has one, else the default, which is
// Keras's too. ----

template <typename T, typename U>
void Put(T& option, const std::optional<U>& given) {
  if (given) option = *given;
}

template <typename Options>
Options RuleOptions(const KerasOptimizer& keras) {
  Options o;
  Put(o.clipnorm, Bare(keras.clipnorm));
  Put(o.clipvalue, Bare(keras.clipvalue));
  if constexpr (requires { o.decay; }) Put(o.decay, keras.decay);
  if constexpr (requires { o.momentum; }) Put(o.momentum, keras.momentum);
  if constexpr (requires { o.nesterov; }) o.nesterov = keras.nesterov;
  if constexpr (requires { o.rho; }) Put(o.rho, keras.rho);
  if constexpr (requires { o.epsilon; }) {
    o.epsilon = Bare(keras.epsilon.value_or(o.epsilon.number()));
  }
  if constexpr (requires { o.beta_1; }) Put(o.beta_1, keras.beta_1);
  if constexpr (requires { o.beta_2; }) Put(o.beta_2, keras.beta_2);
  if constexpr (requires { o.amsgrad; }) o.amsgrad = keras.amsgrad;
  if constexpr (requires { o.schedule_decay; }) {
    o.schedule_decay = Bare(keras.schedule_decay.value_or(o.schedule_decay.number()));
  }
  return o;
}

// Keras's moving means are a = r a + q g^2 with r = rho and q = 1 - rho rounded each for itself, so
// that q is not 1 - r. They are k = q / (1 - r) times those of our rule with the rho r, and
//     sqrt(k d + e) / sqrt(k a + e) = sqrt(d + e / k) / sqrt(a + e / k).
AdadeltaOptions RoundedAdadelta(const KerasOptimizer& keras) {
  AdadeltaOptions o = RuleOptions<AdadeltaOptions>(keras);
  const double rho = o.rho.number(), r = Bare(rho), q = Bare(1 - rho);
  o.rho = r;
  if (q > 0) o.epsilon = o.epsilon.number() * (1 - r) / q;
  return o;
}

absl::StatusOr<Rule> RuleOf(const KerasOptimizer& keras) {
  if (keras.name == "SGD") return Sgd(RuleOptions<SgdOptions>(keras));
  if (keras.name == "RMSprop") return RmsProp(RuleOptions<RmsPropOptions>(keras));
  if (keras.name == "Adagrad") return Adagrad(RuleOptions<AdagradOptions>(keras));
  if (keras.name == "Adadelta") return Adadelta(RoundedAdadelta(keras));
  if (keras.name == "Adam") return Adam(RuleOptions<AdamOptions>(keras));
  if (keras.name == "Adamax") return Adamax(RuleOptions<AdamaxOptions>(keras));
  if (keras.name == "Nadam") return Nadam(RuleOptions<NadamOptions>(keras));
  return absl::InvalidArgumentError("there is no optimizer " + Quoted(keras.name));
}

absl::StatusOr<Adjustment> AdjustmentOf(const KerasCallback& keras) {
  if (keras.name == "ReduceLROnPlateau") {
    PlateauOptions o;
    Put(o.monitor, keras.monitor);
    Put(o.mode, keras.mode);
    Put(o.factor, keras.factor);
    Put(o.patience, keras.patience);
    Put(o.min_delta, keras.min_delta);
    Put(o.cooldown, keras.cooldown);
    Put(o.min_lr, keras.min_lr);
    return ReduceLROnPlateau(o);
  }
  if (keras.name == "EarlyStopping") {
    EarlyStoppingOptions o;
    Put(o.monitor, keras.monitor);
    Put(o.mode, keras.mode);
    Put(o.patience, keras.patience);
    Put(o.min_delta, keras.min_delta);
    Put(o.baseline, keras.baseline);
    o.restore_best_weights = keras.restore_best_weights;
    return EarlyStopping(o);
  }
  if (keras.name == "LearningRateScheduler" && keras.drop && keras.every) {
    return LearningRateScheduler(
        [drop = *keras.drop, every = *keras.every](Value epoch, Value rate) {
          // epoch / every is whole for the multiples alone: both are whole numbers below 2^53.
          const Value periods = epoch / every;
          return Select(And(Greater(epoch, 0), Equal(Floor(periods), periods)), rate * drop, rate);
        });
  }
  if (keras.name == "TerminateOnNaN") return TerminateOnNaN();
  return absl::InvalidArgumentError("there is no callback " + Quoted(keras.name));
}

// ---- Comparing. ----

// |a - b|; 0 for two NaNs or an infinity and itself, infinite for a number and no number.
double Difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double difference = std::abs(a - b);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

// |a - b| / |b|
double RelativeDifference(double a, double b) {
  const double difference = Difference(a, b);
  return difference == 0 ? 0 : difference / std::abs(b);
}

// The fault of a column whose numbers must agree one by one, or nothing.
std::optional<std::string> ColumnFault(const std::string& name, const KerasTrace& ours,
                                       const KerasTrace& keras, size_t epochs, double tolerance) {
  const std::vector<double>& a = ours.columns.at(name);
  const std::vector<double>& b = keras.columns.at(name);
  size_t first = epochs, worst = 0, count = 0;
  double most = 0;
  for (size_t i = 0; i < epochs; i++) {
    const double difference = RelativeDifference(a[i], b[i]);
    // Not "greater than": a quotient of infinities is not a number.
    if (difference <= tolerance) continue;
    first = std::min(first, i);
    count++;
    if (!(difference <= most)) {
      most = difference;
      worst = i;
    }
  }
  if (count == 0) return std::nullopt;
  return absl::StrFormat(
      "%s differs in %d of %d epochs, first in epoch %d; at most in epoch %d: %s, Keras's %s, "
      "relative difference %.3g, tolerance %g",
      name, count, epochs, first + 1, worst + 1, FormatNumber(a[worst]), FormatNumber(b[worst]),
      most, tolerance);
}

std::optional<std::string> AccuracyFault(const std::string& name, const KerasTrace& ours,
                                         const KerasTrace& keras, size_t epochs, int64_t samples) {
  double sum = 0;
  for (size_t i = 0; i < epochs; i++) {
    sum += Difference(ours.columns.at(name)[i], keras.columns.at(name)[i]) *
           static_cast<double>(samples);
  }
  // Counts of samples, but for the rounding of the means: sum <= limit with room for that alone.
  const double limit = std::ceil(static_cast<double>(epochs) / 100);
  if (sum <= limit + 1e-6) return std::nullopt;
  return absl::StrFormat("%s differs by %.3f samples over %d epochs; %g may", name, sum, epochs,
                         limit);
}

std::optional<std::string> WeightsFault(const std::string& name, const Array& a, const Array& b,
                                        double tolerance) {
  if (a.dims() != b.dims()) {
    return absl::StrFormat("final weights %s are %s, Keras's %s", name, ToString(a.dims()),
                           ToString(b.dims()));
  }
  double most = 0, scale = 0;
  for (int64_t i = 0; i < a.size(); i++) {
    most = std::max(most, Difference(a.At(i), b.At(i)));
    if (std::isfinite(b.At(i))) scale = std::max(scale, std::abs(b.At(i)));
  }
  if (most <= tolerance * scale) return std::nullopt;
  return absl::StrFormat(
      "final weights %s differ by %.3g where the greatest is %.3g: relative difference %.3g, "
      "tolerance %g",
      name, most, scale, most / scale, tolerance);
}

}  // namespace

absl::StatusOr<TraceTraining> TrainingOf(const KerasTrace& trace) {
  absl::StatusOr<Rule> rule = RuleOf(trace.optimizer);
  if (!rule.ok()) return rule.status();
  absl::StatusOr<Loss> loss = LossByName(trace.loss);
  if (!loss.ok()) return loss.status();
  if (trace.clip_probabilities) {
    // CategoricalCrossEntropy with the bounds that Theano has. The outputs add up to 1 already.
    loss->per_sample = [low = Bare(*trace.clip_probabilities),
                        high = Bare(1 - *trace.clip_probabilities)](Value t, Value p) {
      return -Sum(t * Log(Clip(p, low, high)), -1);
    };
  }
  const absl::StatusOr<Dataset> blobs = Blobs(trace.data);
  if (!blobs.ok()) return blobs.status();
  const bool sparse = trace.loss.starts_with("sparse_");
  const absl::StatusOr<Dataset> dataset = sparse ? blobs : OneHotTargets(*blobs, trace.classes);
  if (!dataset.ok()) return dataset.status();
  absl::StatusOr<TrainTest> data = Split(*dataset, trace.train);
  if (!data.ok()) return data.status();

  Training training{.model =
                        [hidden = trace.hidden, classes = trace.classes](Scope& s, Value x) {
                          const Value h = Relu(Dense(s, "hidden", x, hidden, HeUniform()));
                          return Softmax(Dense(s, "output", h, classes));
                        },
                    .loss = *std::move(loss),
                    .rule = *std::move(rule),
                    .metrics = {Accuracy},
                    .batch = trace.batch,
                    .epochs = trace.epochs,
                    .seed = trace.seed,
                    .dtype = kFloat64,
                    .shuffle = Shuffle::kNumPy};
  if (trace.optimizer.lr) training.rate = *trace.optimizer.lr;
  for (const KerasCallback& callback : trace.callbacks) {
    if (callback.OnlyWatches()) continue;
    absl::StatusOr<Adjustment> adjustment = AdjustmentOf(callback);
    if (!adjustment.ok()) return adjustment.status();
    training.adjust.push_back(*std::move(adjustment));
  }
  return TraceTraining{std::move(training), *std::move(data)};
}

absl::StatusOr<KerasTrace> ReplayTrace(const Engine& engine, const KerasTrace& trace) {
  const absl::StatusOr<TraceTraining> run = TrainingOf(trace);
  if (!run.ok()) return run.status();
  const absl::StatusOr<Fitted> fitted = Fit(engine, run->training, run->data.train, run->data.test,
                                            {.parameters = trace.initial_weights});
  if (!fitted.ok()) return fitted.status();
  KerasTrace ours = trace;
  for (const std::string& name : fitted->history.columns()) {
    const absl::Span<const double> measured = fitted->history[name];
    ours.columns[name].assign(measured.begin(), measured.end());
  }
  ours.final_weights = fitted->parameters;
  return ours;
}

std::vector<std::string> Disagreements(const KerasTrace& ours, const KerasTrace& keras,
                                       const Agreement& agreement) {
  const size_t epochs = static_cast<size_t>(agreement.epochs);
  const size_t measured = ours.columns.at("loss").size();
  const size_t expected = keras.columns.at("loss").size();
  if (epochs < 1 || epochs > expected) {
    return {absl::StrFormat("the agreement is for %d epochs, the trace has %d", agreement.epochs,
                            expected)};
  }
  const bool whole = epochs == expected;
  if (measured < epochs || (whole && measured != epochs)) {
    return {absl::StrFormat("%d epochs instead of Keras's %d", measured, expected)};
  }
  std::vector<std::string> faults;
  const auto note = [&](std::optional<std::string> fault) {
    if (fault) faults.push_back(*std::move(fault));
  };
  note(ColumnFault("loss", ours, keras, epochs, agreement.tolerance));
  note(ColumnFault("val_loss", ours, keras, epochs, agreement.tolerance));
  note(ColumnFault("lr", ours, keras, epochs, kRateTolerance));
  note(AccuracyFault("accuracy", ours, keras, epochs, keras.train));
  note(AccuracyFault("val_accuracy", ours, keras, epochs, keras.samples - keras.train));
  if (!whole) return faults;
  for (const auto& [name, weights] : keras.final_weights) {
    const auto found = ours.final_weights.find(name);
    note(found == ours.final_weights.end()
             ? "final weights " + name + " are missing"
             : WeightsFault(name, found->second, weights, kWeightFactor * agreement.tolerance));
  }
  return faults;
}

Agreement StrictAgreement(const KerasTrace& trace) {
  return {.epochs = static_cast<int64_t>(trace.columns.at("loss").size()), .tolerance = 1e-9};
}

}  // namespace talweg
