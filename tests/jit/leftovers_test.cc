// Lanes beyond what there is: generated code works with whole vectors, and what lies in memory
// behind a row's end may be anything. No arithmetic may be done with it: processors take a hundred
// times as long for a product of denormal numbers (addresses and integers, read as floats), so that
// an update of half a microsecond took one or three. Here new memory is full of numbers whose
// products overflow; and the processor notes both.

#include <malloc.h>
#include <xmmintrin.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/memory.h"
#include "benchmarks/common/calls.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "talweg.h"

namespace talweg {
namespace {

// What new memory is full of: 3.4e38 as a float32, 1.4e306 as a float64.
constexpr std::byte kFilling{0x7f};

// What the processor notes until it is told to forget it: that a number was denormal, that a result
// was too large.
constexpr unsigned kNoted = _MM_EXCEPT_DENORM | _MM_EXCEPT_OVERFLOW;

// Whether the allocator fills new memory with that; a sanitizer's does not.
bool FillsMemory() {
  ::mallopt(M_PERTURB, 0xff ^ static_cast<int>(kFilling));
  for (const int64_t bytes : {int64_t{1000}, int64_t{10000000}}) {
    std::byte* const memory = NewMemory(bytes);
    const bool filled = memory[0] == kFilling && memory[bytes - 1] == kFilling;
    FreeMemory(memory);
    if (!filled) return false;
  }
  return true;
}

// Numbers between -1 and 1.
Dataset Samples(int64_t rows, int64_t inputs, int64_t classes) {
  std::vector<double> x, y;
  NumPyRandom random(7);
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t i = 0; i < inputs; i++) x.push_back(2 * random.Uniform() - 1);
    for (int64_t c = 0; c < classes; c++) y.push_back(c == row % classes ? 1 : 0);
  }
  return {*Array::From<double>({rows, inputs}, x), *Array::From<double>({rows, classes}, y)};
}

// (Of two lanes, the code for processors without AVX makes four, two of them out of nothing.)
class Leftovers : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Processor, Leftovers, testing::Values("avx512", "avx2"));

TEST_P(Leftovers, AreNotComputedWith) {
  if (!FillsMemory()) GTEST_SKIP() << "the allocator does not fill memory";
  if (!native::DetectTarget(GetParam()).ok()) GTEST_SKIP() << "no such processor";
  const Engine engine = JitEngine({.cpu = GetParam(), .cache = "off"});
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t width : {1, 3, 7, 18, 50, 130, 301}) {
      for (const int64_t batch : {5, 20, 33}) {
        const Training training = {.model =
                                       [width](Scope& s, Value x) {
                                         Value h = Tanh(Dense(s, "first", x, width, HeUniform()));
                                         h = Relu(Dense(s, "second", h, 21, HeUniform()));
                                         return Dense(s, "output", h, 3);
                                       },
                                   .loss = SoftmaxCrossEntropy,
                                   .rule = Sgd({.momentum = 0.9}),
                                   .rate = 0.01,
                                   .metrics = {Accuracy},
                                   .batch = batch,
                                   .epochs = 2,
                                   .seed = 1,
                                   .dtype = dtype};
        SCOPED_TRACE(absl::StrCat(Name(dtype), ", width ", width, ", batch ", batch));
        const absl::StatusOr<bench::Call> fit =
            bench::WholeFit(engine, training, {Samples(47, 11, 3), Samples(31, 11, 3)});
        ASSERT_TRUE(fit.ok()) << fit.status();
        ::_mm_setcsr(::_mm_getcsr() & ~kNoted);
        const auto outputs = fit->executable.Call(fit->inputs, {.threads = 1});
        EXPECT_EQ(::_mm_getcsr() & kNoted, 0u);
        ASSERT_TRUE(outputs.ok()) << outputs.status();
      }
    }
  }
}

}  // namespace
}  // namespace talweg
