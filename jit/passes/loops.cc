#include "jit/passes/loops.h"

#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/core_ops.h"

namespace talweg::passes {
namespace {

// The next `count` entries of a list.
std::vector<NodeId> Take(const std::vector<NodeId>& list, size_t& at, int32_t count) {
  const auto begin = list.begin() + static_cast<std::ptrdiff_t>(at);
  at += static_cast<size_t>(count);
  return std::vector<NodeId>(begin, begin + count);
}

void Append(std::vector<NodeId>& list, const std::vector<NodeId>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

void Rename(GraphBuilder& body, const char* name, const std::vector<NodeId>& inputs) {
  for (size_t i = 0; i < inputs.size(); i++) body.Rename(inputs[i], absl::StrCat(name, i));
}

}  // namespace

OpenLoop Open(const Node& loop) {
  OpenLoop open;
  open.attributes = loop.As<LoopAttributes>();
  open.op = loop.op;
  open.line = loop.line;
  const LoopAttributes& a = open.attributes;
  size_t at = 0;
  open.trips = loop.operands[at++];
  if (a.binds_rows) open.rows = loop.operands[at++];
  open.captures = Take(loop.operands, at, a.captures);
  open.carried = Take(loop.operands, at, a.carried);
  open.scanned = Take(loop.operands, at, a.scanned);
  at = 0;
  const Graph& body = *a.body;
  open.trip_in = body.inputs()[at++];
  open.captures_in = Take(body.inputs(), at, a.captures);
  open.carried_in = Take(body.inputs(), at, a.carried);
  open.scanned_in = Take(body.inputs(), at, a.scanned);
  at = 0;
  open.next = Take(body.outputs(), at, a.carried);
  open.stacked = Take(body.outputs(), at, a.stacked);
  if (a.stops) open.stop = body.outputs()[at];
  return open;
}

void RenameBody(OpenLoop& loop, absl::Span<const NodeId> stands) {
  const auto rename = [&](NodeId& id) {
    if (id != kNone) id = stands[static_cast<size_t>(id)];
  };
  rename(loop.trip_in);
  rename(loop.stop);
  for (std::vector<NodeId>* list :
       {&loop.captures_in, &loop.carried_in, &loop.scanned_in, &loop.next, &loop.stacked}) {
    for (NodeId& id : *list) rename(id);
  }
}

Node Close(OpenLoop loop, GraphBuilder& body) {
  Node node;
  node.op = loop.op;
  node.line = loop.line;
  LoopAttributes& a = loop.attributes;
  for (NodeId id : loop.next) node.types.push_back(body.type(id));
  for (NodeId id : loop.stacked) {
    Type type = body.type(id);
    type.shape.insert(type.shape.begin(), a.length);
    node.types.push_back(std::move(type));
  }
  node.types.push_back({kInt64, {}});

  node.operands = {loop.trips};
  if (loop.rows != kNone) node.operands.push_back(loop.rows);
  for (const auto* list : {&loop.captures, &loop.carried, &loop.scanned}) {
    Append(node.operands, *list);
  }
  body.Rename(loop.trip_in, "trip");
  Rename(body, "capture", loop.captures_in);
  Rename(body, "carried", loop.carried_in);
  Rename(body, "scanned", loop.scanned_in);
  std::vector<NodeId> inputs = {loop.trip_in}, outputs = loop.next;
  for (const auto* list : {&loop.captures_in, &loop.carried_in, &loop.scanned_in}) {
    Append(inputs, *list);
  }
  Append(outputs, loop.stacked);
  if (loop.stop != kNone) outputs.push_back(loop.stop);

  a.captures = static_cast<int32_t>(loop.captures.size());
  a.carried = static_cast<int32_t>(loop.carried.size());
  a.scanned = static_cast<int32_t>(loop.scanned.size());
  a.stacked = static_cast<int32_t>(loop.stacked.size());
  a.stops = loop.stop != kNone;
  a.binds_rows = loop.rows != kNone;
  if (!a.binds_rows) a.rows_limit = 0;
  Graph graph = body.Finish(inputs, outputs);
  // A body that stays the same stays the same object, which is quick to compare.
  if (a.body == nullptr || !(graph == *a.body)) {
    a.body = std::make_shared<const Graph>(std::move(graph));
  }
  node.attributes = std::move(a);
  return node;
}

std::optional<int64_t> ConstantInteger(const Node& node) {
  if (node.kind() != Kind::kConstant) return std::nullopt;
  const Array& value = node.As<ConstantAttributes>().value;
  if (value.rank() != 0) return std::nullopt;
  if (value.dtype() == kInt64) return value.data<int64_t>()[0];
  if (value.dtype() == kInt32) return value.data<int32_t>()[0];
  return std::nullopt;
}

bool MayExceed(const LoopAttributes& loop, const Node& trips) {
  if (loop.scanned + loop.stacked == 0 || loop.binds_rows) return false;
  const std::optional<int64_t> count = ConstantInteger(trips);
  return !loop.length.is_static() || !count || *count > loop.length.value();
}

Node MakeInput(Type type) {
  Node node;
  node.op = &kInputOp;
  node.attributes = InputAttributes{};
  node.types = {std::move(type)};
  return node;
}

NodeId MakePart(GraphBuilder& out, NodeId loop, size_t index) {
  const Node& node = out.node(loop);
  return out.Add(kPartOp, {loop}, PartAttributes{static_cast<int32_t>(index)}, node.types[index],
                 node.line);
}

}  // namespace talweg::passes
