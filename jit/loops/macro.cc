#include "jit/loops/macro.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace talweg::loops {
namespace {

// Terms that one trip of the kernel's loop takes, but for the tile that packs: there the columns'
// loads and stores side by side would need registers that the sums have.
constexpr int64_t kUnrolled = 4;
// A tile's sum is cut into parts of about so many terms, of fewer where that is needed to have one
// for each of its rows; a row's work between two parts is done beside some hundred multiplications.
constexpr int64_t kTermsOfPart = 64, kFewestOfPart = 16;
constexpr int64_t kMostParts = 32;

class Macro {
 public:
  Macro(Level& level, const MacroPlan& plan, const Shape& domain, absl::Span<const Target> writes,
        absl::Span<const NodeId> members, Reader& reader)
      : level_(level),
        b_(level.b()),
        plan_(plan),
        domain_(domain),
        writes_(writes.begin(), writes.end()),
        reader_(reader),
        node_(level.node(plan.contract)),
        dtype_(node_.type().dtype),
        columns_(level, reader, plan, domain, plan.column_operand),
        rows_(level, reader, plan, domain, 1 - plan.column_operand),
        at_(domain.size()) {
    const Register all = rows_.AllTerms();
    int64_t known = 0;
    terms_ = b_.IsConstant(all, &known) ? Bound{.value = known} : Bound{.reg = all};
    const int64_t kept = plan.resumes ? plan.columns * plan.rows : plan.width() * plan.height;
    sums_ = b_.AddBuffer({.name = absl::StrCat("sums of ", plan.contract),
                          .dtype = dtype_,
                          .home = OwnsSums() ? Buffer::Home::kThread : Buffer::Home::kArena,
                          .slot = -1,
                          .offset = 0,
                          .elements = kept + kSlackBytes / SizeOf(dtype_)});
    const auto is_large = [&](double bytes) {
      // What the second cache has anyway need not be fetched.
      return bytes > static_cast<double>(level.lowering().machine.l2_bytes / 2);
    };
    FindTouched(members);
    fetches_ = is_large(static_cast<double>(touched_.size()) * Bytes(domain, dtype_));
    fetches_next_ =
        columns_.CanFetch() &&
        is_large(Bytes(level.node(node_.operands[plan.column_operand]).type().shape, dtype_));
    packs_beside_ = plan.split != MacroPlan::Split::kRows && columns_.is_in_lines();
    const Dim rows = domain[static_cast<size_t>(plan.row_axis)];
    // Where threads share a panel's tiles, there is none before.
    delays_ = !plan.only_sums && plan.split != MacroPlan::Split::kRows &&
              level.LikelyExtent(rows) >= 2 * plan.height;
    if (fetches_ || fetches_next_) parts_ = std::min(plan.terms / kTermsOfPart, kMostParts);
    if (fetches_ || delays_) {
      parts_ = std::max(parts_, std::min(plan.height, plan.terms / kFewestOfPart));
    }
    parts_ = std::max<int64_t>(parts_, 1);
    // Rows are rounded up for vectors of their own elements, and so many smaller ones are more.
    for (Target& target : writes_) {
      if (SizeOf(target.to.dtype) > SizeOf(dtype_)) target.to.padded_axis = -1;
    }
  }

  void Emit() { Outer(0); }

 private:
  Bound RowExtent() const { return level_.ExtentOf(domain_[static_cast<size_t>(plan_.row_axis)]); }
  Bound ColumnExtent() const {
    return level_.ExtentOf(domain_[static_cast<size_t>(plan_.column_axis)]);
  }

  // A loop whose body is `inside`, called with its variable.
  template <typename F>
  void Loop(Bound end, int64_t step, F&& inside) {
    reader_.Body(b_.OpenFor({.value = 0}, end, step), inside);
  }
  template <typename F>
  void LoopFrom(Register begin, Register end, F&& inside) {
    reader_.Body(b_.OpenFor({.reg = begin}, {.reg = end}, 1), inside);
  }
  // The same, shared by threads.
  template <typename F>
  void LoopTogether(Bound end, int64_t step, double cost, F&& inside) {
    reader_.Body(b_.OpenParallel({.value = 0}, end, step, level_.TripCost(cost)), inside);
  }

  // Whether no other thread goes on with a tile's sums.
  bool OwnsSums() const { return plan_.split == MacroPlan::Split::kOuter || !plan_.resumes; }

