#include "interpreter/planner.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "graph/core_ops.h"

namespace talweg {
namespace {

int64_t Size(const Extents& dims) { return SizeOf(absl::MakeConstSpan(dims)); }

std::string ToString(const Extents& dims) { return talweg::ToString(absl::MakeConstSpan(dims)); }

}  // namespace

Extents ContiguousStrides(const Extents& dims) {
  Extents strides(dims.size());
  int64_t next = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    strides[axis] = next;
    next *= dims[axis];
  }
  return strides;
}

absl::StatusOr<std::shared_ptr<const Plan>> MakePlan(const Program& program,
                                                     const SymbolValues& symbols, PlanText text) {
  Planner planner(program, symbols, text);
  if (absl::Status status = planner.PlanAll(); !status.ok()) return status;
  return planner.Take();
}

Planner::Planner(const Program& program, const SymbolValues& symbols, PlanText text)
    : program_(program), plan_(std::make_unique<Plan>()), text_(text) {
  plan_->symbols = symbols;
  places_.resize(program.graph().nodes().size());
}

std::shared_ptr<const Plan> Planner::Take() { return std::move(plan_); }

absl::Status Planner::PlanAll() {
  const Graph& graph = program_.graph();
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    plan_->slots.push_back({Plan::Slot::Role::kInput, static_cast<int64_t>(i), nullptr});
    buffer_of_slot_.push_back(-1);
  }
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    id_ = graph.inputs()[i];
    if (absl::Status status = CheckTypes(); !status.ok()) return status;
    const Extents dims = ResultDims();
    places_[static_cast<size_t>(id_)] =
        Place{{static_cast<int32_t>(i), 0}, node().type().dtype, dims, ContiguousStrides(dims)};
  }
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    id_ = static_cast<NodeId>(i);
    if (!program_.needed(id_) || node().kind() == Kind::kInput) continue;
    if (absl::Status status = PlanNode(); !status.ok()) return status;
  }
  if (absl::Status status = PlanOutputs(); !status.ok()) return status;
  return PlaceBuffers();
}

absl::Status Planner::CheckTypes() {
  for (const Type& type : node().types) {
    for (Dim dim : type.shape) {
      if (symbols().Of(dim) >= 0) continue;
      return Error(absl::StrCat("nothing binds the run-time symbol `", dim.ToString(),
                                "`: no input has it in its shape"));
    }
    const absl::Status status = CheckExtents(node(), Resolve(type.shape, symbols()));
    if (!status.ok()) return Error(status.message());
  }
  return absl::OkStatus();
}

Extents Planner::ResultDims(size_t k) const {
  const Dims dims = Resolve(node().types[k].shape, symbols());
  return Extents(dims.begin(), dims.end());
}

const Place& Planner::operand(size_t k) const {
  return places_[static_cast<size_t>(node().operands[k])];
}

absl::Status Planner::PlanNode() {
  if (absl::Status status = CheckTypes(); !status.ok()) return status;
  const Kind kind = node().kind();
  switch (kind) {
    case Kind::kPart: {
      const std::vector<Place>& parts = parts_[node().operands[0]];
      Return(parts[static_cast<size_t>(node().As<PartAttributes>().index)]);
      return absl::OkStatus();
    }
    case Kind::kCustom:
      Return(operand(0));
      return absl::OkStatus();
    case Kind::kConstant: {
      Return(Constant(node().As<ConstantAttributes>().value));
      return absl::OkStatus();
    }
    case Kind::kSize: {
      const int64_t value = symbols().Of(node().As<SizeAttributes>().dim);
      if (value < 0) return Error("nothing binds the symbol: no input has it in its shape");
      absl::StatusOr<Array> scalar = Array::Zeros(kInt64, {});
      if (!scalar.ok()) return scalar.status();
      scalar->mutable_data<int64_t>()[0] = value;
      Return(Constant(*std::move(scalar)));
      return absl::OkStatus();
    }
    case Kind::kLoop:
      return PlanLoop(*this);
    default:
      break;
  }
  const Extents dims = ResultDims();
  // Where there is nothing to compute; adding to no places still reports its indices.
  if (Size(dims) == 0 && kind != Kind::kScatterAdd) {
    Return(NewValue(node().type().dtype, dims));
    return absl::OkStatus();
  }
  switch (kind) {
    case Kind::kIota: {
      absl::StatusOr<Array> numbers = Array::Zeros(node().type().dtype, dims);
      if (!numbers.ok()) {
        return NodeError(numbers.status().code(), program_.graph(), id_,
                         numbers.status().message());
      }
      const absl::Span<int32_t> narrow = numbers->mutable_data<int32_t>();
      std::iota(narrow.begin(), narrow.end(), 0);
      const absl::Span<int64_t> wide = numbers->mutable_data<int64_t>();
      std::iota(wide.begin(), wide.end(), int64_t{0});
      Return(Constant(*std::move(numbers)));
      return absl::OkStatus();
    }
    case Kind::kMap:
      return PlanMap(*this);
    case Kind::kView:
      return PlanView(*this);
    case Kind::kReshape:
      return PlanReshape(*this);
    case Kind::kConcat:
      return PlanConcat(*this);
    case Kind::kReduce:
      return PlanReduce(*this);
    case Kind::kGather:
      return PlanGather(*this);
    case Kind::kScatterAdd:
      return PlanScatterAdd(*this);
    case Kind::kContract:
      return PlanContract(*this);
    case Kind::kRandom:
      return PlanRandom(*this);
    default:
      break;
  }
  return Error("a kind of node that the interpreter does not know");
}

