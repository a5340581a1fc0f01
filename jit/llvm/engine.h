#ifndef TALWEG_JIT_LLVM_ENGINE_H_
#define TALWEG_JIT_LLVM_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jit/llvm/host.h"
#include "jit/loops/ir.h"
#include "jit/loops/runtime.h"

namespace talweg::native {

// Loop IR becomes machine code in two stages, so that what lies between, an object, can be kept:
//
//   absl::StatusOr<std::string> object = EmitObject(program, options);   // milliseconds
//   absl::StatusOr<std::shared_ptr<const CompiledProgram>> code = Link(*object, options);
//   (*code)->Run(&context);
//
// All functions may be called from many threads at once.
struct CompileOptions {
  Target target;     // DetectTarget()
  int level = 2;     // of code generation: 0 (compiles fastest) to 3
  std::string name;  // of the program, for debuggers and profilers
  // How many instructions, about, one function holds. 0: each section is a function, so that a
  // profiler tells them apart.
  int64_t function_size = 1000;
  bool verify = false;  // LLVM's verifier; an error of it is a mistake of Talweg's
  // Tells GDB and perf (in /tmp/perf-PID.map) of the functions. Both cost time.
  bool gdb = false;
  bool perf = false;
};

// Milliseconds of each stage.
struct Timings {
  double target = 0;   // making LLVM's code generator, once a process and processor
  double emit = 0;     // loop IR -> LLVM IR
  double codegen = 0;  // LLVM IR -> object
  double link = 0;     // object -> memory
  // Asking the cache and filling it (jit/image.h), and whether it had the object.
  double cache = 0;
  bool cached = false;
};

// Machine code in this process's memory. Immutable and thread-safe; the memory is freed with it.
class CompiledProgram {
 public:
  ~CompiledProgram();
  CompiledProgram(const CompiledProgram&) = delete;
  CompiledProgram& operator=(const CompiledProgram&) = delete;

  // Runs the program once, to be called by loops::RunProgram as its Body. False where the run ended
  // early.
  bool Run(loops::Context* context) const { return function_(context) != 0; }

 private:
  friend class Linker;
  struct Session;
  CompiledProgram();

  std::unique_ptr<Session> session_;
  int32_t (*function_)(loops::Context*) = nullptr;
};

// An ELF object. The same program and options give the same bytes. Error: LLVM could not do it.
absl::StatusOr<std::string> EmitObject(const loops::Program& program, const CompileOptions& options,
                                       Timings* timings = nullptr);
// The same as text, for people. The assembly says where loops begin, how deep they are and of which
// section, and which instructions spill a register or reload it.
absl::StatusOr<std::string> LlvmText(const loops::Program& program, const CompileOptions& options);
absl::StatusOr<std::string> AssemblyText(const loops::Program& program,
                                         const CompileOptions& options);

// Loads an object of EmitObject. The bytes are trusted: whoever kept them has checked them. Errors:
// they are no such object; it refers to a symbol that is not among loops::RuntimeSymbols(); there
// is no memory.
absl::StatusOr<std::shared_ptr<const CompiledProgram>> Link(absl::string_view object,
                                                            const CompileOptions& options,
                                                            Timings* timings = nullptr);

// Both stages.
absl::StatusOr<std::shared_ptr<const CompiledProgram>> Compile(const loops::Program& program,
                                                               const CompileOptions& options,
                                                               Timings* timings = nullptr);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_ENGINE_H_
