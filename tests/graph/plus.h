#ifndef TALWEG_TESTS_GRAPH_PLUS_H_
#define TALWEG_TESTS_GRAPH_PLUS_H_

#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/op.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg::testing_ops {

// A small op of our own, so that the tests of graph/ do not rest on ops/: the sum of two values of
// one type. That this is all it takes is part of what is tested.
inline absl::StatusOr<std::vector<Type>> InferPlus(const Op&, absl::Span<const Type> operands,
                                                   const Attributes&) {
  if (operands[0].dtype != operands[1].dtype) {
    return absl::InvalidArgumentError("element types differ; use Cast");
  }
  if (operands[0].shape != operands[1].shape) return absl::InvalidArgumentError("shapes differ");
  return std::vector<Type>{operands[0]};
}

inline constexpr MapRule kPlusRule{.arity = 2,
                                   .types = MapTypes::kNumbers,
                                   .loop = nullptr,
                                   .expr = nullptr,
                                   .jet = nullptr,
                                   .partials = {},
                                   .facts = {},
                                   .samples = {}};
inline constexpr Op kPlusOp{"plus", "the sum of two values of one type", Kind::kMap, InferPlus,
                            &kPlusRule};

// Numbers become constants of the other operand's type and shape [].
inline Value Plus(Arg a, Arg b) {
  const Value like = a.is_number() ? b.value() : a.value();
  return MakeNode(kPlusOp, {ToValue(a, like), ToValue(b, like)}, {}, a.line());
}

}  // namespace talweg::testing_ops

#endif  // TALWEG_TESTS_GRAPH_PLUS_H_
