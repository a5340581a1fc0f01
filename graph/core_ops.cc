#include "graph/core_ops.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

// An input's type is not inferred: it is what the user or the file says.
Types InferInput(const Op&, absl::Span<const Type>, const Attributes&) {
  return absl::InvalidArgumentError("an input states its type");
}

Types InferConstant(const Op&, absl::Span<const Type>, const Attributes& attributes) {
  const Array& value = std::get<ConstantAttributes>(attributes).value;
  return std::vector<Type>{{value.dtype(), ToShape(value.dims())}};
}

Types InferIota(const Op&, absl::Span<const Type>, const Attributes& attributes) {
  const auto& [dtype, shape] = std::get<TypeAttributes>(attributes);
  if (!IsInteger(dtype)) return absl::InvalidArgumentError("the element type is not an integer");
  if (shape.size() != 1) return absl::InvalidArgumentError("the shape has not one axis");
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  if (absl::Status status = CheckNumbers(dtype, shape[0].value()); !status.ok()) return status;
  return std::vector<Type>{{dtype, shape}};
}

Types InferSize(const Op&, absl::Span<const Type>, const Attributes& attributes) {
  if (std::get<SizeAttributes>(attributes).dim.is_static()) {
    return absl::InvalidArgumentError("only rows and trips have a size at run time");
  }
  return std::vector<Type>{{kInt64, {}}};
}

Types InferPart(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const int32_t index = std::get<PartAttributes>(attributes).index;
  if (index < 0 || index >= static_cast<int32_t>(operands.size())) {
    return absl::InvalidArgumentError(absl::StrCat("no part ", index, " among ", operands.size()));
  }
  return std::vector<Type>{operands[static_cast<size_t>(index)]};
}

}  // namespace

absl::Status CheckNumbers(DType dtype, int64_t extent) {
  if (dtype != kInt32 || extent <= int64_t{1} << 31) return absl::OkStatus();
  return absl::InvalidArgumentError("more elements than int32 can number");
}

absl::Status CheckExtents(const Node& node, const Dims& dims) {
  if (const absl::StatusOr<int64_t> size = CheckedSize(dims); !size.ok()) return size.status();
  const bool is_permutation = node.op->random != nullptr && node.op->random->is_permutation;
  if (node.kind() != Kind::kIota && !is_permutation) return absl::OkStatus();
  return CheckNumbers(node.type().dtype, dims[0]);
}

constinit const Op kInputOp{"input", "a named argument of the graph", Kind::kInput, InferInput};
constinit const Op kConstantOp{"constant", "an array that is part of the graph", Kind::kConstant,
                               InferConstant};
constinit const Op kIotaOp{"iota", "0, 1, 2, ... along the only axis", Kind::kIota, InferIota};
constinit const Op kSizeOp{"size", "the run-time value of rows or trips", Kind::kSize, InferSize};
constinit const Op kPartOp{"part", "one output of a loop", Kind::kPart, InferPart};

}  // namespace talweg
