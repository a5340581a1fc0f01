#include "autodiff/check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "autodiff/jet_evaluate.h"
#include "base/philox.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

// Evenly spread over [-1, 1), away from 0 so that no element goes unseen.
absl::StatusOr<Array> RandomDirection(const Dims& dims, uint64_t seed, uint32_t stream) {
  absl::StatusOr<Array> direction = Array::Zeros(kFloat64, dims);
  if (!direction.ok()) return direction;
  const absl::Span<double> elements = direction->mutable_data<double>();
  for (size_t i = 0; i < elements.size(); i++) {
    const auto words = Philox({static_cast<uint32_t>(i), stream, 0, 0},
                              {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    const double magnitude = 0.25 + 0.75 * words[0] * 0x1p-32;
    elements[i] = (words[1] & 1) != 0 ? magnitude : -magnitude;
  }
  return direction;
}

std::string IndexOf(const Dims& dims, int64_t flat) {
  Dims index(dims.size());
  for (size_t axis = dims.size(); axis-- > 0;) {
    index[axis] = flat % dims[axis];
    flat /= dims[axis];
  }
  return ToString(index);
}

double Dot(const Array& a, const Array& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); i++) sum += a.At(i) * b.At(i);
  return sum;
}

// The graph of everything that is compared, and where its outputs lie.
struct Checked {
  Graph scalar;                // -> y
  Graph all;                   // -> y, g u, the gradients, the second derivatives
  std::vector<size_t> floats;  // inputs that are differentiated
};

class Checker {
 public:
  Checker(const GradientCheckOptions& options, std::vector<Array> point)
      : options_(options), point_(std::move(point)) {}

  absl::Status Build(const std::function<Value(Tape&, const std::vector<Value>&)>& function);
  absl::Status Compare(const Engine& engine);

 private:
  bool Agree(double a, double b) const {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    if (std::isinf(a) || std::isinf(b)) return a == b;
    return std::abs(a - b) <= options_.tolerance * (1 + std::max(std::abs(a), std::abs(b)));
  }
  absl::Status Off(const std::string& what, double reverse, const char* other,
                   double expected) const {
    return absl::InternalError(absl::StrCat(what, ": reverse mode ", reverse, ", ", other, " ",
                                            expected, ", off by ", std::abs(reverse - expected)));
  }
  absl::Status CompareJets(const std::vector<Array>& reverse) const;

  const GradientCheckOptions& options_;
  std::vector<Array> point_;
  std::vector<Array> u_, v_;  // directions, for each input
  Checked checked_;
};

absl::Status Checker::Build(
    const std::function<Value(Tape&, const std::vector<Value>&)>& function) {
  Tape tape;
  std::vector<Value> inputs, wanted;
  for (size_t i = 0; i < point_.size(); i++) {
    if (IsFloat(point_[i].dtype())) {
      absl::StatusOr<Array> wide = point_[i].Cast(kFloat64);
      if (!wide.ok()) return wide.status();
      point_[i] = *std::move(wide);
    }
    const auto stream = static_cast<uint32_t>(2 * i + 1);
    for (std::vector<Array>* directions : {&u_, &v_}) {
      absl::StatusOr<Array> direction =
          RandomDirection(point_[i].dims(), options_.seed, directions == &u_ ? stream : stream + 1);
      if (!direction.ok()) return direction.status();
      directions->push_back(*std::move(direction));
    }
    inputs.push_back(
        tape.Input(absl::StrCat("x", i), point_[i].dtype(), ToShape(point_[i].dims())));
    if (!IsFloat(point_[i].dtype())) continue;
    checked_.floats.push_back(i);
    wanted.push_back(inputs.back());
  }
  Value y = function(tape, inputs);
  if (y.ok() && y.rank() > 0) {
    if (!IsStatic(y.shape())) {
      return absl::InvalidArgumentError("the function's result has a run-time extent");
    }
    const absl::StatusOr<Array> weights = RandomDirection(Resolve(y.shape(), {}), options_.seed, 0);
    if (!weights.ok()) return weights.status();
    y = Sum(y * tape.Constant(*weights));
  }
  const std::vector<Value> gradients = Gradient(y, wanted);
  std::vector<Value> outputs = {y};
  if (options_.order > 1) {
    Value along = tape.Constant(Array(0.0));
    for (size_t i = 0; i < wanted.size(); i++) {
      along = along + Sum(gradients[i] * tape.Constant(u_[checked_.floats[i]]));
    }
    outputs.push_back(along);
    const std::vector<Value> second = Gradient(along, wanted);
    outputs.insert(outputs.end(), gradients.begin(), gradients.end());
    outputs.insert(outputs.end(), second.begin(), second.end());
  } else {
    outputs.insert(outputs.end(), gradients.begin(), gradients.end());
  }
  absl::StatusOr<Graph> all = tape.Finish(outputs), scalar = tape.Finish({y});
  if (!all.ok()) return all.status();
  if (!scalar.ok()) return scalar.status();
  checked_.all = *std::move(all);
  checked_.scalar = *std::move(scalar);
  return absl::OkStatus();
}

