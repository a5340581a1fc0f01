#include "jit/llvm/engine.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jit/llvm/target.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "tests/jit/llvm/run.h"

namespace talweg::native {
namespace {

using loops::kNone;
using loops::Register;
using testing::HasSubstr;
using testing::Not;

// out[i] = in[i] * factor, in a section of this name.
loops::Program Times(int64_t factor, const std::string& section = "multiply") {
  loops::Builder b(1, 1);
  const int32_t in = AddInput(b, kInt64, 0), out = AddOutput(b, kInt64, 0);
  for (int half : {0, 1}) {
    b.OpenSection(absl::StrCat(section, " ", half));
    const Register i = b.OpenFor({.value = half}, {.reg = b.Rows()}, 2).variable;
    b.Store(out, i, b.Times(b.Load(in, i), factor));
    b.CloseFor();
    b.CloseSection();
  }
  return std::move(b).Take();
}

bool Works(const CompiledProgram& code, int64_t factor) {
  std::vector<int64_t> in = {1, 2, 3, 4, 5}, out(5);
  if (!RunBare(code, {in.data(), out.data()}, nullptr, 5)) return false;
  for (size_t i = 0; i < 5; i++) {
    if (out[i] != in[i] * factor) return false;
  }
  return true;
}

// An object with functions f0, f1 ... of which the first calls `callee`, if that is not empty.
std::string ForeignObject(const std::string& callee, int functions = 1) {
  absl::StatusOr<TargetMachine> machine = BorrowTargetMachine(DetectTarget("x86-64")->spec, 0);
  EXPECT_TRUE(machine.ok()) << machine.status();
  llvm::LLVMContext context;
  llvm::Module module("foreign", context);
  module.setDataLayout((*machine)->createDataLayout());
  module.setTargetTriple((*machine)->getTargetTriple().str());
  llvm::IRBuilder<> b(context);
  for (int k = 0; k < functions; k++) {
    auto* type = llvm::FunctionType::get(b.getInt32Ty(), {b.getPtrTy()}, false);
    auto* function =
        llvm::Function::Create(type, llvm::Function::ExternalLinkage, absl::StrCat("f", k), module);
    b.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
    if (!callee.empty()) b.CreateCall(module.getOrInsertFunction(callee, b.getInt32Ty()));
    b.CreateRet(b.getInt32(1));
  }
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  EXPECT_FALSE(
      (*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile));
  passes.run(module);
  return std::string(bytes.str());
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(Compile, GivesCodeAndTheTimeOfEachStage) {
  Timings timings;
  const auto code = Compile(Times(3), Options("native"), &timings);
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_TRUE(Works(**code, 3));
  EXPECT_GT(timings.emit, 0);
  EXPECT_GT(timings.codegen, 0);
  EXPECT_GT(timings.link, 0);
}

TEST(Compile, TakesSixtyFourThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  const CompileOptions options = Options("native");
  for (int k = 0; k < 64; k++) {
    threads.emplace_back([k, &good, &options] {
      CompileOptions mine = options;
      mine.level = k % 4;
      const auto code = Compile(Times(k), mine);
      good += code.ok() && Works(**code, k);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 64);
}

TEST(Objects, AreTheSameBytesEachTimeAndLinkAgain) {
  for (const std::string& processor : Processors()) {
    const CompileOptions options = Options(processor);
    const absl::StatusOr<std::string> object = EmitObject(Times(5), options);
    ASSERT_TRUE(object.ok()) << object.status();
    EXPECT_EQ(*object, *EmitObject(Times(5), options));
    const auto first = Link(*object, options), second = Link(*object, options);
    ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
    EXPECT_TRUE(Works(**first, 5));
    EXPECT_TRUE(Works(**second, 5));
  }
}

TEST(Objects, MayReferToTheRuntimeOnly) {
  const CompileOptions options = Options("x86-64");
  const auto good = Link(ForeignObject("talweg_mark"), options);
  EXPECT_TRUE(good.ok()) << good.status();
  // All of these are in this process.
  for (const char* name : {"system", "getpid", "malloc", "dlopen", "no_such_function"}) {
    const auto bad = Link(ForeignObject(name), options);
    EXPECT_EQ(bad.status().code(), absl::StatusCode::kInternal) << name;
    EXPECT_THAT(std::string(bad.status().message()), HasSubstr(name));
  }
}

TEST(Objects, ThatAreNoneGiveAStatus) {
  const CompileOptions options = Options("x86-64");
  EXPECT_FALSE(Link("", options).ok());
  EXPECT_FALSE(Link("no object", options).ok());
  EXPECT_FALSE(Link(ForeignObject("", 0), options).ok());
  EXPECT_FALSE(Link(ForeignObject("", 2), options).ok());
  EXPECT_TRUE(Link(ForeignObject("", 1), options).ok());
}

TEST(Pages, AreNeverWritableAndExecutableAtOnce) {
  std::vector<std::shared_ptr<const CompiledProgram>> programs;
  for (int k = 0; k < 20; k++) programs.push_back(MustCompile(Times(k), Options("native")));
  int executable = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::string mode = line.substr(line.find(' ') + 1, 4);
    EXPECT_FALSE(mode[1] == 'w' && mode[2] == 'x') << line;
    executable += mode[2] == 'x';
  }
  EXPECT_GT(executable, 20);
}

TEST(Pages, AreFreedWithTheProgram) {
  const auto count = [] {
    const std::string maps = ReadText("/proc/self/maps");
    return std::count(maps.begin(), maps.end(), '\n');
  };
  const auto compile_some = [] {
    std::vector<std::shared_ptr<const CompiledProgram>> programs;
    for (int k = 0; k < 30; k++) programs.push_back(MustCompile(Times(k), Options("native")));
    for (int k = 0; k < 30; k++) {
      EXPECT_TRUE(Works(*programs[static_cast<size_t>(k)], k));
    }
  };
  compile_some();
  const auto before = count();
  for (int k = 0; k < 5; k++) compile_some();
  EXPECT_LT(count(), before + 10);
}

TEST(Text, NamesTheProgramAndItsSections) {
  CompileOptions options = Options("native");
  options.name = "tutorial.fit";
  options.function_size = 0;
  const auto llvm = LlvmText(Times(5, "contract %4 (model.cc:14)"), options);
  ASSERT_TRUE(llvm.ok()) << llvm.status();
  EXPECT_THAT(*llvm, HasSubstr("define i32 @talweg.tutorial.fit(ptr"));
  EXPECT_THAT(*llvm, HasSubstr("@talweg.tutorial.fit.contract_4_model.cc_14_0"));
  const auto assembly = AssemblyText(Times(5, "contract %4 (model.cc:14)"), options);
  ASSERT_TRUE(assembly.ok()) << assembly.status();
  EXPECT_THAT(*assembly, HasSubstr("talweg.tutorial.fit.contract_4_model.cc_14_1:"));
  EXPECT_THAT(*assembly, HasSubstr("retq"));
}

TEST(Text, SaysWhichSectionALoopIsOfAndWhatIsSpilled) {
  loops::Builder b(1, 1);
  const int32_t in = AddInput(b, kFloat32, 0), out = AddOutput(b, kFloat32, 0);
  b.OpenSection("many %3");
  const Register i = b.OpenFor({.value = 0}, {.reg = b.Rows()}, 16).variable;
  // More values than there are registers; the last is read first.
  std::vector<Register> values;
  for (int k = 0; k < 40; k++) values.push_back(b.Load(in, i, 16, {.offset = 16 * k}));
  for (int k = 0; k < 40; k++) {
    values.push_back(b.Fma(values[static_cast<size_t>(k)], values.back(), values.front()));
  }
  for (int k = 0; k < 80; k++) {
    b.Store(out, i, values[static_cast<size_t>(k)], {.offset = 16 * k});
  }
  b.CloseFor();
  b.CloseSection();
  CompileOptions options = Options("native");
  const auto text = AssemblyText(std::move(b).Take(), options);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("# %many_3.loop"));
  EXPECT_THAT(*text, HasSubstr("Inner Loop Header: Depth=1"));
  EXPECT_THAT(*text, HasSubstr("-byte Spill"));
}

TEST(Debuggers, SeeThePrograms) {
  CompileOptions options = Options("native");
  options.name = "seen_by_perf";
  options.gdb = options.perf = true;
  const auto code = MustCompile(Times(5), options);
  ASSERT_NE(code, nullptr);
  EXPECT_TRUE(Works(*code, 5));
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  EXPECT_THAT(ReadText(path), HasSubstr("seen_by_perf"));
  std::filesystem::remove(path);
}

TEST(Target, IsNoMoreThanTheProcessorHas) {
  EXPECT_EQ(DetectTarget("pentium").status().code(), absl::StatusCode::kInvalidArgument);
  const absl::StatusOr<Target> native = DetectTarget("native");
  ASSERT_TRUE(native.ok()) << native.status();
  for (const char* name : {"avx512", "avx2", "x86-64"}) {
    const absl::StatusOr<Target> target = DetectTarget(name);
    const bool has = absl::string_view(name) == "avx512" ? native->spec.avx512
                     : absl::string_view(name) == "avx2" ? native->spec.avx
                                                         : true;
    EXPECT_EQ(target.ok(), has) << name;
    if (has) {
      EXPECT_LE(target->machine.vector_bytes, native->machine.vector_bytes);
    } else {
      EXPECT_THAT(std::string(target.status().message()), HasSubstr("lacks"));
    }
  }
  EXPECT_GE(native->machine.l2_bytes, 64 << 10);
  EXPECT_GE(native->machine.l3_bytes, 64 << 10);
}

TEST(Code, ForLessThanTheProcessorUsesNoMore) {
  loops::Builder b(1, 1);
  const int32_t in = AddInput(b, kFloat32, 0), out = AddOutput(b, kFloat32, 0);
  b.OpenSection("fma");
  const Register x = b.Load(in, kNone, 16);
  b.Store(out, kNone, b.Fma(x, x, x));
  b.CloseSection();
  const loops::Program program = std::move(b).Take();
  const std::string plain = *AssemblyText(program, Options("x86-64"));
  EXPECT_THAT(plain, Not(HasSubstr("ymm")));
  EXPECT_THAT(plain, HasSubstr("fmaf"));
  if (DetectTarget("avx2").ok()) {
    const std::string avx2 = *AssemblyText(program, Options("avx2"));
    EXPECT_THAT(avx2, HasSubstr("ymm"));
    EXPECT_THAT(avx2, HasSubstr("vfmadd"));
    EXPECT_THAT(avx2, Not(HasSubstr("zmm")));
  }
  if (DetectTarget("avx512").ok()) {
    EXPECT_THAT(*AssemblyText(program, Options("avx512")), HasSubstr("zmm"));
    EXPECT_THAT(*AssemblyText(program, Options("native")), HasSubstr("zmm"));
  }
}

}  // namespace
}  // namespace talweg::native
