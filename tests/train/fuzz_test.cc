// Whole trainings drawn at random: networks, losses, rules, rates, adjustments, data. The
// interpreter and the JIT, on other processors, in blocks, on several threads, with callbacks, and
// as a run of a sweep, give the same history and the same parameters, to the bit; or all refuse it.

#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "jit/llvm/host.h"
#include "talweg.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

class Numbers {
 public:
  explicit Numbers(uint64_t seed) : random_(seed) {}
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  double Unit() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  bool Chance(double probability) { return Unit() < probability; }
  template <typename T>
  T Pick(const std::vector<T>& choices) {
    return choices[random_() % choices.size()];
  }

 private:
  std::mt19937_64 random_;
};

// What the outputs are, and what losses they can have.
enum class Head { kLogits, kProbabilities, kNumbers, kSigmoids };

struct Layer {
  int64_t units = 0;
  Value (*activation)(const Value&) = nullptr;
  bool norm = false, dropout = false;
};

struct Drawn {
  Training training;
  Dataset train, validation;
  std::string text;  // what it is, for a failure
};

Value ReluOf(const Value& x) { return Relu(x); }
Value TanhOf(const Value& x) { return Tanh(x); }
Value SigmoidOf(const Value& x) { return Sigmoid(x); }
Value EluOf(const Value& x) { return Elu(x); }
Value GeluOf(const Value& x) { return Gelu(x); }
Value SoftplusOf(const Value& x) { return Softplus(x); }

std::vector<Layer> DrawLayers(Numbers& n) {
  std::vector<Layer> layers;
  for (int64_t count = n.Between(0, 3); count > 0; count--) {
    Layer layer;
    layer.units = n.Pick<int64_t>(
        {1, 2, 5, 7, 8, 13, 16, 17, 31, 32, 33, 50, 64, 65, 100, 130, 200, 257, 300});
    layer.activation = n.Pick<Value (*)(const Value&)>(
        {ReluOf, ReluOf, TanhOf, SigmoidOf, EluOf, GeluOf, SoftplusOf});
    layer.norm = n.Chance(0.15);
    layer.dropout = n.Chance(0.2);
    layers.push_back(layer);
  }
  return layers;
}

Model ModelOf(std::vector<Layer> layers, bool embedding, int64_t features, int64_t outputs,
              Head head) {
  return [=](Scope& s, Value x) {
    Value h = x;
    if (embedding) {
      const Value tokens = Cast(Min(Max(Abs(x), 0), 3), kInt32);
      h = Reshape(Embedding(s, "embedding", tokens, 4, 3), {x.dim(0), features * 3});
    }
    for (size_t i = 0; i < layers.size(); i++) {
      Scope layer = s.Sub(absl::StrCat("layer", i));
      h = Dense(layer, "dense", h, layers[i].units, HeUniform());
      if (layers[i].norm) h = LayerNorm(layer, "norm", h);
      h = layers[i].activation(h);
      if (layers[i].dropout) h = Dropout(layer, "dropout", h, 0.3);
    }
    h = Dense(s, "output", h, outputs);
    if (head == Head::kProbabilities) return Softmax(h);
    return head == Head::kSigmoids ? Sigmoid(h) : h;
  };
}

Choice<Loss> DrawLoss(Numbers& n, Head head) {
  using Names = std::vector<std::string>;
  switch (head) {
    case Head::kLogits:
      if (n.Chance(0.5)) return SoftmaxCrossEntropy;
      return "categorical_crossentropy_from_logits";
    case Head::kProbabilities:
      return n.Pick(Names{"categorical_crossentropy", "sparse_categorical_crossentropy", "kld"});
    case Head::kNumbers:
      return n.Pick(Names{"mse", "mae", "huber_loss", "logcosh", "msle", "hinge", "cosine"});
    case Head::kSigmoids:
      return n.Pick(Names{"binary_crossentropy", "mse", "poisson"});
  }
  return "mse";
}

Rule DrawRule(Numbers& n) {
  std::optional<Hyper> norm, value;
  if (n.Chance(0.2)) norm = n.Pick<double>({0.1, 1});
  if (n.Chance(0.2)) value = 0.05;
  const double decay = n.Chance(0.3) ? 1e-3 : 0;
  const auto plain = [&]() -> Rule {
    switch (n.Between(0, 9)) {
      case 0:
        return Sgd({.momentum = 0.9, .decay = decay, .clipnorm = norm, .clipvalue = value});
      case 1:
        return Sgd({.momentum = 0.5, .nesterov = true, .decay = decay, .clipnorm = norm});
      case 2:
        return RmsProp({.decay = decay, .clipnorm = norm, .clipvalue = value});
      case 3:
        return Adagrad({.clipvalue = value});
      case 4:
        return Adadelta();
      case 5:
        return Adam({.amsgrad = n.Chance(0.4), .decay = decay, .clipnorm = norm});
      case 6:
        return Adamax({.clipnorm = norm});
      case 7:
        return Nadam({.clipvalue = value});
      case 8:
        return AdamW({.clipnorm = norm});
      default:
        return Lion();
    }
  };
  Rule rule = plain();
  if (n.Chance(0.2)) rule = WithL2(rule, 1e-3);
  if (n.Chance(0.1)) {
    rule = WithWeightDecay(rule, 1e-2, [](std::string_view parameter) {
      return parameter.find("kernel") != std::string_view::npos;
    });
  }
  return rule;
}

