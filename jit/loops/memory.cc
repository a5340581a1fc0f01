// Places for the arena's buffers: two share memory where no section that touches one of them comes
// between the first and the last that touch the other.

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "base/arena.h"
#include "jit/loops/lower.h"

namespace talweg::loops {
namespace {

// The program's statements in order have numbers; a buffer that lives when a loop outside of
// sections begins, and is touched in it, lives until that loop ends.
class Lifetimes {
 public:
  explicit Lifetimes(const Program& program)
      : used_(program.buffers.size(), {0, -1, -1}) {
    Visit(program.body, false);
  }

  const Lifetime& of(size_t buffer) const { return used_[buffer]; }

 private:
  void Touch(int32_t buffer) {
    Lifetime& used = used_[static_cast<size_t>(buffer)];
    if (used.first < 0) used.first = now_;
    used.last = now_;
    // It has to stay for the next trip of each loop that it entered from outside.
    for (Loop& loop : loops_) {
      if (used.first < loop.begin) {
        loop.entered.push_back(buffer);
        break;
      }
    }
  }

  void Visit(const Block& block, bool in_section) {
    for (const Statement& statement : block) {
      if (!in_section) now_++;
      if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
        if (instruction->buffer >= 0) Touch(instruction->buffer);
      } else if (const auto* section = std::get_if<Section>(&statement.node)) {
        Visit(section->body, true);
      } else if (const auto* branch = std::get_if<If>(&statement.node)) {
        Visit(branch->body, in_section);
      } else {
        const auto& loop = std::get<For>(statement.node);
        if (in_section) {
          Visit(loop.body, true);
          continue;
        }
        loops_.push_back({now_, {}});
        Visit(loop.body, false);
        now_++;
        for (int32_t buffer : loops_.back().entered) {
          used_[static_cast<size_t>(buffer)].last = now_;
        }
        loops_.pop_back();
      }
    }
  }

  struct Loop {
    int64_t begin;
    std::vector<int32_t> entered;
  };
  std::vector<Lifetime> used_;
  std::vector<Loop> loops_;  // that are open, outermost first
  int64_t now_ = 0;
};

}  // namespace

absl::Status AssignMemory(Program& program) {
  const Lifetimes lifetimes(program);
  std::vector<std::pair<Lifetime, size_t>> arena;
  int64_t largest = -1;
  for (size_t i = 0; i < program.buffers.size(); i++) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.home != Buffer::Home::kArena || lifetimes.of(i).first < 0) continue;
    Lifetime lifetime = lifetimes.of(i);
    lifetime.bytes = buffer.elements * SizeOf(buffer.dtype);
    if (lifetime.bytes > largest) {
      largest = lifetime.bytes;
      program.largest = buffer.name;
    }
    arena.push_back({lifetime, i});
  }
  absl::c_stable_sort(arena,
                      [](const auto& a, const auto& b) { return a.first.first < b.first.first; });
  std::vector<Lifetime> order;
  for (const auto& [lifetime, i] : arena) order.push_back(lifetime);
  const absl::StatusOr<ArenaLayout> layout = LayOut(order);
  if (!layout.ok()) return layout.status();
  for (size_t k = 0; k < arena.size(); k++) {
    program.buffers[arena[k].second].offset = layout->offsets[k];
  }
  program.arena_bytes = layout->bytes;
  return absl::OkStatus();
}

}  // namespace talweg::loops
