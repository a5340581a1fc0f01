#include <array>
#include <memory>

#include "graph/op.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

constexpr size_t kMaxArity = 3;

// The op's own loop along the innermost axis, inside of a nest over the rest.
class MapInstruction : public PlanStep {
 public:
  MapInstruction(MapLoop loop, size_t arity, const Address& out) : loop_(loop), arity_(arity) {
    addresses_[0] = out;
  }

  // The places have the extents of the result.
  void SetOperands(absl::Span<const Place> places, absl::Span<const Address> addresses,
                   const Place& out) {
    std::array<absl::Span<const int64_t>, kMaxArity + 1> strides;
    std::array<int64_t, kMaxArity + 1> bytes;
    strides.fill(out.strides);
    bytes.fill(SizeOf(out.dtype));
    for (size_t i = 0; i < arity_; i++) {
      addresses_[i + 1] = addresses[i];
      strides[i + 1] = places[i].strides;
      bytes[i + 1] = SizeOf(places[i].dtype);
    }
    nest_ = MakeNest<kMaxArity + 1>(out.dims, strides, bytes);
    const NestAxis<kMaxArity + 1> inner = TakeInner(nest_);
    n_ = inner.extent;
    for (size_t i = 0; i < arity_; i++) inner_[i] = inner.steps[i + 1] / bytes[i + 1];
  }

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(addresses_[0]);
    std::array<const std::byte*, kMaxArity> in{};
    for (size_t i = 0; i < arity_; i++) in[i] = frame.At(addresses_[i + 1]);
    if (nest_.empty()) {
      loop_(out, in.data(), inner_.data(), n_);
      return true;
    }
    ForEach(nest_, [&](const std::array<int64_t, kMaxArity + 1>& at) {
      std::array<const std::byte*, kMaxArity> rows{};
      for (size_t i = 0; i < arity_; i++) rows[i] = in[i] + at[i + 1];
      loop_(out + at[0], rows.data(), inner_.data(), n_);
    });
    return true;
  }

 private:
  const MapLoop loop_;
  const size_t arity_;
  std::array<Address, kMaxArity + 1> addresses_;  // the result, then the operands
  Nest<kMaxArity + 1> nest_;                      // in bytes
  std::array<int64_t, kMaxArity> inner_{};        // in elements
  int64_t n_ = 1;
};

}  // namespace

absl::Status PlanMap(Planner& planner) {
  const Node& node = planner.node();
  const size_t arity = node.operands.size();
  if (arity == 0 || arity > kMaxArity) return planner.Error("one to three operands expected");
  const Extents dims = planner.ResultDims();
  absl::InlinedVector<DType, kMaxArity> dtypes;
  for (size_t i = 0; i < arity; i++) {
    dtypes.push_back(planner.operand(i).dtype);
    if (planner.operand(i).dims != dims) return planner.Error("operands of different shapes");
  }
  const MapLoop loop = node.op->map->loop(dtypes, node.type().dtype, planner.program().wide());
  if (loop == nullptr) return planner.Error("not for these element types");
  const Place out = planner.NewValue(node.type().dtype, dims);
  auto map = std::make_unique<MapInstruction>(loop, arity, out.address);
  absl::InlinedVector<Place, kMaxArity> places;
  absl::InlinedVector<Address, kMaxArity> addresses;
  for (size_t i = 0; i < arity; i++) {
    places.push_back(planner.operand(i));
    addresses.push_back(planner.Read(planner.operand(i)));
  }
  map->SetOperands(places, addresses, out);
  planner.Emit(std::move(map), {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace talweg
