#ifndef TALWEG_JIT_LOOPS_MACRO_H_
#define TALWEG_JIT_LOOPS_MACRO_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "jit/loops/level.h"
#include "jit/loops/nest.h"
#include "jit/loops/reader.h"

namespace talweg::loops {

// Contractions that are too large for a cache (private to jit/loops): the loops of K. Goto and R.
// van de Geijn, "Anatomy of High-Performance Matrix Multiplication", around a small kernel that
// keeps a tile of the result in registers.
//
//   for each block of columns             all of them, where one block takes all terms
//     for each block of rows              what the third cache holds of the rows' operand
//       for each block of terms
//         pack the rows' operand            [row / height][term][height], or lines of terms; not
//                                           where the kernel can read it as it lies
//         for a tile's width of columns
//           pack the columns' operand       [term][width], in the second cache; where it lies in
//                                           lines, the first tile does that while it is summed
//           for each tile of the block
//             the sums of the tile, term after term
//             in the last block of terms: what follows of the fusion group, and what it stores
//
// "Columns" are the axis of the result that lies in the lanes, "rows" one of the other operand's.
// Sums are done in order: a block of terms goes on where the one before it stopped, so that the
// bits are those of one chain. Only what a tile holds between two blocks of terms goes through
// memory; where one block takes all terms, it is a few hundred numbers in the first cache.
//
// Several threads share the work (MacroPlan::split): of an axis around everything, of tiles of
// columns, each thread packing those that it takes, or, where there are few of these, of tiles of
// rows. No sum is cut. What is shared, the packed rows above all, lies in the arena and is packed
// by all together; what is not lies in the threads' own memory.
//
// What is packed is asked for as values at points: an operand may lie in any order, or be a view
// that is computed while it is read. Rows whose terms lie side by side are not packed: a tile's
// rows are read where they lie, so far from each other as those of the operand are. So are rows
// that lie side by side themselves, if their lines stay in the caches or are read but once. The
// other members of the group are computed from the sums point by point, the optimizer's update as
// well as an activation: no gradient is stored.
struct MacroPlan {
  NodeId contract = -1;
  // Of the domain: which axis is in the lanes, which one gives the rows, and the operand (0 or 1)
  // that has the columns. The other axes are loops around everything.
  int32_t column_axis = -1, row_axis = -1;
  size_t column_operand = 1;
  // The tile: so many vectors of lanes wide, so many rows high.
  int32_t lanes = 1;
  int64_t vectors = 1, height = 1;
  int64_t width() const { return vectors * lanes; }
  // Blocks: rows are a multiple of a tile's. Where there are several blocks of terms, the sums of a
  // block of rows and of so many columns (a multiple of a tile's) are kept between them.
  int64_t rows = 0, terms = 0, columns = 0;
  bool resumes = false;
  // Whether the sums are all that is stored, as they are.
  bool only_sums = false;
  // What threads share.
  enum class Split : uint8_t { kNothing, kOuter, kColumns, kRows } split = Split::kNothing;
  int32_t outer_axis = -1;  // of kOuter
  // Cycles that a multiplication and addition of vectors takes.
  double VectorWork(double rows, double columns, double terms) const {
    return rows * terms * (columns / lanes) / 2;
  }
};

// How the members of a group, one of them a contraction, are computed in blocks; nothing where the
// contraction is too small for that to pay (macro_plan.cc).
std::optional<MacroPlan> PlanMacro(Level& level, const Shape& domain,
                                   absl::Span<const NodeId> members,
                                   absl::Span<const Target> writes);

// Whether a matrix should be cut into panels, so that a contraction in blocks, whose columns it
// has, reads them as they lie.
struct Panels {
  int32_t axis = -1;  // -1: no
  int64_t width = 0;
  // Whether a contraction reads it, and whether it is read under another shape, in loops inside
  // too; reading through views does not count.
  bool is_contracted = false, is_reshaped = false;
};
// Of each input of a loop's body. `rows`: as many as there are at most.
std::vector<Panels> PanelsOf(Level& level, const Graph& body, int64_t rows);

// Emits the loops into the open section.
void EmitMacro(Level& level, const MacroPlan& plan, const Shape& domain,
               absl::Span<const NodeId> members, absl::Span<const Target> writes, Reader& reader);

// What the other members of the group read besides the sums and each other; some perhaps twice.
std::vector<NodeId> ReadBeside(const Level& level, const MacroPlan& plan,
                               absl::Span<const NodeId> members);

// The stride that an operand's memory has along this axis of the contraction's result.
Stride StrideAt(const Node& node, const Tensor& tensor, size_t operand, int32_t axis);

// What is left of an extent from `at` on, a multiple of `block`; but not more than that.
Bound AtMost(Builder& b, Bound extent, Register at, int64_t block);

// An operand while it is packed. Tiles lie one behind the other, and are read from their beginning
// to their end. Where `lines` is 1, each term of a tile has its rows or columns side by side; else
// so many terms of a row do, and then those of the next row: for operands that lie like this.
struct Packed {
  int32_t buffer = -1;
  int64_t lines = 1;
  int64_t row_step = 1;  // from a term of one row to that of the next
};

// Cycles of work that are worth the threads' wakening.
inline constexpr double kWorthSplitting = 100e3;
// Columns that are packed are fetched so many terms before they are read, which is about as long as
// memory takes to answer.
inline constexpr int64_t kTermsAhead = 8;
// A loop that only moves memory is cut into so many pieces at most.
inline constexpr int64_t kPackPieces = 16;

// Reads one operand of the contraction for blocks, and packs it (macro_pack.cc).
class Packer {
 public:
  Packer(Level& level, Reader& reader, const MacroPlan& plan, const Shape& domain, size_t operand);