  double Likely(int32_t axis) const {
    return static_cast<double>(level_.LikelyExtent(domain_[static_cast<size_t>(axis)]));
  }

  void Outer(size_t axis) {
    if (axis == domain_.size()) return Blocks();
    const auto number = static_cast<int32_t>(axis);
    if (number == plan_.column_axis || number == plan_.row_axis) return Outer(axis + 1);
    const Bound extent = level_.ExtentOf(domain_[axis]);
    const auto inside = [&](Register variable) {
      at_[axis] = {variable};
      Outer(axis + 1);
    };
    if (number != plan_.outer_axis) return Loop(extent, 1, inside);
    const double cost = plan_.VectorWork(Likely(plan_.row_axis), Likely(plan_.column_axis),
                                         static_cast<double>(plan_.terms));
    LoopTogether(extent, 1, cost, inside);
  }

  void Blocks() {
    if (!plan_.resumes) {
      column_ = b_.Index(0);
      column_count_ = ColumnExtent();
      Loop(RowExtent(), plan_.rows, [&](Register row) { Rows(row); });
      return;
    }
    Loop(ColumnExtent(), plan_.columns, [&](Register column) {
      column_ = column;
      column_count_ = AtMost(b_, ColumnExtent(), column, plan_.columns);
      Loop(RowExtent(), plan_.rows, [&](Register row) { Rows(row); });
    });
  }

  void Rows(Register row) {
    row_ = row;
    row_count_ = AtMost(b_, RowExtent(), row, plan_.rows);
    if (!plan_.resumes) return Terms(b_.Index(0));
    // Of no terms, too, there are sums.
    Bound end = terms_;
    if (end.reg != kNone) end.reg = b_.Binary(Opcode::kMax, end.reg, b_.Index(1));
    Loop(end, plan_.terms, [&](Register term) { Terms(term); });
  }

  void Terms(Register term) {
    term_count_ = plan_.resumes ? AtMost(b_, terms_, term, plan_.terms) : terms_;
    const Packer::Block rows{
        .first = row_, .term = term, .count = row_count_, .terms = term_count_};
    const bool together =
        plan_.split == MacroPlan::Split::kColumns || plan_.split == MacroPlan::Split::kRows;
    if (together) {
      rows_.PackTogether(rows, at_);
    } else {
      rows_.Pack(rows, at_);
    }
    if (plan_.resumes) {
      goes_on_ = b_.Binary(Opcode::kLess, b_.Index(0), term);
      const Register end = b_.InRegister(terms_);
      is_last_ = b_.Binary(Opcode::kLessEqual, end, b_.Plus(term, plan_.terms));
    }
    // A tile's part fetches so much of the next columns that its panel's tiles fetch all.
    const Register row_count = b_.InRegister(row_count_);
    if (fetches_next_) {
      pieces_ = columns_.PiecesOf(term_count_);
      const Register parts =
          b_.Times(b_.Quotient(b_.Plus(row_count, plan_.height - 1), plan_.height), parts_);
      pieces_of_part_ = b_.Binary(Opcode::kDiv, b_.Plus(b_.Add(pieces_, parts), -1), parts);
    }
    const auto panel = [&](Register j) {
      const Register first = b_.Add(column_, j);
      const Bound count = AtMost(b_, ColumnExtent(), first, plan_.width());
      const auto pack = [&] {
        columns_.Pack({.first = first, .term = term, .count = count, .terms = term_count_}, at_);
      };
      if (!packs_beside_) {
        pack();
      } else if (const Register whole = IsWholePanel(first); whole != kNone) {
        If(b_.Unary(Opcode::kNot, whole), pack);
      }
      columns_from_ = columns_.Begin(at_, first, term);
      const auto tile = [&](Register i) { Tile(i, j, term); };
      if (plan_.split == MacroPlan::Split::kRows) {
        return LoopTogether(row_count_, plan_.height, CostOf(plan_.height, plan_.width()), tile);
      }
      Loop(row_count_, plan_.height, tile);
      if (!delays_) return;
      const Register last =
          b_.Times(b_.Quotient(b_.Plus(row_count, -1), plan_.height), plan_.height);
      If(is_last_, [&] { Finish(last, j); });
    };
    if (plan_.split == MacroPlan::Split::kColumns) {
      const double rows_there = std::min(Likely(plan_.row_axis), static_cast<double>(plan_.rows));
      LoopTogether(column_count_, plan_.width(),
                   CostOf(static_cast<int64_t>(rows_there), plan_.width()), panel);
    } else {
      Loop(column_count_, plan_.width(), panel);
    }
  }

