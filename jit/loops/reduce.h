#ifndef TALWEG_JIT_LOOPS_REDUCE_H_
#define TALWEG_JIT_LOOPS_REDUCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "jit/loops/reader.h"

namespace talweg::loops {

// What the schedules of sums share (private to reduce.cc and reduce_by_lanes.cc).

// Loops of few trips are not written out if a term takes more instructions than this.
inline constexpr int64_t kHeavy = 16;

struct Reader::Terms {
  NodeId id = -1;
  const Node* node = nullptr;
  DType dtype = kFloat32;  // of the terms
  Order order;
  // Of the summed axes. One axis where the terms were laid side by side.
  std::vector<Bound> extents;
  const std::vector<Tensor>* flat = nullptr;
  int64_t work = 0;  // instructions for a term

  // Loops of so few trips are written out.
  int64_t written_out() const { return work > kHeavy ? 1 : kWrittenOut; }
  bool is_contract() const { return node->kind() == Kind::kContract; }
};

template <typename F>
Registers Reader::InBlocks(const Terms& terms, const Registers& identity, F&& sum_block) {
  const Bound end = terms.extents[0];
  const Register last = b_.InRegister(end);
  const Builder::Loop loop = b_.OpenFor({.value = 0}, end, terms.order.block, identity);
  Open();
  const Register stop = b_.Binary(Opcode::kMin, b_.Plus(loop.variable, terms.order.block), last);
  const Registers block = sum_block({.reg = loop.variable}, {.reg = stop});
  const Register first = b_.Binary(Opcode::kEqual, loop.variable, b_.Index(0));
  Registers next;
  for (size_t i = 0; i < block.size(); i++) {
    next.push_back(b_.Select(first, block[i], Combine(terms, loop.carried[i], block[i])));
  }
  Close();
  return b_.CloseFor(next);
}

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_REDUCE_H_
