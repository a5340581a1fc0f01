#include "interpreter/program.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/reads.h"
#include "graph/tape.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// How many plans a program keeps, and how many frames a call keeps for it.
constexpr size_t kKept = 16;

bool SameSymbols(const SymbolValues& a, const SymbolValues& b) {
  return a.rows == b.rows && a.trips == b.trips;
}

// For each output of a graph, the input that it is, else -1. A next carried value may stay where it
// is only if it is the same carried value: where two change places, one would be overwritten early.
std::vector<int32_t> PassedThrough(const Graph& graph, const LoopAttributes* loop) {
  std::vector<int32_t> passed(graph.outputs().size(), -1);
  absl::flat_hash_map<NodeId, int32_t> input_of;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    input_of[graph.inputs()[i]] = static_cast<int32_t>(i);
  }
  for (size_t k = 0; k < passed.size(); k++) {
    const auto it = input_of.find(graph.outputs()[k]);
    if (it == input_of.end()) continue;
    if (loop != nullptr && (k >= static_cast<size_t>(loop->carried) ||
                            it->second != 1 + loop->captures + static_cast<int32_t>(k))) {
      continue;
    }
    passed[k] = it->second;
  }
  return passed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Program>> Program::Make(std::shared_ptr<const Graph> graph,
                                                       bool wide, int32_t depth,
                                                       const LoopAttributes* loop) {
  std::unique_ptr<Program> program(new Program());
  program->graph_ = std::move(graph);
  program->wide_ = wide;
  program->depth_ = depth;
  program->passed_through_ = PassedThrough(program->graph(), loop);
  std::vector<NodeId> computed;
  for (size_t k = 0; k < program->passed_through_.size(); k++) {
    if (program->passed_through_[k] < 0) computed.push_back(program->graph().outputs()[k]);
  }
  program->needed_ = NeededFor(program->graph(), computed);
  if (absl::Status status = program->AddBodies(); !status.ok()) return status;
  if (absl::Status status = program->AddTrips(); !status.ok()) return status;
  return program;
}

absl::Status Program::AddBodies() {
  for (size_t i = 0; i < graph_->nodes().size(); i++) {
    const Node& node = graph_->nodes()[i];
    const auto id = static_cast<NodeId>(i);
    if (!needed_[i] || node.kind() != Kind::kLoop) continue;
    const auto& loop = node.As<LoopAttributes>();
    absl::StatusOr<std::unique_ptr<Program>> body = Make(loop.body, wide_, depth_ + 1, &loop);
    if (!body.ok()) return body.status();
    body_index_[id] = static_cast<int32_t>(bodies_.size());
    bodies_.push_back(*std::move(body));
  }
  return absl::OkStatus();
}

absl::Status Program::AddTrips() {
  const std::vector<NodeId> counts = TripCounts(*graph_, needed_);
  if (counts.empty()) return absl::OkStatus();
  auto graph = std::make_shared<const Graph>(Extract(graph_->nodes(), graph_->inputs(), counts));
  absl::StatusOr<std::unique_ptr<Program>> trips = Make(std::move(graph), wide_, depth_);
  if (!trips.ok()) return trips.status();
  (*trips)->runs_again_ = true;
  trips_ = *std::move(trips);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Plan>> Program::PlanFor(const SymbolValues& symbols) const {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& plan : plans_) {
      if (SameSymbols(plan->symbols, symbols)) return plan;
    }
  }
  // Two threads may make the same plan at once; both are right, and one of them is kept.
  absl::StatusOr<std::shared_ptr<const Plan>> plan = MakePlan(*this, symbols, PlanText::kNone);
  if (!plan.ok()) return plan;
  const std::lock_guard lock(mutex_);
  if (plans_.size() >= kKept) plans_.erase(plans_.begin());
  plans_.push_back(*plan);
  return plan;
}

ProgramState& ProgramState::body(int32_t index) {
  const auto i = static_cast<size_t>(index);
  if (bodies_.size() <= i) bodies_.resize(program_.bodies().size());
  if (bodies_[i] == nullptr) {
    bodies_[i] = std::make_unique<ProgramState>(*program_.bodies()[i], call_);
  }
  return *bodies_[i];
}

