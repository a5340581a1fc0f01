#include "data/keras_trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/file.h"
#include "base/text.h"
#include "data/json.h"

namespace talweg {
namespace {

// Beyond what a test could mean, and well within what a machine can hold.
constexpr int64_t kMaxCount = 10'000'000;
constexpr int64_t kMaxSeed = std::numeric_limits<uint32_t>::max();

constexpr const char* kColumns[] = {"loss", "accuracy", "val_loss", "val_accuracy", "lr"};

// A parameter's name in the file and in Talweg.
struct WeightName {
  const char* keras;
  const char* talweg;
};
constexpr WeightName kWeights[] = {
    {"w1", "hidden/kernel"}, {"b1", "hidden/bias"}, {"w2", "output/kernel"}, {"b2", "output/bias"}};

// The members of an object. Each is asked for by its name; Finish reports those that nobody asked
// for. The first error stays in `status`, and what is asked for after it is 0 or empty.
class Members {
 public:
  Members(const Json& json, std::string place, absl::Status& status)
      : json_(json), place_(std::move(place)), status_(status) {
    if (json.kind != Json::Kind::kObject) Fail("not an object");
  }

  void Fail(const std::string& what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(place_.empty() ? what : place_ + ": " + what);
  }
  std::string PlaceOf(const std::string& key) const {
    return place_.empty() ? key : place_ + "." + key;
  }
  absl::Status& status() { return status_; }

  // The member, or null where there is none.
  const Json* Find(const std::string& key) {
    asked_.insert(key);
    return json_.Find(key);
  }
  // Whether the member is missing, or is null where that is what Keras takes for nothing: of most
  // options the default is a number or a word, and null is a mistake.
  bool IsNone(const std::string& key) {
    static constexpr std::string_view kMayBeNull[] = {"baseline", "clipnorm", "clipvalue",
                                                      "clip_probabilities"};
    const Json* found = json_.Find(key);
    if (found == nullptr) return true;
    if (found->kind != Json::Kind::kNull) return false;
    const bool may_be = std::count(std::begin(kMayBeNull), std::end(kMayBeNull), key) > 0;
    if (may_be) asked_.insert(key);
    return may_be;
  }
  // The member; where there is none, an error and a null.
  const Json& Get(const std::string& key) {
    static const Json& none = *new Json();
    if (const Json* found = Find(key)) return *found;
    Fail("the key " + Quoted(key) + " is missing");
    return none;
  }

  std::string Text(const std::string& key) {
    const Json& json = Get(key);
    if (json.kind != Json::Kind::kText) Fail(key + " is not text");
    return json.text;
  }
  bool Flag(const std::string& key) {
    const Json& json = Get(key);
    if (json.kind != Json::Kind::kBool) Fail(key + " is neither true nor false");
    return json.flag;
  }
  double Number(const std::string& key) {
    const Json& json = Get(key);
    if (!json.IsNumber() || !std::isfinite(json.number)) Fail(key + " is not a finite number");
    return json.number;
  }
  int64_t Whole(const std::string& key, int64_t low, int64_t high = kMaxCount) {
    return WholeOf(Get(key), key, low, high);
  }
  int64_t WholeOf(const Json& json, const std::string& key, int64_t low, int64_t high) {
    if (json.kind == Json::Kind::kInteger && json.integer >= low && json.integer <= high) {
      return json.integer;
    }
    Fail(absl::StrFormat("%s is not a whole number from %d to %d", key, low, high));
    return low;
  }
  // The elements of a list of numbers.
  std::vector<double> Numbers(const std::string& key, bool finite) {
    return NumbersOf(Get(key), key, finite);
  }
  // The same of a list, but for so many at its end.
  std::vector<double> NumbersOf(const Json& json, const std::string& key, bool finite,
                                size_t left_out = 0) {
    std::vector<double> numbers;
    if (json.kind != Json::Kind::kList) Fail(key + " is not a list");
    for (const Json& item : absl::MakeConstSpan(json.items).first(json.items.size() - left_out)) {
      if (!item.IsNumber() || (finite && !std::isfinite(item.number))) {
        Fail(key + (finite ? " holds something else than finite numbers"
                           : " holds something else than numbers"));
        break;
      }
      numbers.push_back(item.number);
    }
    return numbers;
  }
  // A list of equally long lists of finite numbers, at least one of each.
  Array Matrix(const std::string& key, bool finite) {
    std::vector<double> all;
    int64_t rows = 0, columns = 0;
    const Json& json = Get(key);
    if (json.kind != Json::Kind::kList || json.items.empty()) Fail(key + " is not a matrix");
    for (const Json& item : json.items) {
      const std::vector<double> row = NumbersOf(item, key, finite);
      if (!status_.ok()) break;
      if (rows++ == 0) columns = static_cast<int64_t>(row.size());
      if (row.empty() || static_cast<int64_t>(row.size()) != columns) {
        Fail(key + " has rows of different lengths, or empty ones");
        break;
      }
      all.insert(all.end(), row.begin(), row.end());
    }
    absl::StatusOr<Array> matrix = Array::From<double>({rows, columns}, all);
    if (!matrix.ok()) Fail(key + ": " + std::string(matrix.status().message()));
    return matrix.value_or(Array());
  }

