#include "tests/jit/loops/random_program.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ops/random.h"

namespace talweg::loops {
namespace {

constexpr int64_t kElements = 200;  // of every buffer of a fixed size
constexpr DType kTypes[] = {kFloat32, kFloat32, kFloat64, kInt32, kInt64, kBool};
constexpr int32_t kLanes[] = {1, 1, 2, 4, 8, 8, 16, 5};

class Maker {
 public:
  Maker(uint64_t seed, bool simplify)
      : words_(seed), rows_(Chance(0.1) ? 0 : Between(1, 70)), made_(Begin(simplify)) {}

  RandomProgram Make() {
    Builder& b = builder();
    for (const DType t : {kFloat32, kFloat64, kInt32, kInt64, kBool}) {
      scratch_.push_back(harness().Arena(absl::StrCat("scratch_", Name(t)), t, kElements));
      constants_.push_back(b.AddConstant(absl::StrCat("table_", Name(t)), Fill(t, kElements)));
    }
    dynamic_ = b.AddDynamic("dynamic", kFloat32);
    uniform_ = b.AddRandom(&kRandomUniformOp, kFloat32);
    ErrorSite site;
    site.before = "index: ";
    index_site_ = b.AddSite(site);
    site.what = ErrorSite::What::kMemory;
    memory_site_ = b.AddSite(site);
    site.what = ErrorSite::What::kTrips;
    site.before = "fail: ";
    fail_site_ = b.AddSite(site);
    ClearScratch();
    const int64_t sections = Between(1, 4);
    for (int64_t i = 0; i < sections; i++) {
      b.OpenSection(absl::StrCat("section ", i));
      const Scope scope(*this);
      Statements(static_cast<int>(Between(6, 20)), 0);
      b.CloseSection();
    }
    return std::move(made_);
  }

 private:
  // A register, and what it is at most and at least if it is used as an index.
  struct Known {
    Register reg = kNone;
    int64_t low = 0, high = 0;
  };
  // Forgets at its end what was defined since it began.
  class Scope {
   public:
    explicit Scope(Maker& maker)
        : maker_(maker), values_(maker.values_.size()), indices_(maker.indices_.size()) {}
    ~Scope() {
      maker_.values_.resize(values_);
      maker_.indices_.resize(indices_);
    }

   private:
    Maker& maker_;
    const size_t values_, indices_;
  };

  Harness& harness() { return *made_.harness; }
  Builder& builder() { return made_.harness->b; }
  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(words_);
  }
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(words_); }
  template <typename T, size_t n>
  T Pick(const T (&choices)[n]) {
    return choices[Between(0, n - 1)];
  }
  static size_t NumberOf(DType dtype) { return static_cast<size_t>(dtype); }

  RandomProgram Begin(bool simplify);
  Array Fill(DType dtype, int64_t n);
  void ClearScratch();

  void Statements(int count, int depth);
  void Statement(int depth);
  void Loop(int depth);
  void Branch(int depth);
  void Store();
  void Calls();

  Register Value(RegisterType type);
  Register Leaf(RegisterType type);
  Register Operation(RegisterType type);
  Register Finite(Register x);
  Register LoadFrom(int32_t buffer, RegisterType type);
  Register CheckedIndices(int32_t lanes);
  Known Index();
  // An address at which `lanes` elements with this stride are in a buffer of `elements`; false
  // where there is none.
  bool Address(int32_t lanes, int64_t elements, Known& index, Builder::Access& access);

  std::mt19937_64 words_;
  const int64_t rows_;
  RandomProgram made_;
  std::vector<int32_t> scratch_, constants_;
  int32_t dynamic_ = -1, uniform_ = -1, index_site_ = -1, memory_site_ = -1, fail_site_ = -1;
  std::vector<Register> values_;  // what may be used again
  std::vector<Known> indices_;
};

