#include "optim/hyper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "ops/elementwise.h"

namespace talweg {

bool Range::Contains(double x) const {
  if (!std::isfinite(x)) return false;
  return (above_low_ ? x > low_ : x >= low_) && (below_high_ ? x < high_ : x <= high_);
}

std::string Range::ToString() const {
  const std::string low = absl::StrCat(above_low_ ? "above " : "at least ", FormatNumber(low_));
  const std::string high =
      absl::StrCat(below_high_ ? "less than " : "at most ", FormatNumber(high_));
  if (std::isfinite(low_) && std::isfinite(high_)) return absl::StrCat(low, " and ", high);
  if (std::isfinite(low_)) return absl::StrCat("finite and ", low);
  if (std::isfinite(high_)) return absl::StrCat("finite and ", high);
  return "finite";
}

absl::Status CheckNumber(const HyperSpec& spec, double number) {
  if (spec.range.Contains(number)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("hyper-parameter ", spec.name, " is ",
                                                 FormatNumber(number), "; it must be ",
                                                 spec.range.ToString()));
}

namespace {

absl::Status CheckList(const HyperSpec& spec, absl::Span<const double> numbers) {
  for (size_t i = 0; i < numbers.size(); i++) {
    if (spec.range.Contains(numbers[i])) continue;
    const std::string name = absl::StrCat(spec.name, "[", i, "]");
    return CheckNumber({.name = name, .number = 0, .range = spec.range}, numbers[i]);
  }
  return absl::OkStatus();
}

// One number is checked against one range, also where it is bound later.
std::string TwoRanges(const Range& first, const Range& second) {
  return absl::StrCat(" is asked for with two ranges, ", first.ToString(), " and ",
                      second.ToString(), "; give one of them another name");
}

}  // namespace

absl::Status CheckValue(const HyperSpec& spec, const Array& value) {
  return spec.list.empty() ? CheckNumber(spec, value.At(0)) : CheckList(spec, value.data<double>());
}

struct HyperScope::Shared {
  Tape tape;
  std::vector<HyperSpec> specs;
};

HyperScope::HyperScope(const Tape& tape) : shared_(std::make_shared<Shared>(Shared{tape, {}})) {}

HyperScope HyperScope::Within(std::string_view name) const {
  HyperScope inner = *this;
  inner.prefix_.append(name).append("/");
  return inner;
}

Value HyperScope::Get(std::string_view name, const Hyper& hyper, const Range& range) const {
  const std::string full = prefix_ + std::string(name);
  const auto fail = [&](const std::string& what) {
    shared_->tape.state()->SetError(
        absl::InvalidArgumentError(absl::StrCat("hyper-parameter ", full, what)));
    return Value(shared_->tape.state(), -1);
  };
  if (!hyper.is_number()) {
    const Value& value = hyper.value();
    if (value.tape() == nullptr) return fail(" is a value of no tape");
    if (!shared_->tape.state()->IsWithin(value.tape().get())) {
      return fail(" is a Value of another tape; a Training takes numbers");
    }
    if (!value.ok()) return value;
    if (!IsFloat(value.dtype()) || value.rank() != 0) {
      return fail(absl::StrCat(" is ", ToString(value.type()), "; it must be a float scalar"));
    }
    return Cast(value, kFloat64);
  }
  for (const HyperSpec& spec : shared_->specs) {
    if (spec.name != full) continue;
    if (!spec.list.empty()) return fail(" is a list elsewhere; give one of them another name");
    // Comparing the spelling makes NaN equal to itself.
    if (FormatNumber(spec.number) != FormatNumber(hyper.number())) {
      return fail(absl::StrCat(" is asked for with two numbers, ", FormatNumber(spec.number),
                               " and ", FormatNumber(hyper.number()),
                               "; give one of them another name"));
    }
    if (!(spec.range == range)) return fail(TwoRanges(spec.range, range));
    return shared_->tape.Input(full, kFloat64, {});
  }
  shared_->specs.push_back({full, hyper.number(), range});
  return shared_->tape.Input(full, kFloat64, {});
}

Value HyperScope::GetList(std::string_view name, const std::vector<double>& numbers,
                          const Range& range) const {
  const std::string full = prefix_ + std::string(name);
  const auto fail = [&](const std::string& what) {
    shared_->tape.state()->SetError(
        absl::InvalidArgumentError(absl::StrCat("hyper-parameter ", full, what)));
    return Value(shared_->tape.state(), -1);
  };
  if (numbers.empty()) return fail(" is a list without a number");
  const auto found = std::find_if(shared_->specs.begin(), shared_->specs.end(),
                                  [&](const HyperSpec& spec) { return spec.name == full; });
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  if (found == shared_->specs.end()) {
    shared_->specs.push_back({full, 0, range, numbers});
  } else if (found->list.empty()) {
    return fail(" is a number and a list; give one of them another name");
  } else if (!std::equal(numbers.begin(), numbers.end(), found->list.begin(), found->list.end(),
                         same)) {
    return fail(" is asked for with two lists; give one of them another name");
  } else if (!(found->range == range)) {
    return fail(TwoRanges(found->range, range));
  }
  return shared_->tape.Input(full, kFloat64, {static_cast<int64_t>(numbers.size())});
}

const std::vector<HyperSpec>& HyperScope::specs() const { return shared_->specs; }

absl::Status HyperScope::Check() const {
  for (const HyperSpec& spec : shared_->specs) {
    absl::Status status =
        spec.list.empty() ? CheckNumber(spec, spec.number) : CheckList(spec, spec.list);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

NamedArrays HyperScope::Bindings() const {
  NamedArrays arrays;
  for (const HyperSpec& spec : shared_->specs) arrays.insert_or_assign(spec.name, spec.value());
  return arrays;
}

const Tape& HyperScope::tape() const { return shared_->tape; }

}  // namespace talweg
