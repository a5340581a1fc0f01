#include "data/blobs.h"

#include <cmath>
#include <limits>
#include <string>

#include "data/csv.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

// What scikit-learn 1.2.2 makes of the same settings (1.9.1 makes the same), from tests/data/blobs.
Dataset Reference(const std::string& name) {
  const absl::StatusOr<Dataset> dataset =
      ReadDataset("tests/data/blobs/blobs_" + name + ".csv", {.label = "y"});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return dataset.value_or(Dataset());
}

void ExpectBlobs(const BlobsOptions& options, const std::string& name) {
  const absl::StatusOr<Dataset> blobs = Blobs(options);
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  const Dataset reference = Reference(name);
  EXPECT_TRUE(SameBits(blobs->inputs, reference.inputs)) << name;
  EXPECT_TRUE(SameBits(blobs->targets, reference.targets)) << name;
}

TEST(Blobs, AreThoseOfTheTutorial) {
  ExpectBlobs({.samples = 1000, .centers = 3, .features = 2, .cluster_std = 2, .seed = 2},
              "1000_3_2_std2_seed2");
}

TEST(Blobs, AreScikitLearnsForOtherSettings) {
  ExpectBlobs({}, "seed0_defaults");
  ExpectBlobs({.samples = 103, .centers = 4, .features = 5, .seed = 42},
              "features5_centers4_not_divisible");
  ExpectBlobs({.samples = 50,
               .centers = Array::Matrix<double>({{0.5, -1.25, 3}, {10, 20, 30}, {-7.5, 0.1, 0}}),
               .cluster_std = {0.1, 2.5, 0},
               .seed = 7},
              "explicit_centers_std_each");
  ExpectBlobs({.samples = {5, 0, 17, 2}, .cluster_std = 0.5, .seed = 3}, "samples_each");
  ExpectBlobs({.samples = 31,
               .centers = 2,
               .features = 3,
               .cluster_std = {1, 3},
               .center_box = {-1.5, 0.25},
               .shuffle = false,
               .seed = 4294967295},
              "box_unshuffled");
  ExpectBlobs({.samples = 10, .centers = 3, .features = 1, .center_box = {4, -4}, .seed = 12345},
              "box_reversed");
  ExpectBlobs({.samples = 3, .centers = 5, .seed = 11}, "more_centers_than_samples");
  ExpectBlobs({.samples = 1, .centers = 1, .features = 1, .seed = 1}, "one_sample");
}

TEST(Blobs, TakesCentersOfAnyElementType) {
  const BlobsOptions doubles = {.samples = 9, .centers = Array::Matrix<double>({{1, 2}, {3, 4}})};
  BlobsOptions integers = doubles;
  integers.centers = Array::Matrix<int32_t>({{1, 2}, {3, 4}});
  EXPECT_TRUE(SameBits(Blobs(doubles)->inputs, Blobs(integers)->inputs));
}

TEST(Blobs, HasAsManyCentersAsNumbersAreListed) {
  EXPECT_EQ(Blobs({.samples = {1, 1, 1, 1}})->size(), 4);
  const Dataset five = *Blobs({.samples = 50, .cluster_std = {1, 1, 1, 1, 1}});
  double last = 0;
  for (int64_t i = 0; i < 50; i++) last = std::max(last, five.targets.At(i));
  EXPECT_EQ(last, 4);
}

TEST(Blobs, RefusesWhatCanNotBe) {
  const auto message = [](const BlobsOptions& options) {
    return std::string(Blobs(options).status().message());
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(message({.samples = 0}), "blobs: 0 samples; there must be at least 1");
  EXPECT_EQ(message({.samples = -5}), "blobs: -5 samples; there must be at least 1");
  EXPECT_EQ(message({.samples = {3, -1}}), "blobs: -1 samples of a center");
  EXPECT_EQ(message({.samples = {0, 0}}), "blobs: 0 samples; there must be at least 1");
  EXPECT_EQ(message({.samples = {1, 2}, .centers = 3}),
            "blobs: samples for 2 centers, but there are 3");
  EXPECT_EQ(message({.samples = {kMax, 1}}), "blobs: too many samples");
  EXPECT_EQ(message({.centers = -1}), "blobs: -1 centers; there must be at least 1");
  EXPECT_EQ(message({.centers = Array::Vector<double>({1, 2})}),
            "blobs: centers are [2]; they must be [centers, features]");
  EXPECT_EQ(message({.centers = Array::Matrix<double>({{1, 2}, {3, kNaN}})}),
            "blobs: center 1 holds nan");
  EXPECT_EQ(message({.features = 0}), "blobs: 0 features; there must be at least 1");
  EXPECT_EQ(message({.cluster_std = -1}), "blobs: a standard deviation of -1");
  EXPECT_EQ(message({.cluster_std = kInfinity}), "blobs: a standard deviation of inf");
  EXPECT_EQ(message({.centers = 3, .cluster_std = {1, 2}}),
            "blobs: standard deviations for 2 centers, but there are 3");
  EXPECT_EQ(message({.center_box = {0, kInfinity}}), "blobs: the center box is 0 to inf");
  EXPECT_EQ(message({.center_box = {-1e308, 1e308}}), "blobs: the center box is -1e+308 to 1e+308");
  EXPECT_THAT(message({.samples = kMax}), HasSubstr("too many elements"));
  EXPECT_THAT(message({.centers = kMax}), HasSubstr("too many elements"));
  EXPECT_THAT(message({.samples = int64_t{1} << 57, .centers = 2}), HasSubstr("no memory for"));
}

TEST(Blobs, ReportsThatMemoryIsShort) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  bool happened = true;
  int64_t k = 0;
  for (; happened; k++) {
    const FailingAllocation failing(k + 1);
    const absl::StatusOr<Dataset> blobs = Blobs({});
    happened = failing.Happened();
    EXPECT_EQ(blobs.ok(), !happened) << k;
    if (happened) {
      EXPECT_THAT(blobs.status().message(), HasSubstr("no memory for"));
    }
  }
  EXPECT_GT(k, 4) << "centers, inputs, targets and shuffled ones take memory";
}

}  // namespace
}  // namespace talweg
