#include "jit/llvm/outline.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"

namespace talweg::native {
namespace {

using loops::Code;
using loops::For;
using loops::If;
using loops::kNone;
using loops::Section;
using loops::Statement;

// How many runs stand in one function at most: a call each.
constexpr int64_t kFan = 64;

// About how many machine instructions one instruction becomes. What goes lane by lane costs most.
int64_t SizeOfInstruction(const loops::Program& program, const loops::Instruction& i) {
  const bool stores = i.code == Code::kStore;
  const loops::Register typed = stores ? i.args[2] : i.result;
  const int64_t lanes = typed == kNone ? 1 : program.type(typed).lanes;
  switch (i.code) {
    case Code::kScalar:
      if (i.opcode == Opcode::kCall) return 4 * lanes;
      if (i.opcode == Opcode::kDiv && IsInteger(program.type(i.result).dtype)) return 4 * lanes;
      return 1 + lanes / 8;
    case Code::kLoad:
    case Code::kStore:
      return i.stride == 1 ? 1 + lanes / 8 : 2 * lanes;
    case Code::kLoadEach:
      return 3 * lanes;
    case Code::kPrefetch:
      return 1;
    case Code::kSplat:
    case Code::kLanes:
    case Code::kShuffle:
      return 1 + lanes / 8;
    default:
      return 8;
  }
}

}  // namespace

void ForEachRegister(const For& loop, const std::function<void(loops::Register)>& defines,
                     const std::function<void(loops::Register)>& uses) {
  const auto use = [&](loops::Register r) {
    if (r != kNone) uses(r);
  };
  use(loop.begin.reg);
  use(loop.end.reg);
  defines(loop.variable);
  for (const For::Carried& carried : loop.carried) {
    use(carried.start);
    defines(carried.inside);
  }
  for (const Statement& inner : loop.body) ForEachRegister(inner, defines, uses);
  use(loop.until);
  for (const For::Carried& carried : loop.carried) {
    use(carried.next);
    defines(carried.after);
  }
}

void ForEachRegister(const Statement& statement,
                     const std::function<void(loops::Register)>& defines,
                     const std::function<void(loops::Register)>& uses) {
  const auto use = [&](loops::Register r) {
    if (r != kNone) uses(r);
  };
  const auto each = [&](const std::vector<Statement>& body) {
    for (const Statement& inner : body) ForEachRegister(inner, defines, uses);
  };
  if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
    for (loops::Register r : i->args) use(r);
    if (i->result != kNone) defines(i->result);
  } else if (const auto* loop = std::get_if<For>(&statement.node)) {
    ForEachRegister(*loop, defines, uses);
  } else if (const auto* condition = std::get_if<If>(&statement.node)) {
    use(condition->condition);
    each(condition->body);
  } else {
    each(std::get<Section>(statement.node).body);
  }
}

Outline::Outline(const loops::Program& program, int64_t function_size)
    : program_(program),
      function_size_(function_size),
      defined_(program.registers.size()),
      used_(program.registers.size()) {}

int64_t Outline::SizeOf(const Statement& statement) const {
  if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
    return SizeOfInstruction(program_, *i);
  }
  if (const auto* loop = std::get_if<For>(&statement.node)) return 4 + SizeOf(loop->body);
  if (const auto* condition = std::get_if<If>(&statement.node)) return 2 + SizeOf(condition->body);
  return 4 + SizeOf(std::get<Section>(statement.node).body);
}

int64_t Outline::SizeOf(Statements statements) const {
  int64_t size = 0;
  for (const Statement& statement : statements) size += SizeOf(statement);
  return size;
}

