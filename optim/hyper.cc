#include "optim/hyper.h"

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
    if (!value.ok()) return value;
    if (!IsFloat(value.dtype()) || value.rank() != 0) {
      return fail(absl::StrCat(" is ", ToString(value.type()), "; it must be a float scalar"));
    }
    return Cast(value, kFloat64);
  }
  for (const HyperSpec& spec : shared_->specs) {
    if (spec.name != full) continue;
    // Comparing the spelling makes NaN equal to itself.
    if (FormatNumber(spec.number) != FormatNumber(hyper.number())) {
      return fail(absl::StrCat(" is asked for with two numbers, ", FormatNumber(spec.number),
                               " and ", FormatNumber(hyper.number()),
                               "; give one of them another name"));
    }
    return shared_->tape.Input(full, kFloat64, {});
  }
  shared_->specs.push_back({full, hyper.number(), range});
  return shared_->tape.Input(full, kFloat64, {});
}

const std::vector<HyperSpec>& HyperScope::specs() const { return shared_->specs; }

absl::Status HyperScope::Check() const {
  for (const HyperSpec& spec : shared_->specs) {
    if (absl::Status status = CheckNumber(spec, spec.number); !status.ok()) return status;
  }
  return absl::OkStatus();
}

NamedArrays HyperScope::Bindings() const {
  NamedArrays arrays;
  for (const HyperSpec& spec : shared_->specs)
    arrays.insert_or_assign(spec.name, Array(spec.number));
  return arrays;
}

const Tape& HyperScope::tape() const { return shared_->tape; }

}  // namespace talweg
