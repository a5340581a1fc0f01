#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/loop_places.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// Where everything lies that a loop reads and writes.
struct LoopLayout {
  // A carried value that changes. The trips write to `out` and to `spare` in turn, so that the last
  // of `trips` writes to `out`.
  struct Carried {
    Address start, out, spare;
    int64_t bytes = 0;
    size_t input = 0, output = 0;  // of the body
  };
  // A scanned or a stacked value.
  struct Sliced {
    Address all;
    int64_t slice_bytes = 0;
    size_t number = 0;  // of the body's input or output
  };
  // What the body reads in the same place in each trip.
  struct Fixed {
    Address address;
    size_t input = 0;
  };

  NodeId id = -1;
  int32_t body = -1;
  bool reversed = false;
  int64_t length = -1;           // of what is sliced; -1 where nothing is
  bool length_is_found = false;  // by ProgramState::BindTrips, not by an input
  Address trips, trips_run;
  bool binds_rows = false, wide_rows = false, whole = false;
  Address rows;
  int64_t rows_limit = 0;
  std::vector<Fixed> fixed;  // captures, and carried values that never change
  std::vector<Carried> carried;
  std::vector<Sliced> scanned, stacked;
  int32_t stop = -1;  // the body's output that tells whether to stop
};

// Runs the body's plan once a trip, in the body's own frame. Nothing is copied on the way: the next
// carried values are written to one of two buffers in turn, slices are addresses inside of the
// scanned and stacked buffers.
class LoopInstruction : public PlanStep {
 public:
  explicit LoopInstruction(LoopLayout layout) : layout_(std::move(layout)) {}
  bool Run(Frame& frame) const override;

 private:
  bool Fail(Frame& frame, absl::string_view what) const {
    frame.state->call().SetError(NodeError(absl::StatusCode::kInvalidArgument,
                                           frame.state->program().graph(), layout_.id, what));
    return false;
  }
  bool RowsOf(Frame& frame, int64_t trip, int64_t& rows) const;
  bool RunTrip(Frame& frame, ProgramState& body, int64_t trip, bool to_out,
               absl::Span<std::byte*> inputs, absl::Span<std::byte*> outputs) const;
  void Finish(Frame& frame, int64_t first, int64_t ran, absl::Span<std::byte* const> inputs) const;

  const LoopLayout layout_;
};

bool LoopInstruction::RowsOf(Frame& frame, int64_t trip, int64_t& rows) const {
  const std::byte* all = frame.At(layout_.rows);
  if (layout_.wide_rows) {
    std::memcpy(&rows, all + trip * 8, 8);
  } else {
    int32_t narrow;
    std::memcpy(&narrow, all + trip * 4, 4);
    rows = narrow;
  }
  if (rows >= 0 && rows <= layout_.rows_limit) return true;
  return Fail(frame, absl::StrCat("rows is ", rows, " in trip ", trip,
                                  ", which is not in 0 to its limit ", layout_.rows_limit));
}

