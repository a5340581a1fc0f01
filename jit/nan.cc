#include "jit/nan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/loop_places.h"
#include "graph/tape.h"
#include "graph/value.h"
#include "jit/widen.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

// An origin is a list of int64 scalars: a key for each depth of loops, outermost first, and 1 where
// it is a NaN. Keys compare like the moments at which nodes run: the node's number in its graph,
// then, if it is a loop, how many trips came before. What is there before the run, in an input or a
// constant, is later than all that the run makes.
constexpr int kTripBits = 40;
constexpr int64_t kTripMask = (int64_t{1} << kTripBits) - 1;
constexpr int64_t kMostNodes = int64_t{1} << 21;
constexpr int64_t kGiven = int64_t{1} << 62;
constexpr int64_t kNothing = std::numeric_limits<int64_t>::max();

int64_t KeyOf(NodeId id) { return static_cast<int64_t>(id) << kTripBits; }
NodeId NodeOf(int64_t key) { return static_cast<NodeId>((key & ~kGiven) >> kTripBits); }

// How deep loops are nested in a graph.
size_t DepthOf(const Graph& graph) {
  size_t depth = 0;
  for (const Node& node : graph.nodes()) {
    if (node.kind() != Kind::kLoop) continue;
    depth = std::max(depth, 1 + DepthOf(*node.As<LoopAttributes>().body));
  }
  return depth;
}

bool IsFinite(const Array& array) {
  for (int64_t i = 0; i < array.size(); i++) {
    if (!std::isfinite(array.At(i))) return false;
  }
  return true;
}

// The same elements as the operand has.
bool KeepsElements(Kind kind) { return kind == Kind::kReshape || kind == Kind::kCustom; }

using Origin = std::vector<Value>;
// None: always finite.
using MaybeOrigin = std::optional<Origin>;

// Copies one graph, that of the run or a loop's body, with the origins beside.
class Tracker {
 public:
  // `trips`: the keys of the loops around.
  Tracker(const Tape& tape, size_t length, std::vector<Value> trips)
      : tape_(tape), length_(length), trips_(std::move(trips)) {}

  // The copy goes to `values`, by node.
  absl::Status Track(const Graph& graph, const std::vector<Value>& inputs,
                     const std::vector<MaybeOrigin>& input_origins);

  const Value& value(NodeId id) const { return values_[static_cast<size_t>(id)]; }
  const MaybeOrigin& origin(NodeId id) const { return origins_[static_cast<size_t>(id)]; }

  Value Number(int64_t number) const { return tape_.Constant(Array(number)); }
  Origin Nothing() const {
    Origin origin(length_, Number(0));
    origin[0] = Number(kNothing);
    return origin;
  }
  static Value IsThere(const Origin& origin) { return Less(origin[0], Const(origin[0], kNothing)); }
  static Origin Choose(const Value& condition, const Origin& a, const Origin& b) {
    Origin chosen;
    for (size_t i = 0; i < a.size(); i++) {
      chosen.push_back(a[i] == b[i] ? a[i] : Select(condition, a[i], b[i]));
    }
    return chosen;
  }
  // The earlier one.
  static MaybeOrigin Earlier(const MaybeOrigin& a, const MaybeOrigin& b) {
    if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
    if (*a == *b) return a;
    Value less = Less(a->front(), b->front()), equal = Equal(a->front(), b->front());
    for (size_t i = 1; i + 1 < a->size(); i++) {
      less = Or(less, And(equal, Less((*a)[i], (*b)[i])));
      if (i + 2 < a->size()) equal = And(equal, Equal((*a)[i], (*b)[i]));
    }
    return Choose(less, *a, *b);
  }
  // An origin, where the value has a NaN or an infinity; its own, where what it was made of has
  // none.
  static Origin Gate(const Value& value, const MaybeOrigin& of_operands, const Origin* own,
                     const Origin& nothing);

 private:
  static Value Const(const Value& like, int64_t number) {
    return Tape(like.tape()).Constant(Array(number));
  }
  Origin Own(NodeId id, bool given) const;
  absl::Status TrackLoop(NodeId id, const Node& node);

  Tape tape_;
  const size_t length_;
  const std::vector<Value> trips_;
  std::vector<Value> values_;
  std::vector<MaybeOrigin> origins_;
  // Of the loops, by node: the parts and their origins.
  std::vector<std::pair<std::vector<Value>, std::vector<MaybeOrigin>>> parts_;
};

