#include "graph/order.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg {

void PrintTo(const Order& order, std::ostream* out) {
  *out << order.chains << " chains, blocks of " << order.block;
}

namespace {

constexpr Order kOneChain{};
constexpr Order kSixteenChains{.chains = 16};
constexpr Order kOneChainInBlocks{.chains = 1, .block = kReduceBlock};
constexpr Order kSixteenChainsInBlocks{.chains = 16, .block = kReduceBlock};

Order Contracted(const Shape& lhs, const Shape& rhs, std::vector<int64_t> lhs_sum,
                 std::vector<int64_t> rhs_sum) {
  return ContractOrder(lhs, rhs, {}, {}, lhs_sum, rhs_sum);
}
// [m, k] x [k, n]
Order Product(Dim m, Dim k, Dim n) { return Contracted({m, k}, {k, n}, {1}, {0}); }

Order Reduced(const Shape& shape, std::vector<int64_t> axes) { return ReduceOrder(shape, axes); }

TEST(ContractOrder, IsOneChainForTheTutorialsHiddenLayer) {
  EXPECT_EQ(Product(kRows, 2, 50), kOneChain);
}

TEST(ContractOrder, IsSixteenChainsForLogits) {
  EXPECT_EQ(Product(kRows, 50, 3), kSixteenChains);
  EXPECT_EQ(Product(32, 50, 3), kSixteenChains);
}

TEST(ContractOrder, IsOneChainForASumOverRows) {
  EXPECT_EQ(Contracted({kRows, 2}, {kRows, 50}, {0}, {0}), kOneChain);
  EXPECT_EQ(Contracted({kRows, 50}, {kRows, 3}, {0}, {0}), kOneChain);
  EXPECT_EQ(Contracted({kRows}, {kRows}, {0}, {0}), kOneChain);
  // One run-time axis among the summed ones is enough.
  EXPECT_EQ(Contracted({kRows, 64}, {kRows, 64}, {0, 1}, {0, 1}), kOneChain);
}

TEST(ContractOrder, IsOneChainForLargeLayersInBothTransposes) {
  EXPECT_EQ(Product(kRows, 2048, 2048), kOneChain);
  EXPECT_EQ(Contracted({kRows, 2048}, {2048, 2048}, {1}, {1}), kOneChain);
  EXPECT_EQ(Contracted({2048, kRows}, {2048, 2048}, {0}, {1}), kOneChain);
  EXPECT_EQ(Contracted({2048, 2048}, {2048, 2048}, {0}, {0}), kOneChain);
}

TEST(ContractOrder, IsOneChainForShortSums) {
  EXPECT_EQ(Product(kRows, 31, 3), kOneChain);
  EXPECT_EQ(Product(kRows, 32, 3), kSixteenChains);
  EXPECT_EQ(Product(kRows, 0, 3), kOneChain);
  EXPECT_EQ(Contracted({5}, {7}, {}, {}), kOneChain);
}

TEST(ContractOrder, CountsTheTermsOfAllSummedAxes) {
  EXPECT_EQ(Contracted({kRows, 4, 8}, {4, 8, 3}, {1, 2}, {0, 1}), kSixteenChains);
  EXPECT_EQ(Contracted({kRows, 4, 7}, {4, 7, 3}, {1, 2}, {0, 1}), kOneChain);
}

TEST(ContractOrder, IsSixteenChainsWhereTheResultIsThinOnOneSide) {
  EXPECT_EQ(Contracted({1000}, {1000}, {0}, {0}), kSixteenChains);     // dot product
  EXPECT_EQ(Contracted({512, 512}, {512}, {1}, {0}), kSixteenChains);  // matrix x vector
  EXPECT_EQ(Contracted({kRows, 64}, {15, 64}, {1}, {1}), kSixteenChains);
  EXPECT_EQ(Contracted({kRows, 64}, {16, 64}, {1}, {1}), kOneChain);
  EXPECT_EQ(Contracted({64, kRows, 2}, {64, 8}, {0}, {0}), kSixteenChains);
}

TEST(ContractOrder, IsOneChainWhereAKeptLastAxisFillsTheLanes) {
  EXPECT_EQ(Contracted({512}, {512, 512}, {0}, {0}), kOneChain);  // vector x matrix
  EXPECT_EQ(Product(1, 64, 16), kOneChain);
  EXPECT_EQ(Product(1, 64, 15), kSixteenChains);
  EXPECT_EQ(Contracted({64, 16}, {64, 3}, {0}, {0}), kOneChain);
}

TEST(ContractOrder, DoesNotCountBatchAxesAsWidth) {
  const Shape lhs = {100, 4, 64}, rhs = {100, 64, 4};
  EXPECT_EQ(ContractOrder(lhs, rhs, {0}, {0}, {2}, {1}), kSixteenChains);
  // Not even where a batch axis is the last.
  const Shape lhs_last = {4, 64, 100}, rhs_last = {64, 4, 100};
  EXPECT_EQ(ContractOrder(lhs_last, rhs_last, {2}, {2}, {1}, {0}), kSixteenChains);
}

TEST(ContractOrder, SurvivesExtentsWhoseProductOverflows) {
  const Dim huge = int64_t{1} << 40;
  EXPECT_EQ(Contracted({3, huge, huge}, {huge, huge, 3}, {1, 2}, {0, 1}), kSixteenChains);
  EXPECT_EQ(Contracted({huge, huge, 64}, {64, huge, huge}, {2}, {0}), kOneChain);
}

TEST(ReduceOrder, IsSixteenChainsForAMeanOverRows) {
  EXPECT_EQ(Reduced({kRows}, {0}), kSixteenChainsInBlocks);
  EXPECT_EQ(Reduced({kRows, 3}, {0, 1}), kSixteenChainsInBlocks);
}

TEST(ReduceOrder, OfABiasGradientDependsOnTheWidth) {
  EXPECT_EQ(Reduced({kRows, 3}, {0}), kSixteenChainsInBlocks);
  EXPECT_EQ(Reduced({kRows, 15}, {0}), kSixteenChainsInBlocks);
  EXPECT_EQ(Reduced({kRows, 16}, {0}), kOneChainInBlocks);
  EXPECT_EQ(Reduced({kRows, 50}, {0}), kOneChainInBlocks);
}

TEST(ReduceOrder, IsOneChainForASoftmaxOverFewClasses) {
  EXPECT_EQ(Reduced({kRows, 3}, {1}), kOneChain);
  EXPECT_EQ(Reduced({kRows, 31}, {1}), kOneChain);
  EXPECT_EQ(Reduced({kRows, 32}, {1}), kSixteenChains);
  EXPECT_EQ(Reduced({kRows, 1000}, {1}), kSixteenChains);
}

TEST(ReduceOrder, CutsSumsThatAreLongerThanABlock) {
  EXPECT_EQ(Reduced({kReduceBlock}, {0}), kSixteenChains);
  EXPECT_EQ(Reduced({kReduceBlock + 1}, {0}), kSixteenChainsInBlocks);
  EXPECT_EQ(Reduced({64, 64}, {0, 1}), kSixteenChains);
  EXPECT_EQ(Reduced({kReduceBlock + 1, 64}, {0}), kOneChainInBlocks);
}

TEST(ReduceOrder, TakesTheLastKeptAxisOnlyWhereItIsLast) {
  EXPECT_EQ(Reduced({64, 64, 64}, {0}), kOneChain);       // the last axis fills the lanes
  EXPECT_EQ(Reduced({64, 64, 64}, {2}), kSixteenChains);  // the last axis is summed
  EXPECT_EQ(Reduced({64, kTrips}, {0}), kOneChain);       // a run-time axis counts as wide
}

TEST(ReduceOrder, OfNothingOrOfAScalarIsOneChain) {
  EXPECT_EQ(Reduced({}, {}), kOneChain);
  EXPECT_EQ(Reduced({100}, {}), kOneChain);
  EXPECT_EQ(Reduced({0, 100}, {0, 1}), kOneChain);
  EXPECT_EQ(Reduced({100, 0}, {0}), kSixteenChains);  // 100 terms, of which there are none
}

TEST(ReduceOrder, SurvivesExtentsWhoseProductOverflows) {
  const Dim huge = int64_t{1} << 58;
  EXPECT_EQ(Reduced({huge, huge, huge}, {0, 1, 2}), kSixteenChainsInBlocks);
}

}  // namespace
}  // namespace talweg