RandomProgram Maker::Begin(bool simplify) {
  std::vector<Type> inputs, outputs;
  RandomProgram made;
  for (const DType t : {kFloat32, kFloat64, kInt32, kInt64, kBool}) {
    inputs.push_back({t, {kElements}});
    made.inputs.push_back(Fill(t, kElements));
    outputs.push_back({t, {kElements}});
  }
  inputs.push_back({kFloat32, {kRows}});
  made.inputs.push_back(Fill(kFloat32, rows_));
  outputs.push_back({kFloat32, {kRows}});
  made.harness = std::make_unique<Harness>(inputs, outputs, simplify);
  return made;
}

Array Maker::Fill(DType dtype, int64_t n) {
  Array array = *Array::Zeros(dtype, {n});
  const auto number = [&] {
    if (Chance(0.05)) return Pick({0.0, -0.0, HUGE_VAL, -HUGE_VAL, std::nan(""), 1e-310, 1e-40});
    return std::normal_distribution<double>(0, Chance(0.1) ? 1e10 : 3)(words_);
  };
  for (float& x : array.mutable_data<float>()) x = static_cast<float>(number());
  for (double& x : array.mutable_data<double>()) x = number();
  for (int32_t& x : array.mutable_data<int32_t>()) x = static_cast<int32_t>(Between(-99, 99));
  for (int64_t& x : array.mutable_data<int64_t>()) x = Between(-99, 299);
  for (bool& x : array.mutable_data<bool>()) x = Chance(0.5);
  return array;
}

void Maker::ClearScratch() {
  Builder& b = builder();
  b.OpenSection("clear");
  for (int32_t buffer : scratch_) {
    const DType dtype = b.program().buffers[static_cast<size_t>(buffer)].dtype;
    const Register i = b.OpenFor({}, {.value = kElements}, 8).variable;
    b.Store(buffer, i, b.Constant(dtype, 0, 8));
    b.CloseFor();
  }
  b.CloseSection();
}

void Maker::Statements(int count, int depth) {
  for (int i = 0; i < count; i++) Statement(depth);
}

void Maker::Statement(int depth) {
  const int64_t draw = Between(0, 99);
  if (draw < 25 && depth < 3) return Loop(depth);
  if (draw < 32 && depth < 3) return Branch(depth);
  if (draw < 70) return Store();
  if (draw < 76) return Calls();
  values_.push_back(Value({Pick(kTypes), Pick(kLanes)}));
}

void Maker::Loop(int depth) {
  Builder& b = builder();
  const int64_t step = Pick({1, 1, 1, 2, 3, 8, 16, 1000});
  Known end{kNone, 0, Between(0, depth == 0 ? 20 : 5)};
  Bound begin{}, limit{.value = end.high};
  // Most programs are to take no time.
  const double free = depth == 0 ? 1.0 : depth == 1 ? 0.2 : 0.0;
  if (Chance(0.3 * free)) {
    limit = {.reg = b.Rows()};
    end.high = rows_;
  } else if (Chance(0.2 * free)) {
    const Known other = Index();
    if (other.high < 40) {
      end = other;
      limit = {.reg = end.reg};
    }
  }
  Known variable{kNone, 0, std::max<int64_t>(end.high - 1, 0)};
  if (Chance(0.2)) {
    begin.value = Between(-3, 3);
    variable.low = begin.value;
    variable.high = std::max(variable.high, begin.value);
  }
  Registers starts;
  for (int64_t k = Between(0, 3); k > 0; k--) {
    starts.push_back(Value({Pick(kTypes), Pick(kLanes)}));
  }
  const Builder::Loop loop = b.OpenFor(begin, limit, step, starts);
  Registers next;
  Register until = kNone;
  {
    const Scope scope(*this);
    variable.reg = loop.variable;
    indices_.push_back(variable);
    for (Register r : loop.carried) values_.push_back(r);
    if (step > 1 && limit.reg != kNone && begin.value == 0 && step <= 16 && Chance(0.7)) {
      // The usual loop over lanes, with a mask for the last of them.
      const auto lanes = static_cast<int32_t>(step);
      const Register mask = b.Below(b.Sub(limit.reg, loop.variable), lanes);
      if (end.high <= rows_ && rows_ > 0) {
        const Register x = b.Load(harness().in[5], loop.variable, lanes, {.mask = mask});
        const Register y = b.Add(x, Value({kFloat32, lanes}));
        b.Store(harness().out[5], loop.variable, y, {.mask = mask});
      }
    }
    Statements(static_cast<int>(Between(2, 6)), depth + 1);
    for (Register r : loop.carried) {
      next.push_back(Chance(0.2) ? r : Value(b.type(r)));
    }
    if (next.size() > 1 && b.type(next[0]) == b.type(next[1])) std::swap(next[0], next[1]);
    if (Chance(0.3)) until = Chance(0.2) ? b.Poll() : Value({kBool, 1});
  }
  for (Register r : b.CloseFor(next, until)) values_.push_back(r);
}

