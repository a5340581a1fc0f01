// Threads within one run: the bits of one thread, for any number of them.

#include <fenv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
#include "jit/loops/runtime.h"
#include "jit/loops/team.h"
#include "jit/loops/verify.h"
#include "talweg.h"
#include "tests/graphs/random_graph.h"
#include "tests/jit/known_caches.h"
#include "tests/jit/loops/harness.h"

namespace talweg {
namespace {

using loops::Builder;
using loops::Register;

// The interpreter's bits by every number of threads, with everything split that can be, in blocks
// or not, and by the evaluator with trips in another order.
void ExpectSame(const Graph& graph, int64_t rows = 1) {
  const NamedArrays inputs = RandomInputs(graph, 7, rows);
  const auto expected = Interpret(graph)->Run(inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (const int64_t block : {0, 4}) {
    for (const bool evaluate : {false, true}) {
      const absl::StatusOr<Executable> made = Jit(
          graph,
          {.block = block, .split = true, .cache = "off", .evaluate = evaluate, .verify = true});
      ASSERT_TRUE(made.ok()) << made.status();
      for (const int threads : {1, 2, 3, 8}) {
        if (evaluate && threads > 1) continue;
        const auto ran = made->Run(inputs, {.threads = threads});
        ASSERT_TRUE(ran.ok()) << ran.status();
        for (size_t i = 0; i < ran->size(); i++) {
          EXPECT_TRUE(SameBits((*ran)[i], (*expected)[i]))
              << "output " << i << ", " << threads << " threads, blocks of " << block
              << (evaluate ? ", the evaluator" : "");
        }
      }
    }
  }
}

std::string LoopsOf(const Graph& graph, int64_t block, bool split) {
  const absl::StatusOr<loops::Program> program =
      loops::Lower(graph, MachineOfKnownCaches("avx2"), {.block = block, .split = split});
  return program.ok() ? loops::ToString(*program) : std::string(program.status().message());
}

Graph Product(int64_t rows, int64_t columns, int64_t terms, bool turned) {
  Tape t;
  const Value a = t.Input("a", kFloat32, turned ? Shape{terms, rows} : Shape{rows, terms});
  const Value b = t.Input("b", kFloat32, {terms, columns});
  const Value bias = t.Input("bias", kFloat32, {columns});
  const Value c = Contract(a, b, {.lhs_sum = {turned ? 0 : 1}, .rhs_sum = {0}});
  return *t.Finish({Tanh(c + bias)});
}

TEST(Threads, HaveTheBitsOfOneAtEveryEdge) {
  for (const int64_t rows : {1, 2, 5, 13, 14, 15, 29}) {
    for (const int64_t columns : {16, 31, 33, 48, 97, 130}) {
      SCOPED_TRACE(absl::StrCat(rows, " x ", columns));
      ExpectSame(Product(rows, columns, 4 + rows % 3 + columns % 5, rows % 2 == 0));
    }
  }
}

TEST(Threads, ShareBatchesRowsAndPlainLoops) {
  Tape t;
  const Value a = t.Input("a", kFloat32, {5, 9, 12});
  const Value b = t.Input("b", kFloat32, {5, 12, 21});
  const Value rows = t.Input("rows", kFloat64, {kRows, 19});
  const Value product =
      Contract(a, b, {.lhs_batch = {0}, .rhs_batch = {0}, .lhs_sum = {2}, .rhs_sum = {1}});
  const Graph graph =
      *t.Finish({product, Exp(rows) * rows, Sum(rows, 1), Sum(rows, 0), Softmax(rows)});
  EXPECT_TRUE(absl::StrContains(LoopsOf(graph, 4, true), "parallel for"));
  for (const int64_t n : {0, 1, 2, 17, 64, 100}) ExpectSame(graph, n);
}

TEST(Threads, AreForLargeLoopsOnly) {
  EXPECT_FALSE(absl::StrContains(LoopsOf(Product(32, 50, 2, false), 0, false), "parallel"));
  EXPECT_TRUE(absl::StrContains(LoopsOf(Product(512, 1024, 512, false), 0, false), "parallel"));
  Tape t;
  const Value x = t.Input("x", kFloat32, {4096, 1024});
  EXPECT_TRUE(absl::StrContains(LoopsOf(*t.Finish({x * x + x}), 0, false), "parallel"));
}

// As it is by itself, with a callback for each batch, and from one call for all epochs.
TEST(Threads, GiveTheSameFits) {
  Dataset data;
  Tape t;
  const Value draw = t.Input("draw", kFloat32, {96, 70});
  data.inputs = RandomInputs(*t.Finish({draw}), 3, 1).at("draw");
  data.targets = data.inputs;
  Training training;
  training.model = [](Scope& s, Value x) {
    return Dense(s, "output", Relu(Dense(s, "hidden", x, 90, HeUniform())), 70);
  };
  training.loss = "mse";
  training.rule = Sgd({.momentum = 0.9});
  training.batch = 32;
  training.epochs = 3;
  class PerBatch : public Callback {
   public:
    bool WantsBatches() const override { return true; }
  } per_batch;
  const JitEngine engine({.block = 16, .split = true, .cache = "off", .verify = true});
  absl::StatusOr<Fitted> reference = Fit(Interpret, training, data);
  ASSERT_TRUE(reference.ok()) << reference.status();
  for (const int threads : {1, 2, 3, 8}) {
    for (const bool batches : {false, true}) {
      FitOptions options{.threads = threads};
      if (batches) options.callbacks = {&per_batch};
      const absl::StatusOr<Fitted> fitted = Fit(engine, training, data, {}, options);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      for (const auto& [name, array] : reference->parameters) {
        EXPECT_TRUE(SameBits(array, fitted->parameters.at(name)))
            << name << ", " << threads << " threads" << (batches ? ", by batches" : "");
      }
    }
  }
}

// ---- The team

struct Count {
  std::vector<std::atomic<int>> trips;
  std::atomic<int> wrong_floats{0};
};

void CountTrips(loops::Context*, const void* captured, int64_t begin, int64_t end) {
  auto* const count = static_cast<Count*>(const_cast<void*>(captured));
  if (fegetround() != FE_UPWARD) count->wrong_floats++;
  for (int64_t i = begin; i < end; i += 3) count->trips[static_cast<size_t>(i)]++;
}

TEST(Team, RunsEachTripOnceAndRoundsAsTheCallerDoes) {
  const auto team = loops::Team::Make(4, 100);
  ASSERT_NE(team, nullptr);
  const int before = fegetround();
  fesetround(FE_UPWARD);
  for (int round = 0; round < 2000; round++) {
    const int64_t trips = 1 + round % 97;
    Count count{.trips = std::vector<std::atomic<int>>(static_cast<size_t>(3 * trips))};
    // The last trip may reach past the end.
    team->Run(loops::Context(), CountTrips, &count, 0, 3 * trips - round % 3, 3, 1 + round % trips);
    for (int64_t i = 0; i < 3 * trips; i += 3) {
      ASSERT_EQ(count.trips[static_cast<size_t>(i)], 1) << i << " of " << trips;
    }
    ASSERT_EQ(count.wrong_floats, 0);
    // Helpers that sleep are woken.
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  fesetround(before);
}

// Of this process.
std::ptrdiff_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

// Who keeps threads keeps their blocks.
TEST(Team, IsNotKeptWithMuchMemory) {
  const auto alone = Threads();
  for (const int64_t bytes : {int64_t{1} << 10, int64_t{1} << 20, int64_t{12} << 20}) {
    loops::TeamPool pool;
    auto team = pool.Take(4, bytes);
    ASSERT_NE(team, nullptr);
    EXPECT_EQ(Threads(), alone + 3);
    pool.Give(std::move(team));
    EXPECT_EQ(Threads(), alone + (bytes > (int64_t{10} << 20) ? 0 : 3)) << bytes;
  }
}

// The programs of an engine lend each other their threads.
TEST(Team, OfAnEnginesProgramsAreFew) {
  const auto alone = Threads();
  const JitEngine engine({.split = true, .cache = "off"});
  for (int64_t columns = 33; columns < 43; columns++) {
    const Graph graph = Product(29, columns, 20, false);
    const absl::StatusOr<Executable> made = engine(graph);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE(made->Run(RandomInputs(graph, 7, 1), {.threads = 4}).ok());
  }
  EXPECT_EQ(Threads(), alone + 3);
}

TEST(Team, IsAloneInAChildOfAFork) {
  const Graph graph = Product(29, 97, 20, false);
  const NamedArrays inputs = RandomInputs(graph, 7, 1);
  const absl::StatusOr<Executable> made = Jit(graph, {.split = true, .cache = "off"});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto expected = made->Run(inputs, {.threads = 2});
  ASSERT_TRUE(expected.ok());
  const pid_t child = fork();
  if (child == 0) {
    const auto ran = made->Run(inputs, {.threads = 2});
    _exit(ran.ok() && SameBits((*ran)[0], (*expected)[0]) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Team, LeavesWhatItIsToShareToManyRunsAtOnce) {
  const Graph graph = Product(29, 97, 20, false);
  const NamedArrays inputs = RandomInputs(graph, 7, 1);
  const absl::StatusOr<Executable> made = Jit(graph, {.split = true, .cache = "off"});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto expected = Interpret(graph)->Run(inputs);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; i++) {
    callers.emplace_back([&, i] {
      for (int run = 0; run < 50; run++) {
        const auto ran = made->Run(inputs, {.threads = 1 + (run + i) % 3});
        if (!ran.ok() || !SameBits((*ran)[0], (*expected)[0])) wrong++;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

// ---- The loop IR

// out[i] = in[i] + in[i], by way of a buffer of the thread's.
struct Doubling : loops::Harness {
  explicit Doubling(int64_t carried_over);
};

Doubling::Doubling(int64_t carried_over) : loops::Harness({{kFloat32, {12}}}, {{kFloat32, {12}}}) {
  loops::Harness& h = *this;
  h.b.program().thread_bytes = 64;
  const int32_t own = h.b.AddBuffer(
      {.name = "own", .dtype = kFloat32, .home = loops::Buffer::Home::kThread, .elements = 16});
  h.b.OpenSection("double");
  const Register i = h.b.OpenParallel({.value = 0}, {.value = 12}, 1, 5).variable;
  h.b.Store(own, h.b.Index(0), h.b.Load(h.in[0], i));
  // What the trip before left, where that is asked for.
  const Register x = h.b.Load(own, h.b.Index(carried_over));
  h.b.Store(own, h.b.Index(1), x);
  h.b.Store(h.out[0], i, h.b.Add(x, x));
  h.b.CloseFor();
  h.b.CloseSection();
}

TEST(ParallelLoops, ArePrintedAndRun) {
  Doubling h(0);
  const std::string text = loops::ToString(h.Take());
  EXPECT_TRUE(absl::StrContains(text, "parallel for %0 = 0 to 12 cost 5")) << text;
  EXPECT_TRUE(absl::StrContains(text, "buffer own: thread at 0, float32, 16 elements")) << text;
  EXPECT_TRUE(absl::StrContains(text, "each thread has 64 bytes")) << text;
  std::vector<float> numbers(12);
  std::iota(numbers.begin(), numbers.end(), 1.0f);
  const Array x = Array::Vector(numbers);
  for (const bool shuffle : {false, true}) {
    const auto ran = h.RunAs(loops::Evaluator(h.Take(), true, shuffle), {x});
    ASSERT_TRUE(ran.ok()) << ran.status();
    for (int64_t i = 0; i < 12; i++) EXPECT_EQ((*ran)[0].At(i), 2.0 * static_cast<double>(i + 1));
  }
}

TEST(ParallelLoops, ShowWhereTripsDependOnEachOther) {
  Doubling h(1);
  const Array x = Array::Vector(std::vector<float>(12, 1.0f));
  const auto in_order = h.RunAs(loops::Evaluator(h.Take()), {x});
  const auto shuffled = h.RunAs(loops::Evaluator(h.Take(), true, true), {x});
  ASSERT_TRUE(in_order.ok() && shuffled.ok());
  EXPECT_TRUE(std::isnan((*shuffled)[0].At(5)));
}

TEST(ParallelLoops, AreVerified) {
  const auto fault = [](const std::function<void(loops::Program&, loops::For&)>& change) {
    Doubling h(0);
    loops::Program program = h.Take();
    auto& section = std::get<loops::Section>(program.body[0].node);
    change(program, std::get<loops::For>(section.body.back().node));
    return std::string(loops::Verify(program).message());
  };
  EXPECT_EQ(fault([](loops::Program&, loops::For&) {}), "");
  EXPECT_TRUE(absl::StrContains(fault([](loops::Program&, loops::For& loop) { loop.cost = 0; }),
                                "the cost of a trip is 0"));
  EXPECT_TRUE(absl::StrContains(fault([](loops::Program& p, loops::For& loop) {
                                  p.registers.push_back({kBool, 1});
                                  loops::Instruction poll;
                                  poll.code = loops::Code::kPoll;
                                  poll.result = static_cast<Register>(p.registers.size()) - 1;
                                  loop.body.emplace_back().node = poll;
                                }),
                                "in a parallel loop"));
  EXPECT_TRUE(absl::StrContains(fault([](loops::Program& p, loops::For& loop) {
                                  loops::For inner;
                                  inner.parallel = true;
                                  inner.cost = 1;
                                  p.registers.push_back({kInt64, 1});
                                  inner.variable = static_cast<Register>(p.registers.size()) - 1;
                                  loop.body.emplace_back().node = inner;
                                }),
                                "a parallel loop in another"));
  EXPECT_TRUE(absl::StrContains(fault([](loops::Program& p, loops::For& loop) {
                                  const loops::For copy = loop;
                                  p.body.emplace_back().node = copy;
                                }),
                                "outside of a section"));
  EXPECT_TRUE(absl::StrContains(fault([](loops::Program& p, loops::For&) { p.thread_bytes = 32; }),
                                "a thread's block"));
}

TEST(ParallelLoops, SayHowMuchMemoryIsNotThere) {
  Doubling h(0);
  h.b.program().thread_bytes = int64_t{1} << 60;
  h.b.program().largest = "packed 7";
  const auto ran = h.Run({Array::Vector(std::vector<float>(12, 1.0f))});
  EXPECT_EQ(ran.status().code(), absl::StatusCode::kResourceExhausted) << ran.status();
  EXPECT_TRUE(absl::StrContains(ran.status().message(), "packed 7")) << ran.status();
}

}  // namespace
}  // namespace talweg
