#include "jit/llvm/codegen.h"

#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/IR/LegacyPassManager.h"

namespace talweg::native {
namespace {

// What addPassesToEmitFile does, without the passes over LLVM IR that find nothing to do in code
// that is lowered with care, above all loop strength reduction: a quarter of the time for nothing,
// as indices are as the processor's addresses want them.
bool AddPasses(llvm::LLVMTargetMachine& machine, llvm::legacy::PassManager& passes,
               llvm::CodeGenFileType type, llvm::raw_pwrite_stream& out) {
  // The pass manager owns all of these.
  auto* info = new llvm::MachineModuleInfoWrapperPass(&machine);
  llvm::TargetPassConfig* config = machine.createPassConfig(passes);
  config->setDisableVerify(true);
  passes.add(config);
  passes.add(info);
  // Out of order, the processor needs no second scheduling.
  config->disablePass(&llvm::PostRASchedulerID);
  // It would take constants out of loops until no register is left for them, and reload them from
  // the stack. Vectors of 32 bytes are read as fast from where they are; for those of 64,
  // emit_constants.cc takes out as many as there are registers for. What else does not change in a
  // loop stands outside of it already.
  config->disablePass(&llvm::EarlyMachineLICMID);
  passes.add(llvm::createTargetTransformInfoWrapperPass(machine.getTargetIRAnalysis()));
  config->addCodeGenPrepare();
  config->addISelPrepare();
  if (config->addInstSelector()) return false;
  passes.add(llvm::Pass::createPass(&llvm::FinalizeISelID));
  config->addMachinePasses();
  config->setInitialized();
  if (machine.addAsmPrinter(passes, out, nullptr, type, info->getMMI().getContext())) return false;
  passes.add(llvm::createFreeMachineFunctionPass());
  return true;
}

}  // namespace

absl::Status GenerateCode(llvm::TargetMachine& machine, llvm::Module& module,
                          llvm::CodeGenFileType type, llvm::raw_pwrite_stream& out) {
  llvm::legacy::PassManager passes;
  const bool added =
      machine.getOptLevel() == llvm::CodeGenOptLevel::None
          ? !machine.addPassesToEmitFile(passes, out, nullptr, type)
          : AddPasses(static_cast<llvm::LLVMTargetMachine&>(machine), passes, type, out);
  if (!added) return absl::InternalError("LLVM writes no code for this machine");
  passes.run(module);
  return absl::OkStatus();
}

}  // namespace talweg::native
