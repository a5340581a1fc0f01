#ifndef TALWEG_JIT_LLVM_HOST_H_
#define TALWEG_JIT_LLVM_HOST_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jit/loops/machine.h"

namespace talweg::native {

// What code is made for, in LLVM's words. Two equal specs give equal code: it belongs into the key
// of whatever keeps compiled code.
struct TargetSpec {
  std::string cpu;       // "znver3", "x86-64-v3"
  std::string features;  // "+avx2,-avx512f,..."; empty where the CPU's name says it all
  // What emission has to know besides: which vector instructions have masks.
  bool avx = false;
  bool avx512 = false;
};

struct Target {
  TargetSpec spec;
  loops::Machine machine;
};

// The processor that this process runs on, or less of it.
//
//   "native"   all that it has
//   "avx512"   x86-64-v4: any processor with AVX-512
//   "avx2"     x86-64-v3: AVX2 and fma
//   "x86-64"   what every x86-64 processor has: vectors of 16 bytes, fma by the C library
//
// The results are the same bits under each. Errors: an unknown name; a processor that lacks what
// was asked for.
absl::StatusOr<Target> DetectTarget(absl::string_view cpu = "native");

// Of the LLVM in this process: "19.1.4".
std::string LlvmVersion();
// What this process runs on, in LLVM's words: "x86_64-pc-linux-gnu".
std::string ProcessTriple();

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_HOST_H_
