#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "graph/scalar.h"
#include "interpreter/contract_kernels.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// Terms and lanes that are packed at once, so that they stay in the caches.
constexpr int64_t kPackedTerms = 256;
constexpr int64_t kPackedLanes = 128;
constexpr int64_t kMaxTable = int64_t{1} << 27;
// Bytes that no machine has; sums of a few such do not overflow.
constexpr int64_t kMostScratch = int64_t{1} << 58;

// Several axes walked as one, in row-major order: offsets in elements.
class Walk {
 public:
  Walk() = default;
  Walk(const Extents& dims, const Extents& strides) {
    count_ = SizeOf(absl::MakeConstSpan(dims));
    if (count_ == 0) return;
    const Nest<1> nest = MakeNest<1>(dims, {strides}, {1});
    if (nest.size() <= 1) {
      step_ = nest.empty() ? 0 : nest[0].steps[0];
      return;
    }
    even_ = false;
    if (count_ > kMaxTable) return;
    table_.reserve(static_cast<size_t>(count_));
    ForEach(nest, [&](const std::array<int64_t, 1>& at) { table_.push_back(at[0]); });
  }

  int64_t count() const { return count_; }
  bool even() const { return even_; }
  // Whether it would take a table of more than a gigabyte, which only a broadcast can ask for.
  bool TooLong() const { return !even_ && table_.empty(); }
  int64_t step() const { return step_; }
  int64_t At(int64_t i) const { return even_ ? i * step_ : table_[static_cast<size_t>(i)]; }

 private:
  int64_t count_ = 1, step_ = 0;
  bool even_ = true;
  std::vector<int64_t> table_;  // where no single step walks them
};

// An operand's axes by their part in the contraction.
struct Side {
  Walk batch, kept, sum;
  bool TooLong() const { return batch.TooLong() || kept.TooLong() || sum.TooLong(); }
};

Side MakeSide(const Place& place, const std::vector<int64_t>& batch,
              const std::vector<int64_t>& sum) {
  const auto pick = [&](absl::Span<const int64_t> axes) {
    Extents dims, strides;
    for (int64_t axis : axes) {
      dims.push_back(place.dims[static_cast<size_t>(axis)]);
      strides.push_back(place.strides[static_cast<size_t>(axis)]);
    }
    return Walk(dims, strides);
  };
  return {pick(batch), pick(KeptAxes(place.dims.size(), batch, sum)), pick(sum)};
}

// out[b, i, j] = sum over k of x[b, i, k] y[b, j, k]; x is lhs or rhs, whatever suits the kernels.
template <typename T>
class ContractInstruction : public PlanStep {
 public:
  ContractInstruction(Side lhs, Side rhs, const Order& order, bool wide)
      : order_(order),
        kernels_(KernelsOf<T>(wide)),
        x_(std::move(lhs)),
        y_(std::move(rhs)),
        out_x_(y_.kept.count()) {
    batches_ = x_.batch.count();
    terms_ = x_.sum.count();
    out_batch_ = x_.kept.count() * y_.kept.count();
    // One chain: y lies in the lanes. Of both choices the one that wastes fewer lanes, and then the
    // one whose lanes are contiguous in the result. Many chains: y is the thin side.
    const auto padded = [](int64_t n) {
      return static_cast<double>((n + kTileLanes<T> - 1) / kTileLanes<T> * kTileLanes<T>);
    };
    const double as_is = static_cast<double>(x_.kept.count()) * padded(y_.kept.count());
    const double swapped = static_cast<double>(y_.kept.count()) * padded(x_.kept.count());
    if (IsTiled() ? swapped < as_is : x_.kept.count() < y_.kept.count()) {
      std::swap(x_, y_);
      std::swap(out_x_, out_y_);
      swapped_ = true;
    }
  }

