#ifndef TALWEG_JIT_LLVM_OUTLINE_H_
#define TALWEG_JIT_LLVM_OUTLINE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "jit/loops/ir.h"

namespace talweg::native {

// Where a program is cut into functions. A run of consecutive statements can be one if nothing
// after it uses a register that it defines; sections are like this by contract.
class Outline {
 public:
  using Register = loops::Register;
  using Statements = absl::Span<const loops::Statement>;

  Outline(const loops::Program& program, int64_t function_size);

  // About how many machine instructions these statements become.
  int64_t SizeOf(Statements statements) const;

  struct Run {
    Statements statements;
    bool is_function = false;
  };
  // Runs that together are `statements`, few enough to be called from one function; those that are
  // functions are to be cut again. One run that is none if the whole is small, or cannot be cut.
  // `used_after`: registers that the statements define and that what follows them uses.
  std::vector<Run> Cut(Statements statements, absl::Span<const Register> used_after);

  // The registers that the statements use and do not define.
  std::vector<Register> LiveIn(Statements statements);
  std::vector<Register> LiveIn(const loops::For& loop);

 private:
  int64_t SizeOf(const loops::Statement& statement) const;
  // For each statement, the last that uses something it defines (or itself); the number of
  // statements where that is behind them all.
  std::vector<int64_t> LastUses(Statements statements, absl::Span<const Register> used_after);

  const loops::Program& program_;
  const int64_t function_size_;
  // Calls `each(defines, uses)` for all that is looked at.
  template <typename F>
  std::vector<Register> LiveInOf(const F& each);

  // Per register, for LiveIn and LastUses: when it was last seen and where. They are never
  // cleared: each call has a number of its own.
  std::vector<int64_t> defined_, used_;
  int64_t call_ = 0;
};

// Calls `defines` for each register that the statement or a statement inside of it defines, and
// `uses` for each that one of them uses, in the order of the text.
void ForEachRegister(const loops::Statement& statement,
                     const std::function<void(loops::Register)>& defines,
                     const std::function<void(loops::Register)>& uses);

void ForEachRegister(const loops::For& loop, const std::function<void(loops::Register)>& defines,
                     const std::function<void(loops::Register)>& uses);

// A name that debuggers take: "contract %4 (model.cc:14)" -> "contract_4_model.cc_14".
std::string SymbolName(absl::string_view label);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_OUTLINE_H_