  // Rows (or columns) first .. first + count - 1, of which there are `extent` in all, and terms
  // from `term` on; `at` has the indices of the domain's other axes.
  struct Block {
    Register first = kNone, term = kNone;
    Bound count, terms;
    Register to = kNone;  // where the first tile goes; kNone: to the beginning
  };
  void Pack(const Block& block, const Indices& at);
  // The same of rows, by several threads.
  void PackTogether(const Block& block, const Indices& at);
  // Fetches what Pack will read, in so many pieces, of a few lines of the caches each.
  bool CanFetch() const { return tensor_.has_value(); }
  Register PiecesOf(Bound terms);
  void Fetch(const Block& block, const Indices& at, Register piece);
  const Packed& packed() const { return packed_; }
  // Whether the operand is not packed but read where it lies: columns that are cut into panels,
  // rows whose terms lie side by side, or that do so themselves.
  bool is_direct() const { return is_direct_; }
  // Columns that are packed, but that a kernel can read where they lie as well, by vectors: those
  // of a panel that has all of its columns. (Of terms along one axis: numbers of several would be
  // divided in the kernel.)
  bool is_in_lines() const { return is_in_lines_; }
  Register Columns(const Indices& at, Register first, Register term);
  // Where a kernel reads columns from `first` on, or row `first`, at the terms from `term` on, with
  // `term_step` between two terms: in what was packed, or in the operand itself.
  Register Begin(const Indices& at, Register first, Register term);
  // The first row that the tile at `row` has: where rows are read as they lie, the last tile begins
  // so much earlier that there are all of its rows.
  Register FirstRow(Register row);
  int64_t term_step() const { return term_step_; }
  int64_t offset() const { return is_direct_ ? tensor_->offset : 0; }
  // How many terms each sum has.
  Register AllTerms();
  // Elements from one tile to the next.
  int64_t tile_step() const { return tile_step_; }

 private:
  Point At(const Indices& at, const Index& place, const Index& term, int32_t lanes);
  Register Value(const Indices& at, const Index& place, const Index& term, int32_t lanes,
                 Register active, Register count);
  Indices TermIndices(const Index& term);
  bool RowsAreInside(const Stride& rows, const Stride& terms) const;
  bool MayLieApart(const Stride& terms, const Shape& domain) const;
  bool TilesAreWhole() const { return extent_.reg == kNone && extent_.value % tile_ == 0; }
  // Whether vectors of terms never reach past the last one.
  bool TermsAreWhole();
  // Whether what is packed is not of one thread only.
  bool is_shared() const {
    using Split = MacroPlan::Split;
    return plan_.split != Split::kOuter && (plan_.split != Split::kColumns || !is_columns_);
  }
  void PackTiles(const Block& block, const Indices& at);       // lanes along the tile
  void PackTransposed(const Block& block, const Indices& at);  // lanes along the terms, turned
  void PackRows(const Block& block, const Indices& at);        // lanes along the terms
  Register Clamped(Register place);
  // The place of an element of a block's memory.
  Register From(const Block& block, Register place) const {
    return block.to == kNone ? place : b_.Add(block.to, place);
  }

  Level& level_;
  Builder& b_;
  Reader& reader_;
  const MacroPlan& plan_;
  const size_t operand_;
  const bool is_columns_;
  const int32_t axis_;  // of the domain
  const int64_t tile_;  // rows or columns of a tile
  int64_t padded_terms_ = 0, tile_step_ = 0;
  Bound extent_;                  // of the axis
  int64_t line_piece_ = 0;        // terms of a row that are fetched at once
  bool terms_are_close_ = false;  // in memory
  bool terms_in_panels_ = false;
  bool is_direct_ = false, is_in_lines_ = false;
  int64_t term_step_ = 0;         // from one term to the next, where the kernel reads them
  Shape result_, shape_;          // of the contraction and the operand
  std::optional<Tensor> tensor_;  // the operand, where it lies in memory
  std::vector<Dim> summed_;
  Packed packed_;
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_MACRO_H_