bool LoopInstruction::Run(Frame& frame) const {
  int64_t trips;
  std::memcpy(&trips, frame.At(layout_.trips), sizeof(trips));
  trips = std::max<int64_t>(trips, 0);
  if (layout_.length >= 0 && trips > layout_.length) {
    // A loop that says how many trips there are was run for the length already. Told to stop
    // between the two, it says another number now.
    const std::atomic<bool>* const stop_asked = frame.state->call().options->stop;
    if (!layout_.length_is_found || stop_asked == nullptr ||
        !stop_asked->load(std::memory_order_relaxed)) {
      return Fail(frame, absl::StrCat(trips, " trips, but scanned and stacked values have ",
                                      layout_.length));
    }
    trips = layout_.length;
  }
  ProgramState& body = frame.state->body(layout_.body);
  const bool outermost = frame.state->program().depth() == 0 && !layout_.whole;
  const RunOptions* options = outermost ? frame.state->call().options : nullptr;

  int64_t trip = 0;
  bool stop = false;
  const Graph& graph = body.program().graph();
  std::vector<std::byte*> inputs(graph.inputs().size()), outputs(graph.outputs().size());
  inputs[0] = reinterpret_cast<std::byte*>(&trip);
  for (const LoopLayout::Fixed& fixed : layout_.fixed) {
    inputs[fixed.input] = frame.At(fixed.address);
  }
  for (const LoopLayout::Carried& carried : layout_.carried) {
    inputs[carried.input] = frame.At(carried.start);
  }
  if (layout_.stop >= 0) {
    outputs[static_cast<size_t>(layout_.stop)] = reinterpret_cast<std::byte*>(&stop);
  }
  int64_t ran = 0;
  for (; ran < trips && !stop; ran++) {
    trip = layout_.reversed ? trips - 1 - ran : ran;
    const bool to_out = (trips - 1 - ran) % 2 == 0;
    if (!RunTrip(frame, body, trip, to_out, absl::MakeSpan(inputs), absl::MakeSpan(outputs))) {
      return false;
    }
    if (options == nullptr) continue;
    const bool counts = options->progress != nullptr && !frame.state->program().runs_again();
    if (counts) options->progress->fetch_add(1, std::memory_order_relaxed);
    if (options->stop == nullptr || layout_.reversed) continue;
    if (options->stop->load(std::memory_order_relaxed)) stop = true;
  }
  Finish(frame, layout_.reversed ? trips - ran : 0, ran, inputs);
  return true;
}

bool LoopInstruction::RunTrip(Frame& frame, ProgramState& body, int64_t trip, bool to_out,
                              absl::Span<std::byte*> inputs, absl::Span<std::byte*> outputs) const {
  SymbolValues symbols;
  symbols.rows = frame.plan->symbols.rows;
  if (layout_.binds_rows && !RowsOf(frame, trip, symbols.rows)) return false;
  for (const LoopLayout::Sliced& scanned : layout_.scanned) {
    inputs[scanned.number] = frame.At(scanned.all) + trip * scanned.slice_bytes;
  }
  if (!body.BindTrips(inputs, symbols)) return false;
  Frame* inner = body.Activate(symbols);
  if (inner == nullptr) return false;
  for (const LoopLayout::Carried& carried : layout_.carried) {
    outputs[carried.output] = frame.At(to_out ? carried.out : carried.spare);
  }
  for (const LoopLayout::Sliced& stacked : layout_.stacked) {
    outputs[stacked.number] = frame.At(stacked.all) + trip * stacked.slice_bytes;
  }
  std::copy(inputs.begin(), inputs.end(), inner->pointers.begin());
  for (size_t k = 0; k < outputs.size(); k++) {
    const int32_t slot = inner->plan->output_slots[k];
    if (slot >= 0) inner->pointers[static_cast<size_t>(slot)] = outputs[k];
  }
  if (!RunPlan(*inner)) return false;
  for (const LoopLayout::Carried& carried : layout_.carried) {
    inputs[carried.input] = outputs[carried.output];
  }
  return true;
}

// The trips from number `first` on, `ran` of them, did run; `inputs` has the last carried values.
void LoopInstruction::Finish(Frame& frame, int64_t first, int64_t ran,
                             absl::Span<std::byte* const> inputs) const {
  for (const LoopLayout::Carried& carried : layout_.carried) {
    std::byte* out = frame.At(carried.out);
    const std::byte* last = inputs[carried.input];
    // After an early stop the last value may be in the other buffer; without a trip it is the
    // start.
    if (last != out) std::memcpy(out, last, static_cast<size_t>(carried.bytes));
  }
  for (const LoopLayout::Sliced& stacked : layout_.stacked) {
    std::byte* all = frame.At(stacked.all);
    const auto clear = [&](int64_t begin, int64_t end) {
      std::memset(all + begin * stacked.slice_bytes, 0,
                  static_cast<size_t>((end - begin) * stacked.slice_bytes));
    };
    clear(0, first);
    clear(first + ran, layout_.length);
  }
  std::memcpy(frame.At(layout_.trips_run), &ran, sizeof(ran));
}

// Checks that a value outside has the extents that the body, with these symbols, expects.
bool Fits(const Type& inner, const Extents& dims, size_t skipped, const SymbolValues& symbols) {
  if (inner.shape.size() + skipped != dims.size()) return false;
  for (size_t axis = 0; axis < inner.shape.size(); axis++) {
    if (symbols.Of(inner.shape[axis]) != dims[axis + skipped]) return false;
  }
  return true;
}

}  // namespace

