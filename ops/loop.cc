#include "ops/loop.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/core_ops.h"
#include "graph/loop_places.h"
#include "graph/verify.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

absl::Status Differ(std::string_view what, size_t i, const Type& given, const Type& wanted) {
  return absl::InvalidArgumentError(absl::StrCat(AbslView(what), " ", i, " is ", ToString(given),
                                                 " in the body, ", ToString(wanted), " outside"));
}

absl::Status OtherTrips(const Type& type) {
  return absl::InvalidArgumentError(
      absl::StrCat(ToString(type), " enters or leaves a body, in which trips is another number"));
}

Types InferLoop(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& a = std::get<LoopAttributes>(attributes);
  if (a.body == nullptr || a.captures < 0 || a.carried < 0 || a.scanned < 0 || a.stacked < 0) {
    return absl::InvalidArgumentError("the loop has no sound body");
  }
  if (a.length == kRows || (a.length.is_static() && a.length.value() < 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a loop has a number of slices or `trips` of them, not ", a.length.ToString()));
  }
  const Graph& body = *a.body;
  const auto [first, captures, carried, scanned, stacked] = LoopPlaces(a);
  const size_t values = captures + carried + scanned;
  const size_t results = carried + stacked + (a.stops ? 1 : 0);
  if (operands.size() != first + values || body.inputs().size() != 1 + values ||
      body.outputs().size() != results) {
    return absl::InvalidArgumentError(
        absl::StrCat(operands.size(), " operands, ", body.inputs().size(), " inputs and ",
                     body.outputs().size(), " outputs of the body; the counts say ", first + values,
                     ", ", 1 + values, " and ", results));
  }
  const Type scalar{kInt64, {}};
  if (operands[0] != scalar) return absl::InvalidArgumentError("trips is not an int64 scalar");
  if (body.input_type(0) != scalar) {
    return absl::InvalidArgumentError("the body's first input is not the trip");
  }
  if (a.binds_rows) {
    if (!IsInteger(operands[1].dtype) || operands[1].shape != Shape{a.length}) {
      return absl::InvalidArgumentError("rows is not a vector of integers, one a trip");
    }
    if (a.rows_limit < 0) return absl::InvalidArgumentError("rows_limit is negative");
    if (a.rows_limit > kMostRows) {
      return absl::InvalidArgumentError(
          absl::StrCat("rows_limit is ", a.rows_limit, "; it can be at most ", kMostRows));
    }
  } else if (a.rows_limit != 0) {
    return absl::InvalidArgumentError("rows_limit is for a loop that binds rows");
  }
  for (size_t i = 0; i < values; i++) {
    Type wanted = operands[first + i];
    if (a.binds_rows && Uses(wanted.shape, kRows)) {
      return absl::InvalidArgumentError(
          absl::StrCat(ToString(wanted), " enters a body in which rows is another number"));
    }
    if (i >= captures + carried) {
      if (wanted.shape.empty() || !(wanted.shape[0] == a.length)) {
        return absl::InvalidArgumentError(absl::StrCat("the leading extent of ", ToString(wanted),
                                                       " is not ", a.length.ToString()));
      }
      wanted.shape.erase(wanted.shape.begin());
    }
    if (Uses(wanted.shape, kTrips)) return OtherTrips(wanted);
    if (body.input_type(1 + i) != wanted) return Differ("value", i, body.input_type(1 + i), wanted);
  }
  std::vector<Type> types;
  for (size_t i = 0; i < carried + stacked; i++) {
    Type type = body.output_type(i);
    if (i < carried && type != operands[first + captures + i]) {
      return Differ("carried value", i, type, operands[first + captures + i]);
    }
    if (i >= carried) {
      if (Uses(type.shape, kTrips)) return OtherTrips(type);
      if (a.binds_rows && Uses(type.shape, kRows)) {
        return absl::InvalidArgumentError(
            absl::StrCat(ToString(type), " leaves a body in which rows is another number"));
      }
      type.shape.insert(type.shape.begin(), a.length);
      if (absl::Status s = CheckShape(type.shape); !s.ok()) return s;
    }
    types.push_back(std::move(type));
  }
  if (a.stops && body.output_type(carried + stacked) != Type{kBool, {}}) {
    return absl::InvalidArgumentError("stop is not a bool scalar");
  }
  types.push_back(scalar);
  return types;
}

// The body as a closed graph; captures that nothing uses are left out.
struct Body {
  std::shared_ptr<const Graph> graph;
  std::vector<Value> captured;
};

Body Close(const TapeState& tape, absl::Span<const NodeId> outputs, size_t fixed) {
  const TapeState::Captures& captures = tape.captures();
  const Graph all = Extract(tape.nodes(), tape.inputs(), outputs);
  std::vector<bool> used(all.nodes().size(), false);
  for (const Node& node : all.nodes()) {
    for (NodeId id : node.operands) used[static_cast<size_t>(id)] = true;
  }
  for (NodeId id : all.outputs()) used[static_cast<size_t>(id)] = true;
  // The tape's inputs are the trip, carried and scanned values, then captures as they came; the
  // graph's are in the order that LoopAttributes states.
  std::vector<NodeId> inputs = {tape.inputs()[0]};
  Body body;
  for (size_t i = 0; i < captures.inputs.size(); i++) {
    if (!used[static_cast<size_t>(all.inputs()[fixed + i])]) continue;
    inputs.push_back(captures.inputs[i]);
    body.captured.push_back(captures.outer[i]);
  }
  inputs.insert(inputs.end(), tape.inputs().begin() + 1,
                tape.inputs().begin() + static_cast<std::ptrdiff_t>(fixed));
  body.graph = std::make_shared<const Graph>(Extract(tape.nodes(), inputs, outputs));
  return body;
}

// What a failed loop yields: as many values as were asked for.
LoopResult Failed(const Value& failure, size_t carried, size_t stacked) {
  return {std::vector<Value>(carried, failure), std::vector<Value>(stacked, failure), failure};
}

// The same before there is a body. How many values are stacked only the body knows, so that one is
// built even of failed values.
LoopResult FailedBeforeTheBody(const Value& failure, const LoopOptions& options,
                               const std::function<LoopStep(LoopBody&)>& body_function) {
  const auto state = std::make_shared<TapeState>(failure.tape());
  const Value none(state, -1);
  const size_t carried = options.carried.size();
  LoopBody body{.tape = Tape(state),
                .trip = none,
                .carried = std::vector<Value>(carried, none),
                .scanned = std::vector<Value>(options.scanned.size(), none)};
  return Failed(failure, carried, body_function(body).stacked.size());
}

// The number of trips that stands for all that is scanned.
constexpr int64_t kAllTrips = -1;

// Why there is no loop of these operands; empty where there may be one.
std::string FaultOf(const LoopOptions& options) {
  for (const std::vector<Value>* values : {&options.carried, &options.scanned}) {
    for (const Value& v : *values) {
      if (v.tape() == nullptr) return "an operand is a value of no tape";
      if (!v.ok()) return "an operand is a failed value";
    }
  }
  for (const Value& v : options.scanned) {
    if (v.rank() == 0) return "a scalar can not be scanned";
  }
  const Arg& trips = options.trips;
  if (!trips.is_number()) {
    if (trips.value().tape() == nullptr) return "the number of trips is a value of no tape";
    return trips.value().ok() ? "" : "the number of trips is a failed value";
  }
  if (!trips.integer().has_value()) {
    return absl::StrCat("the number of trips, ", trips.number(), ", is no integer");
  }
  const bool needs_number = *trips.integer() == kAllTrips && options.scanned.empty();
  return needs_number ? "a number of trips is needed, nothing is scanned" : "";
}

// The extent of what is scanned and stacked. (Of options without a fault, here and below.)
Dim LengthOf(const LoopOptions& options) {
  if (!options.scanned.empty()) return options.scanned[0].dim(0);
  if (options.rows.rank() == 1) return options.rows.dim(0);
  if (!options.trips.is_number()) return kTrips;
  return std::max<int64_t>(*options.trips.integer(), 0);
}

Value TripsOf(const Tape& tape, const LoopOptions& options, Dim length,
              const std::source_location& where) {
  if (!options.trips.is_number()) {
    // On this tape, so that a loop of values from outside is inside all the same: its body may ask
    // how many rows there are here.
    const Value& trips = options.trips.value();
    const bool is_outside = tape.state()->IsWithin(trips.tape().get());
    return is_outside ? Value(tape.state(), tape.state()->Capture(trips, LineOf(where))) : trips;
  }
  const int64_t number = *options.trips.integer();
  if (number != kAllTrips) {
    return tape.Constant(Array(std::max<int64_t>(number, 0)), where);
  }
  return length.is_static() ? tape.Constant(Array(length.value()), where)
                            : tape.Size(length, where);
}

// A body of which only the inputs are there: the trip, the carried values and the slices.
LoopBody OpenBody(const Tape& tape, const LoopOptions& options, const SourceLine& line) {
  const auto state = std::make_shared<TapeState>(tape.state());
  LoopBody body{.tape = Tape(state), .trip = {}, .carried = {}, .scanned = {}};
  body.trip = Value(state, state->AddInput("trip", {kInt64, {}}, line));
  for (size_t i = 0; i < options.carried.size(); i++) {
    const NodeId id = state->AddInput(absl::StrCat("carried", i), options.carried[i].type(), line);
    body.carried.push_back(Value(state, id));
  }
  for (size_t i = 0; i < options.scanned.size(); i++) {
    Type slice = options.scanned[i].type();
    slice.shape.erase(slice.shape.begin());
    const NodeId id = state->AddInput(absl::StrCat("scanned", i), std::move(slice), line);
    body.scanned.push_back(Value(state, id));
  }
  return body;
}

// An input that neither we made (the first `fixed` ones) nor a capture; null where there is none.
const Node* OwnInput(const TapeState& tape, size_t fixed) {
  size_t captures = 0;
  for (size_t i = fixed; i < tape.inputs().size(); i++) {
    const std::vector<NodeId>& captured = tape.captures().inputs;
    if (captures == captured.size() || captured[captures] != tape.inputs()[i]) {
      return &tape.nodes()[static_cast<size_t>(tape.inputs()[i])];
    }
    captures++;
  }
  return nullptr;
}

// What a trip yields as nodes of the body, in the order of LoopAttributes.
absl::StatusOr<std::vector<NodeId>> OutputsOf(TapeState& tape, const LoopStep& step, size_t carried,
                                              const SourceLine& line) {
  if (step.carried.size() != carried) {
    return absl::InvalidArgumentError(
        absl::StrCat(carried, " values are carried in, ", step.carried.size(), " out"));
  }
  std::vector<Value> results = step.carried;
  results.insert(results.end(), step.stacked.begin(), step.stacked.end());
  if (step.stop.tape() != nullptr) results.push_back(step.stop);
  std::vector<NodeId> outputs;
  for (const Value& result : results) {
    if (!result.ok() || !tape.IsWithin(result.tape().get())) {
      return absl::InvalidArgumentError("the body yields a value that is not of the body");
    }
    outputs.push_back(tape.Capture(result, line));
    if (outputs.back() < 0) return tape.status();
  }
  return outputs;
}

// The node, from the body that is done and the values around it.
Value MakeLoop(const LoopOptions& options, Dim length, const Value& trips, const LoopStep& step,
               Body body, const SourceLine& line) {
  LoopAttributes attributes{.body = std::move(body.graph),
                            .captures = static_cast<int32_t>(body.captured.size()),
                            .carried = static_cast<int32_t>(options.carried.size()),
                            .scanned = static_cast<int32_t>(options.scanned.size()),
                            .stacked = static_cast<int32_t>(step.stacked.size()),
                            .reversed = options.reversed,
                            .stops = step.stop.tape() != nullptr,
                            .binds_rows = options.rows.tape() != nullptr,
                            .length = length,
                            .whole = options.whole};
  std::vector<Value> operands = {trips};
  if (attributes.binds_rows) {
    operands.push_back(options.rows);
    attributes.rows_limit = options.rows_limit;
  }
  operands.insert(operands.end(), body.captured.begin(), body.captured.end());
  operands.insert(operands.end(), options.carried.begin(), options.carried.end());
  operands.insert(operands.end(), options.scanned.begin(), options.scanned.end());
  return MakeNode(kLoopOp, operands, std::move(attributes), line);
}

}  // namespace

