#ifndef TALWEG_GRAPH_TAPE_H_
#define TALWEG_GRAPH_TAPE_H_

#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/graph.h"
#include "graph/value.h"

namespace talweg {

// Where graphs are built: an append-only list of nodes. Operations on Values append to the tape of
// their operands; Gradient appends the backward pass to the same tape. Not thread-safe.
//
//   Tape t;
//   Value x = t.Input("x", kFloat64, {kRows, 2});
//   Value y = Sum(Square(x));
//   absl::StatusOr<Graph> graph = t.Finish({y, Gradient(y, x)});
class Tape {
 public:
  Tape();
  explicit Tape(std::shared_ptr<TapeState> state) : state_(std::move(state)) {}

  // A named argument. A name that is used again is the same Value; with another type it is an
  // error. The body of a loop has no inputs of its own: ops/loop.h.
  Value Input(std::string_view name, DType dtype, Shape shape,
              std::source_location where = std::source_location::current()) const;
  // An array that is part of the graph. Data belongs into inputs; this is for tables and scalars.
  Value Constant(const Array& array,
                 std::source_location where = std::source_location::current()) const;
  // 0, 1, ..., n - 1 as a vector of an integer type. n may be a run-time symbol.
  Value Iota(Dim n, DType dtype = kInt32,
             std::source_location where = std::source_location::current()) const;
  // The run-time value of rows or trips, an int64 scalar.
  Value Size(Dim symbol, std::source_location where = std::source_location::current()) const;

  // The first error of anything that was built here, else OK.
  absl::Status status() const;

  // The closed graph of these outputs: only the nodes they need, inputs in the order in which they
  // were made (all inputs of the tape, needed or not, so that callers can count on them). Reports
  // the first error of the tape, an output of another tape, or an output that depends on an
  // unfinished loop body.
  absl::StatusOr<Graph> Finish(absl::Span<const Value> outputs) const;

  const std::shared_ptr<TapeState>& state() const { return state_; }

 private:
  std::shared_ptr<TapeState> state_;
};

// The array behind a Tape. The public functions of ops/ and MakeNode use it; models do not.
class TapeState {
 public:
  // The body of a loop has the tape around it as parent.
  explicit TapeState(std::shared_ptr<TapeState> parent = nullptr);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<NodeId>& inputs() const { return inputs_; }
  const absl::Status& status() const { return status_; }
  const std::shared_ptr<TapeState>& parent() const { return parent_; }
  // Whether this tape is `other` or lies inside of it.
  bool IsWithin(const TapeState* other) const;

  // Appends the node, or returns the equal one that is there.
  NodeId Append(Node node);
  NodeId AddInput(std::string name, Type type, const SourceLine& line);
  // Keeps the first error only; tells the enclosing tapes too.
  void SetError(absl::Status status);

  // For a value of an enclosing tape: the input of this tape that stands for it. `line` is for the
  // error where it can not be captured.
  NodeId Capture(const Value& outer, const SourceLine& line = {});
  // What was captured: the outer values (of the parent tape) and the inputs here, in order.
  struct Captures {
    std::vector<Value> outer;
    std::vector<NodeId> inputs;
  };
  const Captures& captures() const { return captures_; }
  // The outer value for which a node stands, if it is the input of a capture.
  std::optional<Value> OuterOf(NodeId id) const;

  // The line to note for a node: that of the outermost UserLine, if there is one. A tape and the
  // bodies inside of it have one scope together, as composites work on values of several of them.
  const SourceLine& LineOr(const SourceLine& line) const;
  // False where a scope is open already.
  bool OpenLine(const SourceLine& line);
  void CloseLine() { root_->has_line_ = false; }

 private:
  std::vector<Node> nodes_;
  std::vector<NodeId> inputs_;
  absl::flat_hash_map<size_t, std::vector<NodeId>> by_hash_;
  absl::flat_hash_map<std::string, NodeId> by_name_;
  absl::Status status_;
  std::shared_ptr<TapeState> parent_;
  Captures captures_;
  absl::flat_hash_map<NodeId, NodeId> captured_;  // by the id on the parent tape
  TapeState* root_;  // the outermost of the enclosing tapes; its line and has_line_ are for all
  SourceLine line_;
  bool has_line_ = false;
};

// Cuts the nodes that `outputs` need out of a list of nodes and renumbers them. All of `inputs` are
// kept.
Graph Extract(const std::vector<Node>& nodes, absl::Span<const NodeId> inputs,
              absl::Span<const NodeId> outputs);

// Appends the nodes of a closed graph to the tape of `arguments`, with its inputs replaced by them,
// and returns its outputs. What derivatives of loops and custom gradients are made with.
// `like` names the tape where there are no arguments.
std::vector<Value> Inline(const Graph& graph, absl::Span<const Value> arguments, const Value& like);

}  // namespace talweg

#endif  // TALWEG_GRAPH_TAPE_H_
