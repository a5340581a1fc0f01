// Programs drawn at random give the evaluator's bits, or its error, whatever they are compiled for.

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"
#include "tests/jit/llvm/run.h"
#include "tests/jit/loops/random_program.h"

namespace talweg::native {
namespace {

using Outcome = absl::StatusOr<std::vector<Array>>;

void ExpectSame(const Outcome& got, const Outcome& want) {
  ASSERT_EQ(got.status(), want.status());
  if (!got.ok()) return;
  for (size_t k = 0; k < got->size(); k++) {
    if (SameBits((*got)[k], (*want)[k])) continue;
    for (int64_t i = 0; i < (*got)[k].size(); i++) {
      const double x = (*got)[k].At(i), y = (*want)[k].At(i);
      if (x == y || (x != x && y != y)) continue;
      ADD_FAILURE() << "output " << k << ", element " << i << ": " << x << ", not " << y;
      break;
    }
    ADD_FAILURE() << "output " << k;
  }
}

TEST(RandomProgram, GivesTheSameBitsWhenCompiled) {
  // Ways to compile: each program goes one of them.
  std::vector<CompileOptions> ways;
  for (const std::string& processor : Processors()) {
    for (int level : {0, 2}) {
      for (int64_t size : {0, 30, 1000}) {
        ways.push_back(Options(processor, level));
        ways.back().function_size = size;
      }
    }
  }
  const std::vector<uint64_t> seeds = FuzzSeeds(110);
  for (size_t i = 0; i < seeds.size() && !testing::Test::HasFailure(); i++) {
    const uint64_t seed = seeds[i];
    const size_t way = i * 7 % ways.size();
    const CompileOptions& options = ways[way];
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", ", options.target.spec.cpu, " level ",
                              options.level, " functions of ", options.function_size));
    const loops::RandomProgram made = loops::MakeRandomProgram(seed, i % 2 == 0);
    const auto code = MustCompile(made.harness->Take(), options);
    ASSERT_NE(code, nullptr);
    ExpectSame(made.harness->RunAs([&](loops::Context* c) { return code->Run(c); }, made.inputs),
               made.harness->Run(made.inputs));
  }
}

}  // namespace
}  // namespace talweg::native
