#include "jit/llvm/target.h"

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Host.h"

namespace talweg::native {
namespace {

using Key = std::tuple<std::string, std::string, int>;  // cpu, features, level

// The machines that no compile uses now. Never destroyed: threads may outlive main.
class Pool {
 public:
  static Pool& OfProcess() {
    static Pool& pool = *new Pool;
    return pool;
  }

  std::unique_ptr<llvm::TargetMachine> Take(const Key& key) {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[key];
    if (idle.empty()) return nullptr;
    std::unique_ptr<llvm::TargetMachine> machine = std::move(idle.back());
    idle.pop_back();
    return machine;
  }

  void Return(const Key& key, std::unique_ptr<llvm::TargetMachine> machine) {
    const std::lock_guard lock(mutex_);
    idle_[key].push_back(std::move(machine));
  }

 private:
  // Not Abseil's: the thread sanitizer does not see through its archives.
  std::mutex mutex_;
  std::map<Key, std::vector<std::unique_ptr<llvm::TargetMachine>>> idle_;
};

void InitializeOnce() {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
}

}  // namespace

absl::StatusOr<TargetMachine> BorrowTargetMachine(const TargetSpec& spec, int level) {
  const Key key = {spec.cpu, spec.features, level};
  std::unique_ptr<llvm::TargetMachine> machine = Pool::OfProcess().Take(key);
  if (machine == nullptr) {
    InitializeOnce();
    const std::string triple = llvm::sys::getProcessTriple();
    std::string error;
    const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
    if (target == nullptr) {
      return absl::InternalError(absl::StrCat("LLVM has no target ", triple, ": ", error));
    }
    llvm::TargetOptions options;
    // A product and a sum become one rounding only where the program says fma.
    options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
    machine.reset(target->createTargetMachine(
        triple, spec.cpu, spec.features, options, llvm::Reloc::PIC_, llvm::CodeModel::Small,
        static_cast<llvm::CodeGenOptLevel>(level), /*JIT=*/true));
    if (machine == nullptr) {
      return absl::InternalError(absl::StrCat("LLVM makes no code for ", spec.cpu));
    }
  }
  return TargetMachine(machine.release(), [key](llvm::TargetMachine* used) {
    Pool::OfProcess().Return(key, std::unique_ptr<llvm::TargetMachine>(used));
  });
}

}  // namespace talweg::native
