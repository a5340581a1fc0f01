#include "graph/graph.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

namespace talweg {

std::string ToString(const Type& type) {
  return absl::StrCat(Name(type.dtype), ToString(type.shape));
}

std::string ToString(const SourceLine& line) {
  return line.line == 0 ? "" : absl::StrCat(line.file, ":", line.line);
}

std::string JoinTypes(size_t operands, absl::FunctionRef<std::string(size_t)> type) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(operands, kShown); i++) {
    absl::StrAppend(&text, i == 0 ? "" : " x ", type(i));
  }
  return operands > kShown ? text + " x ..." : text;
}

bool SameNode(const Node& a, const Node& b) {
  return a.op == b.op && a.operands == b.operands && a.types == b.types &&
         a.attributes == b.attributes;
}

size_t HashOf(const Node& node) {
  return absl::HashOf(node.op, node.operands, HashOf(node.attributes));
}

bool HasLengthOfTrips(const Node& loop) {
  const auto& a = loop.As<LoopAttributes>();
  return a.length == kTrips && (a.scanned > 0 || a.stacked > 0 || a.binds_rows);
}

bool UsesTrips(const Node& node) {
  if (node.kind() == Kind::kSize) return node.As<SizeAttributes>().dim == kTrips;
  if (node.kind() == Kind::kLoop && HasLengthOfTrips(node)) return true;
  return absl::c_any_of(node.types, [](const Type& type) { return Uses(type.shape, kTrips); });
}

bool operator==(const Graph& a, const Graph& b) {
  if (a.inputs_ != b.inputs_ || a.outputs_ != b.outputs_ || a.nodes_.size() != b.nodes_.size()) {
    return false;
  }
  for (size_t i = 0; i < a.nodes_.size(); i++) {
    if (!SameNode(a.nodes_[i], b.nodes_[i])) return false;
  }
  return true;
}

size_t Graph::Hash() const {
  size_t hash = absl::HashOf(inputs_, outputs_);
  for (const Node& node : nodes_) {
    hash = absl::HashOf(hash, node.op, node.operands, HashOf(node.attributes));
  }
  return hash;
}

}  // namespace talweg