void Maker::Branch(int depth) {
  const Register condition = Value({kBool, 1});
  builder().OpenIf(condition);
  const Scope scope(*this);
  Statements(static_cast<int>(Between(1, 4)), depth + 1);
  builder().CloseIf();
}

void Maker::Store() {
  Builder& b = builder();
  const RegisterType type{Pick(kTypes), Pick(kLanes)};
  const Register value = Value(type);
  Known index;
  Builder::Access access;
  if (!Address(type.lanes, kElements, index, access)) return;
  if (Chance(0.3)) access.mask = Value({kBool, type.lanes});
  // Wherever it points, nothing happens.
  if (Chance(0.1)) b.Prefetch(harness().out[0], index.reg, Between(-4096, 4096));
  const int32_t buffer =
      Chance(0.7) ? harness().out[NumberOf(type.dtype)] : scratch_[NumberOf(type.dtype)];
  b.Store(buffer, index.reg, value, access);
}

// What is done by the runtime.
void Maker::Calls() {
  Builder& b = builder();
  const Register mark = b.Mark();
  const Known n = Index();
  const Register elements = b.Plus(b.Binary(Opcode::kMax, n.reg, b.Index(0)), 4);
  b.Allocate(dynamic_, elements, memory_site_);
  const Register key = Value({kInt64, 1}), stream = Value({kInt64, 1});
  b.Random(dynamic_, kNone, elements, key, stream, uniform_);
  const Register drawn = b.Load(dynamic_, b.Plus(elements, -4), 4);
  b.Store(harness().out[0], b.Index(Between(0, kElements - 4)), drawn);
  b.Release(mark);
  if (Chance(0.02)) {
    const Register condition = Value({kBool, 1});
    b.FailIf(condition, fail_site_, n.reg, elements);
  }
}

Maker::Known Maker::Index() {
  Builder& b = builder();
  if (indices_.empty() || Chance(0.2)) {
    const int64_t value = Between(0, 20);
    return {b.Index(value), value, value};
  }
  Known known =
      indices_[static_cast<size_t>(Between(0, static_cast<int64_t>(indices_.size()) - 1))];
  if (Chance(0.3)) {
    const int64_t by = Between(-2, 4);
    known = {b.Times(known.reg, by), std::min(known.low * by, known.high * by),
             std::max(known.low * by, known.high * by)};
  }
  if (Chance(0.3)) {
    const int64_t by = Between(-5, 5);
    known = {b.Plus(known.reg, by), known.low + by, known.high + by};
  }
  if (Chance(0.2) && !indices_.empty()) {
    const Known& other = indices_.front();
    known = {b.Add(known.reg, other.reg), known.low + other.low, known.high + other.high};
  }
  return known;
}

bool Maker::Address(int32_t lanes, int64_t elements, Known& index, Builder::Access& access) {
  index = Index();
  access.stride = Chance(0.7) ? 1 : Between(-4, 4);
  const int64_t reach = access.stride * (lanes - 1);
  const int64_t least = -index.low - std::min<int64_t>(reach, 0);
  const int64_t most = elements - 1 - index.high - std::max<int64_t>(reach, 0);
  if (least > most) return false;
  access.offset = Between(least, most);
  return true;
}