// Some have none of their own, but the rule's.
void DrawRate(Numbers& n, Training& training) {
  switch (n.Between(0, 7)) {
    case 0:
      break;
    case 1:
      training.rate = 0.3;
      break;
    case 2:
      training.rate = Cosine({.initial = 0.05, .length = 3});
      break;
    case 3:
      training.rate = WarmUp(2, StepDecay({.initial = 0.05, .every = 2}));
      break;
    case 4:
      training.rate = Exponential({.initial = 0.02, .every = 3, .unit = kUpdates});
      break;
    case 5:
      training.rate = CosineRestarts({.initial = 0.02, .length = 2, .stretch = 2});
      break;
    case 6:
      training.rate = RateTable({.rates = {0.1, 0.05, 0.01}});
      break;
    default:
      training.rate = 0.01;
  }
}

void DrawAdjustments(Numbers& n, bool validates, Training& training) {
  if (n.Chance(0.3)) {
    training.adjust.push_back(ReduceLROnPlateau({.monitor = validates ? "val_loss" : "loss",
                                                 .factor = 0.5,
                                                 .patience = 1,
                                                 .cooldown = n.Chance(0.5) ? 1 : 0}));
  }
  if (n.Chance(0.3)) {
    training.adjust.push_back(EarlyStopping({.monitor = "loss",
                                             .min_delta = 1e-3,
                                             .patience = static_cast<double>(n.Between(0, 2)),
                                             .restore_best_weights = n.Chance(0.5)}));
  }
  if (n.Chance(0.2)) {
    training.adjust.push_back(LearningRateScheduler(
        [](Value epoch, Value rate) { return Select(Greater(epoch, 1), rate * 0.5, rate); }));
  }
  if (n.Chance(0.2)) training.adjust.push_back(TerminateOnNaN());
}

Dataset DrawData(Numbers& n, int64_t samples, int64_t features, int64_t outputs, Head head,
                 bool sparse) {
  Dataset data;
  data.inputs = *Array::Zeros(kFloat64, {samples, features});
  for (double& x : data.inputs.mutable_data<double>()) x = 2 * n.Unit() - 1;
  if (sparse) {
    data.targets = *Array::Zeros(kInt32, {samples});
    for (int32_t& label : data.targets.mutable_data<int32_t>()) {
      label = static_cast<int32_t>(n.Between(0, outputs - 1));
    }
    return data;
  }
  data.targets = *Array::Zeros(kFloat64, {samples, outputs});
  const absl::Span<double> targets = data.targets.mutable_data<double>();
  if (head == Head::kNumbers) {
    for (double& y : targets) y = n.Unit();
  } else {
    for (int64_t i = 0; i < samples; i++) {
      targets[static_cast<size_t>(i * outputs + n.Between(0, outputs - 1))] = 1;
    }
  }
  return data;
}

Drawn Draw(Numbers& n) {
  const auto features = n.Pick<int64_t>({1, 2, 3, 5, 8, 16, 17, 33, 64, 100});
  const auto outputs = n.Pick<int64_t>({1, 2, 3, 4, 7, 10, 16, 17, 33});
  const auto head =
      n.Pick<Head>({Head::kLogits, Head::kProbabilities, Head::kNumbers, Head::kSigmoids});
  const std::vector<Layer> layers = DrawLayers(n);
  Drawn drawn;
  Training& training = drawn.training;
  training.model = ModelOf(layers, n.Chance(0.05), features, outputs, head);
  training.loss = DrawLoss(n, head);
  const bool sparse = training.loss.name() == "sparse_categorical_crossentropy";
  training.rule = DrawRule(n);
  DrawRate(n, training);
  const auto samples = n.Pick<int64_t>({2, 3, 17, 40, 77, 130, 301});
  const auto validated = n.Pick<int64_t>({0, 1, 9, 33, 140});
  DrawAdjustments(n, validated > 0, training);
  if (sparse || n.Chance(0.6)) training.metrics.push_back(Accuracy);
  if (!sparse && n.Chance(0.2)) training.metrics.push_back("mae");
  training.batch = n.Pick<int64_t>({1, 2, 7, 16, 31, 32, 33, 64, 100, 1000});
  training.epochs = n.Between(1, 4);
  training.seed = n.Between(0, 1000);
  training.dtype = n.Chance(0.25) ? kFloat64 : kFloat32;
  training.shuffle = n.Pick<Shuffle>({Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone});
  training.evaluate_batch = n.Pick<int64_t>({1, 7, 32, 128});
  drawn.train = DrawData(n, samples, features, outputs, head, sparse);
  if (validated > 0) drawn.validation = DrawData(n, validated, features, outputs, head, sparse);
  const auto units = [](std::string* out, const Layer& layer) {
    absl::StrAppend(out, layer.units);
  };
  drawn.text = absl::StrCat(samples, " samples, ", features, " features, layers of ",
                            absl::StrJoin(layers, ", ", units), ", ", outputs,
                            " outputs, batches of ", training.batch);
  return drawn;
}

