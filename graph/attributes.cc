#include "graph/attributes.h"

#include <cstring>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"

namespace talweg {
namespace {

// Constants are the same where their bytes are: -0 is not 0, and a NaN equals itself.
bool SameBytes(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && a.dims() == b.dims() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

bool SameGraph(const std::shared_ptr<const Graph>& a, const std::shared_ptr<const Graph>& b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

uint64_t Bits(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

struct Hasher {
  size_t operator()(const std::monostate&) const { return 0; }
  size_t operator()(const InputAttributes& a) const { return absl::HashOf(a.name); }
  size_t operator()(const ConstantAttributes& a) const {
    const Array& v = a.value;
    return absl::HashOf(
        static_cast<int>(v.dtype()), v.dims(),
        absl::string_view(reinterpret_cast<const char*>(v.raw()), static_cast<size_t>(v.bytes())));
  }
  size_t operator()(const SizeAttributes& a) const { return absl::HashOf(a.dim); }
  size_t operator()(const ShapeAttributes& a) const { return absl::HashOf(a.shape); }
  size_t operator()(const CastAttributes& a) const {
    return absl::HashOf(static_cast<int>(a.dtype));
  }
  size_t operator()(const ViewAttributes& a) const {
    size_t h = absl::HashOf(Bits(a.fill), a.shape);
    for (const AxisMap& axis : a.axes) {
      h = absl::HashOf(h, axis.offset, axis.dilation);
      for (const AxisMap::Term& term : axis.terms) h = absl::HashOf(h, term.axis, term.step);
    }
    return h;
  }
  size_t operator()(const ConcatAttributes& a) const { return absl::HashOf(a.axis); }
  size_t operator()(const ReduceAttributes& a) const { return absl::HashOf(a.axes, a.order); }
  size_t operator()(const GatherAttributes& a) const { return absl::HashOf(a.axis, a.batch); }
  size_t operator()(const ScatterAddAttributes& a) const {
    return absl::HashOf(a.axis, a.batch, a.size);
  }
  size_t operator()(const ContractAttributes& a) const {
    return absl::HashOf(a.lhs_batch, a.rhs_batch, a.lhs_sum, a.rhs_sum, a.order);
  }
  size_t operator()(const TypeAttributes& a) const {
    return absl::HashOf(static_cast<int>(a.dtype), a.shape);
  }
  size_t operator()(const LoopAttributes& a) const {
    return absl::HashOf(a.body->Hash(), a.captures, a.carried, a.scanned, a.stacked, a.reversed,
                        a.stops, a.binds_rows, a.length, a.rows_limit, a.whole);
  }
  size_t operator()(const PartAttributes& a) const { return absl::HashOf(a.index); }
  size_t operator()(const CustomAttributes& a) const { return a.gradient->Hash(); }
};

}  // namespace

bool operator==(const ConstantAttributes& a, const ConstantAttributes& b) {
  return SameBytes(a.value, b.value);
}

bool operator==(const ViewAttributes& a, const ViewAttributes& b) {
  return a.axes == b.axes && a.shape == b.shape && Bits(a.fill) == Bits(b.fill);
}

bool operator==(const LoopAttributes& a, const LoopAttributes& b) {
  return a.captures == b.captures && a.carried == b.carried && a.scanned == b.scanned &&
         a.stacked == b.stacked && a.reversed == b.reversed && a.stops == b.stops &&
         a.binds_rows == b.binds_rows && a.length == b.length && a.rows_limit == b.rows_limit &&
         a.whole == b.whole && SameGraph(a.body, b.body);
}

bool operator==(const CustomAttributes& a, const CustomAttributes& b) {
  return SameGraph(a.gradient, b.gradient);
}

size_t HashOf(const Attributes& attributes) {
  return absl::HashOf(attributes.index(), std::visit(Hasher{}, attributes));
}

}  // namespace talweg
