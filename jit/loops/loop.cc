// A loop of the graph: a loop around the sections of its body. Carried values live in one place,
// from where the body reads them and, if nobody needs the old value any more, into which it writes
// the next one.

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "graph/engine.h"
#include "graph/loop_places.h"
#include "graph/reads.h"
#include "graph/verify.h"
#include "jit/loops/level.h"
#include "jit/loops/macro.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

bool SamePlace(const Tensor& a, const Tensor& b) {
  return a.buffer == b.buffer && a.base == b.base && a.offset == b.offset && a.strides == b.strides;
}

}  // namespace

class LoopLowering {
 public:
  LoopLowering(Level& outer, NodeId id)
      : outer_(outer),
        b_(outer.b()),
        id_(id),
        node_(outer.node(id)),
        loop_(node_.As<LoopAttributes>()),
        graph_(*loop_.body),
        at_(loop_),
        parts_(node_.types.size(), -1) {
    for (NodeId part : outer.PartsOf(id)) {
      if (!outer.IsTwin(part)) parts_[IndexOf(part)] = part;
    }
  }

  absl::Status Run() {
    const Register asked_for = outer_.ScalarOf(node_.operands[0]);
    trips_ = b_.Binary(Opcode::kMax, asked_for, b_.Index(0));
    const bool has_length = loop_.scanned + loop_.stacked > 0 || loop_.binds_rows;
    if (has_length) {
      length_ = outer_.Extent(loop_.length);
      b_.FailIf(b_.Binary(Opcode::kLess, length_, trips_),
                outer_.SiteOf(ErrorSite::What::kTrips, id_), trips_, length_);
    }
    Level body(outer_.lowering(), graph_, outer_.depth() + 1);
    Enter(body);
    const Builder::Loop loop = b_.OpenFor({.value = 0}, {.reg = trips_}, 1, {b_.Index(0)});
    const Register trip =
        loop_.reversed ? b_.Sub(b_.Plus(trips_, -1), loop.variable) : loop.variable;
    body.SetRegister(graph_.inputs()[0], trip);
    BindRows(body, trip);
    const Register mark = MayAllocate(body) ? b_.Mark() : kNone;
    Slice(body, trip);
    PlanCarried(body);
    if (absl::Status status = body.LowerGroups(); !status.ok()) return status;
    // It may be asked of a carried value, which the next one is about to overwrite.
    Register stop = kNone;
    if (loop_.stops) stop = body.ScalarOf(graph_.outputs().back());
    CopyResults(body);
    if (outer_.depth() == 0 && !loop_.whole) {
      const Register asked = b_.Poll();
      if (!loop_.reversed) stop = stop == kNone ? asked : b_.Binary(Opcode::kOr, stop, asked);
    }
    if (mark != kNone) b_.Release(mark);
    const Register ran = b_.CloseFor({b_.Plus(loop.variable, 1)}, stop)[0];
    Leave(ran);
    return absl::OkStatus();
  }

 private:
  size_t IndexOf(NodeId part) const {
    return static_cast<size_t>(outer_.node(part).As<PartAttributes>().index);
  }
  NodeId Operand(size_t i) const { return node_.operands[at_.first + i]; }
  NodeId Input(size_t i) const { return graph_.inputs()[1 + i]; }
  size_t captures() const { return at_.captures; }
  size_t carried() const { return at_.carried; }
  size_t scanned() const { return at_.scanned; }
  size_t stacked() const { return at_.stacked; }

  const Type& inside_type(size_t k) const { return outer_.node(Operand(captures() + k)).type(); }

  // Whether carried value k never changes: its next value is itself.
  bool Stays(size_t k) const { return graph_.outputs()[k] == Input(captures() + k); }

