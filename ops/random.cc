#include "ops/random.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/philox.h"
#include "graph/core_ops.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

// Numbers for users and keys for FoldIn come from disjoint halves of the counter.
enum class Use : uint32_t { kNumbers = 0, kKeys = 0x80000000 };

// Four words: block `block` of a stream.
std::array<uint32_t, 4> Words(uint64_t key, uint64_t stream, uint64_t block, Use use) {
  return Philox({static_cast<uint32_t>(block),
                 static_cast<uint32_t>(block >> 32) | static_cast<uint32_t>(use),
                 static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
}

uint64_t Join(uint32_t low, uint32_t high) { return low | static_cast<uint64_t>(high) << 32; }

void FillUniform(uint64_t key, uint64_t stream, DType dtype, int64_t n, std::byte* out) {
  if (dtype == kFloat32) {
    auto* elements = reinterpret_cast<float*>(out);
    for (int64_t i = 0; i < n; i += 4) {
      const auto words = Words(key, stream, static_cast<uint64_t>(i) / 4, Use::kNumbers);
      for (int64_t k = i; k < n && k < i + 4; k++) {
        elements[k] = static_cast<float>(words[static_cast<size_t>(k - i)] >> 8) * 0x1p-24f;
      }
    }
    return;
  }
  auto* elements = reinterpret_cast<double*>(out);
  for (int64_t i = 0; i < n; i += 2) {
    const auto words = Words(key, stream, static_cast<uint64_t>(i) / 2, Use::kNumbers);
    elements[i] = static_cast<double>(Join(words[0], words[1]) >> 11) * 0x1p-53;
    if (i + 1 < n) elements[i + 1] = static_cast<double>(Join(words[2], words[3]) >> 11) * 0x1p-53;
  }
}

void FillKeys(uint64_t key, uint64_t stream, DType, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; i++) {
    const auto words = Words(key, stream, static_cast<uint64_t>(i), Use::kKeys);
    const uint64_t bits = Join(words[0], words[1]);
    std::memcpy(out + i * 8, &bits, 8);
  }
}

// Fisher and Yates, from the end. A place below m is the upper half of a 64-bit word times m, which
// favours no place by more than m / 2^64. Step i takes block i of the stream.
void FillPermutation(uint64_t key, uint64_t stream, DType, int64_t n, std::byte* out) {
  auto* elements = reinterpret_cast<int32_t*>(out);
  std::iota(elements, elements + n, 0);
  static const PhiloxBlocks kDraw = AllPhiloxBlocks()[0];
  PhiloxWords draws;
  constexpr auto kBlocks = static_cast<int64_t>(PhiloxWords().size());
  for (int64_t first = (n - 1) / kBlocks * kBlocks; first >= 0; first -= kBlocks) {
    kDraw(key, stream, static_cast<uint64_t>(first), draws);
    for (int64_t i = std::min(first + kBlocks, n) - 1; i >= std::max<int64_t>(first, 1); i--) {
      const auto product = static_cast<unsigned __int128>(draws[static_cast<size_t>(i - first)]) *
                           static_cast<unsigned __int128>(i + 1);
      std::swap(elements[i], elements[static_cast<int64_t>(product >> 64)]);
    }
  }
}

absl::Status CheckKey(absl::Span<const Type> operands) {
  if (operands.size() != 2) return absl::InvalidArgumentError("key and stream expected");
  for (const Type& operand : operands) {
    if (operand != Type{kInt64, {}}) {
      return absl::InvalidArgumentError("key and stream are not int64 scalars");
    }
  }
  return absl::OkStatus();
}

Types InferUniform(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& [dtype, shape] = std::get<TypeAttributes>(attributes);
  if (absl::Status s = CheckKey(operands); !s.ok()) return s;
  if (!IsFloat(dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("no uniform numbers of ", Name(dtype)));
  }
  if (absl::Status s = CheckShape(shape); !s.ok()) return s;
  return std::vector<Type>{{dtype, shape}};
}

Types InferKeys(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& [dtype, shape] = std::get<TypeAttributes>(attributes);
  if (absl::Status s = CheckKey(operands); !s.ok()) return s;
  if (dtype != kInt64) return absl::InvalidArgumentError("keys are int64");
  if (absl::Status s = CheckShape(shape); !s.ok()) return s;
  return std::vector<Type>{{dtype, shape}};
}

Types InferPermutation(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& [dtype, shape] = std::get<TypeAttributes>(attributes);
  if (absl::Status s = CheckKey(operands); !s.ok()) return s;
  if (dtype != kInt32) return absl::InvalidArgumentError("a permutation is int32");
  if (shape.size() != 1) return absl::InvalidArgumentError("a permutation has one axis");
  if (absl::Status s = CheckShape(shape); !s.ok()) return s;
  if (absl::Status s = CheckNumbers(dtype, shape[0].value()); !s.ok()) return s;
  return std::vector<Type>{{dtype, shape}};
}

constinit const RandomRule kUniformRule{FillUniform};
constinit const RandomRule kKeysRule{FillKeys};
constinit const RandomRule kPermutationRule{FillPermutation, true};

Value AsKey(const Value& v) { return v.ok() && v.dtype() == kInt32 ? Cast(v, kInt64) : v; }

Value Draw(const Op& op, const Arg& key, DType dtype, Shape shape, int64_t stream = 0) {
  const UserLine line(key);
  const Value k = AsKey(key.value());
  if (!k.ok()) return MakeNode(op, {k}, TypeAttributes{}, key.line());
  return MakeNode(op, {k, Scalar(k, kInt64, stream)}, TypeAttributes{dtype, std::move(shape)},
                  key.line());
}

// FNV-1a, 63 bits of it.
int64_t HashOfName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<int64_t>(hash >> 1);
}

}  // namespace