Register Maker::LoadFrom(int32_t buffer, RegisterType type) {
  Builder& b = builder();
  if (Chance(0.05)) {
    // Lanes that are left out may be anywhere.
    const Register raw = b.Load(harness().in[NumberOf(kInt64)], b.Index(3), type.lanes);
    const Register limit = b.Constant(kInt64, kElements, type.lanes);
    const Register least = b.Constant(kInt64, 0, type.lanes);
    const Register below = b.Binary(Opcode::kLess, raw, limit);
    const Register above = b.Binary(Opcode::kLessEqual, least, raw);
    return b.LoadEach(buffer, raw, {.mask = b.Binary(Opcode::kAnd, below, above)});
  }
  if (Chance(0.15)) {
    const Register indices = CheckedIndices(type.lanes);
    const Register mask = Chance(0.3) ? Value({kBool, type.lanes}) : kNone;
    return b.LoadEach(buffer, indices, {.mask = mask});
  }
  Known index;
  Builder::Access access;
  if (!Address(type.lanes, kElements, index, access)) return b.Constant(type.dtype, 1, type.lanes);
  if (Chance(0.2)) access.mask = Value({kBool, type.lanes});
  return b.Load(buffer, index.reg, type.lanes, access);
}

Register Maker::CheckedIndices(int32_t lanes) {
  Builder& b = builder();
  const Register raw = b.Load(harness().in[NumberOf(kInt64)], b.Index(Between(0, 150)), lanes);
  if (Chance(0.002)) return b.CheckIndex(raw, b.Index(kElements), index_site_);
  const Register low = b.Constant(kInt64, 0, lanes),
                 high = b.Constant(kInt64, kElements - 1, lanes);
  const Register inside = b.Binary(Opcode::kMin, b.Binary(Opcode::kMax, raw, low), high);
  if (Chance(0.5)) return inside;
  // Only those are asked for that are right.
  const Register right = b.Binary(Opcode::kEqual, raw, inside);
  return b.CheckIndex(raw, b.Index(kElements), index_site_, right);
}

Register Maker::Value(RegisterType type) {
  for (int tries = 0; tries < 3 && !values_.empty() && Chance(0.7); tries++) {
    const Register r =
        values_[static_cast<size_t>(Between(0, static_cast<int64_t>(values_.size()) - 1))];
    if (builder().type(r) == type) return r;
  }
  return Chance(0.3) ? Leaf(type) : Operation(type);
}

Register Maker::Leaf(RegisterType type) {
  Builder& b = builder();
  const int64_t draw = Between(0, 9);
  if (draw < 2) {
    uint64_t bits = static_cast<uint64_t>(Between(0, 1));
    if (type.dtype == kFloat32) bits = ToBits(static_cast<float>(Between(-4, 4)) / 2);
    if (type.dtype == kFloat64) bits = ToBits(static_cast<double>(Between(-4, 4)) / 2);
    if (type.dtype == kInt32) bits = ToBits(static_cast<int32_t>(Between(-9, 9)));
    if (type.dtype == kInt64) bits = ToBits(Between(-9, 9));
    return b.Constant(type.dtype, bits, type.lanes);
  }
  if (draw == 2 && IsInteger(type.dtype)) return b.Lanes(type.dtype, type.lanes);
  if (draw == 3 && type.dtype == kInt64) return b.Splat(b.Rows(), type.lanes);
  if (draw == 4 && type.lanes > 1) return b.Splat(Leaf({type.dtype, 1}), type.lanes);
  const size_t number = NumberOf(type.dtype);
  const int32_t buffers[] = {harness().in[number], constants_[number], scratch_[number]};
  return LoadFrom(Pick(buffers), type);
}

