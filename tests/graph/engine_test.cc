#include "graph/engine.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"

namespace talweg {
namespace {

using testing::HasSubstr;

Array Zeros(DType dtype, Dims dims) { return Array::Zeros(dtype, dims).value(); }

// An engine that returns its inputs in the order in which it got them, then rows and trips.
Executable Echo(const Graph& graph) {
  return Executable(std::make_shared<const Graph>(graph),
                    [](absl::Span<const Array> inputs, const SymbolValues& symbols,
                       const RunOptions& options) -> absl::StatusOr<std::vector<Array>> {
                      if (options.stop != nullptr && *options.stop) return absl::CancelledError();
                      std::vector<Array> outputs(inputs.begin(), inputs.end());
                      outputs.push_back(Array(symbols.rows));
                      outputs.push_back(Array(symbols.trips));
                      return outputs;
                    });
}

class ExecutableTest : public testing::Test {
 protected:
  ExecutableTest() : executable_(Echo(MakeGraph())) {}

  static Graph MakeGraph() {
    Tape t;
    const Value x = t.Input("x", kFloat32, {kRows, 2});
    t.Input("labels", kInt32, {kRows});
    t.Input("rate", kFloat64, {});
    return t.Finish({x}).value();
  }

  static NamedArrays Good() {
    return {{"x", Zeros(kFloat32, {5, 2})}, {"labels", Zeros(kInt32, {5})}, {"rate", Array(0.5)}};
  }

  std::string ErrorOf(const NamedArrays& inputs) {
    const auto result = executable_.Run(inputs);
    return result.ok() ? "no error" : std::string(result.status().message());
  }

  Executable executable_;
};

TEST_F(ExecutableTest, PassesInputsInTheGraphsOrderAndReadsRowsFromThem) {
  const auto outputs = executable_.Run(Good());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 5u);
  EXPECT_EQ((*outputs)[0].dims(), (Dims{5, 2}));
  EXPECT_EQ((*outputs)[1].dtype(), kInt32);
  EXPECT_EQ((*outputs)[2].At(0), 0.5);
  EXPECT_EQ((*outputs)[3].At(0), 5);
  EXPECT_EQ((*outputs)[4].At(0), -1) << "trips is bound by no input";
}

TEST_F(ExecutableTest, RefusesAnArrayThatHasNoMemory) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  NamedArrays inputs = Good();
  {
    const FailingAllocation failing(1);
    inputs["rate"] = Array(0.5);
  }
  const auto outputs = executable_.Run(inputs);
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      outputs.status().message(),
      "input 'rate': the array has no elements: no memory was left for it, or its rows are of "
      "unequal length");
}

TEST_F(ExecutableTest, TakesAnyNumberOfRowsNoneToo) {
  for (int64_t rows : {0, 1, 1000}) {
    NamedArrays inputs = Good();
    inputs["x"] = Zeros(kFloat32, {rows, 2});
    inputs["labels"] = Zeros(kInt32, {rows});
    const auto outputs = executable_.Run(inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[3].At(0), static_cast<double>(rows));
  }
}

TEST_F(ExecutableTest, NamesAMissingInput) {
  NamedArrays inputs = Good();
  inputs.erase("labels");
  EXPECT_EQ(ErrorOf(inputs), "input 'labels' int32[rows] is missing");
}

TEST_F(ExecutableTest, NamesAnUnknownInput) {
  NamedArrays inputs = Good();
  inputs["lables"] = Array(1.0f);
  EXPECT_EQ(ErrorOf(inputs), "the graph has no input 'lables'");
}

TEST_F(ExecutableTest, RefusesAnotherElementTypeWithAHint) {
  NamedArrays inputs = Good();
  inputs["x"] = Zeros(kFloat64, {5, 2});
  EXPECT_EQ(ErrorOf(inputs),
            "input 'x': float32[rows,2] expected, float64[5,2] given; Array::Cast converts");
}

TEST_F(ExecutableTest, RefusesAnotherShape) {
  NamedArrays inputs = Good();
  inputs["x"] = Zeros(kFloat32, {5, 3});
  EXPECT_EQ(ErrorOf(inputs), "input 'x': float32[rows,2] expected, float32[5,3] given");
  inputs["x"] = Zeros(kFloat32, {5});
  EXPECT_EQ(ErrorOf(inputs), "input 'x': float32[rows,2] expected, float32[5] given");
  inputs["x"] = Zeros(kFloat32, {5, 2, 1});
  EXPECT_EQ(ErrorOf(inputs), "input 'x': float32[rows,2] expected, float32[5,2,1] given");
}

TEST_F(ExecutableTest, RefusesInputsThatDisagreeOnTheRows) {
  NamedArrays inputs = Good();
  inputs["labels"] = Zeros(kInt32, {4});
  EXPECT_EQ(ErrorOf(inputs),
            "input 'labels': int32[rows] expected, int32[4] given; another input has 5 rows");
}

TEST_F(ExecutableTest, CallCountsItsInputs) {
  EXPECT_THAT(executable_.Call({Array(1.0f)}).status().message(),
              HasSubstr("the graph has 3 inputs, 1 given"));
  const NamedArrays good = Good();
  EXPECT_TRUE(executable_.Call({good.at("x"), good.at("labels"), good.at("rate")}).ok());
  // The same checks as by name.
  EXPECT_THAT(
      executable_.Call({good.at("rate"), good.at("labels"), good.at("x")}).status().message(),
      HasSubstr("input 'x': float32[rows,2] expected, float64[] given"));
}

TEST_F(ExecutableTest, HandsTheOptionsOn) {
  const std::atomic<bool> stop = true;
  EXPECT_EQ(executable_.Run(Good(), {.stop = &stop}).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ExecutableTest, BindsRowsAndTripsApart) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips, kRows, 2});
  t.Input("y", kFloat32, {kRows});
  const Executable executable = Echo(t.Finish({x}).value());
  const auto outputs = executable.Call({Zeros(kFloat32, {7, 3, 2}), Zeros(kFloat32, {3})});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[2].At(0), 3);
  EXPECT_EQ((*outputs)[3].At(0), 7);
  EXPECT_THAT(
      executable.Call({Zeros(kFloat32, {7, 3, 2}), Zeros(kFloat32, {7})}).status().message(),
      HasSubstr("another input has 3 rows"));
}

TEST_F(ExecutableTest, RunsOnManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int64_t rows = 1; rows <= 8; rows++) {
    threads.emplace_back([this, rows, &right] {
      NamedArrays inputs = Good();
      inputs["x"] = Zeros(kFloat32, {rows, 2});
      inputs["labels"] = Zeros(kInt32, {rows});
      for (int i = 0; i < 100; i++) {
        const auto outputs = executable_.Run(inputs);
        right += outputs.ok() && (*outputs)[3].At(0) == static_cast<double>(rows);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

TEST_F(ExecutableTest, TakesTenThousandInputs) {
  Tape t;
  NamedArrays inputs;
  for (int i = 0; i < 10000; i++) {
    const std::string name = "weight" + std::to_string(i);
    t.Input(name, kFloat32, {});
    inputs[name] = Array(static_cast<float>(i));
  }
  const Executable executable = Echo(t.Finish({}).value());
  const auto outputs = executable.Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[9999].At(0), 9999);
  inputs["unknown"] = Array(0.0f);
  EXPECT_EQ(executable.Run(inputs).status().message(), "the graph has no input 'unknown'");
}

}  // namespace
}  // namespace talweg
