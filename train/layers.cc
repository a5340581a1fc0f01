#include "train/layers.h"

#include <string>

#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/nn.h"

namespace talweg {
namespace {

// The last extent, which a layer's parameters need to know.
bool KnownWidth(const Value& x) { return x.rank() > 0 && x.dim(-1).is_static(); }

}  // namespace

Value Dense(Scope& scope, std::string_view name, const Value& x, int64_t units,
            const Initializer& kernel, const std::optional<Initializer>& bias,
            std::source_location where) {
  const SourceLine line = LineOf(where);
  const UserLine scope_line(x, line);
  if (!x.ok()) return x;
  if (!KnownWidth(x)) return Fail("dense", {x}, "the last extent is not known", line);
  if (units < 1) return Fail("dense", {x}, "there are no units", line);
  const size_t before = scope.parameter_count();
  Scope own = scope.Sub(name);
  const Value w = own.Parameter("kernel", {x.dim(-1), units}, kernel, true, where);
  const Value b = bias ? own.Parameter("bias", {units}, *bias, true, where) : Value();
  const Value y = bias ? MatMul(x, w) + b : MatMul(x, w);
  scope.NoteLayer(name, "Dense", y, before);
  return y;
}

Value Embedding(Scope& scope, std::string_view name, const Value& indices, int64_t vocabulary,
                int64_t width, const Initializer& table, std::source_location where) {
  const SourceLine line = LineOf(where);
  const UserLine scope_line(indices, line);
  if (!indices.ok()) return indices;
  if (vocabulary < 1 || width < 1) {
    return Fail("embedding", {indices}, "the table is empty", line);
  }
  const size_t before = scope.parameter_count();
  Scope own = scope.Sub(name);
  const Value y = Gather(own.Parameter("table", {vocabulary, width}, table, true, where), indices);
  scope.NoteLayer(name, "Embedding", y, before);
  return y;
}

Value Dropout(Scope& scope, std::string_view name, const Value& x, Arg rate,
              std::source_location where) {
  const UserLine line(x, LineOf(where));
  if (!x.ok()) return x;
  const size_t before = scope.parameter_count();
  const Value y = Dropout(x, rate, scope.Key(name), scope.mode() == Mode::kTrain);
  scope.NoteLayer(name, "Dropout", y, before);
  return y;
}

Value LayerNorm(Scope& scope, std::string_view name, const Value& x, double epsilon,
                std::source_location where) {
  const SourceLine line = LineOf(where);
  const UserLine scope_line(x, line);
  if (!x.ok()) return x;
  if (!KnownWidth(x)) return Fail("layer_norm", {x}, "the last extent is not known", line);
  const size_t before = scope.parameter_count();
  Scope own = scope.Sub(name);
  const Value gain = own.Parameter("gain", {x.dim(-1)}, Ones(), true, where);
  const Value bias = own.Parameter("bias", {x.dim(-1)}, Zeros(), true, where);
  const Value y = LayerNorm(x, gain, bias, -1, epsilon);
  scope.NoteLayer(name, "LayerNorm", y, before);
  return y;
}

}  // namespace talweg
