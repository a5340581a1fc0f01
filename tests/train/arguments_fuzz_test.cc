// Arguments drawn at random for the public functions around a training: right ones, wrong ones,
// numbers at the ends of their types, arrays of any type and shape, names of nothing. Whatever they
// are, there is a result or a Status, and no abort. (tests/ops/arguments_test.cc has the ops.)

#include <algorithm>
#include <functional>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "talweg.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Arguments {
 public:
  explicit Arguments(uint64_t seed) : random_(seed) {}

  size_t Below(size_t n) { return random_() % n; }
  bool Chance(int one_in) { return Below(static_cast<size_t>(one_in)) == 0; }
  template <typename T>
  T Of(const std::vector<T>& choices) {
    return choices[Below(choices.size())];
  }

  double D() {
    return Of<double>({0, 1, -1, 0.5, std::numeric_limits<double>::quiet_NaN(), kInfinity,
                       -kInfinity, 1e300, -1e-300, 2, 3, 10, 1e18});
  }
  std::vector<double> Ds() {
    std::vector<double> numbers;
    for (size_t i = Below(5); i > 0; i--) numbers.push_back(D());
    return numbers;
  }
  // Small ones, mostly.
  int64_t I() {
    if (!Chance(3)) return static_cast<int64_t>(Below(7));
    return Of<int64_t>({-1, 100, std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max(), int64_t{1} << 31, int64_t{1} << 40,
                        int64_t{1} << 59});
  }
  int64_t AtMost(int64_t most) { return std::min(I(), most); }
  int Int() { return static_cast<int>(std::clamp<int64_t>(I(), -1000, 1000)); }
  std::string S() {
    return Of<std::string>({"",
                            "rate",
                            "seed",
                            "epochs",
                            "momentum",
                            "loss",
                            "val_loss",
                            "x",
                            "a,b",
                            "\xc3\xa9",
                            "\xff",
                            "acc",
                            std::string(1000, 'z'),
                            "schedule/rates",
                            "rule/momentum",
                            "/",
                            "..",
                            "{epoch}",
                            "{",
                            "%s"});
  }
  Array A() {
    const Dims dims = Of<Dims>({{}, {0}, {3}, {2, 3}, {0, 3}, {3, 0}, {1}, {4, 2}, {2, 2, 2}, {5}});
    Array array = *Array::Zeros(kAllDTypes[Below(std::size(kAllDTypes))], dims);
    if (array.dtype() == kFloat64) {
      for (double& x : array.mutable_data<double>()) x = D();
    } else if (array.dtype() == kInt32) {
      for (int32_t& x : array.mutable_data<int32_t>()) x = Int();
    }
    return array;
  }
  // Half of them are five samples of two features and three classes, which models fit.
  Dataset Data() {
    if (Chance(2)) return {A(), A()};
    return {*Array::Zeros(kFloat64, {5, 2}), *Array::Zeros(kFloat32, {5, 3})};
  }
  Hyper H() { return Hyper(D()); }
  std::string Bytes(const std::vector<std::string>& pieces, size_t most) {
    std::string bytes;
    for (size_t i = Below(most); i > 0; i--) {
      bytes += Chance(6) ? std::string(1, static_cast<char>(random_())) : Of(pieces);
    }
    return bytes;
  }
  uint32_t Seed() { return static_cast<uint32_t>(random_()); }

 private:
  std::mt19937_64 random_;
};

Schedule DrawSchedule(Arguments& a) {
  switch (a.Below(6)) {
    case 0:
      return RateTable({.rates = a.Ds()});
    case 1:
      return Cosine({.initial = a.H(), .length = a.H()});
    case 2:
      return MultiStep({.at = {a.H(), a.H()}});
    case 3:
      return CosineRestarts({.length = a.H(), .stretch = a.H(), .shrink = a.H()});
    case 4:
      return StepDecay({.every = a.H()});
    default:
      return WarmUp(a.H(), Schedule(a.D()));
  }
}