absl::Status PlanLoop(Planner& planner) {
  const auto& loop = planner.node().As<LoopAttributes>();
  const int32_t body_index = planner.program().body_index(planner.id());
  const Program& body = *planner.program().bodies()[static_cast<size_t>(body_index)];
  const Graph& graph = body.graph();
  const auto [first, captures, carried, scanned, stacked] = LoopPlaces(loop);
  SymbolValues symbols;
  if (!loop.binds_rows) symbols.rows = planner.symbols().rows;

  // What enters, contiguous, before the instruction itself is begun.
  std::vector<Place> entering;
  for (size_t i = 0; i < captures + carried + scanned; i++) {
    Place place = planner.Contiguous(planner.operand(first + i));
    if (!Fits(graph.input_type(1 + i), place.dims, i < captures + carried ? 0 : 1, symbols)) {
      return planner.Error(
          absl::StrCat("the body takes ", ToString(graph.input_type(1 + i)), " for value ", i));
    }
    entering.push_back(std::move(place));
  }
  const Place trips = planner.operand(0);
  const Place rows = loop.binds_rows ? planner.Contiguous(planner.operand(1)) : Place{};

  LoopLayout layout;
  layout.id = planner.id();
  layout.body = body_index;
  layout.reversed = loop.reversed;
  layout.whole = loop.whole;
  layout.trips = planner.Read(trips);
  if (scanned + stacked > 0 || loop.binds_rows) {
    layout.length = planner.symbols().Of(loop.length);
    layout.length_is_found = loop.length == kTrips && planner.program().trips() != nullptr;
    if (layout.length < 0) return planner.Error("nothing binds the number of trips");
  }
  if (loop.binds_rows) {
    layout.binds_rows = true;
    layout.rows_limit = loop.rows_limit;
    layout.wide_rows = rows.dtype == kInt64;
    layout.rows = planner.Read(rows);
  }
  std::vector<Place> parts;
  for (size_t i = 0; i < captures; i++) {
    layout.fixed.push_back({planner.Read(entering[i]), 1 + i});
  }
  for (size_t i = 0; i < carried; i++) {
    const size_t input = 1 + captures + i;
    const Place& start = entering[captures + i];
    const Address address = planner.Read(start);
    if (body.passed_through(i) >= 0) {
      layout.fixed.push_back({address, input});
      parts.push_back(start);
      continue;
    }
    Place out = planner.NewValue(start.dtype, start.dims);
    const Address spare = planner.Scratch(start.bytes());
    layout.carried.push_back({address, out.address, spare, start.bytes(), input, i});
    parts.push_back(std::move(out));
  }
  for (size_t i = 0; i < scanned; i++) {
    const Place& all = entering[captures + carried + i];
    const int64_t slices = std::max<int64_t>(all.dims[0], 1);
    layout.scanned.push_back({planner.Read(all), all.bytes() / slices, 1 + captures + carried + i});
  }
  for (size_t i = carried; i < carried + stacked; i++) {
    Place all = planner.NewValue(planner.node().types[i].dtype, planner.ResultDims(i));
    if (!Fits(graph.output_type(i), all.dims, 1, symbols)) {
      return planner.Error(absl::StrCat("the body yields ", ToString(graph.output_type(i)),
                                        " for stacked value ", i - carried));
    }
    const int64_t slices = std::max<int64_t>(all.dims[0], 1);
    layout.stacked.push_back({all.address, all.bytes() / slices, i});
    parts.push_back(std::move(all));
  }
  if (loop.stops) layout.stop = static_cast<int32_t>(carried + stacked);
  parts.push_back(planner.NewValue(kInt64, {}));
  layout.trips_run = parts.back().address;
  planner.Emit(std::make_unique<LoopInstruction>(std::move(layout)), parts);
  if (planner.writes_text()) {
    if (loop.binds_rows) symbols.rows = loop.rows_limit;
    planner.DescribeBody(body, symbols);
  }
  planner.ReturnParts(std::move(parts));
  return absl::OkStatus();
}

}  // namespace talweg