  // (A broadcast operand may have as many terms as numbers reach.)
  __int128 scratch_bytes() const {
    __int128 elements = 0;
    if (IsTiled()) {
      const int64_t terms = std::min(terms_, kPackedTerms);
      const int64_t lanes = std::min(y_.kept.count() + kTileLanes<T>, kPackedLanes);
      elements = kTileRows * kTileLanes<T> + terms * (kTileRows + lanes);
    } else if (IsDot()) {
      elements = static_cast<__int128>(PaddedTerms()) * (y_.kept.count() + 1);
    } else {
      elements = order_.chains;
    }
    return elements * static_cast<int64_t>(sizeof(T));
  }

  void SetAddresses(const Address& out, const Address& lhs, const Address& rhs,
                    const Address& scratch) {
    out_ = out;
    x_address_ = swapped_ ? rhs : lhs;
    y_address_ = swapped_ ? lhs : rhs;
    scratch_ = scratch;
  }

  bool Run(Frame& frame) const override {
    T* out = reinterpret_cast<T*>(frame.At(out_));
    const T* x = reinterpret_cast<const T*>(frame.At(x_address_));
    const T* y = reinterpret_cast<const T*>(frame.At(y_address_));
    T* scratch = reinterpret_cast<T*>(frame.At(scratch_));
    if (terms_ == 0) {
      std::fill(out, out + batches_ * out_batch_, T{0});
      return true;
    }
    for (int64_t b = 0; b < batches_; b++) {
      const T* x_batch = x + x_.batch.At(b);
      const T* y_batch = y + y_.batch.At(b);
      if (IsTiled()) {
        RunTiles(out, x_batch, y_batch, scratch);
      } else if (IsDot()) {
        RunDots(out, x_batch, y_batch, scratch);
      } else {
        RunAnyOrder(out, x_batch, y_batch, scratch);
      }
      out += out_batch_;
    }
    return true;
  }

 private:
  bool IsTiled() const { return order_.chains == 1 && order_.block == 0; }
  bool IsDot() const { return order_.chains == kManyChains && order_.block == 0; }
  int64_t PaddedTerms() const { return (terms_ + kManyChains - 1) / kManyChains * kManyChains; }

  // Where a kernel reads: the distances of terms, and of rows.
  struct Panel {
    const T* data;
    int64_t term, row;
  };

  // One chain: each element of the result is a lane. The result holds the chains between blocks of
  // terms.
  void RunTiles(T* out, const T* x, const T* y, T* scratch) const {
    for (int64_t k = 0; k < terms_; k += kPackedTerms) {
      for (int64_t lane = 0; lane < y_.kept.count(); lane += kPackedLanes) {
        RunBlock(out, x, y, scratch, k, lane);
      }
    }
  }

  // Terms from k and lanes from `lane` on, as many as are packed at once.
  void RunBlock(T* out, const T* x, const T* y, T* scratch, int64_t k, int64_t lane) const {
    constexpr int64_t kLanes = kTileLanes<T>;
    const int64_t terms = std::min(kPackedTerms, terms_ - k);
    const int64_t rows = x_.kept.count(), lanes = y_.kept.count();
    T* const tile = scratch;
    T* const packed_x = tile + kTileRows * kLanes;
    T* const packed_y = packed_x + std::min(terms_, kPackedTerms) * kTileRows;
    // Packing pays where what is packed is read often enough.
    const bool x_in_place = x_.sum.even() && x_.kept.even() && lanes <= 4 * kLanes;
    const bool y_in_place =
        y_.sum.even() && y_.kept.even() && y_.kept.step() == 1 && rows <= 8 * kTileRows;
    const int64_t lane_end = std::min(lane + kPackedLanes, lanes);
    const int64_t full_end = lane + (lane_end - lane) / kLanes * kLanes;
    const int64_t pack_from = y_in_place ? full_end : lane;
    PackLanes(packed_y, y, k, terms, pack_from, lane_end);
    for (int64_t row = 0; row < rows; row += kTileRows) {
      const int64_t height = std::min(kTileRows, rows - row);
      Panel a{packed_x, height, 1};
      if (x_in_place) {
        a = {x + x_.kept.At(row) + x_.sum.At(k), x_.sum.step(), x_.kept.step()};
      } else {
        PackRows(packed_x, x, k, terms, row, height);
      }
      const TileKernel<T> kernel = kernels_.tile[static_cast<size_t>(height - 1)];
      for (int64_t at = lane; at < lane_end; at += kLanes) {
        Panel b{packed_y + (at - pack_from) * terms, kLanes, 0};
        if (at < pack_from) b = {y + at + y_.sum.At(k), y_.sum.step(), 0};
        T* c = out + row * out_x_ + at * out_y_;
        if (out_y_ == 1 && at < full_end) {
          kernel(terms, a.data, a.term, a.row, b.data, b.term, c, out_x_, k > 0);
          continue;
        }
        // Fewer lanes than a tile has, or lanes that do not lie next to each other in the result.
        const int64_t width = std::min(kLanes, lane_end - at);
        if (k > 0) CopyTile(tile, kLanes, 1, c, out_x_, out_y_, height, width);
        kernel(terms, a.data, a.term, a.row, b.data, b.term, tile, kLanes, k > 0);
        CopyTile(c, out_x_, out_y_, tile, kLanes, 1, height, width);
      }
    }
  }