  // Where the values outside lie that the body reads, and the carried values' homes.
  void Enter(Level& body) {
    for (size_t i = 0; i < captures(); i++) {
      const NodeId inside = Input(i);
      if (body.fusion().readers[static_cast<size_t>(inside)] == 0) continue;
      body.SetTensor(inside, outer_.Materialize(Operand(i)));
      body.SetInterval(inside, outer_.IntervalOf(Operand(i)));
    }
    for (size_t i = 0; i < scanned(); i++) {
      const NodeId all = Operand(captures() + carried() + i);
      const Tensor tensor = outer_.Materialize(all);
      // Slices of an axis that is cut into panels would not lie at even distances.
      scanned_.push_back(tensor.strides[0].panel > 0 ? outer_.CopyOf(all, {}) : tensor);
    }
    const std::vector<Panels> panels = FindPanels(body);
    // All starts are found before the first home is written, since a start may be a home.
    std::vector<Tensor> starts;
    for (size_t k = 0; k < carried(); k++) {
      starts.push_back(outer_.Materialize(Operand(captures() + k)));
    }
    for (size_t k = 0; k < carried(); k++) {
      const NodeId inside = Input(captures() + k);
      if (Stays(k)) {
        homes_.push_back(starts[k]);
        body.SetTensor(inside, starts[k]);
        continue;
      }
      const NodeId part = parts_[k];
      std::optional<Tensor> home;
      if (part >= 0) home = outer_.PlannedFor(part);
      const bool row_major = body.WantsRowMajor(inside);
      const std::string name = absl::StrCat("carried", k, "_", id_);
      Tensor best =
          panels[k].axis >= 0
              ? outer_.NewPanels(inside_type(k), name, panels[k].axis, panels[k].width)
              : outer_.NewTensor(inside_type(k), name,
                                 row_major ? body.OrderFor(inside) : std::vector<int32_t>(),
                                 row_major);
      // The caller's memory is row-major; what would rather lie otherwise is copied at the end.
      if (!home.has_value() || (!home->internal && home->strides != best.strides)) {
        home = std::move(best);
      }
      if (!SamePlace(*home, starts[k])) outer_.CopyTo(Operand(captures() + k), *home);
      homes_.push_back(*home);
      body.SetTensor(inside, *home);
    }
    for (size_t i = 0; i < stacked(); i++) {
      const size_t index = carried() + i;
      std::optional<Tensor> all;
      if (parts_[index] >= 0) all = outer_.PlannedFor(parts_[index]);
      if (!all.has_value()) {
        std::vector<int32_t> order(node_.types[index].shape.size());
        for (size_t axis = 0; axis < order.size(); axis++) order[axis] = static_cast<int32_t>(axis);
        all = outer_.NewTensor(node_.types[index], absl::StrCat("stacked", i, "_", id_), order);
        all->padded_axis = -1;
      }
      stacked_.push_back(*all);
    }
    if (loop_.binds_rows) rows_ = outer_.Materialize(node_.operands[1]);
  }

  // Which carried values are cut into panels: weights that a contraction reads as they lie then,
  // and others of their type that none reads, like an optimizer's numbers beside its weights, if
  // all weights of this type are alike.
  std::vector<Panels> FindPanels(Level& body) const {
    const int64_t rows = loop_.binds_rows ? loop_.rows_limit : outer_.LikelyExtent(kRows);
    const std::vector<Panels> all = PanelsOf(body, graph_, rows);
    std::vector<Panels> panels;
    std::map<std::tuple<DType, int64_t, int64_t>, Panels> weights;
    const auto key = [&](size_t k) {
      const auto& [dtype, shape] = inside_type(k);
      return std::tuple(dtype, shape[0].value(), shape[1].value());
    };
    const auto is_matrix = [&](size_t k) {
      const Shape& shape = inside_type(k).shape;
      return shape.size() == 2 && IsStatic(shape) && shape[0].value() > 1 && shape[1].value() > 1;
    };
    for (size_t k = 0; k < carried(); k++) {
      const Panels& here = panels.emplace_back(all[1 + captures() + k]);
      if (!here.is_contracted || !is_matrix(k)) continue;
      Panels& same = weights.try_emplace(key(k), here).first->second;
      if (here.axis != same.axis || here.width != same.width) same.axis = -1;
    }
    for (size_t k = 0; k < carried(); k++) {
      Panels& here = panels[k];
      if (is_matrix(k) && !here.is_contracted) {
        const auto it = weights.find(key(k));
        if (it != weights.end())
          std::tie(here.axis, here.width) = std::pair(it->second.axis, it->second.width);
      }
      if (!is_matrix(k) || Stays(k) || here.is_reshaped) here.axis = -1;
    }
    return panels;
  }

  // How far an index of an axis that is not cut into panels lies behind the axis' begin.
  Register PlaceAlong(const Stride& stride, Register index) {
    const Register place = b_.Times(index, stride.factor);
    return stride.reg == kNone ? place : b_.Mul(place, stride.reg);
  }

