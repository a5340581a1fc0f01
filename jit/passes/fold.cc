// What depends on constants alone is computed now, by the loops that the interpreter runs.

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/core_ops.h"
#include "graph/expr.h"
#include "jit/passes/affine.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"
#include "jit/passes/rules.h"
#include "ops/table.h"

namespace talweg::passes {
namespace {

// Constants of more elements would be slow to make, to print and to store with the code.
constexpr int64_t kMostElements = 4096;
// Bytes of all constants that one run makes.
constexpr int64_t kMostBytes = int64_t{16} << 20;

// Enough for one element of any type.
using Element = std::array<std::byte, 8>;

// The value of a constant; null for other nodes.
const Array* ValueOf(const GraphBuilder& graph, NodeId id) {
  const Node& node = graph.node(id);
  return node.kind() == Kind::kConstant ? &node.As<ConstantAttributes>().value : nullptr;
}

// Room for a node's result; nothing where that is too large, or not known now.
std::optional<Array> NewResult(const Node& node) {
  if (!IsStatic(node.type().shape)) return std::nullopt;
  const Dims dims = Resolve(node.type().shape, {});
  if (SizeOf(absl::MakeConstSpan(dims)) > kMostElements) return std::nullopt;
  absl::StatusOr<Array> array = Array::Zeros(node.type().dtype, dims);
  if (!array.ok()) return std::nullopt;
  return *std::move(array);
}

// Calls f(indices) for each point of the extents, in row-major order.
template <typename F>
void ForEach(absl::Span<const int64_t> dims, const F& f) {
  Dims at(dims.size(), 0);
  const int64_t points = SizeOf(dims);
  for (int64_t i = 0; i < points; i++) {
    f(absl::MakeConstSpan(at));
    for (size_t axis = dims.size(); axis-- > 0 && ++at[axis] == dims[axis];) at[axis] = 0;
  }
}

// Whether functions of the C library compute it: their bits depend on which one a process has, and
// of the cached code on none.
bool CallsLibrary(const MapRule& map, absl::Span<const DType> dtypes, DType result) {
  ScalarProgram program;
  std::vector<Expr> operands;
  for (const DType dtype : dtypes) operands.push_back(program.Input(dtype));
  map.expr(operands.data(), result);
  return absl::c_any_of(program.instructions(),
                        [](const Instruction& i) { return i.opcode == Opcode::kCall; });
}

// At least one operand must be as large as the result: of scalars that are spread, the constant
// would be larger than they are.
std::optional<Array> FoldMap(const GraphBuilder& graph, const Node& node) {
  std::optional<Array> result = NewResult(node);
  if (!result) return std::nullopt;
  std::vector<DType> dtypes;
  std::vector<const std::byte*> in;
  std::vector<int64_t> strides;
  std::array<uint64_t, 3> scalars{};
  bool as_large = false;
  for (size_t k = 0; k < node.operands.size(); k++) {
    const NodeId operand = node.operands[k];
    dtypes.push_back(graph.type(operand).dtype);
    if (const Array* value = ValueOf(graph, operand)) {
      in.push_back(value->raw());
      strides.push_back(1);
      as_large = true;
    } else if (const std::optional<uint64_t> bits = UniformBits(graph, operand)) {
      scalars[k] = *bits;
      in.push_back(reinterpret_cast<const std::byte*>(&scalars[k]));
      strides.push_back(0);
    } else {
      return std::nullopt;
    }
  }
  const MapLoop loop = node.op->map->loop(dtypes, node.type().dtype, /*wide=*/false);
  if (!as_large || loop == nullptr) return std::nullopt;
  if (CallsLibrary(*node.op->map, dtypes, node.type().dtype)) return std::nullopt;
  if (result->size() > 0) loop(result->mutable_bytes(), in.data(), strides.data(), result->size());
  return result;
}

std::optional<Array> FoldView(const GraphBuilder& graph, const Node& node) {
  const Array* x = ValueOf(graph, node.operands[0]);
  std::optional<Array> result = NewResult(node);
  // A scalar that is spread is in its best form.
  if (x == nullptr || !result || x->rank() == 0 || result->size() > x->size()) return std::nullopt;
  const auto& view = node.As<ViewAttributes>();
  const auto size = static_cast<size_t>(SizeOf(x->dtype()));
  const uint64_t fill = BitsOf(x->dtype(), view.fill);
  const Dims strides = RowMajorStrides(x->dims());
  std::byte* out = result->mutable_bytes();
  ForEach(result->dims(), [&](absl::Span<const int64_t> at) {
    const std::byte* element = reinterpret_cast<const std::byte*>(&fill);
    int64_t offset = 0;
    bool inside = true;
    for (size_t k = 0; k < view.axes.size(); k++) {
      const AxisMap& map = view.axes[k];
      int64_t index = map.offset;
      for (const AxisMap::Term& term : map.terms) {
        index += term.step * at[static_cast<size_t>(term.axis)];
      }
      inside =
          inside && index % map.dilation == 0 && index >= 0 && index / map.dilation < x->dims()[k];
      if (inside) offset += index / map.dilation * strides[k];
    }
    if (inside) element = x->raw() + static_cast<size_t>(offset) * size;
    std::memcpy(out, element, size);
    out += size;
  });
  return result;
}

std::optional<Array> FoldReshape(const GraphBuilder& graph, const Node& node) {
  const Array* x = ValueOf(graph, node.operands[0]);
  if (x == nullptr) return std::nullopt;
  absl::StatusOr<Array> result = x->Reshaped(Resolve(node.type().shape, {}));
  if (!result.ok()) return std::nullopt;
  return *std::move(result);
}

std::optional<Array> FoldConcat(const GraphBuilder& graph, const Node& node) {
  for (NodeId operand : node.operands) {
    if (ValueOf(graph, operand) == nullptr) return std::nullopt;
  }
  std::optional<Array> result = NewResult(node);
  if (!result) return std::nullopt;
  // The axes before the concatenated one count chunks, of which each operand has its own size.
  const auto axis = static_cast<size_t>(node.As<ConcatAttributes>().axis);
  int64_t chunks = 1;
  for (size_t i = 0; i < axis; i++) chunks *= result->dims()[i];
  std::byte* out = result->mutable_bytes();
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    for (NodeId operand : node.operands) {
      const Array& x = *ValueOf(graph, operand);
      const auto bytes = static_cast<size_t>(x.bytes() / chunks);
      std::memcpy(out, x.raw() + static_cast<size_t>(chunk) * bytes, bytes);
      out += bytes;
    }
  }
  return result;
}

// A reduction of one list of terms, in the order that the node states (graph/order.h).
class Reduction {
 public:
  Reduction(const ReduceRule& rule, DType dtype, const Order& order)
      : combine_(rule.combine->map->loop(std::vector<DType>(2, dtype), dtype, /*wide=*/false)),
        size_(static_cast<size_t>(SizeOf(dtype))),
        order_(order) {
    const uint64_t identity = BitsOf(dtype, rule.identity(dtype));
    std::memcpy(identity_.data(), &identity, identity_.size());
  }

