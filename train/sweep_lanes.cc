#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/batch.h"
#include "train/fit_builder.h"
#include "train/numpy_orders.h"
#include "train/sweep_run.h"

namespace talweg {
namespace {

// Arrays of one type along a new leading axis; the last is repeated until there are `count`.
absl::StatusOr<Array> Together(const std::vector<Array>& arrays, int64_t count) {
  Dims dims = arrays[0].dims();
  dims.insert(dims.begin(), count);
  absl::StatusOr<Array> all = Array::Zeros(arrays[0].dtype(), dims);
  if (!all.ok()) return all;
  const auto bytes = static_cast<size_t>(arrays[0].bytes());
  if (bytes == 0) return all;
  std::byte* const out = all->mutable_bytes();
  for (size_t k = 0; k < static_cast<size_t>(count); k++) {
    std::memcpy(out + k * bytes, arrays[std::min(k, arrays.size() - 1)].raw(), bytes);
  }
  return all;
}

// One lane of the outputs of a call.
class LaneOf {
 public:
  LaneOf(const std::vector<Array>& outputs, const std::vector<bool>& batched, size_t lane)
      : outputs_(outputs), batched_(batched), lane_(lane) {}

  absl::StatusOr<Array> Get(size_t output) const {
    const Array& all = outputs_[output];
    if (!batched_[output]) return all;
    const absl::StatusOr<Array> slice = all.Rows(static_cast<int64_t>(lane_), 1);
    if (!slice.ok()) return slice;
    return slice->Reshaped(absl::MakeConstSpan(all.dims()).subspan(1));
  }
  // Element `i` of a value that has one for each epoch, or of a scalar.
  template <typename T>
  T At(size_t output, size_t i) const {
    const Array& array = outputs_[output];
    size_t place = i;
    if (batched_[output]) {
      place += lane_ * static_cast<size_t>(array.rank() > 1 ? array.dims()[1] : 1);
    }
    return array.data<T>()[place];
  }

 private:
  const std::vector<Array>& outputs_;
  const std::vector<bool>& batched_;
  size_t lane_;
};

int64_t BytesOf(const Type& type, int64_t rows, int64_t trips) {
  double bytes = static_cast<double>(SizeOf(type.dtype));
  for (const Dim dim : type.shape) {
    bytes *= static_cast<double>(dim == kRows ? rows : dim == kTrips ? trips : dim.value());
  }
  return static_cast<int64_t>(std::min(bytes, 0x1p62));
}

int64_t Sum(int64_t a, int64_t b) { return std::min(a, (int64_t{1} << 62) - b) + b; }

// `shared`: inputs that lie in memory once, for all calls and all bodies: captures, and the data.
int64_t BytesIn(const Graph& graph, int64_t rows, int64_t trips, const std::set<NodeId>& shared) {
  int64_t sum = 0;
  for (size_t id = 0; id < graph.nodes().size(); id++) {
    const Node& node = graph.nodes()[id];
    if (shared.contains(static_cast<NodeId>(id))) continue;
    switch (node.kind()) {
      case Kind::kConstant:
      case Kind::kView:
      case Kind::kReshape:
      case Kind::kPart:
        break;
      case Kind::kLoop: {
        const auto& loop = node.As<LoopAttributes>();
        const std::vector<NodeId>& inputs = loop.body->inputs();
        sum = Sum(sum, BytesIn(*loop.body, loop.binds_rows ? loop.rows_limit : rows,
                               loop.length.is_static() ? loop.length.value() : trips,
                               {inputs.begin() + 1, inputs.begin() + 1 + loop.captures}));
        [[fallthrough]];
      }
      default:
        for (const Type& type : node.types) sum = Sum(sum, BytesOf(type, rows, trips));
    }
  }
  return sum;
}

// Multiply-adds of contractions in bodies that have any, and how many trips these run, as far as
// that is known now.
struct Work {
  double products = 0, trips = 0;
};

void AddWork(const Graph& graph, int64_t rows, double trips, Work& work) {
  const auto extent = [&](Dim dim) {
    return static_cast<double>(dim == kRows ? rows : dim == kTrips ? 1 : dim.value());
  };
  double products = 0;
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kLoop) {
      const auto& loop = node.As<LoopAttributes>();
      AddWork(*loop.body, loop.binds_rows ? loop.rows_limit : rows,
              trips * (loop.length.is_static() ? extent(loop.length) : 1), work);
    }
    if (node.kind() != Kind::kContract) continue;
    double here = 1;
    for (const Dim dim : node.type().shape) here *= extent(dim);
    const Shape& lhs = graph.node(node.operands[0]).type().shape;
    for (const int64_t axis : node.As<ContractAttributes>().lhs_sum) {
      here *= extent(lhs[static_cast<size_t>(axis)]);
    }
    products += here;
  }
  if (products == 0) return;
  work.products += products * trips;
  work.trips += trips;
}

}  // namespace

