#ifndef TALWEG_TESTS_JIT_LLVM_RUN_H_
#define TALWEG_TESTS_JIT_LLVM_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/builder.h"
#include "jit/loops/ir.h"

namespace talweg::native {

// A buffer of a hand-made program: the number of the buffer is what programs use.
inline int32_t AddBuffer(loops::Builder& b, DType dtype, loops::Buffer::Home home, int32_t place,
                         int64_t elements) {
  const bool arena = home == loops::Buffer::Home::kArena;
  const int32_t inputs = b.program().inputs;
  return b.AddBuffer({.name = "buffer",
                      .dtype = dtype,
                      .home = home,
                      .slot = arena                                  ? -1
                              : home == loops::Buffer::Home::kOutput ? inputs + place
                                                                     : place,
                      .offset = arena ? place : 0,
                      .elements = elements});
}
inline int32_t AddInput(loops::Builder& b, DType dtype, int32_t place, int64_t elements = -1) {
  return AddBuffer(b, dtype, loops::Buffer::Home::kInput, place, elements);
}
inline int32_t AddOutput(loops::Builder& b, DType dtype, int32_t place, int64_t elements = -1) {
  return AddBuffer(b, dtype, loops::Buffer::Home::kOutput, place, elements);
}

// The processors that this one can be.
inline std::vector<std::string> Processors() {
  std::vector<std::string> names;
  for (const char* name : {"native", "avx512", "avx2", "x86-64"}) {
    if (DetectTarget(name).ok()) names.push_back(name);
  }
  return names;
}

// Options for tests: LLVM's verifier is on.
inline CompileOptions Options(const std::string& processor, int level = 2) {
  CompileOptions options;
  const absl::StatusOr<Target> target = DetectTarget(processor);
  EXPECT_TRUE(target.ok()) << target.status();
  if (target.ok()) options.target = *target;
  options.level = level;
  options.name = "test";
  options.verify = true;
  return options;
}

inline std::shared_ptr<const CompiledProgram> MustCompile(const loops::Program& program,
                                                          const CompileOptions& options) {
  absl::StatusOr<std::shared_ptr<const CompiledProgram>> code = Compile(program, options);
  EXPECT_TRUE(code.ok()) << code.status();
  return code.ok() ? *code : nullptr;
}

// Runs code that calls nothing of the runtime, on this memory.
inline bool RunBare(const CompiledProgram& code, std::vector<void*> table, void* arena = nullptr,
                    int64_t rows = -1, int64_t trips = -1) {
  loops::Context context;
  context.arena = static_cast<std::byte*>(arena);
  context.table = reinterpret_cast<std::byte**>(table.data());
  context.rows = rows;
  context.trips = trips;
  return code.Run(&context);
}

}  // namespace talweg::native

#endif  // TALWEG_TESTS_JIT_LLVM_RUN_H_
