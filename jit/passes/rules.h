#ifndef TALWEG_JIT_PASSES_RULES_H_
#define TALWEG_JIT_PASSES_RULES_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "jit/passes/rewrite.h"

namespace talweg::passes {

// The rules of the simplifier, as tables. A row says an equation that holds to the bit (NaNs as a
// class) and the function that recognises its left side and makes its right side. A right side is
// made of new nodes that are simplified in turn, so each row must lead to something smaller, or
// nearer to one form that equal things share.

// What a map's formula is, where it is one of these; found by recording it, so that it holds for
// every op that is written so.
enum class Form : uint8_t {
  kOther,
  kOperand,  // its only operand
  kConvert,  // the conversion of its only operand
  kNot,      // the negation of its only operand, a truth value
  kSelect,   // the second operand where the first is true, else the third
};

// Formulas that were looked at, for the time of a pass.
class Forms {
 public:
  Form Of(const GraphBuilder& graph, const Node& map);

 private:
  absl::flat_hash_map<std::pair<const Op*, std::pair<DType, DType>>, Form> known_;
};

// What rules work in.
struct Simplifier {
  Rewrite& rewrite;
  Forms& forms;
  // How many more nodes rules may look at that lie further away than their node's operands, so that
  // a pass takes time in proportion to the graph.
  int64_t& steps;

  const GraphBuilder& graph() const { return rewrite.out(); }
  const Node& node(NodeId id) const { return rewrite.out().node(id); }
  const Type& type(NodeId id) const { return rewrite.out().type(id); }
  Form form(NodeId id) const { return form(node(id)); }
  Form form(const Node& node) const {
    return node.kind() == Kind::kMap ? forms.Of(rewrite.out(), node) : Form::kOther;
  }
};

struct Rule {
  const char* equation;
  // What stands for the node; kNone where the left side is another.
  NodeId (*apply)(Simplifier& s, const Node& node);
};

// rules_map.cc
absl::Span<const Rule> MapRules();
// rules_view.cc
absl::Span<const Rule> ViewRules();
absl::Span<const Rule> ReshapeRules();
absl::Span<const Rule> ConcatRules();
// rules_reduce.cc
absl::Span<const Rule> ReduceRules();
absl::Span<const Rule> ContractRules();
// rules_gather.cc
absl::Span<const Rule> ConstantRules();
absl::Span<const Rule> IotaRules();
absl::Span<const Rule> GatherRules();

// ---- What rules ask -----------------------------------------------------------------------------

// An element's bits, the others zero.
uint64_t BitsOf(DType dtype, double number);
uint64_t BitsOf(const Array& array, int64_t element);

// The bits that all elements of a value are known to have: a constant of one element, or a view of
// one.
std::optional<uint64_t> UniformBits(const GraphBuilder& graph, NodeId id);

// Whether the value is a scalar spread over a shape, and which.
std::optional<NodeId> SpreadScalar(const GraphBuilder& graph, NodeId id);

// A constant scalar spread over a shape.
NodeId MakeUniform(Rewrite& rewrite, DType dtype, double number, const Shape& shape,
                   const SourceLine& line);

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_RULES_H_