  void BindRows(Level& body, Register trip) {
    if (!loop_.binds_rows) {
      body.SetRows(outer_.rows_);
      return;
    }
    const Tensor& t = rows_;
    const Register at = t.base == kNone ? b_.Index(0) : t.base;
    const Register place = PlaceAlong(t.strides[0], trip);
    const Register rows =
        b_.Convert(kInt64, b_.Load(t.buffer, b_.Plus(b_.Add(at, place), t.offset)));
    const Register too_few = b_.Binary(Opcode::kLess, rows, b_.Index(0));
    const Register too_many = b_.Binary(Opcode::kLess, b_.Index(loop_.rows_limit), rows);
    b_.FailIf(b_.Binary(Opcode::kOr, too_few, too_many),
              outer_.SiteOf(ErrorSite::What::kRows, id_, loop_.rows_limit), rows, trip);
    body.SetRows({rows, loop_.rows_limit});
  }

  // A slice of something with the trips along its first axis.
  Tensor SliceOf(const Tensor& all, Register trip) {
    Tensor slice = all;
    const Register place = PlaceAlong(all.strides[0], trip);
    slice.base = all.base == kNone ? place : b_.Add(all.base, place);
    slice.shape.erase(slice.shape.begin());
    slice.strides.erase(slice.strides.begin());
    slice.padded_axis = -1;
    return slice;
  }

  void Slice(Level& body, Register trip) {
    for (size_t i = 0; i < scanned(); i++) {
      Tensor slice = SliceOf(scanned_[i], trip);
      // Inside, extents may go by other names.
      const NodeId inside = Input(captures() + carried() + i);
      slice.shape = body.node(inside).type().shape;
      body.SetTensor(inside, std::move(slice));
    }
    for (size_t i = 0; i < stacked(); i++) {
      slices_.push_back(SliceOf(stacked_[i], trip));
      slices_.back().shape = body.node(graph_.outputs()[carried() + i]).type().shape;
    }
  }

  bool MayAllocate(const Level& body) const {
    return absl::c_any_of(graph_.nodes(), [&](const Node& node) {
      return absl::c_any_of(node.types, [&](const Type& type) {
        return absl::c_any_of(type.shape,
                              [&](Dim dim) { return !dim.is_static() && body.BoundOf(dim) < 0; });
      });
    });
  }

  // ---- What is written in place

  // Next values are written to their homes at once where that overwrites nothing that is read
  // later; stacked values to their slices, those that the trip began with before anything else.
  void PlanCarried(Level& body) {
    in_place_.assign(carried(), false);
    FindReads(body);
    for (size_t k = 0; k < carried(); k++) {
      if (Stays(k)) continue;
      const NodeId next = graph_.outputs()[k];
      if (!body.PlannedFor(next).has_value() && MayOverwrite(body, k)) {
        body.Plan(next, homes_[k]);
        in_place_[k] = true;
        continue;
      }
      // A carried value that becomes another one is taken before anything is overwritten.
      if (DependsOnHome(next)) snapshots_.push_back({k, body.CopyOf(next, {})});
    }
    slice_is_written_.assign(stacked(), false);
    for (size_t i = 0; i < stacked(); i++) {
      const NodeId next = graph_.outputs()[carried() + i];
      if (DependsOnHome(next)) {
        body.CopyTo(next, slices_[i]);
        slice_is_written_[i] = true;
      } else if (body.fusion().group[static_cast<size_t>(next)] >= 0 &&
                 !body.PlannedFor(next).has_value()) {
        body.Plan(next, slices_[i]);
      }
    }
  }