  static void CopyTile(T* to, int64_t to_row, int64_t to_lane, const T* from, int64_t from_row,
                       int64_t from_lane, int64_t height, int64_t width) {
    for (int64_t r = 0; r < height; r++) {
      for (int64_t i = 0; i < width; i++) {
        to[r * to_row + i * to_lane] = from[r * from_row + i * from_lane];
      }
    }
  }

  // packed[panel][term][lane]; lanes beyond the end are zero, and nothing of them is kept.
  void PackLanes(T* packed, const T* y, int64_t first_term, int64_t terms, int64_t begin,
                 int64_t end) const {
    for (int64_t panel = begin; panel < end; panel += kTileLanes<T>) {
      const int64_t width = std::min(kTileLanes<T>, end - panel);
      for (int64_t k = 0; k < terms; k++) {
        const T* from = y + y_.sum.At(first_term + k);
        if (y_.kept.even()) {
          from += y_.kept.At(panel);
          const int64_t step = y_.kept.step();
          for (int64_t i = 0; i < width; i++) packed[i] = from[i * step];
        } else {
          for (int64_t i = 0; i < width; i++) packed[i] = from[y_.kept.At(panel + i)];
        }
        std::fill(packed + width, packed + kTileLanes<T>, T{0});
        packed += kTileLanes<T>;
      }
    }
  }

  // packed[term][row]
  void PackRows(T* packed, const T* x, int64_t first_term, int64_t terms, int64_t row,
                int64_t height) const {
    for (int64_t r = 0; r < height; r++) {
      const T* from = x + x_.kept.At(row + r);
      for (int64_t k = 0; k < terms; k++) {
        packed[k * height + r] = from[x_.sum.At(first_term + k)];
      }
    }
  }

  // Many chains: the terms lie in the lanes.
  void RunDots(T* out, const T* x, const T* y, T* scratch) const {
    const int64_t padded = PaddedTerms(), blocks = padded / kManyChains;
    T* const packed_x = scratch;
    T* const packed_y = packed_x + padded;
    const bool whole = padded == terms_;
    const bool x_in_place = whole && x_.sum.even() && x_.sum.step() == 1;
    const bool y_in_place = whole && y_.sum.even() && y_.sum.step() == 1 && y_.kept.even();
    const int64_t y_count = y_.kept.count();
    if (!y_in_place) {
      for (int64_t j = 0; j < y_count; j++) {
        PackTerms(packed_y + j * padded, y + y_.kept.At(j), y_.sum, T{0});
      }
    }
    for (int64_t i = 0; i < x_.kept.count(); i++) {
      const T* row = x + x_.kept.At(i);
      if (!x_in_place) {
        // The padding's products are -0: only that leaves any sum as it is, -0 included.
        PackTerms(packed_x, row, x_.sum, std::is_floating_point_v<T> ? -T{0} : T{0});
        row = packed_x;
      }
      if (y_in_place) {
        kernels_.dot(blocks, row, y, y_.kept.step(), y_count, out + i * out_x_, out_y_);
      } else {
        kernels_.dot(blocks, row, packed_y, padded, y_count, out + i * out_x_, out_y_);
      }
    }
  }