// The bits of a NaN are nobody's business.
Register Maker::Finite(Register x) {
  Builder& b = builder();
  const Register one = b.Constant(b.type(x).dtype, 0, b.lanes(x));
  const Register mask = b.Binary(Opcode::kEqual, x, x);
  return b.Select(mask, x, one);
}

Register Maker::Operation(RegisterType type) {
  Builder& b = builder();
  const auto operand = [&] { return Chance(0.6) ? Leaf(type) : Value(type); };
  const auto of = [&](DType dtype) { return Leaf({dtype, type.lanes}); };
  if (Chance(0.1) && type.lanes > 1) {
    const Register a = Leaf({type.dtype, Pick({4, 8, 16})}), c = Leaf({type.dtype, 4});
    std::vector<int32_t> lanes;
    for (int32_t i = 0; i < type.lanes; i++) {
      lanes.push_back(static_cast<int32_t>(Between(0, b.lanes(a) + 3)));
    }
    return b.Shuffle(a, c, std::move(lanes));
  }
  if (Chance(0.1)) {
    const Register mask = Value({kBool, type.lanes});
    const Register x = operand(), y = operand();
    return b.Select(mask, x, y);
  }
  if (Chance(0.1)) {
    const DType from = Pick(kTypes);
    return b.Convert(type.dtype, of(from));
  }
  if (type.dtype == kBool) {
    if (Chance(0.3)) return b.Unary(Opcode::kNot, operand());
    if (Chance(0.4)) {
      const Register x = operand(), y = operand();
      return b.Binary(Pick({Opcode::kAnd, Opcode::kOr, Opcode::kXor, Opcode::kMin, Opcode::kMax}),
                      x, y);
    }
    const DType from = Pick(kTypes);
    const Register x = of(from), y = of(from);
    return b.Binary(Pick({Opcode::kLess, Opcode::kLessEqual, Opcode::kEqual, Opcode::kNotEqual}), x,
                    y);
  }
  const Register x = operand(), y = operand();
  if (Chance(0.5)) {
    return b.Binary(
        Pick({Opcode::kAdd, Opcode::kSub, Opcode::kMul, Opcode::kDiv, Opcode::kMin, Opcode::kMax}),
        x, y);
  }
  if (Chance(0.3)) return b.Fma(x, y, operand());
  if (Chance(0.3)) return b.Unary(Pick({Opcode::kNeg, Opcode::kAbs}), x);
  if (!IsFloat(type.dtype)) {
    if (Chance(0.4)) {
      return b.Binary(Pick({Opcode::kAnd, Opcode::kOr, Opcode::kXor}), x, y);
    }
    if (Chance(0.2)) return b.Unary(Opcode::kNot, x);
    if (Chance(0.3)) {
      return b.Bitcast(type.dtype, Finite(of(type.dtype == kInt32 ? kFloat32 : kFloat64)));
    }
    return b.Shift(Pick({Opcode::kShiftLeft, Opcode::kShiftRight}), x,
                   static_cast<int32_t>(Between(0, 8 * SizeOf(type.dtype) - 1)));
  }
  if (Chance(0.2)) {
    // Small integers are finite numbers, many of them denormal.
    const DType integer = type.dtype == kFloat32 ? kInt32 : kInt64;
    const Register mask = b.Constant(integer, 0x3fffffff, type.lanes);
    const Register bits = b.Binary(Opcode::kAnd, of(integer), mask);
    return b.Bitcast(type.dtype, bits);
  }
  if (Chance(0.3)) {
    const auto function = static_cast<Function>(Between(0, kFunctionCount - 1));
    if (InfoOf(function).arity == 2) return b.Call(function, {x, y});
    return b.Call(function, {x});
  }
  return b.Unary(Pick({Opcode::kSqrt, Opcode::kFloor, Opcode::kCeil, Opcode::kRoundEven}), x);
}

}  // namespace

RandomProgram MakeRandomProgram(uint64_t seed, bool simplify) {
  return Maker(seed, simplify).Make();
}

}  // namespace talweg::loops