  // Who reads the memory of which carried value, in one pass over the body.
  void FindReads(Level& body) {
    const Fusion& fusion = body.fusion();
    through_.resize(graph_.nodes().size());
    reads_.resize(carried());
    becomes_.assign(carried(), false);
    for (size_t k = 0; k < carried(); k++) {
      if (!Stays(k)) through_[static_cast<size_t>(Input(captures() + k))].push_back(k);
    }
    for (size_t i = 0; i < graph_.nodes().size(); i++) {
      const Node& node = graph_.nodes()[i];
      if (fusion.readers[i] == 0) continue;
      if (node.kind() == Kind::kPart) {
        // What an inner loop leaves as it is lies where it was, before and after that loop.
        const NodeId start = LeftAsItIs(node);
        const auto tensor = start >= 0 ? body.AsTensor(start) : std::nullopt;
        if (!tensor.has_value()) continue;
        body.SetTensor(static_cast<NodeId>(i), *tensor);
        through_[i] = through_[static_cast<size_t>(start)];
        continue;
      }
      const absl::Span<const NodeId> operands = ReadOperands(node);
      for (size_t o = 0; o < operands.size(); o++) {
        for (size_t k : through_[static_cast<size_t>(operands[o])]) {
          if (fusion.group[i] >= 0) {
            reads_[k].push_back({static_cast<NodeId>(i), o});
          } else if (!absl::c_linear_search(through_[i], k)) {
            through_[i].push_back(k);
          }
        }
      }
    }
    for (size_t i = 0; i < graph_.outputs().size(); i++) {
      if (i >= carried() && i < carried() + stacked()) continue;
      for (size_t k : through_[static_cast<size_t>(graph_.outputs()[i])]) becomes_[k] = true;
    }
  }

  // The value from which an inner loop starts, if this part of it is that value, unchanged; else
  // -1.
  NodeId LeftAsItIs(const Node& part) const {
    const Node& node = graph_.node(part.operands[0]);
    const auto& inner = node.As<LoopAttributes>();
    const int32_t index = part.As<PartAttributes>().index;
    if (index >= inner.carried) return -1;
    const auto at = static_cast<size_t>(inner.captures + index);
    const Graph& body = *inner.body;
    if (body.outputs()[static_cast<size_t>(index)] != body.inputs()[1 + at]) return -1;
    return node.operands[LoopPlaces(inner).first + at];
  }

  // Whether a value that is only read through goes back to a carried one.
  bool DependsOnHome(NodeId id) const { return !through_[static_cast<size_t>(id)].empty(); }

  bool MayOverwrite(const Level& body, size_t k) const {
    const Fusion& fusion = body.fusion();
    const NodeId old = Input(captures() + k);
    const NodeId next = graph_.outputs()[k];
    const Node& node = body.node(next);
    const bool is_part = node.kind() == Kind::kPart;
    const int32_t writer = fusion.group[static_cast<size_t>(is_part ? node.operands[0] : next)];
    if (writer < 0) return false;
    using What = Fusion::Group::What;
    const What what = fusion.groups[static_cast<size_t>(writer)].what;
    if (what != What::kNest && what != What::kLoop) return false;
    if (is_part) {
      const auto& inner = body.node(node.operands[0]).As<LoopAttributes>();
      if (node.As<PartAttributes>().index >= inner.carried || body.IsTwin(next)) return false;
      // It stays where it is.
      if (LeftAsItIs(node) >= 0) return false;
    }
    if (becomes_[k]) return false;
    for (const Read& read : reads_[k]) {
      const int32_t group = fusion.group[static_cast<size_t>(read.reader)];
      if (group < writer) continue;
      if (group > writer) return false;
      const Node& reader = body.node(read.reader);
      const NodeId operand = reader.operands[read.operand];
      if (what == What::kNest) {
        // At the same point, before it is overwritten.
        if (reader.kind() != Kind::kMap || SameElements(graph_, operand) != old) return false;
        continue;
      }
      // An inner loop that goes on with it.
      const auto& inner = reader.As<LoopAttributes>();
      const LoopPlaces at(inner);
      const size_t start = at.first + at.captures;
      if (!is_part || operand != old ||
          read.operand != start + static_cast<size_t>(node.As<PartAttributes>().index)) {
        return false;
      }
    }
    return true;
  }

  // ---- The end of a trip, and of the loop

  void CopyTensor(Level& body, const Tensor& from, NodeId like, const Tensor& to) {
    // Under its own name for once.
    Nest nest(body, absl::StrCat("next %", like), to.shape);
    nest.WriteFrom(like, from, to);
    nest.Emit();
  }

  // Whether a value is where it was planned; a loop may have taken another place for it.
  static bool LiesAt(const Level& body, NodeId id, const Tensor& place) {
    return body.HasTensor(id) && SamePlace(body.tensor(id), place);
  }