std::vector<int64_t> Outline::LastUses(Statements statements,
                                       absl::Span<const Register> used_after) {
  // used_ holds base + the number of the statement that uses a register last.
  const int64_t base = call_ + 1;
  const auto count = static_cast<int64_t>(statements.size());
  call_ += count + 1;
  const auto nothing = [](Register) {};
  for (int64_t s = 0; s < count; s++) {
    ForEachRegister(statements[static_cast<size_t>(s)], nothing,
                    [&](Register r) { used_[static_cast<size_t>(r)] = base + s; });
  }
  for (Register r : used_after) used_[static_cast<size_t>(r)] = base + count;
  std::vector<int64_t> last(statements.size());
  for (int64_t s = 0; s < count; s++) {
    int64_t& mine = last[static_cast<size_t>(s)];
    mine = s;
    ForEachRegister(
        statements[static_cast<size_t>(s)],
        [&](Register r) { mine = std::max(mine, used_[static_cast<size_t>(r)] - base); }, nothing);
  }
  return last;
}

std::vector<Outline::Run> Outline::Cut(Statements statements,
                                       absl::Span<const Register> used_after) {
  const auto count = static_cast<int64_t>(statements.size());
  // ends[s]: where statement s ends, in instructions from the first one on.
  std::vector<int64_t> ends;
  ends.reserve(statements.size());
  int64_t total = 0;
  for (const Statement& statement : statements) {
    total += function_size_ == 0 ? 1 : SizeOf(statement);
    ends.push_back(total);
  }
  const int64_t function_size = std::max<int64_t>(function_size_, 1);
  if (total <= function_size || count == 1) return {{statements, false}};
  // As many runs as functions of the right size hold, or, of a larger tree, its root's branches.
  const int64_t parts = std::min(kFan, (total + function_size - 1) / function_size);
  const int64_t target = (total + parts - 1) / parts;

  const std::vector<int64_t> last = LastUses(statements, used_after);
  std::vector<Run> runs;
  int64_t first = 0;  // of the present run
  int64_t reach = 0;  // the last use of what it defines
  const auto start = [&](int64_t s) { return s == 0 ? 0 : ends[static_cast<size_t>(s - 1)]; };
  const auto close = [&](int64_t end) {
    if (end == first) return;
    const Statements run =
        statements.subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
    // A loop or a condition alone stays here; what is in it is cut.
    const bool alone = run.size() == 1 && !std::holds_alternative<Section>(run[0].node);
    runs.push_back({run, reach < end && !alone});
    first = end;
  };
  for (int64_t s = 0; s < count; s++) {
    const int64_t use = last[static_cast<size_t>(s)];
    // What is used far behind stays here, and is handed to the functions in between.
    const bool far = use == count || ends[static_cast<size_t>(use)] - start(first) > 2 * target;
    if (use > s && far) {
      close(s);
      reach = use;
      close(s + 1);
      reach = 0;
      continue;
    }
    reach = std::max(reach, use);
    if (reach <= s && ends[static_cast<size_t>(s)] - start(first) >= target) {
      close(s + 1);
      reach = 0;
    }
  }
  close(count);
  // The whole as a function of its own would be cut for ever.
  if (runs.size() == 1) return {{statements, false}};
  return runs;
}

template <typename F>
std::vector<loops::Register> Outline::LiveInOf(const F& each) {
  const int64_t now = ++call_;
  std::vector<Register> live;
  each([&](Register r) { defined_[static_cast<size_t>(r)] = now; },
       [&](Register r) {
         const auto index = static_cast<size_t>(r);
         if (defined_[index] == now || used_[index] == now) return;
         used_[index] = now;
         live.push_back(r);
       });
  return live;
}

std::vector<loops::Register> Outline::LiveIn(Statements statements) {
  return LiveInOf([&](const auto& defines, const auto& uses) {
    for (const Statement& statement : statements) ForEachRegister(statement, defines, uses);
  });
}

std::vector<loops::Register> Outline::LiveIn(const For& loop) {
  return LiveInOf(
      [&](const auto& defines, const auto& uses) { ForEachRegister(loop, defines, uses); });
}

std::string SymbolName(absl::string_view label) {
  std::string name;
  for (const char c : label) {
    if (absl::ascii_isalnum(c) || c == '.' || c == '_') {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

}  // namespace talweg::native