  Element Of(absl::Span<const std::byte* const> terms) const {
    const size_t block = order_.block == 0 ? terms.size() : static_cast<size_t>(order_.block);
    Element result = Block(terms.subspan(0, block));
    for (size_t i = block; i < terms.size(); i += block) {
      Combine(result, Block(terms.subspan(i, block)).data());
    }
    return result;
  }

 private:
  void Combine(Element& into, const std::byte* term) const {
    const std::byte* in[2] = {into.data(), term};
    const int64_t strides[2] = {0, 0};
    combine_(into.data(), in, strides, 1);
  }

  Element Block(absl::Span<const std::byte* const> terms) const {
    std::vector<Element> chains(static_cast<size_t>(order_.chains), identity_);
    for (size_t i = 0; i < terms.size(); i++) Combine(chains[i % chains.size()], terms[i]);
    for (size_t half = chains.size() / 2; half > 0; half /= 2) {
      for (size_t c = 0; c < half; c++) Combine(chains[c], chains[c + half].data());
    }
    return chains[0];
  }

  const MapLoop combine_;
  const size_t size_;
  const Order order_;
  Element identity_{};
};

std::optional<Array> FoldReduce(const GraphBuilder& graph, const Node& node) {
  const Array* x = ValueOf(graph, node.operands[0]);
  if (x == nullptr || x->size() > kMostElements || node.op->reduce->place) return std::nullopt;
  std::optional<Array> result = NewResult(node);
  if (!result) return std::nullopt;
  const auto& attributes = node.As<ReduceAttributes>();
  const auto size = static_cast<size_t>(SizeOf(x->dtype()));
  const Dims strides = RowMajorStrides(x->dims());
  Dims kept, kept_strides, summed, summed_strides;
  for (size_t axis = 0; axis < x->dims().size(); axis++) {
    const bool is_summed = absl::c_linear_search(attributes.axes, static_cast<int64_t>(axis));
    (is_summed ? summed : kept).push_back(x->dims()[axis]);
    (is_summed ? summed_strides : kept_strides).push_back(strides[axis]);
  }
  const auto at = [&](absl::Span<const int64_t> indices, const Dims& steps) {
    int64_t offset = 0;
    for (size_t i = 0; i < indices.size(); i++) offset += indices[i] * steps[i];
    return static_cast<size_t>(offset) * size;
  };
  const Reduction reduction(*node.op->reduce, x->dtype(), attributes.order);
  std::byte* out = result->mutable_bytes();
  ForEach(kept, [&](absl::Span<const int64_t> indices) {
    const std::byte* first = x->raw() + at(indices, kept_strides);
    std::vector<const std::byte*> terms;
    ForEach(summed, [&](absl::Span<const int64_t> term) {
      terms.push_back(first + at(term, summed_strides));
    });
    std::memcpy(out, reduction.Of(terms).data(), size);
    out += size;
  });
  return result;
}

// Single numbers only: keys that are made of keys. More are made quickly where they are used.
std::optional<Array> FoldRandom(const GraphBuilder& graph, const Node& node) {
  const Array *key = ValueOf(graph, node.operands[0]), *stream = ValueOf(graph, node.operands[1]);
  if (key == nullptr || stream == nullptr || !node.type().shape.empty()) return std::nullopt;
  // What a user's own op draws may be something else in the next process, which takes this one's
  // code (jit/image.h).
  if (!absl::c_linear_search(AllOps(), node.op)) return std::nullopt;
  std::optional<Array> result = NewResult(node);
  if (!result) return std::nullopt;
  node.op->random->fill(BitsOf(*key, 0), BitsOf(*stream, 0), node.type().dtype, 1,
                        result->mutable_bytes());
  return result;
}

std::optional<Array> Folded(const GraphBuilder& graph, const Node& node) {
  switch (node.kind()) {
    case Kind::kMap:
      return FoldMap(graph, node);
    case Kind::kView:
      return FoldView(graph, node);
    case Kind::kReshape:
      return FoldReshape(graph, node);
    case Kind::kConcat:
      return FoldConcat(graph, node);
    case Kind::kReduce:
      return FoldReduce(graph, node);
    case Kind::kRandom:
      return FoldRandom(graph, node);
    default:
      return std::nullopt;
  }
}

}  // namespace

Graph FoldConstants(const Graph& graph) {
  int64_t left = kMostBytes;
  return Rewrite::Run(graph, [&](Rewrite& rewrite, Node node) -> NodeId {
    std::optional<Array> value;
    if (left > 0) value = Folded(rewrite.out(), node);
    if (!value) return rewrite.out().Add(std::move(node));
    left -= value->bytes();
    return MakeConstant(rewrite, *std::move(value), node.line);
  });
}

}  // namespace talweg::passes
