#include "jit/loops/builder.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "jit/loops/print.h"

namespace talweg::loops {
namespace {

// A builder with a float32 input and a float32 output of any size, and what it makes as text, less
// the declarations.
struct Fixture {
  Builder b{1, 1};
  int32_t in = b.AddBuffer(
      {.name = "in", .home = Buffer::Home::kInput, .slot = 0, .offset = 0, .elements = -1});
  int32_t out = b.AddBuffer(
      {.name = "out", .home = Buffer::Home::kOutput, .slot = 1, .offset = 0, .elements = -1});

  std::string Body() {
    const std::string text = ToString(std::move(b).Take());
    return text.substr(text.find("bytes\n") + 6);
  }
};

TEST(Builder, ReadsAsItsExample) {
  Fixture f;
  f.b.OpenSection("double x");
  const Register i = f.b.OpenFor({.value = 0}, {.reg = f.b.Rows()}, 8).variable;
  const Register mask = f.b.Below(f.b.Sub(f.b.Rows(), i), 8);
  const Register x = f.b.Load(f.in, i, 8, {.mask = mask});
  f.b.Store(f.out, i, f.b.Binary(Opcode::kAdd, x, x), {.mask = mask});
  f.b.CloseFor();
  f.b.CloseSection();
  EXPECT_EQ(f.Body(),
            "section \"double x\"\n"
            "  %0 int64 = rows\n"
            "  for %1 = 0 to %0 step 8\n"
            "    %2 int64 = sub %0 %1\n"
            "    %3 int64 = constant 8\n"
            "    %4 int64 = min %2 %3\n"
            "    %5 int32 = convert %4\n"
            "    %6 int32x8 = lanes\n"
            "    %7 int32x8 = splat %5\n"
            "    %8 boolx8 = less %6 %7\n"
            "    %9 float32x8 = load in[%1] where %8\n"
            "    %10 float32x8 = add %9 %9\n"
            "    store out[%1] %10 where %8\n");
}

TEST(Builder, AddressesDifferByOffsetsOnly) {
  Fixture f;
  const Register i = f.b.OpenFor({.value = 0}, {.reg = f.b.Rows()}).variable;
  for (int64_t k = 0; k < 3; k++) {
    const Register row = f.b.Times(f.b.Plus(i, k), 100);
    const Register at = f.b.Plus(f.b.Add(row, i), 7);
    f.b.Store(f.out, at, f.b.Load(f.in, f.b.Sub(at, f.b.Index(7)), 4, {.offset = 3}));
  }
  f.b.CloseFor();
  EXPECT_EQ(f.Body(),
            "%0 int64 = rows\n"
            "for %1 = 0 to %0\n"
            "  %2 int64 = constant 100\n"
            "  %3 int64 = mul %1 %2\n"
            "  %4 int64 = add %1 %3\n"
            "  %5 float32x4 = load in[%4 + 3]\n"
            "  store out[%4 + 7] %5\n"
            "  %6 float32x4 = load in[%4 + 103]\n"
            "  store out[%4 + 107] %6\n"
            "  %7 float32x4 = load in[%4 + 203]\n"
            "  store out[%4 + 207] %7\n");
}

}  // namespace
}  // namespace talweg::loops