  double CostOf(int64_t rows, int64_t columns) const {
    return plan_.VectorWork(static_cast<double>(rows), static_cast<double>(columns),
                            static_cast<double>(plan_.terms));
  }

  // What `inside` does where the condition holds; kNone: always.
  template <typename F>
  void If(Register condition, F&& inside) {
    if (condition == kNone) return inside();
    b_.OpenIf(condition);
    reader_.Open();
    inside();
    reader_.Close();
    b_.CloseIf();
  }
  // Where the tile's sums lie.
  Register SumsOf(Register i, Register j) {
    if (!plan_.resumes) return b_.Index(0);
    const Register before = b_.Times(j, plan_.rows);
    return b_.Add(before, b_.Times(i, plan_.width()));
  }

  void Tile(Register i, Register j, Register term) {
    const Register sums = SumsOf(i, j);
    if (plan_.resumes) {
      // The next tile's.
      const int64_t line = Machine::kLineBytes / SizeOf(dtype_),
                    tile = plan_.width() * plan_.height;
      for (int64_t at = 0; at < tile; at += line) b_.Prefetch(sums_, sums, tile + at);
    }
    if (!packs_beside_) return SumTile(i, j, sums, term, false);
    const Register first =
        b_.Both(b_.Binary(Opcode::kEqual, i, b_.Index(0)), IsWholePanel(b_.Add(column_, j)));
    If(first, [&] { SumTile(i, j, sums, term, true); });
    If(b_.Unary(Opcode::kNot, first), [&] { SumTile(i, j, sums, term, false); });
  }

  void SumTile(Register i, Register j, Register sums, Register term, bool packs) {
    const Registers acc = Kernel(i, j, sums, term, packs);
    if (!plan_.only_sums) {
      Keep(sums, acc);
      if (!delays_) If(is_last_, [&] { Finish(i, j); });
      return;
    }
    // Nothing is computed from the sums: the result gets them from the registers, but at its edges.
    const Register row = b_.Add(row_, i), column = b_.Add(column_, j);
    const Register rows_are_whole = IsWhole(RowExtent(), row, plan_.height);
    const Register columns_are_whole = IsWholePanel(column);
    const Register whole = b_.Both(b_.Both(rows_are_whole, columns_are_whole), is_last_);
    If(whole, [&] { StoreSums(row, column, acc); });
    if (whole == kNone) return;
    If(b_.Unary(Opcode::kNot, whole), [&] {
      Keep(sums, acc);
      If(is_last_, [&] { Finish(i, j); });
    });
  }

  // Whether a block from `at` on is inside of the extent; kNone: each is.
  Register IsWhole(Bound extent, Register at, int64_t block) {
    if (extent.reg == kNone && extent.value % block == 0) return kNone;
    return b_.Binary(Opcode::kLessEqual, b_.Plus(at, block), b_.InRegister(extent));
  }

  Register IsWholePanel(Register column) { return IsWhole(ColumnExtent(), column, plan_.width()); }

  Register FirstRow(Register i) { return rows_.FirstRow(b_.Add(row_, i)); }

  Register Sum(const Registers& acc, int64_t row, int64_t v) const {
    return acc[static_cast<size_t>(row * plan_.vectors + v)];
  }

  void Keep(Register sums, const Registers& acc) {
    for (int64_t row = 0; row < plan_.height; row++) {
      for (int64_t v = 0; v < plan_.vectors; v++) {
        b_.Store(sums_, sums, Sum(acc, row, v), {.offset = row * plan_.width() + v * plan_.lanes});
      }
    }
  }

  void StoreSums(Register row, Register column, const Registers& acc) {
    const Tensor& to = writes_[0].to;
    for (int64_t r = 0; r < plan_.height; r++) {
      for (int64_t v = 0; v < plan_.vectors; v++) {
        Point point{.at = at_, .lanes = plan_.lanes};
        point.at[static_cast<size_t>(plan_.row_axis)] = {b_.Plus(row, r)};
        point.at[static_cast<size_t>(plan_.column_axis)] = {b_.Plus(column, v * plan_.lanes), 1,
                                                            kNone};
        reader_.Store(to, PointIn(b_, to.shape, point), Sum(acc, r, v));
      }
    }
  }

