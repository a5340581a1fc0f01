#include "jit/llvm/engine.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "jit/llvm/codegen.h"
#include "jit/llvm/emit.h"
#include "jit/llvm/target.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

namespace talweg::native {
namespace {

// LLVM's own handler prints errors and exits.
struct Diagnostics : llvm::DiagnosticHandler {
  explicit Diagnostics(std::string* first) : error(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() == llvm::DS_Error && error->empty()) {
      llvm::raw_string_ostream stream(*error);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
  std::string* error;
};

// A program as LLVM IR, and what it takes to go on with it.
class Lowering {
 public:
  absl::Status Emit(const loops::Program& program, const CompileOptions& options, bool keep_names,
                    Timings* timings) {
    Clock clock;
    absl::StatusOr<TargetMachine> machine = BorrowTargetMachine(options.target.spec, options.level);
    if (!machine.ok()) return machine.status();
    machine_ = *std::move(machine);
    timings->target += clock.Lap();

    context_.setDiscardValueNames(!keep_names);
    context_.setDiagnosticHandler(std::make_unique<Diagnostics>(&error_));
    module_ = std::make_unique<llvm::Module>("", context_);
    module_->setDataLayout(machine_->createDataLayout());
    module_->setTargetTriple(machine_->getTargetTriple().str());
    native::Emit(program, options.target.spec,
                 {.name = options.name,
                  .function_size = options.function_size,
                  .unwind_tables = options.gdb || options.perf},
                 *module_);
    timings->emit += clock.Lap();
    if (!options.verify) return absl::OkStatus();
    std::string wrong;
    llvm::raw_string_ostream stream(wrong);
    if (!llvm::verifyModule(*module_, &stream)) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("LLVM's verifier: ", wrong));
  }

  std::string Text() const {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module_->print(stream, nullptr);
    return text;
  }

  absl::StatusOr<std::string> Generate(llvm::CodeGenFileType type, Timings* timings) {
    Clock clock;
    llvm::SmallString<0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    // Loops and spills, as comments.
    machine_->Options.MCOptions.AsmVerbose = type == llvm::CodeGenFileType::AssemblyFile;
    const absl::Status written = GenerateCode(*machine_, *module_, type, stream);
    if (!written.ok()) return written;
    timings->codegen += clock.Lap();
    if (!error_.empty()) return absl::InternalError(absl::StrCat("LLVM: ", error_));
    return std::string(bytes.str());
  }

 private:
  TargetMachine machine_;
  std::string error_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
};

absl::StatusOr<std::string> Generate(const loops::Program& program, const CompileOptions& options,
                                     llvm::CodeGenFileType type, Timings* timings) {
  Timings unused;
  if (timings == nullptr) timings = &unused;
  Lowering lowering;
  const absl::Status emitted = lowering.Emit(
      program, options, /*keep_names=*/type == llvm::CodeGenFileType::AssemblyFile, timings);
  if (!emitted.ok()) return emitted;
  return lowering.Generate(type, timings);
}

}  // namespace

absl::StatusOr<std::string> EmitObject(const loops::Program& program, const CompileOptions& options,
                                       Timings* timings) {
  return Generate(program, options, llvm::CodeGenFileType::ObjectFile, timings);
}

absl::StatusOr<std::string> AssemblyText(const loops::Program& program,
                                         const CompileOptions& options) {
  return Generate(program, options, llvm::CodeGenFileType::AssemblyFile, nullptr);
}

absl::StatusOr<std::string> LlvmText(const loops::Program& program, const CompileOptions& options) {
  Timings unused;
  Lowering lowering;
  const absl::Status emitted = lowering.Emit(program, options, /*keep_names=*/true, &unused);
  if (!emitted.ok()) return emitted;
  return lowering.Text();
}

absl::StatusOr<std::shared_ptr<const CompiledProgram>> Compile(const loops::Program& program,
                                                               const CompileOptions& options,
                                                               Timings* timings) {
  const absl::StatusOr<std::string> object = EmitObject(program, options, timings);
  if (!object.ok()) return object.status();
  return Link(*object, options, timings);
}

}  // namespace talweg::native
