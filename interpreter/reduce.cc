#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "base/with_type.h"
#include "graph/op.h"
#include "interpreter/copy.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// Results that are worked on at once, so that their chains stay in the cache.
constexpr int64_t kTile = 512;

// A reduction in the order that the node states, by the loop of the op that combines two elements.
// Two ways to fill the lanes of that loop, which give the same bits:
//
//   across results  acc[chain][result] = f(acc[chain][result], x[result][term]), term after term;
//   across terms    acc[chain ...] = f(acc[chain ...], x[term ...]) for consecutive terms.
class ReduceInstruction : public PlanStep {
 public:
  ReduceInstruction(MapLoop combine, const Order& order, double identity, const Place& in,
                    const std::vector<int64_t>& axes, const Extents& out_dims)
      : combine_(combine),
        chains_(order.chains),
        size_(SizeOf(in.dtype)),
        identity_(ElementBytes(in.dtype, identity)) {
    Extents kept, kept_strides, summed, summed_strides;
    for (size_t axis = 0; axis < in.dims.size(); axis++) {
      const bool is_summed =
          std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(axis));
      (is_summed ? summed : kept).push_back(in.dims[axis]);
      (is_summed ? summed_strides : kept_strides).push_back(in.strides[axis]);
    }
    results_ = MakeNest<2>(kept, {ContiguousStrides(out_dims), kept_strides}, {size_, size_});
    lanes_ = TakeInner(results_);
    term_count_ = SizeOf(absl::MakeConstSpan(summed));
    block_ = order.block == 0 ? term_count_ : std::min<int64_t>(order.block, term_count_);
    if (term_count_ > 0) terms_ = MakeNest<1>(summed, {summed_strides}, {size_});
    run_ = TakeInner(terms_);
    across_terms_ = chains_ > 1 && run_.extent >= chains_ &&
                    (lanes_.extent < 8 || std::abs(run_.steps[0]) <= std::abs(lanes_.steps[1]));
  }

  // Bytes that Run needs at the address given to SetAddresses.
  int64_t scratch_bytes() const { return chains_ * Width() * size_; }
  void SetAddresses(const Address& out, const Address& in, const Address& scratch) {
    out_ = out;
    in_ = in;
    scratch_ = scratch;
  }

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(out_);
    const std::byte* in = frame.At(in_);
    std::byte* chains = frame.At(scratch_);
    ForEach(results_, [&](const std::array<int64_t, 2>& at) {
      const int64_t width = Width();
      for (int64_t lane = 0; lane < lanes_.extent; lane += width) {
        const int64_t n = std::min(width, lanes_.extent - lane);
        RunTile(out + at[0] + lane * size_, in + at[1] + lane * lanes_.steps[1], chains, n);
      }
    });
    return true;
  }

 private:
  int64_t Width() const { return across_terms_ ? 1 : std::min(kTile, lanes_.extent); }

  // Reduces for n neighbouring results, whose operands lie lanes_.steps[1] apart.
  void RunTile(std::byte* out, const std::byte* in, std::byte* chains, int64_t n) const {
    // A single chain is the result itself.
    const bool direct = chains_ == 1 && block_ == term_count_;
    std::byte* acc = direct ? out : chains;
    const int64_t chain_bytes = n * size_;
    FillRun(size_, acc, identity_.data(), n * chains_);
    if (term_count_ == 0) {
      if (!direct) Join(chains, n);
      if (!direct) std::memcpy(out, chains, static_cast<size_t>(n * size_));
      return;
    }
    int64_t in_block = 0;  // terms of the present block so far
    bool first_block = true;
    const int64_t lane_step = lanes_.steps[1] / size_, term_step = run_.steps[0] / size_;
    const auto end_block = [&] {
      Join(chains, n);
      if (first_block) {
        std::memcpy(out, chains, static_cast<size_t>(n * size_));
      } else {
        Combine(out, chains, 1, n);
      }
      first_block = false;
      in_block = 0;
      FillRun(size_, acc, identity_.data(), n * chains_);
    };
    ForEach(terms_, [&](const std::array<int64_t, 1>& at) {
      const std::byte* term = in + at[0];
      for (int64_t i = 0; i < run_.extent;) {
        const int64_t chain = in_block % chains_;
        int64_t count = 1;
        if (across_terms_) {
          count = std::min({chains_ - chain, run_.extent - i, block_ - in_block});
          Combine(acc + chain * size_, term, term_step, count);
        } else {
          Combine(acc + chain * chain_bytes, term, lane_step, n);
        }
        i += count;
        term += count * run_.steps[0];
        in_block += count;
        if (in_block == block_ && !direct) end_block();
      }
    });
    if (!direct && in_block > 0) end_block();
  }

  // acc[i] = f(acc[i], x[i * step]) for i < n
  void Combine(std::byte* acc, const std::byte* x, int64_t step, int64_t n) const {
    const std::byte* in[2] = {acc, x};
    const int64_t steps[2] = {1, step};
    combine_(acc, in, steps, n);
  }

  // The halving tree: chain c takes chain c + half.
  void Join(std::byte* chains, int64_t n) const {
    for (int64_t half = chains_ / 2; half > 0; half /= 2) {
      Combine(chains, chains + half * n * size_, 1, half * n);
    }
  }

  const MapLoop combine_;
  const int64_t chains_, size_;
  const std::array<std::byte, 8> identity_;
  Nest<2> results_;  // (result, operand), in bytes, but for the innermost axis:
  NestAxis<2> lanes_;
  Nest<1> terms_;  // the summed axes, but for the innermost:
  NestAxis<1> run_;
  int64_t term_count_ = 0, block_ = 0;
  bool across_terms_ = false;
  Address out_, in_, scratch_;
};