class Batches : public Callback {
 public:
  bool WantsBatches() const override { return true; }
};

bool SameParameters(const NamedArrays& a, const NamedArrays& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, array] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !SameBits(array, other->second)) return false;
  }
  return true;
}

// How another fit differs from the interpreter's; empty where it does not.
std::string Difference(const absl::StatusOr<Fitted>& a, const absl::StatusOr<Fitted>& b) {
  if (a.ok() != b.ok()) {
    return absl::StrCat(a.status().ToString(), " and ", b.status().ToString());
  }
  if (!a.ok()) return "";
  if (a->history.ToCsv() != b->history.ToCsv()) {
    return absl::StrCat(a->history.ToCsv(), "and\n", b->history.ToCsv());
  }
  return SameParameters(a->state, b->state) ? "" : "the states differ";
}

// The first run of a sweep over seeds, in some lanes.
void ExpectSameSweep(const Drawn& drawn, const Fitted& fitted, int64_t lanes) {
  const absl::StatusOr<SweepResult> sweep =
      Sweep(JitEngine({.cache = "off"}), drawn.training, {Seeds(3, drawn.training.seed)},
            drawn.train, drawn.validation, {.threads = 2, .lanes = lanes, .keep_parameters = true});
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->runs[0].history.ToCsv(), fitted.history.ToCsv());
  EXPECT_TRUE(SameParameters(fitted.parameters, sweep->runs[0].parameters));
}

void ExpectSameUse(const Drawn& drawn, const Fitted& fitted) {
  const JitEngine jit({.cache = "off"});
  const auto& [training, train, validation, text] = drawn;
  const auto a = Evaluate(Interpret, training, fitted.parameters, train);
  const auto b = Evaluate(jit, training, fitted.parameters, train);
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  for (const auto& [name, value] : *a) {
    EXPECT_TRUE(SameBits(Array(value), Array(b->at(name)))) << name;
  }
  const auto p = Predict(Interpret, training, fitted.parameters, train.inputs);
  const auto q = Predict(jit, training, fitted.parameters, train.inputs);
  ASSERT_TRUE(p.ok()) << p.status();
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_TRUE(SameBits(*p, *q));
}

TEST(RandomTrainings, AreTheSameOnEachEngineAndInSweeps) {
  int64_t fits = 0, refused = 0;
  for (const uint64_t seed : FuzzSeeds(11)) {
    Numbers n(seed);
    const Drawn drawn = Draw(n);
    SCOPED_TRACE(absl::StrCat("seed ", seed, ": ", drawn.text));
    const auto fit = [&](const Engine& engine, const FitOptions& options = {}) {
      return Fit(engine, drawn.training, drawn.train, drawn.validation, options);
    };
    const absl::StatusOr<Fitted> first = fit(Interpret);
    EXPECT_EQ(Difference(first, fit(JitEngine({.cache = "off"}))), "") << "the JIT";
    const JitOptions split = {.block = n.Pick<int64_t>({0, 4, 16}), .split = true, .cache = "off"};
    const int threads = n.Pick<int>({2, 3, 4, 8});
    EXPECT_EQ(Difference(first, fit(JitEngine(split), {.threads = threads})), "")
        << threads << " threads, blocks of " << split.block;
    const auto cpu = n.Pick<std::string>({"avx2", "x86-64"});
    if (n.Chance(0.5) && native::DetectTarget(cpu).ok()) {
      EXPECT_EQ(Difference(first, fit(JitEngine({.cpu = cpu, .cache = "off"}))), "") << cpu;
    }
    if (n.Chance(0.3)) {
      Batches batches;
      const auto watched = fit(JitEngine({.cache = "off"}), {.callbacks = {&batches}});
      EXPECT_EQ(Difference(first, watched), "") << "with a callback of each batch";
    }
    (first.ok() ? fits : refused)++;
    if (first.ok()) {
      if (n.Chance(0.4)) ExpectSameSweep(drawn, *first, n.Between(1, 4));
      if (n.Chance(0.5)) ExpectSameUse(drawn, *first);
    } else if (refused < 4) {
      std::cout << "refused: " << first.status().message() << std::endl;
    }
    if (testing::Test::HasFailure()) return;  // one is enough to read
  }
  std::cout << fits << " fits, " << refused << " refused" << std::endl;
  EXPECT_GE(fits, 4 * refused);
}

}  // namespace
}  // namespace talweg