int64_t WorkingBytes(const Graph& fit, int64_t epochs) {
  std::set<NodeId> data;
  for (size_t i = 0; i < fit.inputs().size(); i++) {
    const std::string& name = fit.input_name(i);
    if (absl::StartsWith(name, "train/") || absl::StartsWith(name, "validation/")) {
      data.insert(fit.inputs()[i]);
    }
  }
  return BytesIn(fit, 1, epochs, data);
}

absl::Status BatchGroup(SweepGroup& group, const TrainingPlan& plan, bool initialized) {
  std::vector<std::string> fit, initial;
  if (group.varied.contains("seed")) initial.push_back("seed");
  absl::StatusOr<Batched> made = Batch(group.initial->graph, initial, group.lanes);
  if (!made.ok()) return made.status();
  group.many_initial = std::make_shared<SweepFunction>();
  group.many_initial->graph = std::move(made->graph);
  group.initial_outputs = std::move(made->outputs);
  // Zeros do not depend on the seed.
  for (size_t i = 0; initialized && i < plan.parameters.size(); i++) {
    if (!group.initial_outputs[i]) continue;
    group.varied.insert(absl::StrCat("state/", plan.state.specs[i].name));
  }
  for (size_t i = 0; i < group.fit->graph.inputs().size(); i++) {
    const std::string& name = group.fit->graph.input_name(i);
    if (group.varied.contains(name)) fit.push_back(name);
  }
  made = Batch(group.fit->graph, fit, group.lanes);
  if (!made.ok()) return made.status();
  group.many_fit = std::make_shared<SweepFunction>();
  group.many_fit->graph = std::move(made->graph);
  group.fit_outputs = std::move(made->outputs);
  return absl::OkStatus();
}