// One that is right but for a few of its settings.
Training DrawTraining(Arguments& a) {
  Training t;
  const int64_t units = a.Chance(6) ? a.AtMost(5) : 3;
  t.model = [units](Scope& s, Value x) { return Dense(s, "o", x, units); };
  t.loss = a.Chance(4) ? Choice<Loss>(a.S()) : Choice<Loss>("mse");
  if (a.Chance(2)) t.rule = Sgd({.momentum = a.H()});
  if (a.Chance(8)) t.rule = a.S();
  if (a.Chance(4)) t.rule = Adam({.beta_1 = a.H(), .epsilon = a.H(), .clipnorm = a.H()});
  if (a.Chance(3)) t.rate = a.D();
  if (a.Chance(3)) t.rate = DrawSchedule(a);
  if (a.Chance(3)) {
    t.adjust.push_back(ReduceLROnPlateau({.monitor = a.Chance(2) ? "loss" : a.S(),
                                          .factor = a.H(),
                                          .patience = a.H(),
                                          .min_delta = a.H(),
                                          .cooldown = a.H(),
                                          .min_lr = a.H()}));
  }
  if (a.Chance(3)) {
    t.adjust.push_back(EarlyStopping({.monitor = "loss",
                                      .min_delta = a.H(),
                                      .patience = a.H(),
                                      .mode = a.Chance(4) ? a.S() : "auto"}));
  }
  if (a.Chance(4)) t.metrics.push_back(a.S());
  t.batch = a.Chance(3) ? a.I() : 2;
  t.epochs = a.Chance(5) ? a.AtMost(50) : 2;
  t.seed = a.I();
  t.evaluate_batch = a.Chance(4) ? a.I() : 3;
  t.shuffle = a.Of<Shuffle>({Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone});
  if (a.Chance(9)) t.dtype = kInt32;
  return t;
}

NamedArrays DrawParameters(Arguments& a) {
  if (a.Chance(2)) return {{"o/kernel", a.A()}, {"o/bias", a.A()}};
  return {{"o/kernel", *Array::Zeros(kFloat32, {2, 3})}, {"o/bias", *Array::Zeros(kFloat32, {3})}};
}

absl::Status CallBlobs(Arguments& a) {
  BlobsOptions options;
  options.samples = a.AtMost(5000);
  if (a.Chance(3)) {
    options.centers = a.A();
  } else {
    options.centers = a.AtMost(500);
  }
  options.features = a.AtMost(500);
  if (a.Chance(2)) {
    options.cluster_std = a.D();
  } else {
    options.cluster_std = a.Ds();
  }
  options.center_box = {a.D(), a.D()};
  options.seed = a.Seed();
  return Blobs(options).status();
}

absl::Status CallTake(Arguments& a) {
  std::vector<int64_t> indices;
  for (size_t i = a.Below(4); i > 0; i--) indices.push_back(a.I());
  return Take(a.Data(), indices).status();
}

absl::Status CallParseCsv(Arguments& a) {
  const std::string text = a.Bytes({"0", ",", "1", "\n", "\"", "a", "x", " ", ".", "-", "\r"}, 30);
  CsvOptions options = {.header = a.Chance(2)};
  if (a.Chance(2)) options.text = {a.S()};
  if (a.Chance(2)) options.max_columns = a.I();
  if (a.Chance(2)) options.max_bytes = a.I();
  return ParseCsv(text, options).status();
}

absl::Status CallToDataset(Arguments& a) {
  const absl::StatusOr<Table> table = ToTable(a.Data());
  if (!table.ok()) return table.status();
  if (a.Chance(2)) {
    return ToDataset(*table, {.label = "", .targets = {"y0", "y1"}, .inputs = {"x1"}}).status();
  }
  return ToDataset(*table, {.label = a.Chance(2) ? "y" : a.S(), .targets = {}, .inputs = {}})
      .status();
}