template <typename T>
bool IsSame(T a, T b) {
  return a == b || (a != a && b != b);
}

// The place of the first element that equals the one which the reduction picked; a NaN equals a
// NaN.
template <typename T>
class PlaceInstruction : public PlanStep {
 public:
  PlaceInstruction(const Address& out, const Address& best, const Address& in, const Place& place,
                   const std::vector<int64_t>& axes)
      : out_(out), best_(best), in_(in) {
    Extents kept, kept_strides, searched, searched_strides;
    for (size_t axis = 0; axis < place.dims.size(); axis++) {
      const bool is_searched =
          std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(axis));
      (is_searched ? searched : kept).push_back(place.dims[axis]);
      (is_searched ? searched_strides : kept_strides).push_back(place.strides[axis]);
    }
    count_ = SizeOf(absl::MakeConstSpan(searched));
    results_ = MakeNest<1>(kept, {kept_strides}, {1});
    if (count_ > 0) terms_ = MakeNest<1>(searched, {searched_strides}, {1});
    run_ = TakeInner(terms_);
  }

  bool Run(Frame& frame) const override {
    auto* out = reinterpret_cast<int64_t*>(frame.At(out_));
    const T* best = reinterpret_cast<const T*>(frame.At(best_));
    const T* in = reinterpret_cast<const T*>(frame.At(in_));
    ForEach(results_, [&](const std::array<int64_t, 1>& at) {
      *out++ = count_ == 0 ? 0 : Find(in + at[0], *best);
      best++;
    });
    return true;
  }

 private:
  int64_t Find(const T* in, T best) const {
    int64_t found = -1, before = 0;
    ForEach(terms_, [&](const std::array<int64_t, 1>& at) {
      if (found >= 0) return;
      for (int64_t i = 0; i < run_.extent; i++) {
        if (IsSame(in[at[0] + i * run_.steps[0]], best)) {
          found = before + i;
          return;
        }
      }
      before += run_.extent;
    });
    return std::max<int64_t>(found, 0);
  }

  const Address out_, best_, in_;
  Nest<1> results_, terms_;  // in elements; the innermost searched axis apart
  NestAxis<1> run_;
  int64_t count_ = 0;
};

}  // namespace

absl::Status PlanReduce(Planner& planner) {
  const Node& node = planner.node();
  const auto& attributes = node.As<ReduceAttributes>();
  const ReduceRule& rule = *node.op->reduce;
  const Place in = planner.operand(0);
  const Order order = attributes.order;
  const std::array<DType, 2> dtypes = {in.dtype, in.dtype};
  const MapLoop combine = rule.combine->map->loop(dtypes, in.dtype, planner.program().wide());
  if (combine == nullptr) return planner.Error("not for this element type");
  const Extents dims = planner.ResultDims();
  auto reduce = std::make_unique<ReduceInstruction>(combine, order, rule.identity(in.dtype), in,
                                                    attributes.axes, dims);
  const Place best = planner.NewValue(in.dtype, dims);
  const Address scratch = planner.Scratch(reduce->scratch_bytes());
  reduce->SetAddresses(best.address, planner.Read(in), scratch);
  planner.Emit(std::move(reduce), {best});
  if (!rule.place) {
    planner.Return(best);
    return absl::OkStatus();
  }
  const Place out = planner.NewValue(kInt64, dims);
  const Address best_address = planner.Read(best), in_address = planner.Read(in);
  planner.Emit(WithType(in.dtype,
                        [&]<typename T>(T) -> std::unique_ptr<PlanStep> {
                          return std::make_unique<PlaceInstruction<T>>(
                              out.address, best_address, in_address, in, attributes.axes);
                        }),
               {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace talweg
