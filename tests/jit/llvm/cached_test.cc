#include "jit/llvm/cached.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/builder.h"
#include "tests/jit/llvm/cache_folder.h"
#include "tests/jit/llvm/run.h"

namespace talweg::native {
namespace {

using loops::kNone;
using loops::Register;
using CachedTest = CacheFolderTest;

// out[i] = in[i] * factor.
loops::Program Times(int64_t factor) {
  loops::Builder b(1, 1);
  const int32_t in = AddInput(b, kInt64, 0), out = AddOutput(b, kInt64, 0);
  b.OpenSection("multiply");
  const Register i = b.OpenFor({.value = 0}, {.reg = b.Rows()}, 1).variable;
  b.Store(out, i, b.Times(b.Load(in, i), factor));
  b.CloseFor();
  b.CloseSection();
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

// Whether the code of Times(factor), which must work, came from the cache.
bool IsCached(const ObjectCache& cache, int64_t factor, const CompileOptions& options) {
  Timings timings;
  const auto code = Compile(Times(factor), options, cache, &timings);
  EXPECT_TRUE(code.ok()) << code.status();
  EXPECT_TRUE(code.ok() && Works(**code, factor));
  EXPECT_EQ(timings.codegen == 0, timings.cached);
  EXPECT_EQ(timings.cache > 0, cache.on());
  return timings.cached;
}

TEST_F(CachedTest, WhatOneProcessCompiledTheNextOneLoads) {
  for (const std::string& processor : Processors()) {
    const CompileOptions options = Options(processor);
    EXPECT_FALSE(IsCached(ObjectCache::Open(folder_), 3, options));
    EXPECT_TRUE(IsCached(ObjectCache::Open(folder_), 3, options));
    EXPECT_FALSE(IsCached(ObjectCache::Open(folder_), 4, options));
    EXPECT_TRUE(IsCached(ObjectCache::Open(folder_), 3, options));
  }
  EXPECT_FALSE(IsCached(ObjectCache(), 3, Options("x86-64")));
}

TEST_F(CachedTest, WhatIsDamagedIsCompiledAgain) {
  const CompileOptions options = Options("x86-64");
  const ObjectCache cache = ObjectCache::Open(folder_);
  const std::string path = Path(ObjectCache::FileName(KeyOf(Times(3), options)));
  EXPECT_FALSE(IsCached(cache, 3, options));
  const std::string sound = ReadBytes(path);
  for (size_t at : {size_t{0}, size_t{10}, size_t{50}, size_t{70}, size_t{200}, sound.size() - 1}) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(~damaged[at]);
    for (const std::string& bytes : {damaged, sound.substr(0, at), std::string()}) {
      WriteBytes(path, bytes);
      EXPECT_FALSE(IsCached(cache, 3, options));
      EXPECT_EQ(ReadBytes(path), sound);
    }
  }
  EXPECT_TRUE(IsCached(cache, 3, options));
  // What is whole and no object: somebody who may write here put it there.
  ASSERT_TRUE(cache.Put(KeyOf(Times(3), options), "no object").ok());
  EXPECT_FALSE(IsCached(cache, 3, options));
  EXPECT_TRUE(IsCached(cache, 3, options));
}

TEST_F(CachedTest, ServesSixtyFourProcessesAtOnce) {
  const CompileOptions options = Options("native");
  std::vector<pid_t> children;
  for (int child = 0; child < 64; child++) {
    children.push_back(Fork([&] {
      const ObjectCache cache = ObjectCache::Open(folder_);
      for (int64_t factor = 0; factor < 3; factor++) IsCached(cache, factor, options);
      return IsCached(cache, 0, options) && !testing::Test::HasFailure();
    }));
  }
  for (pid_t child : children) EXPECT_TRUE(Succeeds(child));
  EXPECT_EQ(CountNames(folder_), 3);
}

// A program with each kind of statement, for its key alone.
loops::Program Sample() {
  loops::Program program;
  program.registers = {{kInt64, 1}, {kFloat32, 8}, {kBool, 1}};
  program.buffers = {{.name = "x", .home = loops::Buffer::Home::kInput, .slot = 0}, {}};
  program.constants.resize(1);
  program.randoms.resize(1);
  program.sites.resize(1);
  program.inputs = program.outputs = 1;
  program.passed_through = {-1};
  loops::For loop;
  loop.variable = 0;
  loop.end = {.value = 10};
  loop.carried = {{1, 1, 1, 1}};
  loop.body = {{loops::Instruction{}}};
  loops::If condition = {.condition = 2, .body = {{loops::Instruction{}}}};
  loops::Section section = {.label = "section", .body = {{loop}, {condition}}};
  program.body = {{section}, {loops::Instruction{}}};
  return program;
}
loops::Section& SectionOf(loops::Program& p) { return std::get<loops::Section>(p.body[0].node); }
loops::For& LoopOf(loops::Program& p) { return std::get<loops::For>(SectionOf(p).body[0].node); }
loops::If& IfOf(loops::Program& p) { return std::get<loops::If>(SectionOf(p).body[1].node); }
loops::Instruction& InstructionOf(loops::Program& p) {
  return std::get<loops::Instruction>(p.body[1].node);
}

struct Everything {
  loops::Program program = Sample();
  CompileOptions options = {};
  Toolchain toolchain = ThisToolchain();
};
using Change = std::function<void(Everything&)>;

TEST(Key, DependsOnAllThatAnObjectDependsOn) {
  const std::map<std::string, Change> changes = {
      {"nothing", [](Everything&) {}},
      {"LLVM", [](Everything& e) { e.toolchain.llvm += "x"; }},
      {"triple", [](Everything& e) { e.toolchain.triple += "x"; }},
      {"sources", [](Everything& e) { e.toolchain.sources += "x"; }},
      {"text from one field in the next",
       [](Everything& e) {
         e.toolchain.llvm += e.toolchain.triple[0];
         e.toolchain.triple.erase(0, 1);
       }},
      {"cpu", [](Everything& e) { e.options.target.spec.cpu = "znver3"; }},
      {"features", [](Everything& e) { e.options.target.spec.features = "+avx2"; }},
      {"avx", [](Everything& e) { e.options.target.spec.avx = true; }},
      {"avx512", [](Everything& e) { e.options.target.spec.avx512 = true; }},
      {"level", [](Everything& e) { e.options.level = 3; }},
      {"name", [](Everything& e) { e.options.name = "x"; }},
      {"function_size", [](Everything& e) { e.options.function_size = 0; }},
      {"debugger", [](Everything& e) { e.options.gdb = true; }},

      {"register's type", [](Everything& e) { e.program.registers[0].dtype = kInt32; }},
      {"register's lanes", [](Everything& e) { e.program.registers[0].lanes = 2; }},
      {"registers", [](Everything& e) { e.program.registers.push_back({}); }},
      {"buffer's type", [](Everything& e) { e.program.buffers[0].dtype = kInt32; }},
      {"buffer's home",
       [](Everything& e) { e.program.buffers[0].home = loops::Buffer::Home::kOutput; }},
      {"buffer's slot", [](Everything& e) { e.program.buffers[0].slot = 1; }},
      {"buffer's offset", [](Everything& e) { e.program.buffers[0].offset = 64; }},
      {"buffer's elements", [](Everything& e) { e.program.buffers[0].elements = 64; }},
      {"buffers", [](Everything& e) { e.program.buffers.push_back({}); }},
      {"inputs", [](Everything& e) { e.program.inputs++; }},
      {"outputs", [](Everything& e) { e.program.outputs++; }},
      {"constants", [](Everything& e) { e.program.constants.resize(2); }},
      {"dynamic", [](Everything& e) { e.program.dynamic++; }},

      {"label", [](Everything& e) { SectionOf(e.program).label = "x"; }},
      {"once", [](Everything& e) { SectionOf(e.program).once = true; }},
      {"section's end",
       [](Everything& e) {
         auto& body = SectionOf(e.program).body;
         e.program.body.insert(e.program.body.begin() + 1, body.back());
         SectionOf(e.program).body.pop_back();
       }},
      {"variable", [](Everything& e) { LoopOf(e.program).variable = 1; }},
      {"begin", [](Everything& e) { LoopOf(e.program).begin.value = 1; }},
      {"begin's register", [](Everything& e) { LoopOf(e.program).begin.reg = 0; }},
      {"end", [](Everything& e) { LoopOf(e.program).end.value = 1; }},
      {"end's register", [](Everything& e) { LoopOf(e.program).end.reg = 0; }},
      {"step", [](Everything& e) { LoopOf(e.program).step = 2; }},
      {"until", [](Everything& e) { LoopOf(e.program).until = 2; }},
      {"inside", [](Everything& e) { LoopOf(e.program).carried[0].inside = 0; }},
      {"start", [](Everything& e) { LoopOf(e.program).carried[0].start = 0; }},
      {"next", [](Everything& e) { LoopOf(e.program).carried[0].next = 0; }},
      {"after", [](Everything& e) { LoopOf(e.program).carried[0].after = kNone; }},
      {"carried", [](Everything& e) { LoopOf(e.program).carried.clear(); }},
      {"loop's body", [](Everything& e) { LoopOf(e.program).body.clear(); }},
      {"condition", [](Everything& e) { IfOf(e.program).condition = 1; }},
      {"conditional body", [](Everything& e) { IfOf(e.program).body.clear(); }},

      {"code", [](Everything& e) { InstructionOf(e.program).code = loops::Code::kLoad; }},
      {"opcode", [](Everything& e) { InstructionOf(e.program).opcode = Opcode::kAdd; }},
      {"result", [](Everything& e) { InstructionOf(e.program).result = 1; }},
      {"args[0]", [](Everything& e) { InstructionOf(e.program).args[0] = 1; }},
      {"args[1]", [](Everything& e) { InstructionOf(e.program).args[1] = 1; }},
      {"args[2]", [](Everything& e) { InstructionOf(e.program).args[2] = 1; }},
      {"args[3]", [](Everything& e) { InstructionOf(e.program).args[3] = 1; }},
      {"immediate", [](Everything& e) { InstructionOf(e.program).immediate = 1; }},
      {"immediate's last bit",
       [](Everything& e) { InstructionOf(e.program).immediate = uint64_t{1} << 63; }},
      {"stride", [](Everything& e) { InstructionOf(e.program).stride = -1; }},
      {"buffer", [](Everything& e) { InstructionOf(e.program).buffer = 1; }},
      {"site", [](Everything& e) { InstructionOf(e.program).site = 1; }},
      {"which", [](Everything& e) { InstructionOf(e.program).which = 1; }},
      {"shuffle", [](Everything& e) { InstructionOf(e.program).shuffle = {1}; }},
      {"shuffle of none", [](Everything& e) { InstructionOf(e.program).shuffle = {-1}; }},
  };
  std::map<ObjectCache::Key, std::string> seen;
  for (const auto& [name, change] : changes) {
    Everything changed;
    change(changed);
    const auto key = KeyOf(changed.program, changed.options, changed.toolchain);
    EXPECT_EQ(key, KeyOf(changed.program, changed.options, changed.toolchain)) << name;
    EXPECT_TRUE(seen.emplace(key, name).second) << name << " as " << seen[key];
  }
}

TEST(Key, DoesNotDependOnWhatIsNotInTheObject) {
  const Change changes[] = {
      [](Everything& e) { e.options.verify = true; },
      [](Everything& e) { e.program.buffers[0].name = "y"; },
      [](Everything& e) { e.program.sites[0].before = "there"; },
      [](Everything& e) { e.program.constants[0] = Array(1.5f); },
      [](Everything& e) { e.program.largest = "y"; },
      [](Everything& e) { e.program.arena_bytes = 64; },
  };
  const Everything same;
  for (const Change& change : changes) {
    Everything changed;
    change(changed);
    EXPECT_EQ(KeyOf(same.program, same.options), KeyOf(changed.program, changed.options));
  }
}

TEST(Key, KnowsItsToolchain) {
  EXPECT_EQ(ThisToolchain().llvm.substr(0, 3), "19.");
  EXPECT_NE(ThisToolchain().triple.find("linux"), std::string::npos);
  EXPECT_EQ(ThisToolchain().sources.size(), 64u);
}

}  // namespace
}  // namespace talweg::native