absl::Status CallParsers(Arguments& a) {
  const std::string bytes =
      a.Bytes({"{", "}", "[", "]", "\"", ":", ",", "0", "1", "2", "3", "\x01", "graph() -> ("}, 60);
  switch (a.Below(4)) {
    case 0:
      return ParseArrays(bytes, "x").status();
    case 1:
      return ParseGraph(bytes, {}).status();
    case 2:
      return ParseKerasTrace(bytes).status();
    default:
      return FormatArrays({{a.S(), a.A()}}).status();
  }
}

absl::Status CallFit(Arguments& a) {
  const Training training = DrawTraining(a);
  const Dataset train = a.Data();
  return Fit(Interpret, training, train, a.Chance(2) ? train : a.Data(), {.threads = a.Int()})
      .status();
}

absl::Status CallSweep(Arguments& a) {
  std::vector<SweepAxis> axes;
  for (size_t i = a.Below(3); i > 0; i--) axes.push_back(SweepAxis(a.S(), a.Ds()));
  if (a.Chance(3)) axes.push_back(Seeds(a.I(), a.I()));
  if (a.Chance(8)) axes.push_back(SweepAxis(std::vector<SweepAxis::Values>{}));
  const Dataset train = a.Data();
  const absl::StatusOr<SweepResult> sweep =
      Sweep(Interpret, DrawTraining(a), axes, train, a.Chance(2) ? train : Dataset(),
            {.threads = static_cast<int>(a.Below(4)) - 1,
             .lanes = static_cast<int64_t>(a.Below(5)) - 1,
             .memory_limit = a.Chance(3) ? a.I() : 0});
  if (!sweep.ok()) return sweep.status();
  EXPECT_FALSE(sweep->ToCsv().empty());
  EXPECT_FALSE(sweep->best("loss", "least").ok());  // there is no such mode
  const absl::StatusOr<size_t> best = sweep->best("loss", "min");
  EXPECT_TRUE(!best.ok() || *best < sweep->runs.size());
  return absl::OkStatus();
}

absl::Status CallHypergradient(Arguments& a) {
  const Dataset data = a.Data();
  std::vector<std::string> inputs = {a.Chance(2) ? "rate" : a.S()};
  if (a.Chance(2)) inputs.push_back(a.Chance(2) ? "rule/momentum" : a.S());
  const absl::StatusOr<Hypergradient> made =
      Hypergradient::Make(Interpret, DrawTraining(a), data, data, inputs,
                          {.memory_limit = a.Chance(2) ? a.I() : 1 << 20});
  if (!made.ok()) return made.status();
  return a.Chance(2) ? made->Run({}).status() : made->Run({{a.S(), a.A()}}).status();
}

absl::Status CallTangents(Arguments& a) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), y = t.Input(a.S(), kFloat64, {3});
  const Value z = Tanh(x);
  const std::vector<Value> values = {x, y, z, Value(), Sum(z), Sum(y)};
  std::vector<Value> some = {a.Of(values), a.Of(values)}, others = {a.Of(values)};
  if (a.Chance(2)) others.push_back(a.Of(values));
  std::vector<Value> outputs;
  switch (a.Below(4)) {
    case 0:
      outputs = {Tangent(a.Of(values), a.Of(values), a.Of(values))};
      break;
    case 1:
      outputs = HessianVectorProduct(a.Of(values), some, others);
      break;
    case 2:
      outputs = JacobianVectorProduct({a.Of(values)}, some, others);
      break;
    default:
      outputs = VectorJacobianProduct(some, others, {a.Of(values)});
  }
  return t.Finish(outputs).status();
}

