#include "jit/loops/lower.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "jit/loops/hoist.h"
#include "jit/loops/join.h"
#include "jit/loops/level.h"
#include "jit/loops/nest.h"
#include "jit/loops/strips.h"

namespace talweg::loops {
namespace {

// What an output is: the input, or -1.
std::vector<int32_t> PassedThrough(const Graph& graph) {
  std::vector<int32_t> passed;
  for (NodeId output : graph.outputs()) {
    const auto it = absl::c_find(graph.inputs(), output);
    passed.push_back(
        it == graph.inputs().end() ? -1 : static_cast<int32_t>(it - graph.inputs().begin()));
  }
  return passed;
}

int64_t ElementsOf(const Shape& shape) {
  int64_t elements = 1;
  for (Dim dim : shape) {
    if (!dim.is_static()) return -1;
    elements *= dim.value();
  }
  return elements;
}

}  // namespace

absl::StatusOr<Program> Lower(const Graph& graph, const Machine& machine,
                              const LowerOptions& options) {
  Lowering lowering(graph, machine, options);
  Builder& b = lowering.builder;
  Level level(lowering, graph, 0);
  bool rows = false, trips = false;
  for (NodeId id : graph.inputs()) {
    rows = rows || Uses(graph.node(id).type().shape, kRows);
    trips = trips || Uses(graph.node(id).type().shape, kTrips);
  }
  if (rows) level.SetRows({b.Rows(), -1});
  if (trips) level.SetTrips({b.Trips(), -1});
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type& type = graph.input_type(i);
    const int32_t buffer = b.AddBuffer({.name = absl::StrCat("input ", graph.input_name(i)),
                                        .dtype = type.dtype,
                                        .home = Buffer::Home::kInput,
                                        .slot = static_cast<int32_t>(i),
                                        .offset = 0,
                                        .elements = ElementsOf(type.shape)});
    level.SetTensor(graph.inputs()[i], level.RowMajor(type, buffer));
  }
  const std::vector<int32_t> passed = PassedThrough(graph);
  b.program().passed_through = passed;
  b.program().writes_all =
      absl::c_none_of(graph.nodes(), [](const Node& node) { return node.kind() == Kind::kLoop; });
  // Outputs are there once the number of trips is known.
  const bool late = level.fusion().groups_before_trips > 0;
  const bool trips_come_later = !level.fusion().trip_counts.empty();
  std::vector<int32_t> buffers;
  std::vector<bool> planned(passed.size(), false);
  for (size_t k = 0; k < passed.size(); k++) {
    buffers.push_back(-1);
    if (passed[k] >= 0) continue;
    const NodeId id = graph.outputs()[k];
    const Type& type = graph.output_type(k);
    buffers[k] = b.AddBuffer({.name = absl::StrCat("output ", k),
                              .dtype = type.dtype,
                              .home = Buffer::Home::kOutput,
                              .slot = static_cast<int32_t>(graph.inputs().size() + k),
                              .offset = 0,
                              .elements = ElementsOf(type.shape)});
    // Written where it is computed, unless the memory is not there yet by then.
    const bool is_member = level.fusion().group[static_cast<size_t>(id)] >= 0 ||
                           (graph.node(id).kind() == Kind::kPart && !level.IsTwin(id));
    const bool is_loop_count =
        graph.node(id).kind() == Kind::kPart &&
        graph.node(id).As<PartAttributes>().index + 1 ==
            static_cast<int32_t>(graph.node(graph.node(id).operands[0]).types.size());
    if (!is_member || is_loop_count || late || level.PlannedFor(id).has_value()) continue;
    const auto trips_at = absl::c_find(type.shape, kTrips);
    if (trips_come_later && trips_at != type.shape.end() && trips_at != type.shape.begin()) {
      continue;  // strides that are not known yet
    }
    level.Plan(id, level.RowMajor(type, buffers[k]));
    planned[k] = true;
  }
  if (absl::Status status = level.LowerGroups(); !status.ok()) return status;
  for (size_t k = 0; k < passed.size(); k++) {
    if (passed[k] >= 0) continue;
    const NodeId id = graph.outputs()[k];
    const Tensor out = level.RowMajor(graph.output_type(k), buffers[k]);
    // A part that stays where it was, or lies elsewhere for another reason, is copied, too.
    if (planned[k] && level.HasTensor(id) && level.tensor(id).buffer == buffers[k]) continue;
    level.CopyTo(id, out);
  }
  Program program = std::move(b).Take();
  if (options.fuse) JoinLoops(program, machine);
  HoistLoads(program, machine);
  if (options.fuse) RunInStrips(program, machine);
  if (absl::Status status = AssignMemory(program); !status.ok()) return status;
  return program;
}

}  // namespace talweg::loops
