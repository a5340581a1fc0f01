#include "train/history.h"

#include <cmath>
#include <limits>

#include "base/file.h"
#include "gtest/gtest.h"
#include "tests/base/memory_limit.h"

namespace talweg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

History TwoEpochs() {
  History history({"loss", "val_loss"});
  history.Append({0.1 + 0.2, kInfinity});
  history.Append({1e-5, std::nan("")});
  return history;
}

TEST(History, IsColumnsByName) {
  const History history = TwoEpochs();
  EXPECT_EQ(history.epochs(), 2u);
  EXPECT_TRUE(history.has("val_loss"));
  EXPECT_EQ(history["loss"].size(), 2u);
  EXPECT_EQ(history["loss"][1], 1e-5);
  EXPECT_EQ(history.last("loss"), 1e-5);
}

TEST(History, FillsAShortRowWithNaN) {
  History history({"loss", "val_loss"});
  history.Append({0.5});
  EXPECT_TRUE(std::isnan(history.last("val_loss")));
  EXPECT_EQ(history.ToCsv(), "epoch,loss,val_loss\n1,0.5,nan\n");
}

TEST(History, AColumnThatDoesNotExistIsEmpty) {
  EXPECT_FALSE(TwoEpochs().has("accuracy"));
  EXPECT_TRUE(TwoEpochs()["accuracy"].empty());
  EXPECT_TRUE(std::isnan(TwoEpochs().last("accuracy")));
}

TEST(History, CanBeEmpty) {
  EXPECT_EQ(History().epochs(), 0u);
  EXPECT_EQ(History().ToCsv(), "epoch\n");
  EXPECT_EQ(History().ToJson(), "{}\n");
  const History nothing({"loss"});
  EXPECT_EQ(nothing.epochs(), 0u);
  EXPECT_TRUE(std::isnan(nothing.last("loss")));
  EXPECT_EQ(nothing.ToCsv(), "epoch,loss\n");
  EXPECT_EQ(nothing.ToJson(), "{\n  \"loss\": []\n}\n");
}

TEST(History, CsvCountsEpochsFromOneAndLosesNoBit) {
  EXPECT_EQ(TwoEpochs().ToCsv(), "epoch,loss,val_loss\n1,0.30000000000000004,inf\n2,1e-05,nan\n");
}

TEST(History, JsonHasStringsWhereANumberIsNone) {
  EXPECT_EQ(
      TwoEpochs().ToJson(),
      "{\n  \"loss\": [0.30000000000000004, 1e-05],\n  \"val_loss\": [\"inf\", \"nan\"]\n}\n");
}

TEST(History, IsWrittenToFiles) {
  const std::string path = testing::TempDir() + "/history";
  ASSERT_TRUE(TwoEpochs().WriteCsv(path).ok());
  EXPECT_EQ(*ReadFile(path), TwoEpochs().ToCsv());
  ASSERT_TRUE(TwoEpochs().WriteJson(path).ok());
  EXPECT_EQ(*ReadFile(path), TwoEpochs().ToJson());
  EXPECT_FALSE(TwoEpochs().WriteCsv(testing::TempDir() + "/none/history.csv").ok());
}

TEST(History, SaysThatThereIsNoMemoryForItsText) {
  if (!MemoryLimit::IsPossible()) GTEST_SKIP() << "the sanitizer owns the addresses";
  History history({"loss", "val_loss"});
  for (int i = 0; i < 500000; i++) history.Append({1.0 / 3, 2.0 / 3});
  const std::string path = testing::TempDir() + "/no_memory";
  absl::Status csv, json;
  {
    const MemoryLimit limit(1 << 20);
    csv = history.WriteCsv(path);
    json = history.WriteJson(path);
  }
  for (const absl::Status& status : {csv, json}) {
    EXPECT_EQ(status.message(), "can not write '" + path + "': no memory for the history's text");
  }
}

}  // namespace
}  // namespace talweg
