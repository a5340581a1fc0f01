// Programs drawn at random give the same bits with and without vector instructions, simplified by
// the builder or not, with and without what is the same in each trip moved out of loops, with and
// without loops joined.

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "jit/loops/hoist.h"
#include "jit/loops/join.h"
#include "tests/base/seeds.h"
#include "tests/jit/loops/random_program.h"

namespace talweg::loops {
namespace {

using Outcome = absl::StatusOr<std::vector<Array>>;

void ExpectSame(const Outcome& a, const Outcome& b, const char* what) {
  ASSERT_EQ(a.status(), b.status()) << what;
  if (!a.ok()) return;
  for (size_t k = 0; k < a->size(); k++) {
    if (SameBits((*a)[k], (*b)[k])) continue;
    for (int64_t i = 0; i < (*a)[k].size(); i++) {
      const double x = (*a)[k].At(i), y = (*b)[k].At(i);
      if (x != y && !(x != x && y != y)) {
        ADD_FAILURE() << what << ": output " << k << ", element " << i << ": " << x << ", not "
                      << y;
        break;
      }
    }
    ADD_FAILURE() << what << ": output " << k;
  }
}

TEST(RandomProgram, GivesTheSameBitsHoweverItRuns) {
  const std::vector<uint64_t> seeds = FuzzSeeds(2200);
  int64_t instructions = 0, errors = 0;
  for (const uint64_t seed : seeds) {
    if (testing::Test::HasFailure()) break;
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomProgram made = MakeRandomProgram(seed), plain = MakeRandomProgram(seed, false);
    const Program& program = made.harness->Take();
    instructions += static_cast<int64_t>(program.registers.size());
    const Outcome want = made.harness->Run(made.inputs);
    EXPECT_FALSE(absl::IsInternal(want.status())) << want.status();
    errors += want.ok() ? 0 : 1;
    ExpectSame(made.harness->RunAs(Evaluator(program, false), made.inputs), want,
               "without vectors");
    Program hoisted = program;
    HoistLoads(hoisted, Machine());
    EXPECT_EQ(Verify(hoisted), absl::OkStatus());
    ExpectSame(made.harness->RunAs(Evaluator(hoisted), made.inputs), want, "with less in loops");
    Program joined = program;
    JoinLoops(joined, Machine());
    EXPECT_EQ(Verify(joined), absl::OkStatus());
    ExpectSame(made.harness->RunAs(Evaluator(joined), made.inputs), want, "with joined loops");
    ExpectSame(plain.harness->Run(plain.inputs), want, "as it was asked for");
  }
  std::cout << instructions / static_cast<int64_t>(seeds.size()) << " registers each, " << errors
            << " ended with an error" << std::endl;
}

}  // namespace
}  // namespace talweg::loops