  void Finish() {
    for (const std::string& key : json_.keys) {
      if (!asked_.contains(key)) Fail("unknown key " + Quoted(key));
    }
  }

 private:
  const Json& json_;
  std::string place_;
  absl::Status& status_;
  std::set<std::string, std::less<>> asked_;
};

// ---- Classes with options: which class has which, and where each is kept. ----

template <typename T>
struct Option {
  const char* key;
  std::variant<std::optional<double> T::*, std::optional<std::string> T::*, bool T::*> field;
};
template <typename T>
struct Class {
  const char* name;
  std::vector<const char*> options;
  std::vector<const char*> required = {};
};

template <typename T>
T ReadClass(const Json& json, const std::string& place, const std::vector<Class<T>>& classes,
            const std::vector<Option<T>>& options, absl::Status& status) {
  T result;
  Members members(json, place, status);
  result.name = members.Text("class");
  const auto known = std::find_if(classes.begin(), classes.end(),
                                  [&](const Class<T>& c) { return result.name == c.name; });
  if (known == classes.end()) {
    members.Fail("unknown class " + Quoted(result.name));
    return result;
  }
  for (const char* key : known->required) members.Get(key);
  for (const Option<T>& option : options) {
    const bool taken = std::any_of(known->options.begin(), known->options.end(),
                                   [&](std::string_view key) { return key == option.key; });
    if (!taken || members.IsNone(option.key)) continue;
    std::visit(
        [&](auto field) {
          using Field = std::decay_t<decltype(result.*field)>;
          if constexpr (std::is_same_v<Field, bool>) result.*field = members.Flag(option.key);
          if constexpr (std::is_same_v<Field, std::optional<double>>) {
            result.*field = members.Number(option.key);
          }
          if constexpr (std::is_same_v<Field, std::optional<std::string>>) {
            result.*field = members.Text(option.key);
          }
        },
        option.field);
  }
  members.Finish();
  return result;
}

KerasOptimizer ReadOptimizer(const Json& json, absl::Status& status) {
  using O = KerasOptimizer;
  static const auto& classes = *new std::vector<Class<O>>{
      {"SGD", {"lr", "momentum", "decay", "nesterov", "clipnorm", "clipvalue"}},
      {"RMSprop", {"lr", "rho", "epsilon", "decay", "clipnorm", "clipvalue"}},
      {"Adagrad", {"lr", "epsilon", "decay", "clipnorm", "clipvalue"}},
      {"Adadelta", {"lr", "rho", "epsilon", "decay", "clipnorm", "clipvalue"}},
      {"Adam", {"lr", "beta_1", "beta_2", "epsilon", "decay", "amsgrad", "clipnorm", "clipvalue"}},
      {"Adamax", {"lr", "beta_1", "beta_2", "epsilon", "decay", "clipnorm", "clipvalue"}},
      // Keras's own Nadam refuses decay.
      {"Nadam", {"lr", "beta_1", "beta_2", "epsilon", "schedule_decay", "clipnorm", "clipvalue"}}};
  static const auto& options = *new std::vector<Option<O>>{{"lr", &O::lr},
                                                           {"momentum", &O::momentum},
                                                           {"rho", &O::rho},
                                                           {"beta_1", &O::beta_1},
                                                           {"beta_2", &O::beta_2},
                                                           {"epsilon", &O::epsilon},
                                                           {"schedule_decay", &O::schedule_decay},
                                                           {"decay", &O::decay},
                                                           {"clipnorm", &O::clipnorm},
                                                           {"clipvalue", &O::clipvalue},
                                                           {"nesterov", &O::nesterov},
                                                           {"amsgrad", &O::amsgrad}};
  return ReadClass(json, "spec.optimizer", classes, options, status);
}

KerasCallback ReadCallback(const Json& json, const std::string& place, absl::Status& status) {
  using C = KerasCallback;
  static const auto& classes = *new std::vector<Class<C>>{
      {"ReduceLROnPlateau",
       {"monitor", "mode", "factor", "patience", "min_delta", "cooldown", "min_lr", "verbose"}},
      {"EarlyStopping",
       {"monitor", "mode", "patience", "min_delta", "baseline", "restore_best_weights", "verbose"}},
      {"LearningRateScheduler", {"drop", "every", "verbose"}, {"drop", "every"}},
      {"TerminateOnNaN", {}},
      // These two watch, and change nothing.
      {"ModelCheckpoint",
       {"filepath", "monitor", "verbose", "save_best_only", "save_weights_only", "mode", "period"},
       {"filepath"}},
      {"CSVLogger", {"filename", "separator", "append"}, {"filename"}}};
  static const auto& options =
      *new std::vector<Option<C>>{{"monitor", &C::monitor},
                                  {"mode", &C::mode},
                                  {"factor", &C::factor},
                                  {"patience", &C::patience},
                                  {"min_delta", &C::min_delta},
                                  {"cooldown", &C::cooldown},
                                  {"min_lr", &C::min_lr},
                                  {"baseline", &C::baseline},
                                  {"restore_best_weights", &C::restore_best_weights},
                                  {"drop", &C::drop},
                                  {"every", &C::every},
                                  {"filepath", &C::filepath},
                                  {"verbose", &C::verbose},
                                  {"save_best_only", &C::save_best_only},
                                  {"save_weights_only", &C::save_weights_only},
                                  {"period", &C::period},
                                  {"filename", &C::filename},
                                  {"separator", &C::separator},
                                  {"append", &C::append}};
  C callback = ReadClass(json, place, classes, options, status);
  const auto whole = [&](const char* key, const std::optional<double>& x, double low) {
    if (!status.ok() || !x || (std::floor(*x) == *x && *x >= low)) return;
    status = absl::InvalidArgumentError(
        absl::StrFormat("%s: %s is not a whole number from %g on", place, key, low));
  };
  whole("patience", callback.patience, 0);
  whole("cooldown", callback.cooldown, 0);
  whole("every", callback.every, 1);
  whole("verbose", callback.verbose, 0);
  whole("period", callback.period, 1);
  return callback;
}

// ---- The parts of a trace. ----

void ReadData(const Json& json, KerasTrace& trace, absl::Status& status) {
  Members data(json, "spec.data", status);
  BlobsOptions& blobs = trace.data;
  const Json& samples = data.Get("n_samples");
  if (samples.kind == Json::Kind::kList) {
    std::vector<int64_t> counts;
    for (const Json& item : samples.items) {
      counts.push_back(data.WholeOf(item, "a number of n_samples", 0, kMaxCount));
      trace.samples += counts.back();
      if (trace.samples > kMaxCount) data.Fail("n_samples are too many");
      if (!status.ok()) return;
    }
    blobs.samples = std::move(counts);
  } else {
    trace.samples = data.WholeOf(samples, "n_samples", 1, kMaxCount);
    blobs.samples = trace.samples;
  }
  trace.features = data.Whole("n_features", 1);
  blobs.features = trace.features;
  if (data.Get("centers").kind == Json::Kind::kList) {
    blobs.centers = data.Matrix("centers", true);
  } else {
    blobs.centers = data.Whole("centers", 1);
  }
  if (data.Get("cluster_std").kind == Json::Kind::kList) {
    blobs.cluster_std = data.Numbers("cluster_std", true);
  } else {
    blobs.cluster_std = data.Number("cluster_std");
  }
  if (data.Find("center_box") != nullptr) {
    const std::vector<double> box = data.Numbers("center_box", true);
    if (box.size() == 2) {
      blobs.center_box = {box[0], box[1]};
    } else {
      data.Fail("center_box is not two numbers");
    }
  }
  if (data.Find("shuffle") != nullptr) blobs.shuffle = data.Flag("shuffle");
  blobs.seed = static_cast<uint32_t>(data.Whole("random_state", 0, kMaxSeed));
  trace.train = data.Whole("train", 1);
  if (trace.train >= trace.samples) data.Fail("train leaves no samples for validation");
  data.Finish();
}

void ReadSpec(const Json& json, KerasTrace& trace, absl::Status& status) {
  Members spec(json, "spec", status);
  ReadData(spec.Get("data"), trace, status);
  trace.hidden = spec.Whole("hidden", 1);
  trace.batch = spec.Whole("batch_size", 1);
  trace.epochs = spec.Whole("epochs", 1);
  trace.seed = static_cast<uint32_t>(spec.Whole("seed", 0, kMaxSeed));
  trace.loss = spec.Text("loss");
  trace.optimizer = ReadOptimizer(spec.Get("optimizer"), status);
  const Json& callbacks = spec.Get("callbacks");
  if (callbacks.kind != Json::Kind::kList) spec.Fail("callbacks is not a list");
  for (const Json& callback : callbacks.items) {
    if (!status.ok()) break;
    const std::string place = absl::StrFormat("spec.callbacks[%d]", trace.callbacks.size());
    trace.callbacks.push_back(ReadCallback(callback, place, status));
  }
  if (!spec.IsNone("clip_probabilities")) {
    trace.clip_probabilities = spec.Number("clip_probabilities");
    if (!(*trace.clip_probabilities > 0 && *trace.clip_probabilities < 0.5)) {
      spec.Fail("clip_probabilities is not between 0 and 0.5");
    }
    if (trace.loss != "categorical_crossentropy") {
      spec.Fail("clip_probabilities is for categorical_crossentropy only");
    }
  }
  spec.Finish();
}

NamedArrays ReadWeights(const Json& json, const std::string& place, bool finite,
                        absl::Status& status) {
  Members members(json, place, status);
  NamedArrays weights;
  for (const WeightName& name : kWeights) {
    weights[name.talweg] = name.keras[0] == 'w'
                               ? members.Matrix(name.keras, finite)
                               : Array::Vector<double>(members.Numbers(name.keras, finite));
  }
  members.Finish();
  return weights;
}

// That the shapes are those of features -> hidden -> classes.
void CheckWeights(const NamedArrays& weights, const std::string& place, const KerasTrace& trace,
                  absl::Status& status) {
  const Dims dims[] = {{trace.features, trace.hidden},
                       {trace.hidden},
                       {trace.hidden, trace.classes},
                       {trace.classes}};
  for (size_t i = 0; i < std::size(kWeights) && status.ok(); i++) {
    const Array& array = weights.at(kWeights[i].talweg);
    if (array.dims() == dims[i]) continue;
    status = absl::InvalidArgumentError(absl::StrFormat("%s.%s is %s; the spec makes it %s", place,
                                                        kWeights[i].keras, ToString(array.dims()),
                                                        ToString(dims[i])));
  }
}

void AppendWeights(std::string& out, const NamedArrays& weights) {
  out += '{';
  for (const WeightName& name : kWeights) {
    if (out.back() != '{') out += ", ";
    AppendJsonText(out, name.keras);
    out += ": ";
    const auto weight = weights.find(name.talweg);
    if (weight == weights.end()) {
      out += "[]";
      continue;
    }
    const Array& array = weight->second;
    const int64_t columns = array.rank() == 2 ? array.dims()[1] : array.size();
    if (array.rank() == 2) out += '[';
    for (int64_t i = 0; i < array.size(); i++) {
      out += i % columns == 0 ? (i == 0 ? "[" : ", [") : ", ";
      AppendJsonNumber(out, array.At(i));
      if (i % columns == columns - 1) out += ']';
    }
    if (array.rank() == 2) out += ']';
  }
  out += '}';
}

// What an epoch each measured; `last_may_lack` where Keras may not have come to measure the last.
std::vector<double> ReadColumn(Members& top, const char* name, bool last_may_lack, size_t epochs) {
  const Json& list = top.Get(name);
  const bool lacks_last =
      last_may_lack && !list.items.empty() && list.items.back().kind == Json::Kind::kNull;
  std::vector<double> column = top.NumbersOf(list, name, false, lacks_last ? 1 : 0);
  if (last_may_lack && column.size() + 1 == epochs) {
    column.push_back(std::numeric_limits<double>::quiet_NaN());
  }
  return column;
}

void ReadResults(Members& top, KerasTrace& trace, absl::Status& status) {
  // Keras validates after an epoch's last batch alone: where TerminateOnNaN ends an epoch, its
  // history has one number less, and a callback that writes the epoch's down finds none.
  const bool may_end_within =
      std::any_of(trace.callbacks.begin(), trace.callbacks.end(),
                  [](const KerasCallback& callback) { return callback.name == "TerminateOnNaN"; });
  size_t epochs = 0;
  for (const std::string_view name : kColumns) {
    std::vector<double>& column = trace.columns[std::string(name)];
    column = ReadColumn(top, name.data(), may_end_within && name.starts_with("val_"), epochs);
    if (name == kColumns[0]) epochs = column.size();
    if (column.size() != epochs) top.Fail(absl::StrFormat("%s and loss differ in length", name));
  }
  if (epochs == 0 || static_cast<int64_t>(epochs) > trace.epochs) {
    top.Fail(absl::StrFormat("measured %d epochs of %d", epochs, trace.epochs));
  }
  trace.final_weights = ReadWeights(top.Get("final_weights"), "final_weights", false, status);
}

absl::StatusOr<Json> ParseLimited(std::string_view json) {
  if (json.size() <= static_cast<size_t>(kMaxTraceBytes)) return ParseJson(json);
  return absl::InvalidArgumentError("larger than 16 MiB");
}

template <typename T, typename... Arguments>
absl::StatusOr<T> FromFile(const std::string& path,
                           absl::StatusOr<T> (*parse)(std::string_view json, Arguments...),
                           Arguments... arguments) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxTraceBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<T> result = parse(*text, arguments...);
  if (result.ok()) return result;
  return absl::Status(result.status().code(),
                      absl::StrFormat("%s: %s", path, result.status().message()));
}

}  // namespace