absl::Status RunLanes(const SweepGroup& group, absl::Span<const FitKit* const> kits,
                      absl::Span<const SweepSetting* const> settings, const SweepOptions& options,
                      absl::Span<SweepRun* const> runs) {
  const FitKit& kit = *kits[0];
  const TrainingState& states = kit.plan.state;
  const int64_t lanes = group.lanes;
  const auto varied = [&](const std::string& name) { return group.varied.contains(name); };
  // An input, of each run where they differ.
  using Each = std::function<absl::StatusOr<Array>(size_t)>;
  const auto input = [&](const std::string& name, const Each& of) -> absl::StatusOr<Array> {
    std::vector<Array> arrays;
    for (size_t k = 0; k < (varied(name) ? settings.size() : 1); k++) {
      absl::StatusOr<Array> array = of(k);
      if (!array.ok()) return array;
      arrays.push_back(*std::move(array));
    }
    return varied(name) ? Together(arrays, lanes) : absl::StatusOr<Array>(arrays[0]);
  };
  const Each seed = [&](size_t k) { return Array(settings[k]->seed); };

  std::vector<Array> first;
  if (options.parameters.empty()) {
    const absl::StatusOr<Array> seeds = input("seed", seed);
    if (!seeds.ok()) return seeds.status();
    absl::StatusOr<std::vector<Array>> made =
        group.many_initial->executable->Run({{"seed", *seeds}}, {.threads = 1});
    if (!made.ok()) return made.status();
    first = *std::move(made);
  } else {
    const absl::StatusOr<NamedArrays> given = Matching(options.parameters, kit.plan.parameters);
    if (!given.ok()) return given.status();
    for (const ParameterSpec& spec : kit.plan.parameters) first.push_back(given->at(spec.name));
  }
  NamedArrays inputs = {{"train/inputs", kit.train.inputs}, {"train/targets", kit.train.targets}};
  if (kit.plan.validates) {
    inputs["validation/inputs"] = kit.validation.inputs;
    inputs["validation/targets"] = kit.validation.targets;
  }
  for (size_t i = 0; i < states.parameters; i++) {
    inputs[absl::StrCat("state/", states.specs[i].name)] = first[i];
  }
  const Graph& graph = group.many_fit->graph;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const std::string& name = graph.input_name(i);
    if (inputs.contains(name)) continue;
    const absl::StatusOr<Array> array = input(name, [&](size_t k) -> absl::StatusOr<Array> {
      if (name == "seed") return seed(k);
      if (name == "epochs") return Array(settings[k]->epochs);
      if (name == "order") {
        return NumPyOrders(settings[k]->seed, kit.train.size()).Next(settings[k]->epochs);
      }
      const NamedArrays& numbers = settings[k]->numbers;
      const std::string state = absl::StartsWith(name, "state/") ? name.substr(6) : "";
      // Of all states only the rate is among the numbers; others may be named as these are.
      const auto it = state.empty()     ? numbers.find(name)
                      : state == "rate" ? numbers.find(state)
                                        : numbers.end();
      if (it != numbers.end()) return it->second;
      for (const StateSpec& spec : kits[k]->plan.state.specs) {
        if (spec.name == state) return StartOf(spec);
      }
      return absl::InternalError(absl::StrCat("sweep: nothing is known of input '", name, "'"));
    });
    if (!array.ok()) return array.status();
    inputs[name] = *array;
  }

  const auto parameters = [&](size_t k, const LaneOf& lane) -> absl::Status {
    for (size_t i = 0; options.keep_parameters && i < states.parameters; i++) {
      absl::StatusOr<Array> array = lane.Get(i);
      if (!array.ok()) return array.status();
      runs[k]->parameters[kits[k]->plan.parameters[i].name] = *std::move(array);
    }
    return absl::OkStatus();
  };
  if (options.stop != nullptr && options.stop->load()) {
    const std::vector<bool> batched =
        options.parameters.empty() ? group.initial_outputs : std::vector<bool>(first.size(), false);
    for (size_t k = 0; k < runs.size(); k++) {
      runs[k]->history = History(kits[k]->plan.columns);
      runs[k]->end = TrainEnd::kRequest;
      if (absl::Status s = parameters(k, LaneOf(first, batched, k)); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
  const absl::StatusOr<std::vector<Array>> outputs =
      group.many_fit->executable->Run(inputs, {.stop = options.stop, .threads = 1});
  if (!outputs.ok()) return outputs.status();
  const FitOutputs at = OutputsOf(kit.plan, graph);
  for (size_t k = 0; k < runs.size(); k++) {
    const LaneOf lane(*outputs, group.fit_outputs, k);
    SweepRun& run = *runs[k];
    run.epochs = lane.At<int64_t>(at.trips, 0);
    run.history = History(kits[k]->plan.columns);
    for (size_t epoch = 0; epoch < static_cast<size_t>(run.epochs); epoch++) {
      std::vector<double> row;
      for (size_t i = at.columns; i < at.stops; i++) row.push_back(lane.At<double>(i, epoch));
      run.history.Append(row);
    }
    const bool adjusted =
        run.epochs > 0 && lane.At<bool>(at.stops, static_cast<size_t>(run.epochs) - 1);
    run.end = adjusted                           ? TrainEnd::kAdjustment
              : run.epochs < settings[k]->epochs ? TrainEnd::kRequest
                                                 : TrainEnd::kEpochs;
    if (absl::Status s = parameters(k, lane); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// The gain of lanes is that an update has its fixed cost once for all models, and that an element
// of each of them fills vectors that a thin network leaves empty: full vectors, where it is not so
// thin. Models of one seed also read the same samples; others draw and gather their own. What is
// gained has to be more than it takes to compile a function of many models: some 25 ms, and an
// update of each gains a tenth of a microsecond.
int64_t ChooseLanes(const SweepGroup& group, bool own_samples, int threads) {
  constexpr double kTripsThatRepay = 250e3;
  constexpr double kLittleWork = 6000, kWork = 26000, kWorkOfOwn = 15000;
  constexpr int64_t kLanes = 16;  // float32 lanes of the widest vectors; two of narrower ones
  constexpr int64_t kVector = 8;
  Work work;
  AddWork(group.fit->graph, 1, 1, work);  // of an epoch
  const auto runs = static_cast<int64_t>(group.runs.size());
  const double epochs = static_cast<double>(runs) * static_cast<double>(group.epochs);
  if (work.trips * epochs < kTripsThatRepay) return 1;
  const int64_t most = runs / threads;
  const double products = work.products / work.trips;
  if (most >= kLanes) return products <= (own_samples ? kWorkOfOwn : kWork) ? kLanes : 1;
  if (products > kLittleWork) return 1;
  return most > kVector ? kVector : std::max<int64_t>(most, 1);
}

}  // namespace talweg