Place Planner::NewValue(DType dtype, const Extents& dims) {
  const int64_t bytes = Size(dims) * SizeOf(dtype);
  return Place{Scratch(bytes), dtype, dims, ContiguousStrides(dims)};
}

Address Planner::Scratch(int64_t bytes) {
  const auto slot = static_cast<int32_t>(plan_->slots.size());
  const auto next = static_cast<int64_t>(plan_->instructions.size());
  plan_->slots.push_back({});
  buffer_of_slot_.push_back(static_cast<int32_t>(buffers_.size()));
  buffers_.push_back({slot, {bytes, next, next}, id_});
  return {slot, 0};
}

Address Planner::Read(const Place& place) {
  const int32_t buffer = buffer_of_slot_[static_cast<size_t>(place.address.slot)];
  if (buffer >= 0) {
    buffers_[static_cast<size_t>(buffer)].used.last =
        static_cast<int64_t>(plan_->instructions.size());
  }
  if (writes_text()) reads_.push_back(place);
  return place.address;
}

Place Planner::Contiguous(const Place& place) {
  if (place.IsContiguous()) return place;
  const Place copy = NewValue(place.dtype, place.dims);
  Emit(MakeCopy(copy.address, Read(place), place), {copy});
  return copy;
}

Place Planner::Constant(Array array) {
  const auto slot = static_cast<int32_t>(plan_->slots.size());
  plan_->slots.push_back({Plan::Slot::Role::kConstant, 0, array.raw()});
  buffer_of_slot_.push_back(-1);
  const Extents dims(array.dims().begin(), array.dims().end());
  Place place{{slot, 0}, array.dtype(), dims, ContiguousStrides(dims)};
  plan_->owned.push_back(std::move(array));
  return place;
}

void Planner::Emit(std::unique_ptr<PlanStep> instruction, absl::Span<const Place> outputs) {
  if (writes_text()) Describe(outputs);
  plan_->instructions.push_back(std::move(instruction));
  plan_->nodes.push_back(id_);
}

void Planner::Describe(absl::Span<const Place> outputs) {
  const auto name = [](const Place& place) {
    std::string text = absl::StrCat("%", place.address.slot);
    if (place.address.offset != 0) absl::StrAppend(&text, "+", place.address.offset);
    if (!place.IsContiguous()) absl::StrAppend(&text, ToString(place.strides));
    return text;
  };
  const auto join = [&](absl::Span<const Place> places) {
    return absl::StrJoin(places, " ", [&](std::string* out, const Place& place) {
      absl::StrAppend(out, name(place));
    });
  };
  std::string types = absl::StrJoin(outputs, " ", [](std::string* out, const Place& place) {
    absl::StrAppend(out, Name(place.dtype), ToString(place.dims));
  });
  const std::string line = talweg::ToString(node().line);
  absl::StrAppend(
      &plan_->text,
      absl::StrFormat("%4d  %-14s %s <- %s  %s%s%s\n", plan_->instructions.size(), node().op->name,
                      join(outputs), join(reads_), types, line.empty() ? "" : "  # ", line));
  reads_.clear();
}

void Planner::DescribeBody(const Program& body, const SymbolValues& symbols) {
  const absl::StatusOr<std::shared_ptr<const Plan>> plan = MakePlan(body, symbols, text_);
  // A body whose inner loops find out their own lengths can not be planned ahead.
  const std::string text = plan.ok() ? (*plan)->text : absl::StrCat(plan.status().message(), "\n");
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&plan_->text, "    | ", line, "\n");
  }
}