  // Fetches what the other members read and write at these rows of a tile.
  void Fetch(Register i, Register j, Register begin, Register end) {
    LoopFrom(begin, end, [&](Register r) {
      Point point{.at = at_, .lanes = plan_.lanes};
      point.at[static_cast<size_t>(plan_.row_axis)] = {b_.Add(b_.Add(row_, i), r)};
      point.at[static_cast<size_t>(plan_.column_axis)] = {b_.Add(column_, j)};
      for (const Tensor& tensor : touched_) {
        const Register first = reader_.Place(tensor, PointIn(b_, tensor.shape, point));
        const int64_t per_line = Machine::kLineBytes / SizeOf(tensor.dtype);
        for (int64_t at = 0; at < plan_.width(); at += per_line) {
          b_.Prefetch(tensor.buffer, first, tensor.offset + at);
        }
      }
    });
  }

  // Tensors of the result's whole domain that lie in lines along the columns, and that the members
  // read or write.
  void FindTouched(absl::Span<const NodeId> members) {
    const auto add = [&](const Tensor& tensor) {
      if (DomainOf(tensor.shape) != domain_) return;
      if (!StrideIn(tensor, plan_.column_axis).is_close()) return;
      for (const Tensor& other : touched_) {
        if (other.buffer == tensor.buffer && other.offset == tensor.offset) return;
      }
      touched_.push_back(tensor);
    };
    for (const Target& target : writes_) add(target.to);
    for (NodeId id : ReadBeside(level_, plan_, members)) {
      if (const auto tensor = level_.AsTensor(id); tensor.has_value()) add(*tensor);
    }
  }

  double Bytes(const Shape& shape, DType dtype) const {
    double bytes = static_cast<double>(SizeOf(dtype));
    for (Dim dim : shape) bytes *= static_cast<double>(level_.LikelyExtent(dim));
    return bytes;
  }

  // The sums of the terms up to `whole` in parts. Between them is done what the multiplications
  // hide, and what at once would only wait, for memory or for divisions: the rest of the group at
  // the rows of the tile before this one; fetching what it will need at this tile's, and the next
  // columns.
  template <typename F>
  void SumInParts(Register i, Register j, Register term, Bound whole, bool packs, Registers& acc,
                  F&& sum) {
    const Register end = b_.InRegister(whole);
    const int64_t multiple = parts_ * kUnrolled;
    const Register length = b_.Times(b_.Quotient(b_.Plus(end, multiple - 1), multiple), kUnrolled);
    const Builder::Loop part = b_.OpenFor({.value = 0}, {.value = parts_}, 1, acc);
    reader_.Open();
    acc = part.carried;
    const auto at_most = [&](Register a, Register b) { return b_.Binary(Opcode::kMin, a, b); };
    const int64_t rows = (plan_.height + parts_ - 1) / parts_;
    const Register height = b_.Index(plan_.height);
    const Register row = at_most(b_.Times(part.variable, rows), height);
    const Register row_end = at_most(b_.Plus(row, rows), height);
    if (delays_ && !packs) {
      // There is none before the first one; each that has one behind it is whole.
      If(b_.Both(is_last_, b_.Binary(Opcode::kLess, b_.Index(0), i)), [&] {
        const Register before = b_.Plus(i, -plan_.height);
        FinishRows(before, j, row, row_end);
      });
    }
    if (fetches_) If(is_last_, [&] { Fetch(i, j, row, row_end); });
    if (fetches_next_) {
      const Register tiles_before = b_.Quotient(i, plan_.height);
      const Register parts_before = b_.Add(b_.Times(tiles_before, parts_), part.variable);
      const Register piece = at_most(b_.Mul(parts_before, pieces_of_part_), pieces_);
      const Register piece_end = at_most(b_.Add(piece, pieces_of_part_), pieces_);
      const Register next = b_.Plus(b_.Add(column_, j), plan_.width());
      LoopFrom(piece, piece_end, [&](Register p) {
        columns_.Fetch({.first = next, .term = term, .count = {}, .terms = term_count_}, at_, p);
      });
    }
    const Register begin = at_most(b_.Mul(part.variable, length), end);
    const Register stop = at_most(b_.Add(begin, length), end);
    sum({.reg = begin}, {.reg = stop});
    reader_.Close();
    acc = b_.CloseFor(acc);
  }

