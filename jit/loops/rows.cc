#include "jit/loops/rows.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/algorithm/container.h"

namespace talweg::loops {

bool IsPlain(const For& loop) {
  return !loop.parallel && loop.carried.empty() && loop.until == kNone;
}

bool IsOverAll(const For& loop, const Bound& rows) {
  return IsPlain(loop) && loop.begin == Bound{} && loop.end == rows;
}

bool RowReader::ReadAround(const Block& block, bool in_loop) {
  for (const Statement& statement : block) {
    if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
      if (!IsPure(instruction->code)) return false;
      Add(*instruction);
      continue;
    }
    const auto* loop = std::get_if<For>(&statement.node);
    if (loop == nullptr || !IsPlain(*loop)) return false;
    if (IsOverAll(*loop, rows_)) {
      if ((loop->step & (loop->step - 1)) != 0) return false;
      step_ = std::max(step_, loop->step);
      loops_++;
      is_nested_ |= in_loop;
      linear_[loop->variable] = Linear{.of_row = 1};
      step_of_row_ = loop->step;
      const bool reads = ReadRow(loop->body);
      step_of_row_ = 0;
      if (!reads) return false;
      continue;
    }
    AddVariable(*loop);
    if (!ReadAround(loop->body, true)) return false;
  }
  return true;
}

bool RowReader::ReadRow(const Block& block) {
  return absl::c_all_of(block, [&](const Statement& statement) {
    if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
      Add(*instruction);
      return IsParallel(instruction->code);
    }
    const auto* loop = std::get_if<For>(&statement.node);
    if (loop == nullptr || loop->parallel || loop->until != kNone) return false;
    AddVariable(*loop);
    return ReadRow(loop->body);
  });
}

void RowReader::AddVariable(const For& loop) {
  if (loop.begin.reg != kNone || loop.end.reg != kNone) return;
  const int64_t begin = loop.begin.value, end = std::max(loop.end.value, begin + 1);
  linear_[loop.variable] = {.constant = 0,
                            .of_row = 0,
                            .least = begin,
                            .most = begin + (end - begin - 1) / loop.step * loop.step};
}

void RowReader::Add(const Instruction& instruction) {
  if (instruction.code == Code::kScalar &&
      program_.type(instruction.result) == RegisterType{kInt64, 1}) {
    if (const std::optional<Linear> linear = LinearOf(instruction)) {
      linear_[instruction.result] = *linear;
    }
  }
  if (instruction.buffer < 0 || instruction.code == Code::kPrefetch) return;
  const Linear index = LinearOf(instruction.args[0]);
  const int64_t stride = StrideOf(instruction, index);
  const bool writes = instruction.code == Code::kStore;
  RowUse& use =
      uses_.try_emplace(instruction.buffer, RowUse{.stride = stride, .is_scratch = writes})
          .first->second;
  use.repeats |= index.of_row == 0;
  use.is_scratch &= step_of_row_ > 0;
  if (use.stride != stride) use.stride = 0;
  (writes ? use.writes : use.reads) = true;
}

RowReader::Linear RowReader::LinearOf(Register index) const {
  const auto it = linear_.find(index);
  return it == linear_.end() ? Linear{.is_known = index == kNone} : it->second;
}

// Of an integer that is made of others.
std::optional<RowReader::Linear> RowReader::LinearOf(const Instruction& made) const {
  if (made.opcode == Opcode::kConstant) {
    return Linear{.constant = static_cast<int64_t>(made.immediate)};
  }
  if (made.opcode != Opcode::kAdd && made.opcode != Opcode::kMul) return std::nullopt;
  const Linear x = LinearOf(made.args[0]), y = LinearOf(made.args[1]);
  const bool is_sum = made.opcode == Opcode::kAdd;
  if (!is_sum && (!y.is_known || y.of_row != 0 || y.least != 0 || y.most != 0)) {
    return std::nullopt;
  }
  bool overflows = false;
  const auto combine = [&](int64_t of_x, int64_t of_y) {
    int64_t result = 0;
    overflows |= is_sum ? __builtin_add_overflow(of_x, of_y, &result)
                        : __builtin_mul_overflow(of_x, y.constant, &result);
    return result;
  };
  Linear result{.constant = combine(x.constant, y.constant),
                .of_row = combine(x.of_row, y.of_row),
                .least = combine(x.least, y.least),
                .most = combine(x.most, y.most),
                .is_known = x.is_known && y.is_known};
  if (result.least > result.most) std::swap(result.least, result.most);
  if (overflows) return std::nullopt;
  return result;
}

// The stride of an access by rows, or 0.
int64_t RowReader::StrideOf(const Instruction& access, const Linear& index) const {
  if (!index.is_known || access.code == Code::kLoadEach || step_of_row_ == 0) return 0;
  const Register value = access.code == Code::kStore ? access.args[2] : access.result;
  const int64_t reach = access.stride * (program_.type(value).lanes - 1);
  // These are indices into buffers that there are: no sum of them overflows.
  const int64_t first = index.constant + static_cast<int64_t>(access.immediate);
  const int64_t least = first + index.least + std::min<int64_t>(0, reach);
  const int64_t most = first + index.most + std::max<int64_t>(0, reach);
  const bool is_in_row = index.of_row > 0 && least >= 0 && most / step_of_row_ < index.of_row;
  return is_in_row ? index.of_row : 0;
}

}  // namespace talweg::loops