void Planner::ReturnParts(std::vector<Place> parts) {
  if (node().kind() == Kind::kLoop) {
    parts_[id_] = std::move(parts);
  } else {
    places_[static_cast<size_t>(id_)] = std::move(parts[0]);
  }
}

// Splits both shapes into groups of axes with equal products; an operand's group must be walked
// with one stride to be split otherwise.
bool Planner::ReshapeInPlace(const Place& place, const Extents& dims, Place& out) {
  out = Place{place.address, place.dtype, dims, Extents(dims.size())};
  if (place.IsContiguous() || place.size() == 0) {
    out.strides = ContiguousStrides(dims);
    return true;
  }
  size_t from = 0, to = 0;
  while (from < place.dims.size() || to < dims.size()) {
    const size_t from_begin = from, to_begin = to;
    int64_t from_size = 1, to_size = 1;
    if (from < place.dims.size()) from_size = place.dims[from++];
    if (to < dims.size()) to_size = dims[to++];
    while (from_size != to_size) {
      if (from_size < to_size) {
        from_size *= place.dims[from++];
      } else {
        to_size *= dims[to++];
      }
    }
    // The stride of the group's last element, if the group is one run.
    int64_t stride = 0;
    bool found = false;
    int64_t expected = 0;
    for (size_t axis = from; axis-- > from_begin;) {
      if (place.dims[axis] == 1) continue;
      if (!found) {
        stride = place.strides[axis];
        found = true;
      } else if (place.strides[axis] != expected) {
        return false;
      }
      expected = place.strides[axis] * place.dims[axis];
    }
    for (size_t axis = to; axis-- > to_begin;) {
      out.strides[axis] = stride;
      stride *= dims[axis];
    }
  }
  return true;
}

absl::Status Planner::PlanOutputs() {
  const Graph& graph = program_.graph();
  std::vector<bool> taken(buffers_.size(), false);
  for (size_t k = 0; k < graph.outputs().size(); k++) {
    id_ = graph.outputs()[k];
    const auto output = static_cast<int64_t>(k);
    plan_->output_dims.push_back(Resolve(node().type().shape, symbols()));
    if (program_.passed_through(k) >= 0) {
      plan_->output_slots.push_back(-1);
      continue;
    }
    const Place& place = places_[static_cast<size_t>(id_)];
    // A buffer that holds just this value becomes the caller's memory; else there is a copy.
    const int32_t buffer = buffer_of_slot_[static_cast<size_t>(place.address.slot)];
    int32_t slot = place.address.slot;
    if (buffer < 0 || taken[static_cast<size_t>(buffer)] || !place.IsContiguous() ||
        place.address.offset != 0 ||
        place.bytes() != buffers_[static_cast<size_t>(buffer)].used.bytes) {
      const Place copy = NewValue(place.dtype, place.dims);
      slot = copy.address.slot;
      taken.push_back(true);
      if (place.size() > 0) Emit(MakeCopy(copy.address, Read(place), place), {copy});
    } else {
      taken[static_cast<size_t>(buffer)] = true;
    }
    plan_->slots[static_cast<size_t>(slot)].role = Plan::Slot::Role::kOutput;
    plan_->slots[static_cast<size_t>(slot)].where = output;
    plan_->output_slots.push_back(slot);
  }
  return absl::OkStatus();
}

absl::Status Planner::PlaceBuffers() {
  std::vector<Lifetime> lifetimes;
  std::vector<int32_t> slots;
  int64_t largest = 0;
  for (const Buffer& buffer : buffers_) {
    if (plan_->slots[static_cast<size_t>(buffer.slot)].role != Plan::Slot::Role::kArena) continue;
    lifetimes.push_back(buffer.used);
    slots.push_back(buffer.slot);
    if (buffer.used.bytes > largest) {
      largest = buffer.used.bytes;
      plan_->largest = buffer.node;
    }
  }
  absl::StatusOr<ArenaLayout> layout = LayOut(lifetimes);
  if (!layout.ok()) return layout.status();
  for (size_t i = 0; i < slots.size(); i++) {
    plan_->slots[static_cast<size_t>(slots[i])].where = layout->offsets[i];
  }
  plan_->arena_bytes = layout->bytes;
  return absl::OkStatus();
}

}  // namespace talweg
