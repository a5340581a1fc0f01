#include "jit/llvm/cached.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "jit/llvm/key_sources.h"
#include "llvm-c/Core.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/TargetParser/Host.h"

namespace talweg::native {
namespace {

// Hashes values as bytes that differ where the values do: numbers in as many as they need (seven
// bits each; the eighth says that more follow), the lengths of lists before them.
//
// Structs are taken apart into all of their fields: a new field does not compile until it is
// written here, or named as one that no object depends on.
class Writer {
 public:
  ObjectCache::Key Hash() {
    Flush();
    return hasher_.final();
  }

  template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  void Write(T value) {
    auto rest = static_cast<uint64_t>(value);
    // Small negative numbers are small too: kNone is everywhere.
    if constexpr (std::is_signed_v<T>) rest = rest << 1 ^ (value < 0 ? ~uint64_t{0} : 0);
    if (used_ + kMostBytes > sizeof(bytes_)) Flush();
    while (rest >= 0x80) {
      bytes_[used_++] = static_cast<uint8_t>(rest | 0x80);
      rest >>= 7;
    }
    bytes_[used_++] = static_cast<uint8_t>(rest);
  }
  void Write(absl::string_view text) {
    Write(text.size());
    Flush();
    hasher_.update(llvm::StringRef(text.data(), text.size()));
  }
  void Write(const std::string& text) { Write(absl::string_view(text)); }
  template <typename T>
  void Write(const std::vector<T>& list) {
    Write(list.size());
    for (const T& item : list) Write(item);
  }
  template <typename T, size_t kSize>
  void Write(const std::array<T, kSize>& list) {
    for (const T& item : list) Write(item);
  }

  void Write(const loops::RegisterType& type) {
    const auto& [dtype, lanes] = type;
    WriteAll(dtype, lanes);
  }
  void Write(const loops::Buffer& buffer) {
    const auto& [name, dtype, home, slot, offset, elements] = buffer;
    WriteAll(dtype, home, slot, offset, elements);
  }
  void Write(const loops::Instruction& instruction) {
    const auto& [code, opcode, result, args, immediate, stride, buffer, site, which, shuffle] =
        instruction;
    WriteAll(code, opcode, result, args, immediate, stride, buffer, site, which, shuffle);
  }
  void Write(const loops::Bound& bound) {
    const auto& [value, reg] = bound;
    WriteAll(value, reg);
  }
  void Write(const loops::For::Carried& carried) {
    const auto& [inside, start, next, after] = carried;
    WriteAll(inside, start, next, after);
  }
  void Write(const loops::For& loop) {
    const auto& [variable, begin, end, step, carried, until, body] = loop;
    WriteAll(variable, begin, end, step, carried, until, body);
  }
  void Write(const loops::If& condition) {
    const auto& [reg, body] = condition;
    WriteAll(reg, body);
  }
  void Write(const loops::Section& section) {
    const auto& [label, body, once] = section;
    WriteAll(label, body, once);
  }
  // As deep as loops are nested, of which there is a limit.
  void Write(const loops::Statement& statement) {
    Write(statement.node.index());
    std::visit([this](const auto& node) { Write(node); }, statement.node);
  }
  void Write(const loops::Program& program) {
    const auto& [registers, buffers, constants, randoms, sites, body, arena_bytes, largest, inputs,
                 outputs, dynamic, passed_through] = program;
    WriteAll(registers, buffers, constants.size(), randoms.size(), sites.size(), body, inputs,
             outputs, dynamic);
  }

  void Write(const TargetSpec& spec) {
    const auto& [cpu, features, avx, avx512] = spec;
    WriteAll(cpu, features, avx, avx512);
  }
  void Write(const CompileOptions& options) {
    const auto& [target, level, name, function_size, verify, gdb, perf] = options;
    // Where a debugger watches, code can be unwound; which one it is does not matter.
    WriteAll(target.spec, level, name, function_size, gdb || perf);
  }
  void Write(const Toolchain& toolchain) {
    const auto& [llvm, triple, sources] = toolchain;
    WriteAll(llvm, triple, sources);
  }

 private:
  template <typename... T>
  void WriteAll(const T&... values) {
    (Write(values), ...);
  }

  void Flush() { hasher_.update(llvm::ArrayRef<uint8_t>(bytes_, std::exchange(used_, 0))); }

  static constexpr size_t kMostBytes = 10;  // of a number
  llvm::BLAKE3 hasher_;
  uint8_t bytes_[16384];
  size_t used_ = 0;
};

std::string LlvmVersion() {
  unsigned major = 0, minor = 0, patch = 0;
  LLVMGetVersion(&major, &minor, &patch);
  return absl::StrCat(major, ".", minor, ".", patch);
}

class Stopwatch {
 public:
  explicit Stopwatch(double* milliseconds) : milliseconds_(milliseconds) {}
  ~Stopwatch() {
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start_;
    *milliseconds_ += time.count();
  }

 private:
  double* milliseconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

const Toolchain& ThisToolchain() {
  static const Toolchain& toolchain = *new Toolchain{
      .llvm = LlvmVersion(), .triple = llvm::sys::getProcessTriple(), .sources = SourcesHash()};
  return toolchain;
}

ObjectCache::Key KeyOf(const loops::Program& program, const CompileOptions& options,
                       const Toolchain& toolchain) {
  Writer writer;
  writer.Write(toolchain);
  writer.Write(options);
  writer.Write(program);
  return writer.Hash();
}

absl::StatusOr<std::shared_ptr<const CompiledProgram>> Compile(const loops::Program& program,
                                                               const CompileOptions& options,
                                                               const ObjectCache& cache,
                                                               Timings* timings) {
  if (!cache.on()) return Compile(program, options, timings);
  Timings unused;
  if (timings == nullptr) timings = &unused;
  ObjectCache::Key key;
  std::optional<std::string> kept;
  {
    const Stopwatch watch(&timings->cache);
    key = KeyOf(program, options);
    kept = cache.Get(key);
  }
  if (kept.has_value()) {
    auto code = Link(*kept, options, timings);
    // It is whole and ours. Should it not load all the same, a new one says why.
    timings->cached = code.ok();
    if (code.ok()) return code;
  }
  const absl::StatusOr<std::string> object = EmitObject(program, options, timings);
  if (!object.ok()) return object.status();
  {
    const Stopwatch watch(&timings->cache);
    cache.Put(key, *object).IgnoreError();
  }
  return Link(*object, options, timings);
}

}  // namespace talweg::native