absl::StatusOr<KerasTrace> ParseKerasTrace(std::string_view json, TraceResults results) {
  const absl::StatusOr<Json> tree = ParseLimited(json);
  if (!tree.ok()) return tree.status();
  KerasTrace trace;
  absl::Status status;
  Members top(*tree, "", status);
  trace.name = top.Text("name");
  const Json& spec = top.Get("spec");
  ReadSpec(spec, trace, status);
  trace.initial_weights = ReadWeights(top.Get("initial_weights"), "initial_weights", true, status);
  if (results == TraceResults::kRead) {
    ReadResults(top, trace, status);
  } else {
    for (const char* name : kColumns) top.Find(name);
    top.Find("final_weights");
  }
  top.Finish();
  if (!status.ok()) return status;

  trace.classes = trace.initial_weights.at("output/bias").size();
  if (const int64_t* centers = std::get_if<int64_t>(&trace.data.centers);
      centers != nullptr && trace.classes != *centers) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "initial_weights.b2 has %d numbers for %d centers", trace.classes, *centers));
  }
  CheckWeights(trace.initial_weights, "initial_weights", trace, status);
  if (results == TraceResults::kRead) {
    CheckWeights(trace.final_weights, "final_weights", trace, status);
  }
  if (!status.ok()) return status;
  if (trace.samples > kMaxCount / trace.features) {
    return absl::InvalidArgumentError("spec.data: n_samples times n_features are too many");
  }
  trace.spec = FormatJson(spec);
  return trace;
}