  void PackTerms(T* packed, const T* from, const Walk& sum, T padding) const {
    if (sum.even()) {
      const int64_t step = sum.step();
      if (step == 1) {
        std::copy(from, from + terms_, packed);
      } else {
        for (int64_t k = 0; k < terms_; k++) packed[k] = from[k * step];
      }
    } else {
      for (int64_t k = 0; k < terms_; k++) packed[k] = from[sum.At(k)];
    }
    std::fill(packed + terms_, packed + PaddedTerms(), padding);
  }

  // The order as it is written, for those that no tape makes.
  void RunAnyOrder(T* out, const T* x, const T* y, T* chains) const {
    const int64_t block = order_.block == 0 ? terms_ : order_.block;
    for (int64_t i = 0; i < x_.kept.count(); i++) {
      for (int64_t j = 0; j < y_.kept.count(); j++) {
        const T* row = x + x_.kept.At(i);
        const T* column = y + y_.kept.At(j);
        Number<T> total = T{0};
        for (int64_t first = 0; first < terms_; first += block) {
          std::fill(chains, chains + order_.chains, T{0});
          const int64_t end = std::min(first + block, terms_);
          for (int64_t k = first; k < end; k++) {
            T& chain = chains[(k - first) % order_.chains];
            chain =
                Fma(Number<T>(row[x_.sum.At(k)]), Number<T>(column[y_.sum.At(k)]), Number<T>(chain))
                    .raw();
          }
          for (int32_t half = order_.chains / 2; half > 0; half /= 2) {
            for (int32_t c = 0; c < half; c++) {
              chains[c] = (Number<T>(chains[c]) + Number<T>(chains[c + half])).raw();
            }
          }
          total = first == 0 ? Number<T>(chains[0]) : total + Number<T>(chains[0]);
        }
        out[i * out_x_ + j * out_y_] = total.raw();
      }
    }
  }

  const Order order_;
  const ContractKernels<T> kernels_;
  Side x_, y_;
  bool swapped_ = false;  // whether x is rhs
  int64_t batches_ = 1, terms_ = 0;
  int64_t out_batch_ = 0, out_x_ = 0, out_y_ = 1;  // distances in the result
  Address out_, x_address_, y_address_, scratch_;
};

template <typename T>
absl::Status EmitContract(Planner& planner) {
  const auto& attributes = planner.node().As<ContractAttributes>();
  const Place lhs = planner.operand(0), rhs = planner.operand(1);
  Side left = MakeSide(lhs, attributes.lhs_batch, attributes.lhs_sum);
  Side right = MakeSide(rhs, attributes.rhs_batch, attributes.rhs_sum);
  if (left.TooLong() || right.TooLong()) {
    return NodeError(absl::StatusCode::kResourceExhausted, planner.program().graph(), planner.id(),
                     "more than 2^27 products of broadcast axes that no single stride walks");
  }
  auto contract = std::make_unique<ContractInstruction<T>>(
      std::move(left), std::move(right), attributes.order, planner.program().wide());
  const __int128 bytes = contract->scratch_bytes();
  if (bytes > kMostScratch) {
    return NodeError(absl::StatusCode::kResourceExhausted, planner.program().graph(), planner.id(),
                     "more terms of broadcast axes than fit in memory");
  }
  const Place out = planner.NewValue(lhs.dtype, planner.ResultDims());
  const Address scratch = planner.Scratch(static_cast<int64_t>(bytes));
  const Address lhs_address = planner.Read(lhs), rhs_address = planner.Read(rhs);
  contract->SetAddresses(out.address, lhs_address, rhs_address, scratch);
  planner.Emit(std::move(contract), {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace

absl::Status PlanContract(Planner& planner) {
  switch (planner.operand(0).dtype) {
    case kFloat32:
      return EmitContract<float>(planner);
    case kFloat64:
      return EmitContract<double>(planner);
    case kInt32:
      return EmitContract<int32_t>(planner);
    case kInt64:
      return EmitContract<int64_t>(planner);
    case kBool:
      break;
  }
  return planner.Error("not for bool");
}

}  // namespace talweg