  void CopyResults(Level& body) {
    // Values that are read through are computed here, before homes change.
    std::vector<std::pair<size_t, Tensor>> values = snapshots_;
    std::vector<bool> taken(carried(), false);
    for (const auto& [k, snapshot] : snapshots_) taken[k] = true;
    for (size_t k = 0; k < carried(); k++) {
      if (Stays(k) || (in_place_[k] && LiesAt(body, graph_.outputs()[k], homes_[k]))) continue;
      if (!taken[k]) values.push_back({k, body.Materialize(graph_.outputs()[k])});
    }
    for (const auto& [k, from] : values) CopyTensor(body, from, graph_.outputs()[k], homes_[k]);
    for (size_t i = 0; i < stacked(); i++) {
      const NodeId next = graph_.outputs()[carried() + i];
      if (slice_is_written_[i] || LiesAt(body, next, slices_[i])) continue;
      CopyTensor(body, body.Materialize(next), next, slices_[i]);
    }
  }

  void Leave(Register ran) {
    const Register first = loop_.reversed ? b_.Sub(trips_, ran) : b_.Index(0);
    for (size_t i = 0; i < stacked(); i++) {
      const size_t index = carried() + i;
      const Tensor& all = stacked_[i];
      // The caller's outputs are zero from the start.
      if (b_.program().buffers[static_cast<size_t>(all.buffer)].home != Buffer::Home::kOutput) {
        Clear(all, b_.Index(0), first);
        Clear(all, b_.Add(first, ran), length_);
      }
      if (parts_[index] >= 0) outer_.SetTensor(parts_[index], all);
    }
    for (size_t k = 0; k < carried(); k++) {
      if (parts_[k] >= 0) outer_.SetTensor(parts_[k], homes_[k]);
    }
    if (parts_.back() >= 0) outer_.SetRegister(parts_.back(), ran);
    for (NodeId part : outer_.PartsOf(id_)) {
      if (!outer_.IsTwin(part)) continue;
      if (IndexOf(part) + 1 == parts_.size()) {
        outer_.SetRegister(part, ran);
      } else {
        outer_.SetTensor(part, outer_.tensor(parts_[IndexOf(part)]));
      }
    }
  }

  // Zeros to the slices begin .. end - 1; what lies between rows is cleared, too.
  void Clear(const Tensor& all, Register begin, Register end) {
    // An axis of extent 1 has no stride. Then a slice is as long as all of its own first axis.
    size_t axis = 0;
    while (axis < all.strides.size() && all.strides[axis] == Stride()) axis++;
    const auto place = [&](Register slice) {
      if (axis == all.strides.size()) return slice;
      const Register at = PlaceAlong(all.strides[axis], slice);
      return axis == 0 ? at : b_.Mul(at, outer_.Extent(all.shape[axis]));
    };
    constexpr int32_t kLanes = 8;
    b_.OpenSection(absl::StrCat("zeros of ", outer_.Label(id_)));
    const Register from = place(begin), to = place(end);
    const Builder::Loop loop = b_.OpenFor({.reg = from}, {.reg = to}, kLanes);
    const Register base = all.base == kNone ? b_.Index(0) : all.base;
    const Register at = b_.Add(base, loop.variable);
    const Register zeros = b_.Constant(all.dtype, 0, kLanes);
    b_.Store(all.buffer, at, zeros,
             {.offset = all.offset, .mask = b_.Below(b_.Sub(to, loop.variable), kLanes)});
    b_.CloseFor();
    b_.CloseSection();
  }

  Level& outer_;
  Builder& b_;
  const NodeId id_;
  const Node& node_;
  const LoopAttributes& loop_;
  const Graph& graph_;
  const LoopPlaces at_;
  std::vector<NodeId> parts_;  // by their number; -1: nobody reads it
  Register trips_ = kNone, length_ = kNone;
  Tensor rows_;
  std::vector<Tensor> homes_, scanned_, stacked_, slices_;
  // For each node that is read through, the carried values it goes back to; for each of those, who
  // reads it, and whether it becomes another one or says when to stop.
  std::vector<absl::InlinedVector<size_t, 1>> through_;
  struct Read {
    NodeId reader;
    size_t operand;
  };
  std::vector<std::vector<Read>> reads_;
  std::vector<bool> becomes_;
  std::vector<bool> in_place_, slice_is_written_;
  std::vector<std::pair<size_t, Tensor>> snapshots_;
};

absl::Status Level::LowerLoop(NodeId id) {
  if (depth_ >= kMaxNesting) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph_, id,
                     absl::StrCat("loops are nested deeper than ", kMaxNesting));
  }
  return LoopLowering(*this, id).Run();
}

}  // namespace talweg::loops