  // `packs`: the panel's columns are read where they lie, and packed for the tiles behind this one.
  Registers Kernel(Register i, Register j, Register sums, Register term, bool packs) {
    const auto lanes = plan_.lanes;
    Registers acc;
    for (int64_t row = 0; row < plan_.height; row++) {
      for (int64_t v = 0; v < plan_.vectors; v++) {
        if (!plan_.resumes) {
          acc.push_back(b_.Constant(dtype_, 0, lanes));
          continue;
        }
        const Register mask = b_.Splat(goes_on_, lanes);
        acc.push_back(
            b_.Load(sums_, sums, lanes, {.offset = row * plan_.width() + v * lanes, .mask = mask}));
      }
    }
    const Packed &x = columns_.packed(), &y = rows_.packed();
    // Packed tiles lie behind each other: i is a multiple of the height.
    const Register rows_begin =
        rows_.is_direct() ? rows_.Begin(at_, FirstRow(i), term)
                          : b_.Mul(b_.Quotient(i, plan_.height), b_.Index(rows_.tile_step()));
    const auto place_of_rows = [&](Register first, int64_t more) {
      if (rows_.is_direct()) {
        return b_.Add(rows_begin, b_.Times(b_.Plus(first, more), rows_.term_step()));
      }
      const Register line = b_.Plus(first, more / y.lines * y.lines);
      const Register in_line = b_.Remainder(line, y.lines);
      const Register before = b_.Times(b_.Sub(line, in_line), plan_.height);
      return b_.Add(b_.Add(rows_begin, before), b_.Plus(in_line, more % y.lines));
    };
    // Term `first` + `more`.
    const auto step = [&](Register first, int64_t more, Registers& to) {
      const Register from =
          b_.Add(columns_from_, b_.Times(b_.Plus(first, more), columns_.term_step()));
      Registers column;
      if (packs) {
        columns_.Fetch(
            {.first = b_.Add(column_, j), .term = term, .count = {}, .terms = term_count_}, at_,
            b_.Plus(first, more + kTermsAhead));
      }
      for (int64_t v = 0; v < plan_.vectors; v++) {
        if (!packs) {
          const int64_t offset = columns_.offset() + v * lanes;
          column.push_back(b_.Load(x.buffer, from, lanes, {.offset = offset}));
          continue;
        }
        const Register place = b_.Plus(b_.Add(column_, j), v * lanes);
        const Register number = b_.Add(term, b_.Plus(first, more));
        column.push_back(columns_.Columns(at_, place, number));
        b_.Store(x.buffer, from, column.back(), {.offset = v * lanes});
      }
      const Register rows_from = place_of_rows(first, more);
      for (int64_t row = 0; row < plan_.height; row++) {
        const Register one =
            b_.Load(y.buffer, rows_from, 1, {.offset = rows_.offset() + row * y.row_step});
        const Register all = b_.Splat(one, lanes);
        for (int64_t v = 0; v < plan_.vectors; v++) {
          Register& sum = to[static_cast<size_t>(row * plan_.vectors + v)];
          const Register in_lanes = column[static_cast<size_t>(v)];
          sum = plan_.column_operand == 1 ? b_.Fma(all, in_lanes, sum) : b_.Fma(in_lanes, all, sum);
        }
      }
    };
    Bound whole = term_count_;
    if (whole.reg == kNone) {
      whole.value -= whole.value % kUnrolled;
    } else {
      whole.reg = b_.Times(b_.Quotient(whole.reg, kUnrolled), kUnrolled);
    }
    const auto loop = [&](Bound begin, Bound end, int64_t steps) {
      const Builder::Loop k = b_.OpenFor(begin, end, steps, acc);
      Registers inside = k.carried;
      reader_.Open();
      for (int64_t u = 0; u < steps; u++) step(k.variable, u, inside);
      reader_.Close();
      acc = b_.CloseFor(inside);
    };
    const auto sum = [&](Bound begin, Bound end) { loop(begin, end, packs ? 1 : kUnrolled); };
    if (parts_ > 1 || delays_) {
      SumInParts(i, j, term, whole, packs, acc, sum);
    } else if (whole.reg != kNone || whole.value > 0) {
      sum({.value = 0}, whole);
    }
    const bool has_rest = terms_.reg != kNone || terms_.value % kUnrolled != 0 ||
                          (plan_.resumes && plan_.terms % kUnrolled != 0);
    if (has_rest) loop(whole, term_count_, 1);
    return acc;
  }