absl::StatusOr<Agreements> ParseAgreements(std::string_view json) {
  const absl::StatusOr<Json> tree = ParseLimited(json);
  if (!tree.ok()) return tree.status();
  absl::Status status;
  Agreements agreements;
  const Members top(*tree, "", status);
  for (size_t i = 0; i < tree->keys.size() && status.ok(); i++) {
    Members entry(tree->items[i], top.PlaceOf(tree->keys[i]), status);
    Agreement& agreement = agreements[tree->keys[i]];
    agreement.epochs = entry.Whole("epochs", 1);
    agreement.tolerance = entry.Number("tolerance");
    // One that is greater than the numbers compared would compare nothing.
    if (!(agreement.tolerance >= 0 && agreement.tolerance < 1)) {
      entry.Fail("tolerance is not at least 0 and less than 1");
    }
    entry.Finish();
  }
  if (!status.ok()) return status;
  return agreements;
}

absl::StatusOr<KerasTrace> ReadKerasTrace(const std::string& path, TraceResults results) {
  return FromFile(path, ParseKerasTrace, results);
}
absl::StatusOr<Agreements> ReadAgreements(const std::string& path) {
  return FromFile(path, ParseAgreements);
}

std::string FormatKerasTrace(const KerasTrace& trace) {
  std::string out = "{\"name\": ";
  AppendJsonText(out, trace.name);
  out += ", \"spec\": " + trace.spec;
  for (const char* name : kColumns) {
    out += absl::StrFormat(", \"%s\": [", name);
    if (const auto column = trace.columns.find(name); column != trace.columns.end()) {
      for (const double x : column->second) {
        if (out.back() != '[') out += ", ";
        AppendJsonNumber(out, x);
      }
    }
    out += ']';
  }
  out += ", \"initial_weights\": ";
  AppendWeights(out, trace.initial_weights);
  out += ", \"final_weights\": ";
  AppendWeights(out, trace.final_weights);
  return out + "}\n";
}

}  // namespace talweg
