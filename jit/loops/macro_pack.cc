// Operands of a contraction in the order in which its kernel reads them.

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "jit/loops/macro.h"
#include "jit/loops/turn.h"

namespace talweg::loops {
namespace {

// Tiles that are packed side by side.
constexpr int64_t kTiles = 4;
constexpr int64_t kLinesOfPiece = 4;

}  // namespace

Packer::Packer(Level& level, Reader& reader, const MacroPlan& plan, const Shape& domain,
               size_t operand)
    : level_(level),
      b_(level.b()),
      reader_(reader),
      plan_(plan),
      operand_(operand),
      is_columns_(operand == plan.column_operand),
      axis_(is_columns_ ? plan.column_axis : plan.row_axis),
      tile_(is_columns_ ? plan.width() : plan.height),
      padded_terms_(RoundUp(plan.terms, plan.lanes)),
      extent_(level.ExtentOf(domain[static_cast<size_t>(axis_)])),
      line_piece_(kLinesOfPiece * Machine::kLineBytes /
                  SizeOf(level.node(plan.contract).type().dtype)) {
  const Node& node = level.node(plan.contract);
  const auto& contract = node.As<ContractAttributes>();
  const NodeId id = node.operands[operand];
  result_ = node.type().shape;
  shape_ = level.node(id).type().shape;
  const std::vector<int64_t>& summed = operand == 0 ? contract.lhs_sum : contract.rhs_sum;
  int64_t along = -1;  // the only summed axis
  int64_t count = 0;
  for (int64_t axis : summed) {
    summed_.push_back(shape_[static_cast<size_t>(axis)]);
    if (summed_.back() == Dim(1)) continue;
    along = axis;
    count++;
  }
  tensor_ = level.AsTensor(id);
  if (count == 1) {
    if (tensor_.has_value()) {
      const Stride& stride = tensor_->strides[static_cast<size_t>(along)];
      terms_are_close_ = stride.is_close();
      terms_in_panels_ = stride.panel > 0;
      if (terms_in_panels_) line_piece_ = std::min(line_piece_, stride.panel);
    } else {
      terms_are_close_ = true;
      for (size_t a = static_cast<size_t>(along) + 1; a < shape_.size(); a++) {
        terms_are_close_ = terms_are_close_ && shape_[a] == Dim(1);
      }
    }
  }
  term_step_ = tile_;
  if (count == 1 && tensor_.has_value()) {
    const Stride& terms = tensor_->strides[static_cast<size_t>(along)];
    const Stride& stride = StrideAt(node, *tensor_, operand, AxisIn(result_, axis_));
    const bool is_regular = terms.reg == kNone && terms.panel == 0;
    is_direct_ = is_columns_
                     ? is_regular && stride.panel > 0 && stride.panel % tile_ == 0
                     : is_regular && RowsAreInside(stride, terms) &&
                           (terms.is_close() || (stride.is_close() && MayLieApart(terms, domain)));
    is_in_lines_ = is_columns_ && !is_direct_ && !terms_are_close_ && stride.is_close();
    if (is_direct_) {
      term_step_ = terms.factor;
      packed_ = {.buffer = tensor_->buffer, .row_step = stride.factor};
      return;
    }
  }
  // Elements of rows are read one by one: they need not be turned.
  if (!is_columns_ && terms_are_close_) packed_.lines = packed_.row_step = plan.lanes;
  // What a last vector has too much does not reach the next tile.
  tile_step_ = tile_ * padded_terms_;
  if (packed_.lines == 1 && tile_ % plan.lanes != 0) tile_step_ += plan.lanes;
  const int64_t tiles = is_columns_ ? 1 : plan.rows / tile_;
  const DType dtype = node.type().dtype;
  packed_.buffer =
      level.b().AddBuffer({.name = absl::StrCat("packed ", id),
                           .dtype = dtype,
                           .home = is_shared() ? Buffer::Home::kArena : Buffer::Home::kThread,
                           .slot = -1,
                           .offset = 0,
                           .elements = tiles * tile_step() + kSlackBytes / SizeOf(dtype)});
}

// Whether a tile's rows can be read where they lie, though there may be fewer.
bool Packer::RowsAreInside(const Stride& rows, const Stride& terms) const {
  if (rows.reg != kNone || rows.panel > 0) return false;
  if (extent_.reg == kNone) return extent_.value >= tile_;
  const Buffer& buffer = b_.buffer(tensor_->buffer);
  const auto dims = absl::c_count_if(shape_, [](Dim dim) { return dim != Dim(1); });
  const int64_t count = summed_.size() == 1 ? level_.BoundOf(summed_[0]) : -1;
  return buffer.home == Buffer::Home::kArena && tensor_->base == kNone && dims == 2 &&
         rows.factor >= 0 && terms.factor >= 0 && count >= 0 &&
         tensor_->offset + (tile_ - 1) * rows.factor + (count - 1) * terms.factor < buffer.elements;
}

// Terms that lie apart have a line of the caches each, of which a tile's rows are a part. One panel
// of columns reads them once, as packing would; of several, the next tiles should find the lines
// they share in the first cache, and the next panel all of them in the second: nothing foresees
// where lines lie that are pages apart, and those of the third cache come late.
bool Packer::MayLieApart(const Stride& terms, const Shape& domain) const {
  const Bound columns = level_.ExtentOf(domain[static_cast<size_t>(plan_.column_axis)]);
  if (columns.reg == kNone && columns.value <= plan_.width()) return true;
  // While one is multiplied, the next ones come.
  constexpr double kCyclesOfLine = 10;
  if (plan_.VectorWork(static_cast<double>(plan_.height), static_cast<double>(plan_.width()), 1) <
      kCyclesOfLine) {
    return false;
  }
  const Machine& machine = level_.lowering().machine;
  const int64_t element = SizeOf(tensor_->dtype);
  int64_t bytes = element;
  for (Dim dim : shape_) bytes = Product(bytes, level_.LikelyExtent(dim));
  // A third to a half of the first cache.
  constexpr int64_t kMostLines = 256;
  const int64_t lines_of_term = CeilDiv(tile_ * element, Machine::kLineBytes);
  // Lines whose distance is a large power of two push each other out long before a cache is full.
  const int64_t places = machine.l2_bytes / std::gcd(terms.factor * element, machine.l2_bytes);
  return plan_.terms * lines_of_term <= kMostLines && bytes <= machine.l2_bytes / 2 &&
         places >= kMostLines;
}

Register Packer::FirstRow(Register row) {
  if (!is_direct_ || TilesAreWhole()) return row;
  const Register last = b_.Plus(b_.InRegister(extent_), -tile_);
  return b_.Binary(Opcode::kMin, row, b_.Binary(Opcode::kMax, last, b_.Index(0)));
}

Register Packer::AllTerms() {
  Register all = b_.Index(1);
  for (Dim dim : summed_) all = b_.Mul(all, level_.Extent(dim));
  return all;
}

bool Packer::TermsAreWhole() {
  int64_t known = 0;
  // A last block of terms begins where vectors do only if all blocks are whole vectors.
  return b_.IsConstant(AllTerms(), &known) && known % plan_.lanes == 0 &&
         (!plan_.resumes || plan_.terms % plan_.lanes == 0);
}

// Several summed axes count as one, row-major.
Indices Packer::TermIndices(const Index& term) {
  Indices at(summed_.size(), Index{b_.Index(0)});
  size_t outermost = summed_.size(), many = 0;
  for (size_t i = summed_.size(); i-- > 0;) {
    if (summed_[i] == Dim(1)) continue;
    outermost = i;
    many++;
  }
  if (many == 1) {
    at[outermost] = term;
    return at;
  }
  Register rest = term.at;
  for (size_t i = summed_.size(); i-- > outermost;) {
    if (summed_[i] == Dim(1)) continue;
    if (i == outermost) {
      at[i] = {rest};
      break;
    }
    const Register extent = level_.Extent(summed_[i]);
    const Register quotient = b_.Binary(Opcode::kDiv, rest, extent);
    at[i] = {b_.Sub(rest, b_.Mul(quotient, extent))};
    rest = quotient;
  }
  return at;
}

Point Packer::At(const Indices& at, const Index& place, const Index& term, int32_t lanes) {
  Point point{.at = at, .lanes = lanes};
  point.at[static_cast<size_t>(axis_)] = place;
  // Axes of the other operand are not read.
  for (Index& index : point.at) {
    if (index.at == kNone) index = {b_.Index(0)};
  }
  point = PointIn(b_, result_, point);
  const auto& contract = level_.node(plan_.contract).As<ContractAttributes>();
  point.at = OperandIndices(contract, operand_, shape_.size(), point.at, TermIndices(term));
  return point;
}

Register Packer::Value(const Indices& at, const Index& place, const Index& term, int32_t lanes,
                       Register active, Register count) {
  Point point = At(at, place, term, lanes);
  point.active = active;
  point.count = active == kNone ? kNone : count;
  // Tiles of rows begin anywhere, so that memory which is rounded up to vectors does not suffice:
  // other than inactive lanes, guarded ones are never read.
  if (!is_columns_ && packed_.lines == 1) point.guard_each = active;
  return b_.Splat(reader_.Value(level_.node(plan_.contract).operands[operand_], point), lanes);
}

Register Packer::Columns(const Indices& at, Register first, Register term) {
  return Value(at, {first, 1, kNone}, {term}, plan_.lanes, kNone, kNone);
}

Register Packer::Begin(const Indices& at, Register first, Register term) {
  if (!is_direct_) return b_.Index(0);
  return reader_.Place(*tensor_, At(at, {first}, {term}, 1));
}

// Past the last row or column, that one again: nobody reads what becomes of it.
Register Packer::Clamped(Register place) {
  if (TilesAreWhole()) return place;
  return b_.Binary(Opcode::kMin, place, b_.Plus(b_.InRegister(extent_), -1));
}

void Packer::Pack(const Block& block, const Indices& at) {
  if (is_direct_) return;
  if (packed_.lines != 1) return PackRows(block, at);
  if (terms_are_close_) return PackTransposed(block, at);
  PackTiles(block, at);
}

void Packer::PackTogether(const Block& block, const Indices& at) {
  if (is_direct_) return;
  const auto tiles_of_piece = std::max<int64_t>(1, plan_.rows / tile_ / kPackPieces);
  const int64_t step = tiles_of_piece * tile_;
  // Moving an element takes about a cycle.
  const double cost = static_cast<double>(step * plan_.terms);
  const Builder::Loop pieces =
      b_.OpenParallel({.value = 0}, block.count, step, level_.TripCost(cost));
  reader_.Body(pieces, [&](Register first) {
    Block piece = block;
    piece.first = b_.Add(block.first, first);
    piece.count = AtMost(b_, block.count, first, step);
    const Register tile = b_.Quotient(first, tile_);
    piece.to = b_.Mul(tile, b_.Index(tile_step_));
    Pack(piece, at);
  });
}

// A piece is what the tile has of a term, or a few lines of terms.
Register Packer::PiecesOf(Bound terms) {
  const Register all = b_.InRegister(terms);
  if (!terms_are_close_) return all;
  return b_.Times(b_.Quotient(b_.Plus(all, line_piece_ - 1), line_piece_), tile_);
}

void Packer::Fetch(const Block& block, const Indices& at, Register piece) {
  const int64_t line = Machine::kLineBytes / SizeOf(tensor_->dtype);
  Register place = block.first, term = b_.Add(block.term, piece);
  int64_t elements = tile_;
  if (terms_are_close_) {
    elements = line_piece_;
    const Register pieces =
        b_.Quotient(b_.Plus(b_.InRegister(block.terms), elements - 1), elements);
    const Register number = b_.Binary(Opcode::kDiv, piece, pieces);
    place = b_.Add(block.first, number);
    term = b_.Add(block.term, b_.Times(b_.Sub(piece, b_.Mul(number, pieces)), elements));
  }
  const Register from = reader_.Place(*tensor_, At(at, {place}, {term}, 1));
  for (int64_t x = 0; x < elements; x += line) {
    b_.Prefetch(tensor_->buffer, from, tensor_->offset + x);
  }
}

// Term after term, as the operand lies in memory.
void Packer::PackTiles(const Block& block, const Indices& at) {
  // No wider than a tile where that is thin: the end of a vector is overwritten by the next one.
  int32_t lanes = 2;
  while (lanes < std::min<int64_t>(plan_.lanes, tile_)) lanes *= 2;
  const int64_t reach = RoundUp(tile_, lanes);
  // Several tiles at once, as long as all that they read is inside; then what is left.
  const int64_t at_once = is_columns_ ? 1 : kTiles;
  const auto pack_term = [&](Register k) {
    const Register to = b_.Times(k, tile_);
    const Index term = {b_.Add(block.term, k)};
    const auto vector = [&](Register tile, Register x, int64_t offset, bool masked) {
      const Register place = b_.Plus(b_.Add(b_.Add(block.first, b_.Times(tile, tile_)), x), offset);
      Register active = kNone, count = kNone;
      if (masked) {
        count = b_.Sub(b_.InRegister(extent_), place);
        active = b_.Below(count, lanes);
      }
      const Register value = Value(at, {place, 1, kNone}, term, lanes, active, count);
      const Register begin = From(block, b_.Times(tile, tile_step()));
      b_.Store(packed_.buffer, b_.Add(b_.Add(begin, to), x), value, {.offset = offset});
    };
    // Pieces of rows that lie far from each other are fetched some terms before.
    if (is_columns_ && tensor_.has_value()) Fetch(block, at, b_.Plus(k, kTermsAhead));
    Bound tiles = block.count, whole = block.count;
    if (tiles.reg == kNone) {
      tiles.value = (tiles.value + tile_ - 1) / tile_;
      whole.value = std::max<int64_t>(0, whole.value - (reach - tile_)) / tile_ / at_once * at_once;
    } else {
      tiles.reg = b_.Quotient(b_.Plus(tiles.reg, tile_ - 1), tile_);
      const Register inside =
          b_.Binary(Opcode::kMax, b_.Plus(whole.reg, tile_ - reach), b_.Index(0));
      whole.reg = b_.Times(b_.Quotient(inside, at_once * tile_), at_once);
    }
    reader_.Body(b_.OpenFor({.value = 0}, whole, at_once), [&](Register group) {
      for (int64_t i = 0; i < at_once; i++) {
        const Register tile = b_.Plus(group, i);
        for (int64_t x = 0; x < tile_; x += lanes) vector(tile, b_.Index(0), x, false);
      }
    });
    reader_.Body(b_.OpenFor(whole, tiles, 1), [&](Register tile) {
      if (!is_columns_) {
        for (int64_t x = 0; x < tile_; x += lanes) vector(tile, b_.Index(0), x, true);
        return;
      }
      // No vector without any column: it might lie outside of the memory.
      const Register first = b_.Add(block.first, b_.Times(tile, tile_));
      const bool masked = extent_.reg != kNone || extent_.value % lanes != 0;
      reader_.Body(b_.OpenFor({.value = 0}, AtMost(b_, extent_, first, tile_), lanes),
                   [&](Register x) { vector(tile, x, 0, masked); });
    });
  };
  reader_.Body(b_.OpenFor({.value = 0}, block.terms, 1), pack_term);
}

// Squares of as many terms as lanes are loaded along the terms and turned.
void Packer::PackTransposed(const Block& block, const Indices& at) {
  const int32_t lanes = plan_.lanes;
  reader_.Body(b_.OpenFor({.value = 0}, block.count, tile_), [&](Register t) {
    const Register base = From(block, b_.Times(b_.Quotient(t, tile_), tile_step()));
    const Register first = b_.Add(block.first, t);
    const Bound rest = AtMost(b_, extent_, first, tile_);
    const auto square = [&](Register x, Register k) {
      const Register term = b_.Add(block.term, k);
      const Register count = b_.Sub(AllTerms(), term);
      const Register active = TermsAreWhole() ? kNone : b_.Below(count, lanes);
      Registers rows;
      for (int64_t i = 0; i < lanes; i++) {
        Register place = b_.Plus(b_.Add(first, x), i);
        if (i > 0) place = Clamped(place);
        rows.push_back(Value(at, {place}, {term, 1, kNone}, lanes, active, count));
      }
      Turn(b_, rows);
      const Register to = b_.Add(b_.Add(base, b_.Times(k, tile_)), x);
      for (int64_t i = 0; i < lanes; i++) {
        b_.Store(packed_.buffer, to, rows[static_cast<size_t>(i)], {.offset = i * tile_});
      }
    };
    // Rows are read from their beginnings to their ends; in panels, the rows of a tile lie side by
    // side.
    const auto along = [&](Bound end, const auto& inside) {
      reader_.Body(b_.OpenFor({.value = 0}, end, lanes), inside);
    };
    if (terms_in_panels_) {
      along(block.terms, [&](Register k) { along(rest, [&](Register x) { square(x, k); }); });
    } else {
      along(rest, [&](Register x) { along(block.terms, [&](Register k) { square(x, k); }); });
    }
  });
}

void Packer::PackRows(const Block& block, const Indices& at) {
  const int32_t lanes = plan_.lanes;
  reader_.Body(b_.OpenFor({.value = 0}, block.count, tile_), [&](Register t) {
    const Register base = From(block, b_.Times(b_.Quotient(t, tile_), tile_step()));
    const Register first = b_.Add(block.first, t);
    reader_.Body(b_.OpenFor({.value = 0}, block.terms, lanes), [&](Register k) {
      const Register term = b_.Add(block.term, k);
      const Register count = b_.Sub(AllTerms(), term);
      const Register active = TermsAreWhole() ? kNone : b_.Below(count, lanes);
      const Register to = b_.Add(base, b_.Times(k, tile_));
      for (int64_t i = 0; i < tile_; i++) {
        Register place = b_.Plus(first, i);
        if (i > 0) place = Clamped(place);
        const Register value = Value(at, {place}, {term, 1, kNone}, lanes, active, count);
        b_.Store(packed_.buffer, to, value, {.offset = i * lanes});
      }
    });
  });
}

}  // namespace talweg::loops