constinit const Op kRandomUniformOp{
    "random_uniform", "evenly spread over [0, 1)", Kind::kRandom, InferUniform, nullptr, nullptr,
    &kUniformRule};
constinit const Op kRandomKeysOp{
    "random_keys", "keys made from a key", Kind::kRandom, InferKeys, nullptr, nullptr, &kKeysRule};
constinit const Op kPermutationOp{"permutation",    "0, ..., n - 1 in random order",
                                  Kind::kRandom,    InferPermutation,
                                  nullptr,          nullptr,
                                  &kPermutationRule};

Value RandomUniform(Arg key, DType dtype, Shape shape) {
  return Draw(kRandomUniformOp, key, dtype, std::move(shape));
}

Value RandomNormal(Arg key, DType dtype, Shape shape) {
  const UserLine line(key);
  // sqrt(-2 log u) cos(2 pi v), with u in (0, 1].
  const Value u = 1 - RandomUniform(key, dtype, shape);
  // Of another stream: FoldIn(key, 1) would be a key that users have as well.
  const Value v = Draw(kRandomUniformOp, key, dtype, std::move(shape), 1);
  return Sqrt(-2 * Log(u)) * Cos(2 * std::numbers::pi * v);
}

Value RandomBernoulli(Arg key, Arg probability, Shape shape) {
  const UserLine line(key), other(probability);  // of which one may have no tape
  const Value uniform = RandomUniform(key, kFloat32, shape);
  if (probability.is_number()) return Less(uniform, probability);
  // Numbers are drawn for `shape`: a wider probability would have some of them for several results.
  const Value here = OnOneTape({uniform, Cast(probability, kFloat32)})[1];
  return Less(uniform, BroadcastTo(here, shape));
}

Value Permutation(Arg key, Dim n) { return Draw(kPermutationOp, key, kInt32, {n}); }

Value FoldIn(Arg key, Arg number) {
  const UserLine line(key);
  const Value k = AsKey(key.value());
  if (!k.ok()) return MakeNode(kRandomKeysOp, {k}, TypeAttributes{}, key.line());
  return MakeNode(kRandomKeysOp, {k, AsKey(ToValue(number, k))}, TypeAttributes{kInt64, {}},
                  key.line());
}

Value FoldIn(Arg key, std::string_view name) {
  const UserLine line(key);
  const Value k = AsKey(key.value());
  if (!k.ok()) return MakeNode(kRandomKeysOp, {k}, TypeAttributes{}, key.line());
  const Value number = Tape(k.tape()).Constant(Array(HashOfName(name)));
  return MakeNode(kRandomKeysOp, {k, number}, TypeAttributes{kInt64, {}}, key.line());
}

}  // namespace talweg
