// Places for the buffers of the arena and of the threads' blocks: two share memory where no section
// that touches one of them comes between the first and the last that touch the other. They must be
// of one element type: what is left between the rows of a buffer is computed with, for nobody, and
// an integer would be a denormal number there, for which processors take a hundred times as long.

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/arena.h"
#include "jit/loops/lower.h"

namespace talweg::loops {
namespace {

// The program's statements in order have numbers; a buffer that lives when a loop outside of
// sections begins, and is touched in it, lives until that loop ends; one that is touched in it, and
// later outside, lives from where it begins.
class Lifetimes {
 public:
  explicit Lifetimes(const Program& program)
      : used_(program.buffers.size(), {0, -1, -1}), first_in_(program.buffers.size()) {
    Visit(program.body, false);
  }

  const Lifetime& of(size_t buffer) const { return used_[buffer]; }

 private:
  void Touch(int32_t buffer) {
    Lifetime& used = used_[static_cast<size_t>(buffer)];
    std::vector<std::pair<int32_t, int64_t>>& in = first_in_[static_cast<size_t>(buffer)];
    if (used.first < 0) {
      used.first = now_;
      for (const Loop& loop : loops_) in.push_back({loop.number, loop.begin});
    }
    used.last = now_;
    for (size_t i = 0; i < in.size(); i++) {
      if (i < loops_.size() && loops_[i].number == in[i].first) continue;
      used.first = std::min(used.first, in[i].second);
      in.resize(i);
    }
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
        loops_.push_back({now_, loop_count_++, {}});
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
    int32_t number;
    std::vector<int32_t> entered;
  };
  std::vector<Lifetime> used_;
  // The loops around each buffer's first use, those that have ended since taken off: number, begin.
  std::vector<std::vector<std::pair<int32_t, int64_t>>> first_in_;
  std::vector<Loop> loops_;  // that are open, outermost first
  int32_t loop_count_ = 0;
  int64_t now_ = 0;
};

void Renumber(Block& block, const std::vector<int32_t>& numbers) {
  for (Statement& statement : block) {
    if (auto* instruction = std::get_if<Instruction>(&statement.node)) {
      if (instruction->buffer >= 0) {
        instruction->buffer = numbers[static_cast<size_t>(instruction->buffer)];
      }
    } else if (auto* loop = std::get_if<For>(&statement.node)) {
      Renumber(loop->body, numbers);
    } else if (auto* branch = std::get_if<If>(&statement.node)) {
      Renumber(branch->body, numbers);
    } else {
      Renumber(std::get<Section>(statement.node).body, numbers);
    }
  }
}

bool IsTemporary(const Buffer& buffer) {
  return buffer.home == Buffer::Home::kArena || buffer.home == Buffer::Home::kThread ||
         buffer.home == Buffer::Home::kDynamic;
}

// Schedules that were tried and not taken leave buffers that nothing touches.
void DropUntouched(Program& program) {
  const Lifetimes lifetimes(program);
  std::vector<int32_t> numbers(program.buffers.size(), -1);
  std::vector<Buffer> kept;
  for (size_t i = 0; i < program.buffers.size(); i++) {
    if (IsTemporary(program.buffers[i]) && lifetimes.of(i).first < 0) continue;
    numbers[i] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move(program.buffers[i]));
  }
  if (kept.size() < numbers.size()) Renumber(program.body, numbers);
  program.buffers = std::move(kept);
}

int64_t BytesOf(const Buffer& buffer) { return buffer.elements * SizeOf(buffer.dtype); }

// Places from `*bytes` on for the buffers of one home and one element type, and the end of all.
absl::Status Place(Program& program, const Lifetimes& lifetimes, Buffer::Home home, DType dtype,
                   int64_t* bytes) {
  std::vector<std::pair<Lifetime, size_t>> placed;
  for (size_t i = 0; i < program.buffers.size(); i++) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.home != home || buffer.dtype != dtype) continue;
    Lifetime lifetime = lifetimes.of(i);
    lifetime.bytes = BytesOf(buffer);
    placed.push_back({lifetime, i});
  }
  absl::c_sort(placed, [](const auto& a, const auto& b) {
    return std::pair(a.first.first, a.second) < std::pair(b.first.first, b.second);
  });
  std::vector<Lifetime> order;
  for (const auto& [lifetime, i] : placed) order.push_back(lifetime);
  const absl::StatusOr<ArenaLayout> layout = LayOut(order);
  if (!layout.ok()) return layout.status();
  // As much as one of them may have; arena and blocks together then have a sum.
  constexpr int64_t kMost = int64_t{1} << 61;
  if (layout->bytes > kMost - *bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("intermediate values of more than ", kMost, " bytes"));
  }
  for (size_t k = 0; k < placed.size(); k++) {
    program.buffers[placed[k].second].offset = *bytes + layout->offsets[k];
  }
  *bytes += layout->bytes;
  return absl::OkStatus();
}

}  // namespace

absl::Status AssignMemory(Program& program) {
  DropUntouched(program);
  const Lifetimes lifetimes(program);
  int64_t largest = -1;
  for (const Buffer& buffer : program.buffers) {
    if (buffer.home != Buffer::Home::kArena && buffer.home != Buffer::Home::kThread) continue;
    if (BytesOf(buffer) <= largest) continue;
    largest = BytesOf(buffer);
    program.largest = buffer.name;
  }
  for (const DType dtype : kAllDTypes) {
    absl::Status status =
        Place(program, lifetimes, Buffer::Home::kArena, dtype, &program.arena_bytes);
    status.Update(Place(program, lifetimes, Buffer::Home::kThread, dtype, &program.thread_bytes));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace talweg::loops
