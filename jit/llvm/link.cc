#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "jit/llvm/engine.h"
#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/DebugObjectManagerPlugin.h"
#include "llvm/ExecutionEngine/Orc/EPCDebugObjectRegistrar.h"
#include "llvm/ExecutionEngine/Orc/ExecutorProcessControl.h"
#include "llvm/ExecutionEngine/Orc/ObjectFileInterface.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h"
#include "llvm/ExecutionEngine/Orc/TaskDispatch.h"
#include "llvm/Support/MemoryBuffer.h"

namespace talweg::native {
namespace {

namespace orc = llvm::orc;

absl::Status ToStatus(llvm::Error error, absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", llvm::toString(std::move(error))));
}

// Writes where functions lie to the file where perf looks for them, a line each. (LLVM 19's own
// plugin writes a jitdump whose header perf refuses.)
class PerfMap : public orc::ObjectLinkingLayer::Plugin {
 public:
  void modifyPassConfig(orc::MaterializationResponsibility&, llvm::jitlink::LinkGraph&,
                        llvm::jitlink::PassConfiguration& config) override {
    // Else names go that calls do not need, as they know the place.
    config.PrePrunePasses.push_back([](llvm::jitlink::LinkGraph& graph) {
      for (llvm::jitlink::Symbol* symbol : graph.defined_symbols()) symbol->setLive(true);
      return llvm::Error::success();
    });
    config.PostFixupPasses.push_back([](llvm::jitlink::LinkGraph& graph) {
      std::string lines;
      for (const llvm::jitlink::Symbol* symbol : graph.defined_symbols()) {
        if (!symbol->hasName() || !symbol->isCallable()) continue;
        absl::StrAppend(&lines, absl::Hex(symbol->getAddress().getValue()), " ",
                        absl::Hex(symbol->getSize()), " ", std::string(symbol->getName()), "\n");
      }
      const std::string path = absl::StrCat("/tmp/perf-", ::getpid(), ".map");
      const int file =
          ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (file < 0) return llvm::Error::success();  // a profile without names
      WriteAll(file, lines);
      ::close(file);
      return llvm::Error::success();
    });
  }
  llvm::Error notifyFailed(orc::MaterializationResponsibility&) override {
    return llvm::Error::success();
  }
  llvm::Error notifyRemovingResources(orc::JITDylib&, orc::ResourceKey) override {
    return llvm::Error::success();
  }
  void notifyTransferringResources(orc::JITDylib&, orc::ResourceKey, orc::ResourceKey) override {}
};

}  // namespace

// ORC for one program. Sessions share nothing, so that programs are linked and freed in any order
// by any threads.
struct CompiledProgram::Session {
  std::unique_ptr<orc::ExecutionSession> execution;
  // JITLink: it never makes a page writable and executable at once.
  std::unique_ptr<orc::ObjectLinkingLayer> layer;
  std::string errors;

  ~Session() {
    if (execution == nullptr) return;
    if (llvm::Error error = execution->endSession()) llvm::consumeError(std::move(error));
  }

  absl::Status Start();
  absl::Status AddDebuggers(const CompileOptions& options);
  absl::StatusOr<void*> Load(absl::string_view object);
};

absl::Status CompiledProgram::Session::Start() {
  // LLVM would start threads of its own otherwise.
  auto control = orc::SelfExecutorProcessControl::Create(
      nullptr, std::make_unique<orc::InPlaceTaskDispatcher>());
  if (!control) return ToStatus(control.takeError(), "the JIT does not start");
  execution = std::make_unique<orc::ExecutionSession>(std::move(*control));
  // Some errors are only said here.
  execution->setErrorReporter([this](llvm::Error error) {
    absl::StrAppend(&errors, errors.empty() ? "" : "; ", llvm::toString(std::move(error)));
  });
  layer = std::make_unique<orc::ObjectLinkingLayer>(*execution);
  return absl::OkStatus();
}

absl::Status CompiledProgram::Session::AddDebuggers(const CompileOptions& options) {
  if (options.gdb) {
    layer->addPlugin(std::make_shared<orc::DebugObjectManagerPlugin>(
        *execution,
        std::make_unique<orc::EPCDebugObjectRegistrar>(
            *execution, orc::ExecutorAddr::fromPtr(&llvm_orc_registerJITLoaderGDBAllocAction)),
        /*RequireDebugSections=*/false, /*AutoRegisterCode=*/true));
  }
  if (options.perf) layer->addPlugin(std::make_shared<PerfMap>());
  return absl::OkStatus();
}

absl::StatusOr<void*> CompiledProgram::Session::Load(absl::string_view object) {
  orc::JITDylib& library = execution->createBareJITDylib("program");
  orc::SymbolMap symbols;
  for (const loops::RuntimeSymbol& symbol : loops::RuntimeSymbols()) {
    symbols[execution->intern(symbol.name)] = {
        orc::ExecutorAddr::fromPtr(symbol.address),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  }
  if (llvm::Error error = library.define(orc::absoluteSymbols(std::move(symbols)))) {
    return ToStatus(std::move(error), "the runtime's symbols");
  }
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(object.data(), object.size()),
                                                     "program");
  auto interface = orc::getObjectFileInterface(*execution, buffer->getMemBufferRef());
  if (!interface) return ToStatus(interface.takeError(), "this is no object");
  // A program's one symbol is its entry.
  if (interface->SymbolFlags.size() != 1) {
    return absl::InternalError(absl::StrCat("an object of a program has one symbol, and this has ",
                                            interface->SymbolFlags.size()));
  }
  const orc::SymbolStringPtr entry = interface->SymbolFlags.begin()->first;
  if (llvm::Error error = layer->add(library.getDefaultResourceTracker(), std::move(buffer),
                                     std::move(*interface))) {
    return ToStatus(std::move(error), "the object cannot be added");
  }
  auto found = execution->lookup({&library}, entry);
  if (!found) {
    const absl::Status status = ToStatus(found.takeError(), "the object cannot be linked");
    if (errors.empty()) return status;
    return absl::InternalError(absl::StrCat(status.message(), " (", errors, ")"));
  }
  return found->getAddress().toPtr<void*>();
}

CompiledProgram::CompiledProgram() = default;
CompiledProgram::~CompiledProgram() = default;

class Linker {
 public:
  static absl::StatusOr<std::shared_ptr<const CompiledProgram>> Link(
      absl::string_view object, const CompileOptions& options) {
    std::shared_ptr<CompiledProgram> program(new CompiledProgram);
    program->session_ = std::make_unique<CompiledProgram::Session>();
    CompiledProgram::Session& session = *program->session_;
    absl::Status status = session.Start();
    if (status.ok()) status = session.AddDebuggers(options);
    if (!status.ok()) return status;
    const absl::StatusOr<void*> entry = session.Load(object);
    if (!entry.ok()) return entry.status();
    program->function_ = reinterpret_cast<int32_t (*)(loops::Context*)>(*entry);
    return program;
  }
};

absl::StatusOr<std::shared_ptr<const CompiledProgram>> Link(absl::string_view object,
                                                            const CompileOptions& options,
                                                            Timings* timings) {
  const auto start = std::chrono::steady_clock::now();
  auto program = Linker::Link(object, options);
  if (timings != nullptr) {
    timings->link +=
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }
  return program;
}

}  // namespace talweg::native