  // The other members at the tile's points, from its sums.
  void Finish(Register i, Register j) {
    const Register row = FirstRow(i);
    const Bound heights = AtMost(b_, RowExtent(), row, plan_.height);
    // Rows that the tile before this one has, too, are done.
    FinishRows(i, j, b_.Sub(b_.Add(row_, i), row), b_.InRegister(heights));
  }

  void FinishRows(Register i, Register j, Register begin, Register end) {
    const Register sums = SumsOf(i, j);
    const Register row = FirstRow(i), column = b_.Add(column_, j);
    const Bound widths = AtMost(b_, ColumnExtent(), column, plan_.width());
    const Bound extent = ColumnExtent();
    const bool masked = extent.reg != kNone || extent.value % plan_.lanes != 0;
    LoopFrom(begin, end, [&](Register r) {
      Loop(widths, plan_.lanes, [&](Register c) {
        Point point{.at = at_, .lanes = plan_.lanes};
        const Register first = b_.Add(column, c);
        point.at[static_cast<size_t>(plan_.row_axis)] = {b_.Add(row, r)};
        point.at[static_cast<size_t>(plan_.column_axis)] = {first, 1, kNone};
        if (masked) {
          point.count = b_.Sub(b_.InRegister(extent), first);
          point.active = b_.Below(point.count, plan_.lanes);
        }
        const Register place = b_.Add(b_.Add(sums, b_.Times(r, plan_.width())), c);
        reader_.Give(plan_.contract, PointIn(b_, node_.type().shape, point),
                     b_.Load(sums_, place, plan_.lanes));
        Registers values;
        for (const Target& target : writes_) {
          values.push_back(reader_.Value(target.id, PointIn(b_, target.to.shape, point)));
        }
        for (size_t w = 0; w < writes_.size(); w++) {
          reader_.Store(writes_[w].to, PointIn(b_, writes_[w].to.shape, point), values[w]);
        }
      });
    });
  }

  Level& level_;
  Builder& b_;
  const MacroPlan& plan_;
  const Shape& domain_;
  std::vector<Target> writes_;
  Reader& reader_;
  const Node& node_;
  const DType dtype_;
  Packer columns_, rows_;
  Indices at_;
  Bound terms_;
  int32_t sums_ = -1;
  std::vector<Tensor> touched_;
  // Whether a panel's first tile packs its columns.
  bool packs_beside_ = false;
  // Whether a tile's rest of the group is computed while the next one is summed; whether what that
  // needs is fetched, and the next columns.
  bool delays_ = false, fetches_ = false, fetches_next_ = false;
  int64_t parts_ = 1;  // of a tile's sum
  // Of columns, to be fetched: in all, and in a part.
  Register pieces_ = kNone, pieces_of_part_ = kNone;
  // Where the loops are: the block's first column and row; counts from there on.
  Register column_ = kNone, row_ = kNone;
  Register columns_from_ = kNone;  // where the kernel reads the panel's columns
  Bound column_count_, row_count_, term_count_;
  // Whether there were terms before this block, and whether there are none behind it.
  Register goes_on_ = kNone, is_last_ = kNone;
};

}  // namespace

Bound AtMost(Builder& b, Bound extent, Register at, int64_t block) {
  int64_t known = 0;
  if (extent.reg == kNone) {
    if (extent.value % block == 0) return {.value = block};
    if (b.IsConstant(at, &known)) return {.value = std::min(block, extent.value - known)};
  }
  const Register rest = b.Sub(b.InRegister(extent), at);
  return {.reg = b.Binary(Opcode::kMin, rest, b.Index(block))};
}

void EmitMacro(Level& level, const MacroPlan& plan, const Shape& domain,
               absl::Span<const NodeId> members, absl::Span<const Target> writes, Reader& reader) {
  Macro(level, plan, domain, writes, members, reader).Emit();
}

}  // namespace talweg::loops