Origin Tracker::Gate(const Value& value, const MaybeOrigin& of_operands, const Origin* own,
                     const Origin& nothing) {
  // The greatest magnitude tells of both: it is NaN where an element is.
  const Value most = ReduceMax(Abs(value));
  const Value finite = Less(most, std::numeric_limits<double>::infinity());
  Origin origin = of_operands.has_value() ? *of_operands : nothing;
  if (own != nullptr) {
    Origin made = *own;
    made.back() = Cast(IsNan(most), kInt64);
    origin = of_operands.has_value() ? Choose(IsThere(origin), origin, made) : made;
  }
  return Choose(finite, nothing, origin);
}

// But for its last element.
Origin Tracker::Own(NodeId id, bool given) const {
  Origin own = trips_;
  own.push_back(Number(KeyOf(id)));
  own.resize(length_, Number(0));
  if (given) own[0] = own[0] + kGiven;
  return own;
}

absl::Status Tracker::Track(const Graph& graph, const std::vector<Value>& inputs,
                            const std::vector<MaybeOrigin>& input_origins) {
  const Origin nothing = Nothing();
  const size_t count = graph.nodes().size();
  if (static_cast<int64_t>(count) > kMostNodes) {
    return absl::ResourceExhaustedError("the graph is too large to look for NaNs");
  }
  values_.resize(count);
  origins_.resize(count);
  parts_.resize(count);
  for (size_t i = 0; i < inputs.size(); i++) {
    const auto id = static_cast<size_t>(graph.inputs()[i]);
    values_[id] = inputs[i];
    origins_[id] = input_origins[i];
  }
  for (size_t i = 0; i < count; i++) {
    const Node& node = graph.nodes()[i];
    const auto id = static_cast<NodeId>(i);
    if (node.kind() == Kind::kInput) {
      // In the graph of the run; those of bodies have what stands for them outside.
      if (trips_.empty() && IsFloat(node.type().dtype)) {
        const Origin own = Own(id, true);
        origins_[i] = Gate(values_[i], std::nullopt, &own, nothing);
      }
      continue;
    }
    if (node.kind() == Kind::kLoop) {
      if (absl::Status status = TrackLoop(id, node); !status.ok()) return status;
      continue;
    }
    if (node.kind() == Kind::kPart) {
      const auto index = static_cast<size_t>(node.As<PartAttributes>().index);
      const auto& [parts, origins] = parts_[static_cast<size_t>(node.operands[0])];
      values_[i] = parts[index];
      origins_[i] = origins[index];
      continue;
    }
    std::vector<Value> operands;
    MaybeOrigin of_operands;
    for (NodeId operand : node.operands) {
      operands.push_back(value(operand));
      // The rest of a custom's operands are for derivatives.
      if (node.kind() == Kind::kCustom && operands.size() > 1) continue;
      of_operands = Earlier(of_operands, origin(operand));
    }
    values_[i] = CopyNode(tape_, node, operands);
    if (!IsFloat(node.type().dtype)) continue;
    if (KeepsElements(node.kind())) {
      origins_[i] = of_operands;
      continue;
    }
    const bool constant = node.kind() == Kind::kConstant;
    if (constant && IsFinite(node.As<ConstantAttributes>().value)) continue;
    const Origin own = Own(id, constant);
    origins_[i] = Gate(values_[i], of_operands, &own, nothing);
  }
  return tape_.status();
}