absl::Status Checker::CompareJets(const std::vector<Array>& reverse) const {
  std::vector<JetArray> inputs;
  for (size_t i = 0; i < point_.size(); i++) {
    absl::StatusOr<Array> zeros = Array::Zeros(kFloat64, point_[i].dims());
    if (!zeros.ok()) return zeros.status();
    inputs.push_back({point_[i], u_[i], v_[i], *std::move(zeros)});
  }
  const absl::StatusOr<std::vector<JetArray>> jets = JetEvaluate(checked_.scalar, inputs);
  if (!jets.ok()) return jets.status();
  const JetArray& y = jets->front();
  if (!Agree(reverse[0].At(0), y.value.At(0))) {
    return Off("value", reverse[0].At(0), "jet", y.value.At(0));
  }
  const size_t first = options_.order > 1 ? 2 : 1, count = checked_.floats.size();
  double along_u = 0, along_v = 0, along_uv = 0;
  for (size_t i = 0; i < count; i++) {
    along_u += Dot(reverse[first + i], u_[checked_.floats[i]]);
    along_v += Dot(reverse[first + i], v_[checked_.floats[i]]);
    if (options_.order > 1) {
      along_uv += Dot(reverse[first + count + i], v_[checked_.floats[i]]);
    }
  }
  if (!Agree(along_u, y.along_u.At(0))) {
    return Off("derivative in a random direction", along_u, "jet", y.along_u.At(0));
  }
  if (!Agree(along_v, y.along_v.At(0))) {
    return Off("derivative in a random direction", along_v, "jet", y.along_v.At(0));
  }
  if (options_.order > 1 && !Agree(along_uv, y.along_uv.At(0))) {
    return Off("second derivative in two random directions", along_uv, "jet", y.along_uv.At(0));
  }
  return absl::OkStatus();
}

absl::Status Checker::Compare(const Engine& engine) {
  const absl::StatusOr<Executable> executable = engine(checked_.all);
  if (!executable.ok()) return executable.status();
  const absl::StatusOr<std::vector<Array>> here = executable->Call(point_);
  if (!here.ok()) return here.status();

  // Element by element first: that names the culprit. Jets see what differences are too coarse for.
  const size_t first = options_.order > 1 ? 2 : 1, count = checked_.floats.size();
  for (size_t i = 0; i < count; i++) {
    const size_t input = checked_.floats[i];
    const int64_t size = point_[input].size();
    const int64_t tried = std::min(size, options_.elements);
    for (int64_t n = 0; n < tried; n++) {
      // size n / tried, rounded down, without the large product
      const int64_t k = size / tried * n + size % tried * n / tried;
      // (f(x + h) - f(x - h)) / 2h
      const double x = point_[input].At(k);
      const double h = options_.step * std::max(1.0, std::abs(x));
      std::vector<Array> moved = point_;
      std::vector<Array> sides[2];
      for (const int side : {0, 1}) {
        const absl::Span<double> elements = moved[input].mutable_data<double>();
        if (elements.empty()) return absl::ResourceExhaustedError("no memory to move an input");
        elements[static_cast<size_t>(k)] = side == 0 ? x - h : x + h;
        absl::StatusOr<std::vector<Array>> run = executable->Call(moved);
        if (!run.ok()) return run.status();
        sides[side] = *std::move(run);
      }
      const auto difference = [&](size_t output) {
        return (sides[1][output].At(0) - sides[0][output].At(0)) / (2 * h);
      };
      const std::string place =
          absl::StrCat(" of input ", input, " at element ", IndexOf(point_[input].dims(), k));
      const double gradient = (*here)[first + i].At(k);
      if (!Agree(gradient, difference(0))) {
        return Off(absl::StrCat("gradient", place), gradient, "central difference", difference(0));
      }
      if (options_.order < 2) continue;
      const double second = (*here)[first + count + i].At(k);
      if (!Agree(second, difference(1))) {
        return Off(absl::StrCat("gradient of the gradient in a random direction", place), second,
                   "central difference", difference(1));
      }
    }
  }
  return CompareJets(*here);
}

}  // namespace

absl::Status CheckGradients(
    const Engine& engine,
    const std::function<Value(Tape& tape, const std::vector<Value>& inputs)>& function,
    const std::vector<Array>& point, const GradientCheckOptions& options) {
  if (!engine || !function) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient check: the ", !engine ? "engine" : "function", " is empty"));
  }
  if (options.order != 1 && options.order != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient check: order is ", options.order, "; it is 1 or 2"));
  }
  if (options.elements < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient check: elements is ", options.elements, "; it is 1 or more"));
  }
  Checker checker(options, point);
  if (absl::Status status = checker.Build(function); !status.ok()) return status;
  return checker.Compare(engine);
}

}  // namespace talweg
