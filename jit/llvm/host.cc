#include "jit/llvm/host.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "llvm-c/Core.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Host.h"

namespace talweg::native {
namespace {

// By name, in order: the same processor gives the same text in every process.
using Features = std::map<std::string, bool>;

Features HostFeatures() {
  Features features;
  for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
    features[feature.getKey().str()] = feature.getValue();
  }
  return features;
}

// Which of `wanted` the host lacks, as a list for people; empty if none.
std::string Missing(const Features& host, std::initializer_list<const char*> wanted) {
  std::string missing;
  for (const char* feature : wanted) {
    const auto found = host.find(feature);
    if (found != host.end() && found->second) continue;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", feature);
  }
  return missing;
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "48K" -> 49152; 0 where it is not that.
int64_t Bytes(absl::string_view text) {
  int64_t unit = 1;
  if (!text.empty() && (text.back() == 'K' || text.back() == 'M')) {
    unit = text.back() == 'K' ? 1 << 10 : 1 << 20;
    text.remove_suffix(1);
  }
  int64_t number = 0;
  // No cache has more than a TiB; a larger number would be a mistake of the kernel's.
  if (!absl::SimpleAtoi(text, &number) || number < 0 || number > (int64_t{1} << 20)) return 0;
  return number * unit;
}

// What the kernel says; where it says nothing (containers), the defaults stay.
loops::Machine ReadCaches() {
  loops::Machine machine;
  for (int index = 0; index < 8; index++) {
    const std::string folder = absl::StrCat("/sys/devices/system/cpu/cpu0/cache/index", index, "/");
    const std::string level = FirstLine(folder + "level");
    if (level.empty()) break;
    if (FirstLine(folder + "type") == "Instruction") continue;
    const int64_t bytes = Bytes(FirstLine(folder + "size"));
    if (bytes == 0) continue;
    if (level == "1") machine.l1_bytes = bytes;
    if (level == "2") machine.l2_bytes = bytes;
    if (level == "3") machine.l3_bytes = bytes;
  }
  return machine;
}

// Asking takes longer than lowering a small graph, and the answer does not change.
struct Host {
  std::string name = llvm::sys::getHostCPUName().str();
  Features features = HostFeatures();
  loops::Machine machine = ReadCaches();
};
const Host& ThisHost() {
  static const Host& host = *new Host;
  return host;
}

}  // namespace

absl::StatusOr<Target> DetectTarget(absl::string_view cpu) {
  const Host& here = ThisHost();
  const Features& host = here.features;
  const std::string missing_avx2 =
      Missing(host, {"avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe"});
  const std::string missing_avx512 =
      missing_avx2.empty()
          ? Missing(host, {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
          : missing_avx2;
  Target target = {.spec = {}, .machine = here.machine};
  TargetSpec& spec = target.spec;
  std::string missing;
  if (cpu == "native") {
    spec.cpu = here.name;
    spec.features = absl::StrJoin(host, ",", [](std::string* out, const auto& feature) {
      absl::StrAppend(out, feature.second ? "+" : "-", feature.first);
    });
    spec.avx = missing_avx2.empty();
    spec.avx512 = missing_avx512.empty();
  } else if (cpu == "avx512") {
    spec.cpu = "x86-64-v4";
    spec.avx = spec.avx512 = true;
    missing = missing_avx512;
  } else if (cpu == "avx2") {
    spec.cpu = "x86-64-v3";
    spec.avx = true;
    missing = missing_avx2;
  } else if (cpu == "x86-64") {
    spec.cpu = "x86-64";
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "no processor is called \"", cpu, "\"; there are native, avx512, avx2 and x86-64"));
  }
  if (!missing.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("code for ", cpu,
                                                      " cannot run on this processor (", here.name,
                                                      "), which lacks ", missing));
  }
  target.machine.vector_bytes = spec.avx512 ? 64 : spec.avx ? 32 : 16;
  target.machine.vector_registers = spec.avx512 ? 32 : 16;
  return target;
}

std::string LlvmVersion() {
  unsigned major = 0, minor = 0, patch = 0;
  LLVMGetVersion(&major, &minor, &patch);
  return absl::StrCat(major, ".", minor, ".", patch);
}

std::string ProcessTriple() { return llvm::sys::getProcessTriple(); }

}  // namespace talweg::native
