// What a sweep of many runs takes, in a process of its own.

#include <sys/resource.h>

#include <cstdint>
#include <iostream>

#include "gtest/gtest.h"
#include "talweg.h"

namespace talweg {
namespace {

// What stays of a run is its history and its numbers.
TEST(SweepMemory, OfTenThousandRunsIsLittle) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 90, .cluster_std = 2, .seed = 3});
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  const TrainTest data = *Split(*OneHotTargets(*blobs, 3), 50);
  const Training training = {.model =
                                 [](Scope& s, Value x) {
                                   const Value h = Relu(Dense(s, "hidden", x, 5, HeUniform()));
                                   return Dense(s, "output", h, 3);
                                 },
                             .loss = SoftmaxCrossEntropy,
                             .rule = Sgd({.momentum = 0.9}),
                             .rate = 0.05,
                             .metrics = {Accuracy},
                             .batch = 16,
                             .epochs = 1};
  const absl::StatusOr<SweepResult> sweep =
      Sweep(JitEngine({.cache = "off"}), training, {Seeds(10000)}, data.train, data.test);
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  ASSERT_EQ(sweep->runs.size(), 10000u);
  for (const SweepRun& run : sweep->runs) ASSERT_EQ(run.history.epochs(), 1u) << run.index;
  rusage usage = {};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  std::cout << usage.ru_maxrss / 1024 << " MiB at most" << std::endl;
  EXPECT_LT(usage.ru_maxrss, int64_t{1} << 20) << "KiB";
}

}  // namespace
}  // namespace talweg
