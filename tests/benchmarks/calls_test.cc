// What the benchmarks time is what they say: the same bits on both engines, and real work.

#include "benchmarks/common/calls.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmarks/common/large.h"
#include "benchmarks/common/tutorial.h"
#include "benchmarks/random/network.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jit/flop.h"

namespace talweg::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<TrainTest> SomeBlobs() {
  const absl::StatusOr<Dataset> blobs =
      Blobs({.samples = 200, .centers = 3, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  const absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
  if (!one_hot.ok()) return one_hot.status();
  return Split(*one_hot, 100);
}

void ExpectSameOutputs(const absl::StatusOr<Call>& a, const absl::StatusOr<Call>& b) {
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  const absl::StatusOr<std::vector<Array>> x = a->Run(), y = b->Run();
  ASSERT_TRUE(x.ok()) << x.status();
  ASSERT_TRUE(y.ok()) << y.status();
  ASSERT_EQ(x->size(), y->size());
  for (size_t i = 0; i < x->size(); i++) EXPECT_TRUE(SameBits((*x)[i], (*y)[i])) << i;
}

TEST(Updates, AreTheSameOnBothEnginesForEachRule) {
  const absl::StatusOr<TrainTest> data = SomeBlobs();
  ASSERT_TRUE(data.ok()) << data.status();
  for (const auto& [name, rule] : TutorialRules()) {
    SCOPED_TRACE(name);
    const Training training = TutorialTraining(rule);
    ExpectSameOutputs(Updates(JitEngine(), training, data->train, 7),
                      Updates(Interpret, training, data->train, 7));
  }
}

// At a rate of 0 each batch gives the same loss again: after twice as many updates twice the sum.
TEST(Updates, SumTheLossesOfAllBatches) {
  const absl::StatusOr<TrainTest> data = SomeBlobs();
  ASSERT_TRUE(data.ok()) << data.status();
  double sums[2];
  for (const int64_t rounds : {1, 2}) {
    const absl::StatusOr<Call> call =
        Updates(JitEngine(), TutorialTraining(), data->train, 3 * rounds);
    ASSERT_TRUE(call.ok()) << call.status();
    const absl::StatusOr<std::vector<Array>> outputs = call->Run();
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    sums[rounds - 1] = (*outputs)[outputs->size() - 2].At(0);
  }
  EXPECT_GT(sums[0], 1);
  EXPECT_NEAR(sums[1], 2 * sums[0], 1e-9 * sums[1]);
}

TEST(UpdatesOfAnyNumber, AreAsManyAsTheyShouldBe) {
  const absl::StatusOr<TrainTest> data = SomeBlobs();
  ASSERT_TRUE(data.ok()) << data.status();
  absl::StatusOr<Call> any = UpdatesOfAnyNumber(JitEngine(), TutorialTraining(), data->train, 7);
  ExpectSameOutputs(any, Updates(JitEngine(), TutorialTraining(), data->train, 7));
  ASSERT_TRUE(any->Set("updates", Array(int64_t{4})).ok());
  ExpectSameOutputs(any, Updates(JitEngine(), TutorialTraining(), data->train, 4));
  EXPECT_THAT(std::string(any->Set("update", Array(1.0)).message()), HasSubstr("update"));
}

// Operations of one update of the large network, as the graph counts them.
absl::StatusOr<double> FlopOfLarge(int64_t batch) {
  const absl::StatusOr<Dataset> samples = LargeSamples(batch);
  if (!samples.ok()) return samples.status();
  const auto flop = std::make_shared<double>(0);
  const Engine counting = [flop](const Graph& graph) -> absl::StatusOr<Executable> {
    const absl::StatusOr<Graph> counted = CountFlop(graph);
    if (!counted.ok()) return counted.status();
    const absl::StatusOr<Executable> made = JitEngine()(*counted);
    if (!made.ok()) return made;
    const auto run = [flop, made = *made](absl::Span<const Array> inputs, const SymbolValues&,
                                          const RunOptions& options) {
      absl::StatusOr<std::vector<Array>> outputs = made.Call(inputs, options);
      if (!outputs.ok()) return outputs;
      *flop = outputs->back().At(0);
      outputs->pop_back();
      return outputs;
    };
    return Executable(std::make_shared<const Graph>(graph), run);
  };
  const absl::StatusOr<Call> call = Updates(counting, LargeTraining(Sgd(), batch), *samples, 1);
  if (!call.ok()) return call.status();
  if (const absl::Status status = call->Run().status(); !status.ok()) return status;
  return *flop;
}

// What two updates of different batches differ by is the work on the samples: the contractions, and
// a few operations for each unit.
TEST(Large, CountsTheFlopOfItsContractions) {
  const absl::StatusOr<double> few = FlopOfLarge(2), more = FlopOfLarge(6);
  ASSERT_TRUE(few.ok()) << few.status();
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_GT(*more - *few, LargeFlop(4));
  EXPECT_LT(*more - *few, 1.005 * LargeFlop(4));
}

TEST(WholeFit, GivesTheHistoryOfFit) {
  const absl::StatusOr<TrainTest> data = SomeBlobs();
  ASSERT_TRUE(data.ok()) << data.status();
  Training training = TutorialTraining();
  training.epochs = 3;
  const absl::StatusOr<Call> jit = WholeFit(JitEngine(), training, *data);
  ExpectSameOutputs(jit, WholeFit(Interpret, training, *data));
  const absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const absl::StatusOr<std::vector<Array>> outputs = jit->Run();
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  // The states come first; a state also holds the columns of the history.
  const size_t states = fitted->state.size() - fitted->history.columns().size();
  const Array& losses = (*outputs)[states];
  ASSERT_EQ(losses.size(), 3);
  for (int64_t i = 0; i < 3; i++) EXPECT_EQ(losses.At(i), fitted->history["loss"][i]);
}

TEST(Network, IsAFunctionOfSeedAndNumber) {
  EXPECT_EQ(Describe(Draw(7, 1)), Describe(Draw(7, 1)));
  EXPECT_NE(Describe(Draw(7, 1)), Describe(Draw(7, 2)));
  EXPECT_NE(Describe(Draw(7, 1)), Describe(Draw(8, 1)));
  for (uint64_t seed = 0; seed < 200; seed++) {
    const Network network = Draw(seed, 1);
    SCOPED_TRACE(Describe(network));
    ASSERT_GE(network.widths.size(), 3u);
    ASSERT_LE(network.widths.size(), 5u);
    EXPECT_TRUE(network.widths.front() >= 2 && network.widths.front() <= 60);
    EXPECT_TRUE(network.widths.back() >= 2 && network.widths.back() <= 12);
    EXPECT_EQ(network.batch % 2, 1);
    EXPECT_GE(network.epochs, 1);
    EXPECT_THAT(PlainSource(network), Not(HasSubstr("@")));
  }
}

TEST(Network, TrainsTheSameOnBothEngines) {
  for (uint64_t seed = 1; seed <= 3; seed++) {
    const Network network = Draw(seed, 1);
    SCOPED_TRACE(Describe(network));
    Training training = TrainingOf(network);
    training.epochs = 1;
    const TrainTest data = SamplesOf(network);
    ExpectSameOutputs(WholeFit(JitEngine(), training, data), WholeFit(Interpret, training, data));
  }
}

}  // namespace
}  // namespace talweg::bench
