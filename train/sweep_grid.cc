#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "train/sweep_run.h"

namespace talweg {
namespace {

absl::Status Error(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("sweep: ", AbslView(what)));
}

// What an axis's input is in a fit.
struct Target {
  enum class Kind { kSeed, kEpochs, kRate, kHyper } kind = Kind::kHyper;
  const HyperSpec* hyper = nullptr;

  std::string name() const {
    switch (kind) {
      case Kind::kSeed:
        return "seed";
      case Kind::kEpochs:
        return "epochs";
      case Kind::kRate:
        return "rate";
      case Kind::kHyper:
        return hyper->name;
    }
    return "";
  }
};

bool HasRate(const TrainingPlan& plan) {
  return std::any_of(plan.state.specs.begin(), plan.state.specs.end(),
                     [](const StateSpec& spec) { return spec.name == "rate"; });
}

std::string KnownInputs(const TrainingPlan& plan) {
  std::vector<std::string> known = {"seed", "epochs"};
  if (HasRate(plan)) known.push_back("rate");
  for (const HyperSpec& spec : plan.hypers) {
    if (spec.list.empty()) known.push_back(spec.name);
  }
  return absl::StrJoin(known, ", ");
}

absl::StatusOr<Target> Find(const std::string& input, const TrainingPlan& plan) {
  if (input == "seed") return Target{Target::Kind::kSeed};
  if (input == "epochs") return Target{Target::Kind::kEpochs};
  if (input == "rate" && HasRate(plan)) return Target{Target::Kind::kRate};
  std::vector<const HyperSpec*> found;
  for (const HyperSpec& spec : plan.hypers) {
    if (!spec.list.empty()) continue;  // a point of an axis is a number
    if (spec.name == input) return Target{Target::Kind::kHyper, &spec};
    if (!input.empty() && absl::EndsWith(spec.name, absl::StrCat("/", input))) {
      found.push_back(&spec);
    }
  }
  if (found.size() == 1) return Target{Target::Kind::kHyper, found[0]};
  if (found.empty()) {
    return Error(absl::StrCat("a fit has no input '", input, "'; it has ", KnownInputs(plan),
                              ". For what changes the graph (a batch, a width) give several "
                              "trainings"));
  }
  return Error(absl::StrCat(
      "'", input, "' may be ",
      absl::StrJoin(found, " or ",
                    [](std::string* out, const HyperSpec* spec) { out->append(spec->name); })));
}

absl::Status CheckValue(const Target& target, double value, const Training& training) {
  constexpr double kWhole = 0x1p53;  // from it on a double may be another integer than was meant
  const auto refuse = [&](std::string_view must) {
    return Error(
        absl::StrCat(target.name(), " is ", FormatNumber(value), "; it must be ", AbslView(must)));
  };
  const bool whole = std::abs(value) < kWhole && value == std::floor(value);
  switch (target.kind) {
    case Target::Kind::kSeed:
      if (!whole) return refuse("a whole number below 2^53");
      if (training.shuffle == Shuffle::kNumPy &&
          (value < 0 || value > std::numeric_limits<uint32_t>::max())) {
        return refuse("one that NumPy takes, from 0 to 2^32 - 1");
      }
      return absl::OkStatus();
    case Target::Kind::kEpochs:
      return whole && value >= 1 ? absl::OkStatus() : refuse("a whole number, at least 1");
    case Target::Kind::kRate:
      return kRates.Contains(value) ? absl::OkStatus() : refuse("a finite number, at least 0");
    case Target::Kind::kHyper:
      return CheckNumber(*target.hyper, value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SweepGrid> MakeGrid(const std::vector<SweepAxis>& axes, const Training& training,
                                   const TrainingPlan& plan) {
  std::vector<std::vector<Target>> targets;
  std::vector<std::string> seen;
  size_t points = 1;
  for (const SweepAxis& axis : axes) {
    if (axis.inputs.empty()) return Error("an axis has no inputs");
    const size_t length = axis.inputs[0].second.size();
    targets.emplace_back();
    for (const auto& [input, values] : axis.inputs) {
      if (values.empty()) return Error(absl::StrCat("axis '", input, "' has no values"));
      if (values.size() != length) {
        return Error(absl::StrCat("one axis has ", length, " values of '", axis.inputs[0].first,
                                  "' and ", values.size(), " of '", input, "'"));
      }
      const absl::StatusOr<Target> target = Find(input, plan);
      if (!target.ok()) return target.status();
      if (std::find(seen.begin(), seen.end(), target->name()) != seen.end()) {
        return Error(absl::StrCat("'", input, "' is named twice"));
      }
      seen.push_back(target->name());
      for (const double value : values) {
        if (absl::Status s = CheckValue(*target, value, training); !s.ok()) return s;
      }
      targets.back().push_back(*target);
    }
    if (points > kMostRuns / length) return Error(absl::StrCat("more than ", kMostRuns, " runs"));
    points *= length;
  }

  const bool seeded = std::find(seen.begin(), seen.end(), "seed") != seen.end();
  if (!seeded && training.shuffle == Shuffle::kNumPy) {
    const absl::Status status =
        CheckValue({Target::Kind::kSeed}, static_cast<double>(training.seed), training);
    if (!status.ok()) return status;
  }
  SweepGrid grid;
  SweepSetting base{.seed = training.seed, .epochs = training.epochs, .numbers = {}};
  for (const HyperSpec& spec : plan.hypers) base.numbers[spec.name] = spec.value();
  for (size_t point = 0; point < points; point++) {
    SweepSetting setting = base;
    std::vector<double> row;
    size_t below = points, rest = point;
    for (size_t a = 0; a < axes.size(); a++) {
      below /= axes[a].inputs[0].second.size();
      const size_t place = rest / below;
      rest %= below;
      for (size_t k = 0; k < targets[a].size(); k++) {
        const double value = axes[a].inputs[k].second[place];
        row.push_back(value);
        switch (targets[a][k].kind) {
          case Target::Kind::kSeed:
            setting.seed = static_cast<int64_t>(value);
            break;
          case Target::Kind::kEpochs:
            setting.epochs = static_cast<int64_t>(value);
            break;
          default:
            setting.numbers[targets[a][k].name()] = Array(value);
        }
      }
    }
    grid.settings.push_back(std::move(setting));
    grid.values.push_back(std::move(row));
  }
  return grid;
}

}  // namespace talweg