bool ProgramState::BindTrips(absl::Span<std::byte* const> inputs, SymbolValues& symbols) {
  if (symbols.trips >= 0 || program_.trips() == nullptr) return true;
  if (trips_ == nullptr) trips_ = std::make_unique<ProgramState>(*program_.trips(), call_);
  const Program& program = trips_->program();
  const size_t count = program.graph().outputs().size();
  trip_counts_.assign(count, 0);
  Frame* frame = trips_->Activate(symbols);
  if (frame == nullptr) return false;
  std::copy(inputs.begin(), inputs.end(), frame->pointers.begin());
  for (size_t k = 0; k < count; k++) {
    auto* out = reinterpret_cast<std::byte*>(&trip_counts_[k]);
    const int32_t passed = program.passed_through(k);
    if (passed >= 0) {
      std::memcpy(out, inputs[static_cast<size_t>(passed)], sizeof(int64_t));
    } else {
      frame->pointers[static_cast<size_t>(frame->plan->output_slots[k])] = out;
    }
  }
  if (!RunPlan(*frame)) return false;
  for (int64_t& trips : trip_counts_) {
    trips = std::max<int64_t>(trips, 0);
    if (trips == trip_counts_[0]) continue;
    call_.SetError(absl::InvalidArgumentError(
        absl::StrCat("loop: loops of one graph run ", trip_counts_[0], " and ", trips,
                     " trips, and the length of both is the symbol `trips`, which has one value")));
    return false;
  }
  symbols.trips = trip_counts_[0];
  return true;
}

Frame* ProgramState::Activate(const SymbolValues& symbols) {
  Frame* frame = last_ != nullptr && SameSymbols(last_->plan->symbols, symbols) ? last_ : nullptr;
  for (size_t i = 0; frame == nullptr && i < frames_.size(); i++) {
    if (SameSymbols(frames_[i]->plan->symbols, symbols)) frame = frames_[i].get();
  }
  if (frame == nullptr) frame = AddFrame(symbols);
  if (frame == nullptr || !Reserve(*frame->plan)) return nullptr;
  last_ = frame;
  if (frame->arena == arena_.get()) return frame;
  // New, or the arena has moved since.
  for (size_t i = 0; i < frame->pointers.size(); i++) {
    const Plan::Slot& slot = frame->plan->slots[i];
    if (slot.role == Plan::Slot::Role::kArena) frame->pointers[i] = arena_.get() + slot.where;
  }
  frame->arena = arena_.get();
  return frame;
}

Frame* ProgramState::AddFrame(const SymbolValues& symbols) {
  absl::StatusOr<std::shared_ptr<const Plan>> plan = program_.PlanFor(symbols);
  if (!plan.ok()) {
    call_.SetError(plan.status());
    return nullptr;
  }
  auto frame = std::make_unique<Frame>();
  frame->plan = *std::move(plan);
  frame->state = this;
  frame->pointers.resize(frame->plan->slots.size());
  for (size_t i = 0; i < frame->pointers.size(); i++) {
    // Constants are never written.
    frame->pointers[i] = const_cast<std::byte*>(frame->plan->slots[i].constant);
  }
  if (frames_.size() >= kKept) frames_.erase(frames_.begin());
  last_ = nullptr;
  frames_.push_back(std::move(frame));
  return frames_.back().get();
}

bool ProgramState::Reserve(const Plan& plan) {
  if (arena_ != nullptr && plan.arena_bytes <= arena_bytes_) return true;
  arena_.reset();
  // A little even for a plan that needs none, so that no pointer into it is null.
  const int64_t bytes = std::max<int64_t>(plan.arena_bytes, 64);
  arena_.reset(NewMemory(bytes));
  if (arena_ == nullptr) {
    const std::string what = absl::StrCat("no memory for ", bytes,
                                          " bytes of intermediate values, of which this is the "
                                          "largest");
    call_.SetError(plan.largest < 0 ? absl::ResourceExhaustedError(what)
                                    : NodeError(absl::StatusCode::kResourceExhausted,
                                                program_.graph(), plan.largest, what));
    return false;
  }
  arena_bytes_ = bytes;
  return true;
}

}  // namespace talweg