absl::Status Tracker::TrackLoop(NodeId id, const Node& node) {
  const auto& loop = node.As<LoopAttributes>();
  const Graph& body = *loop.body;
  const LoopPlaces at(loop);
  const auto [first, captures, carried, scanned, stacked] = at;
  std::vector<Value> operands;
  for (NodeId operand : node.operands) operands.push_back(value(operand));

  // Captured besides: the keys of the loops around, and the origins of what is captured or scanned.
  // Carried: the origins of what is carried, and the earliest so far of what is stacked.
  std::vector<Value> more_captured = trips_, more_carried;
  const auto origin_of = [&](size_t i) -> const MaybeOrigin& {
    return origin(node.operands[first + i]);
  };
  for (size_t i = 0; first + i < operands.size(); i++) {
    if (at.is_carried(i) && IsFloat(operands[first + i].dtype())) {
      const Origin start = origin_of(i).value_or(Nothing());
      more_carried.insert(more_carried.end(), start.begin(), start.end());
    } else if (!at.is_carried(i) && origin_of(i).has_value()) {
      more_captured.insert(more_captured.end(), origin_of(i)->begin(), origin_of(i)->end());
    }
  }
  for (size_t k = 0; k < stacked; k++) {
    if (!IsFloat(body.output_type(carried + k).dtype)) continue;
    const Origin start = Nothing();
    more_carried.insert(more_carried.end(), start.begin(), start.end());
  }

  const auto make = [&](WideBody& wide) -> absl::StatusOr<WideStep> {
    auto captured = wide.captured.begin();
    auto before = wide.carried.begin();
    const auto take = [](std::vector<Value>::iterator& from, size_t count) {
      from += static_cast<std::ptrdiff_t>(count);
      return std::vector<Value>(from - static_cast<std::ptrdiff_t>(count), from);
    };
    std::vector<Value> trips = take(captured, trips_.size());
    const Value& trip = wide.inputs[0];
    const Value run = loop.reversed ? Select(Less(trip, kTripMask), kTripMask - trip, 0)
                                    : Select(Less(trip, kTripMask), trip, kTripMask);
    trips.push_back(run + KeyOf(id));
    Tracker inner(wide.tape, length_, trips);
    std::vector<MaybeOrigin> origins(wide.inputs.size());
    for (size_t i = 0; first + i < operands.size(); i++) {
      const Value& input = wide.inputs[1 + i];
      if (at.is_carried(i)) {
        if (IsFloat(input.dtype())) origins[1 + i] = take(before, length_);
      } else if (origin_of(i).has_value()) {
        origins[1 + i] = take(captured, length_);
        // A slice may be finite where the whole is not.
        if (i >= captures) {
          origins[1 + i] = Gate(input, origins[1 + i], nullptr, inner.Nothing());
        }
      }
    }
    if (absl::Status s = inner.Track(body, wide.inputs, origins); !s.ok()) return s;
    WideStep step;
    for (NodeId output : body.outputs()) step.outputs.push_back(inner.value(output));
    for (size_t k = 0; k < carried + stacked; k++) {
      if (!IsFloat(body.output_type(k).dtype)) continue;
      Origin next = inner.origin(body.outputs()[k]).value_or(inner.Nothing());
      if (k >= carried) {
        const Origin earlier = take(before, length_);
        next = Choose(IsThere(earlier), earlier, next);
      }
      step.carried.insert(step.carried.end(), next.begin(), next.end());
    }
    return step;
  };
  absl::StatusOr<WideLoop> made = Widen(tape_, node, operands, more_captured, more_carried, make);
  if (!made.ok()) return made.status();
  auto& [parts, origins] = parts_[static_cast<size_t>(id)];
  parts = std::move(made->parts);
  origins.resize(parts.size());
  auto after = made->carried.begin();
  for (size_t k = 0; k < carried + stacked; k++) {
    if (!IsFloat(body.output_type(k).dtype)) continue;
    origins[k] = Origin(after, after + static_cast<std::ptrdiff_t>(length_));
    after += static_cast<std::ptrdiff_t>(length_);
  }
  return absl::OkStatus();
}

bool HasNonFinite(absl::Span<const Array> arrays) {
  return std::any_of(arrays.begin(), arrays.end(),
                     [](const Array& array) { return IsFloat(array.dtype()) && !IsFinite(array); });
}

// What is kept between the runs of one executable.
struct Watch {
  std::mutex mutex;  // of `run`
  std::optional<absl::StatusOr<RunFunction>> run;
};

}  // namespace

absl::StatusOr<Graph> TrackOrigins(const Graph& graph) {
  Tape tape;
  const size_t length = DepthOf(graph) + 2;
  Tracker tracker(tape, length, {});
  const absl::Status status = tracker.Track(graph, CopyInputs(tape, graph),
                                            std::vector<MaybeOrigin>(graph.inputs().size()));
  if (!status.ok()) return status;
  std::vector<Value> outputs;
  for (NodeId output : graph.outputs()) {
    if (!IsFloat(graph.node(output).type().dtype)) continue;
    const Origin origin = tracker.origin(output).value_or(tracker.Nothing());
    outputs.insert(outputs.end(), origin.begin(), origin.end());
  }
  return tape.Finish(outputs);
}