absl::Status CallBatch(Arguments& a) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), n = t.Input("n", kInt64, {});
  const LoopResult loop =
      Loop(t, {.trips = n, .carried = {Sum(x)}}, [](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] * 2}, .stacked = {body.carried[0]}};
      });
  const absl::StatusOr<Graph> graph =
      t.Finish({loop.carried[0], a.Chance(2) ? loop.stacked[0] : loop.trips});
  if (!graph.ok()) return graph.status();
  std::vector<std::string> inputs;
  for (size_t i = a.Below(4); i > 0; i--) {
    inputs.push_back(a.Chance(2) ? "x" : a.Chance(2) ? "n" : a.S());
  }
  const absl::StatusOr<Batched> many = Batch(*graph, inputs, a.I());
  if (!many.ok()) return many.status();
  const absl::StatusOr<Executable> executable = Interpret(many->graph);
  if (!executable.ok()) return executable.status();
  NamedArrays arrays = {{"x", a.A()}, {"n", a.A()}};
  if (a.Chance(2)) arrays["n"] = Array(int64_t{3});
  if (a.Chance(2)) arrays["x"] = *Array::Zeros(kFloat32, {4, 2});
  return executable->Run(arrays).status();
}

absl::Status CallCheckGradients(Arguments& a) {
  std::vector<Array> inputs;
  if (!a.Chance(3)) inputs = {a.A(), a.A()};
  return CheckGradients(
      Interpret,
      [](Tape&, const std::vector<Value>& x) { return x.empty() ? Value() : Tanh(x[0]); }, inputs,
      {.order = a.Int(), .tolerance = a.D(), .step = a.D(), .elements = a.I()});
}

using Call = std::function<absl::Status(Arguments&)>;

const std::map<std::string, Call>& Calls() {
  using R = Arguments&;
  static const auto& calls = *new std::map<std::string, Call>{
      {"Blobs", CallBlobs},
      {"Split", [](R a) { return Split(a.Data(), a.I()).status(); }},
      {"Take", CallTake},
      // As many classes as are asked for, if the machine has the memory: not too many here.
      {"OneHot of an array", [](R a) { return OneHot(a.A(), a.AtMost(5000)).status(); }},
      {"OneHotTargets", [](R a) { return OneHotTargets(a.Data(), a.AtMost(5000)).status(); }},
      {"ParseCsv", CallParseCsv},
      {"ToDataset", CallToDataset},
      {"parsers", CallParsers},
      {"Fit", CallFit},
      {"Evaluate",
       [](R a) {
         return Evaluate(Interpret, DrawTraining(a), DrawParameters(a), a.Data(), a.Int()).status();
       }},
      {"Predict",
       [](R a) {
         return Predict(Interpret, DrawTraining(a), DrawParameters(a), a.A(), a.Int()).status();
       }},
      {"Summary", [](R a) { return Summary(DrawTraining(a), a.Data()).status(); }},
      {"Sweep", CallSweep},
      {"Hypergradient", CallHypergradient},
      {"Tangents", CallTangents},
      {"Batch", CallBatch},
      {"CheckGradients", CallCheckGradients},
  };
  return calls;
}

TEST(TrainingArguments, OfAnySortGiveAResultOrAStatus) {
  std::map<std::string, int64_t> accepted, refused;
  for (const uint64_t seed : FuzzSeeds(33000)) {
    Arguments arguments(seed);
    auto call = Calls().begin();
    std::advance(call, static_cast<std::ptrdiff_t>(arguments.Below(Calls().size())));
    SCOPED_TRACE(absl::StrCat(call->first, ", seed ", seed));
    const absl::Status status = call->second(arguments);
    (status.ok() ? accepted : refused)[call->first]++;
    // A fault of ours is no answer (CheckGradients says so of derivatives that differ), and neither
    // is an error without words.
    if (call->first != "CheckGradients") {
      EXPECT_NE(status.code(), absl::StatusCode::kInternal) << status;
    }
    EXPECT_EQ(status.ok(), status.message().empty());
  }
  for (const auto& [name, call] : Calls()) {
    std::cout << "  " << name << " " << accepted[name] << "/" << accepted[name] + refused[name];
    if (accepted[name] + refused[name] < 100) continue;  // too few to say
    EXPECT_GT(refused[name], 0) << name;
    if (accepted[name] + refused[name] < 1000) continue;
    EXPECT_GT(accepted[name], 0) << name;
  }
  std::cout << std::endl;
}

}  // namespace
}  // namespace talweg