constinit const Op kLoopOp{"loop", "a closed body graph, repeated", Kind::kLoop, InferLoop};

LoopResult Loop(const Tape& tape, const LoopOptions& options,
                const std::function<LoopStep(LoopBody&)>& body_function,
                std::source_location where) {
  const SourceLine line = LineOf(where);
  const Value anchor(tape.state(), -1);
  if (!body_function) {
    return Failed(Fail("loop", {anchor}, "the body is empty", line), options.carried.size(), 0);
  }
  if (const std::string fault = FaultOf(options); !fault.empty()) {
    return FailedBeforeTheBody(Fail("loop", {anchor}, fault, line), options, body_function);
  }
  const Dim length = LengthOf(options);
  const Value trips = TripsOf(tape, options, length, where);

  LoopBody body = OpenBody(tape, options, line);
  const LoopStep step = body_function(body);
  TapeState& state = *body.tape.state();
  const size_t carried = options.carried.size(), fixed = 1 + carried + options.scanned.size();
  const auto failed = [&](std::string_view detail, const SourceLine& at) {
    return Failed(Fail("loop", {anchor}, detail, at), carried, step.stacked.size());
  };
  if (!state.status().ok()) return Failed(anchor, carried, step.stacked.size());
  if (const Node* own = OwnInput(state, fixed); own != nullptr) {
    return failed(
        absl::StrCat("the body makes an input of its own, '", own->As<InputAttributes>().name,
                     "'; use a value from outside, carry it or scan it"),
        own->line);
  }
  const absl::StatusOr<std::vector<NodeId>> outputs = OutputsOf(state, step, carried, line);
  if (!outputs.ok()) return failed(StdView(outputs.status().message()), line);

  const Value loop = MakeLoop(options, length, trips, step, Close(state, *outputs, fixed), line);
  if (!loop.ok()) return Failed(loop, carried, step.stacked.size());
  LoopResult result;
  const std::vector<Value> parts = LoopParts(loop);
  const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(carried);
  result.carried.assign(parts.begin(), middle);
  result.stacked.assign(middle, parts.end() - 1);
  result.trips = parts.back();
  return result;
}

std::vector<Value> LoopParts(const Value& loop) {
  std::vector<Value> parts;
  const size_t count = loop.node().types.size();
  for (size_t i = 0; i < count; i++) {
    parts.push_back(
        MakeNode(kPartOp, {loop}, PartAttributes{static_cast<int32_t>(i)}, loop.node().line));
  }
  return parts;
}

std::vector<Value> WithRows(const Tape& tape, int64_t rows,
                            const std::function<std::vector<Value>(Tape&)>& body,
                            std::source_location where) {
  if (!body) {
    Fail("loop", {Value(tape.state(), -1)}, "the body is empty", LineOf(where));
    return {};
  }
  const Value bound = tape.Constant(Array::Vector<int64_t>({rows}), where);
  const LoopResult result = Loop(
      tape, {.trips = 1, .rows = bound, .rows_limit = rows, .whole = true},
      [&](LoopBody& inner) -> LoopStep { return {.carried = {}, .stacked = body(inner.tape)}; },
      where);
  std::vector<Value> values;
  for (const Value& stacked : result.stacked) values.push_back(Squeeze(Arg(stacked, where), 0));
  return values;
}

}  // namespace talweg
