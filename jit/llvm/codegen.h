#ifndef TALWEG_JIT_LLVM_CODEGEN_H_
#define TALWEG_JIT_LLVM_CODEGEN_H_

#include "absl/status/status.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

namespace talweg::native {

// Writes the module as an object or as assembly. At level 0 LLVM's own list of passes runs; above
// it a shorter one that gives the same code for what emit.h emits, in two thirds of the time.
absl::Status GenerateCode(llvm::TargetMachine& machine, llvm::Module& module,
                          llvm::CodeGenFileType type, llvm::raw_pwrite_stream& out);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_CODEGEN_H_
