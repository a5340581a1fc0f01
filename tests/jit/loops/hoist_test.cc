#include "jit/loops/hoist.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "jit/loops/print.h"
#include "jit/loops/verify.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

constexpr Machine kSmall = {.vector_bytes = 16, .vector_registers = 8};

// A section of what `emit` emits.
template <typename F>
std::string SectionAfterHoisting(const F& emit) {
  Harness h({{kFloat32, {64}}, {kFloat32, {kRows}}}, {{kFloat32, {64}}});
  h.b.OpenSection("rows");
  emit(h);
  h.b.CloseSection();
  Program program = h.Take();
  HoistLoads(program, kSmall);
  EXPECT_TRUE(Verify(program).ok()) << Verify(program);
  const std::string text = ToString(program);
  return text.substr(text.find("section"));
}

// out[rows, 4] = what `body` makes of a row's index.
template <typename F>
void OverRows(Harness& h, const F& body) {
  const Register row = h.b.OpenFor({.value = 0}, {.value = 8}, 1).variable;
  body(h, row);
  h.b.CloseFor();
}
template <typename F>
std::string AfterHoisting(const F& body) {
  return SectionAfterHoisting([&](Harness& h) { OverRows(h, body); });
}

// What stands in front of the loop.
std::string Front(const std::string& text) { return text.substr(0, text.find("for ")); }

TEST(HoistLoads, MovesWhatEachTripReads) {
  const std::string text = AfterHoisting([](Harness& h, Register row) {
    const Register weights = h.b.Load(h.in[0], h.b.Index(8), 4);
    const Register spread = h.b.Splat(h.b.Load(h.in[0], h.b.Index(2)), 4);
    const Register sum = h.b.Binary(Opcode::kAdd, weights, spread);
    const Register x = h.b.Splat(h.b.Load(h.in[0], row), 4);
    h.b.Store(h.out[0], h.b.Times(row, 4), h.b.Binary(Opcode::kMul, x, sum));
  });
  EXPECT_TRUE(absl::StrContains(Front(text), "add")) << text;
  EXPECT_FALSE(absl::StrContains(Front(text), "mul")) << text;
}

TEST(HoistLoads, LeavesWhatTheLoopStores) {
  const std::string text = AfterHoisting([](Harness& h, Register row) {
    const Register before = h.b.Load(h.out[0], h.b.Index(0), 4);
    h.b.Store(h.out[0], h.b.Times(row, 4), h.b.Binary(Opcode::kAdd, before, before));
  });
  EXPECT_FALSE(absl::StrContains(Front(text), "load")) << text;
}

// Tiles begin at 0, 5, 10 and 15: the last one's vector is the buffer's last four elements, or one
// behind them.
TEST(HoistLoads, KnowsHowFarSumsAndProductsReach) {
  for (const int64_t more : {0, 1}) {
    for (const bool is_sum : {false, true}) {
      const std::string text = SectionAfterHoisting([&](Harness& h) {
        const Register tile = h.b.OpenFor({.value = 0}, {.value = 20}, 5).variable;
        OverRows(h, [&](Harness& h, Register row) {
          const Register index = is_sum ? h.b.Add(h.b.Times(tile, 3), tile) : h.b.Times(tile, 4);
          const Register x = h.b.Load(h.in[0], h.b.Plus(index, more), 4);
          h.b.Store(h.out[0], h.b.Times(row, 4), h.b.Add(x, x));
        });
        h.b.CloseFor();
      });
      EXPECT_EQ(text.find("load") < text.rfind("for "), more == 0) << text;
    }
  }
}

// A buffer of no rows has no first element.
TEST(HoistLoads, LeavesWhatOnlyATripMayRead) {
  const std::string text = AfterHoisting([](Harness& h, Register row) {
    const Register x = h.b.Splat(h.b.Load(h.in[1], h.b.Index(0)), 4);
    h.b.Store(h.out[0], h.b.Times(row, 4), x);
  });
  EXPECT_FALSE(absl::StrContains(Front(text), "load")) << text;
}

TEST(HoistLoads, TakesNoMoreRegistersThanThereAre) {
  const std::string text = AfterHoisting([](Harness& h, Register row) {
    Register sum = h.b.Splat(h.b.Load(h.in[0], row), 4);
    for (int64_t i = 0; i < 12; i++) {
      sum = h.b.Binary(Opcode::kAdd, sum, h.b.Load(h.in[0], h.b.Index(4 * i), 4));
    }
    h.b.Store(h.out[0], h.b.Times(row, 4), sum);
  });
  int loads = 0;
  const std::string front = Front(text);
  for (size_t at = front.find("load"); at != front.npos; at = front.find("load", at + 1)) loads++;
  EXPECT_GT(loads, 0) << text;
  EXPECT_LT(loads, kSmall.vector_registers) << text;
}

}  // namespace
}  // namespace talweg::loops