std::string DescribeOrigins(const Graph& graph, absl::Span<const Array> origins) {
  const size_t length = DepthOf(graph) + 2;
  std::vector<int64_t> earliest = {kNothing};
  std::vector<size_t> reached;
  size_t next = 0;
  for (size_t k = 0; k < graph.outputs().size(); k++) {
    if (!IsFloat(graph.output_type(k).dtype)) continue;
    std::vector<int64_t> origin;
    for (size_t i = 0; i < length; i++) origin.push_back(origins[next++].data<int64_t>()[0]);
    if (origin < earliest) reached.clear();
    earliest = std::min(earliest, origin);
    if (origin[0] != kNothing && origin == earliest) reached.push_back(k);
  }
  if (earliest[0] == kNothing) return "";
  const Graph* place = &graph;
  std::string trips;
  size_t depth = 0;
  for (;; depth++) {
    const Node& node = place->node(NodeOf(earliest[depth]));
    if (node.kind() != Kind::kLoop) break;
    const auto& loop = node.As<LoopAttributes>();
    const int64_t run = earliest[depth] & kTripMask;
    const std::string line = ToString(node.line);
    absl::StrAppend(&trips, trips.empty() ? "\n  in trip " : ", in trip ",
                    loop.reversed ? kTripMask - run : run, " of the loop",
                    line.empty() ? "" : absl::StrCat(" at ", line));
    place = loop.body.get();
  }
  const NodeId id = NodeOf(earliest[depth]);
  const Node& node = place->node(id);
  const char* what = earliest.back() != 0 ? "a NaN" : "an infinity";
  const NodeFrame frame = FrameOf(*place, id);
  std::string text;
  if (node.kind() == Kind::kInput) {
    text = absl::StrCat("input '", node.As<InputAttributes>().name, "': ", ToString(node.type()),
                        ": has ", what, " already", frame.after);
  } else if (node.kind() == Kind::kConstant) {
    text = absl::StrCat(frame.before, ToString(node.type()), ": has ", what, frame.after);
  } else {
    text = absl::StrCat(frame.before, "makes ", what,
                        node.operands.empty() ? "" : " of finite numbers", frame.after);
  }
  absl::StrAppend(&text, trips, "\n  it reaches output ", reached[0]);
  if (reached.size() > 1) absl::StrAppend(&text, " and ", reached.size() - 1, " more");
  return text + "\n";
}

RunFunction WatchForNan(const Graph& graph, RunFunction run,
                        std::function<absl::StatusOr<RunFunction>(const Graph&)> compile,
                        std::function<void(std::string_view)> tell) {
  const auto shared = std::make_shared<const Graph>(graph);
  const auto watch = std::make_shared<Watch>();
  return [=](absl::Span<const Array> inputs, const SymbolValues& symbols,
             const RunOptions& options) -> absl::StatusOr<std::vector<Array>> {
    absl::StatusOr<std::vector<Array>> outputs = run(inputs, symbols, options);
    if (!outputs.ok() || !HasNonFinite(*outputs)) return outputs;
    if (options.stop != nullptr && options.stop->load()) {
      tell("the run was stopped: nobody looked for where its NaN or infinity comes from\n");
      return outputs;
    }
    absl::StatusOr<RunFunction> tracking = absl::InternalError("not compiled");
    {
      const std::lock_guard lock(watch->mutex);
      if (!watch->run.has_value()) {
        const absl::StatusOr<Graph> graph = TrackOrigins(*shared);
        watch->run = graph.ok() ? compile(*graph) : graph.status();
      }
      tracking = *watch->run;
    }
    const absl::StatusOr<std::vector<Array>> origins =
        tracking.ok()
            ? (*tracking)(inputs, symbols, {.stop = options.stop, .threads = options.threads})
            : tracking.status();
    if (origins.ok()) {
      tell(DescribeOrigins(*shared, *origins));
    } else {
      tell(absl::StrCat("where a NaN comes from is not known: ", origins.status().message(), "\n"));
    }
    return outputs;
  };
}

}  // namespace talweg
