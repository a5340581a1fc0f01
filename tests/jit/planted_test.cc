// Mistakes planted into what the compiler makes are found: by the verifiers, by the evaluator,
// which checks every access to memory, or because the outputs are others than the interpreter's. So
// a compiler that makes such a mistake does not pass the tests that run random graphs.

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/lower.h"
#include "jit/loops/runtime.h"
#include "jit/loops/verify.h"
#include "jit/passes/pipeline.h"
#include "ops/elementwise.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/jit/mutants.h"

namespace talweg {
namespace {

// A graph, what the compiler makes of it, and what must come out.
struct Subject {
  Graph graph, simplified;
  loops::Program program;
  // Each call has its outcome beside it.
  std::vector<NamedArrays> inputs;
  std::vector<Outcome> outcomes;
};

constexpr uint64_t kSubjects = 1500;

std::vector<Subject> MakeSubjects() {
  std::vector<Subject> subjects;
  // Vectors as those of AVX2, on each machine: the loop IR is what is mutated.
  const loops::Machine machine{.vector_bytes = 32};
  for (uint64_t seed = 0; seed < kSubjects; seed++) {
    const absl::StatusOr<RandomGraph> random =
        MakeRandomGraph(seed, {.gradients = seed % 3 == 0, .wild = seed % 4 == 0});
    if (!random.ok()) continue;
    const absl::StatusOr<Graph> simplified = passes::RunPasses(random->graph);
    const absl::StatusOr<Executable> reference = Interpret(random->graph);
    if (!simplified.ok() || !reference.ok()) continue;
    absl::StatusOr<loops::Program> program = loops::Lower(*simplified, machine);
    if (!program.ok()) continue;
    Subject subject{random->graph, *simplified, *std::move(program), {}, {}};
    subject.inputs = {RandomInputs(random->graph, seed, random->rows),
                      SpecialInputs(random->graph, seed, random->rows),
                      RandomInputs(random->graph, seed + 1, random->rows),
                      RandomInputs(random->graph, seed + 2, random->rows)};
    if (random->rows > 0) subject.inputs.push_back(RandomInputs(random->graph, seed, 5));
    for (const NamedArrays& inputs : subject.inputs) {
      subject.outcomes.push_back(reference->Run(inputs));
    }
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

const std::vector<Subject>& Subjects() {
  static const auto& subjects = *new std::vector<Subject>(MakeSubjects());
  return subjects;
}

std::vector<Array> InOrder(const Graph& graph, const NamedArrays& inputs) {
  std::vector<Array> ordered;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    ordered.push_back(inputs.at(graph.input_name(i)));
  }
  return ordered;
}

// Who finds that `executable` is not what the subject says; empty where nobody does.
std::string WhoFinds(const Subject& subject, const absl::StatusOr<Executable>& executable) {
  if (!executable.ok()) return "refused";
  for (size_t k = 0; k < subject.inputs.size(); k++) {
    const std::vector<Array> inputs = InOrder(subject.graph, subject.inputs[k]);
    const Outcome outcome = executable->Call(inputs);
    if (absl::IsInternal(outcome.status())) return "memory";
    if (!Difference(subject.graph, inputs, subject.outcomes[k], outcome).empty()) return "outputs";
  }
  return "";
}

std::string WhoFindsProgram(const Subject& subject, const loops::Program& program) {
  if (!loops::Verify(program).ok()) return "verifier";
  const loops::Evaluator evaluator(program);
  return WhoFinds(subject, Executable(std::make_shared<const Graph>(subject.graph),
                                      [&](absl::Span<const Array> inputs,
                                          const SymbolValues& symbols, const RunOptions& options) {
                                        return loops::RunProgram(program, subject.graph, evaluator,
                                                                 inputs, symbols, options);
                                      }));
}

std::string WhoFindsGraph(const Subject& subject, const Graph& graph) {
  if (!Verify(graph).ok()) return "verifier";
  return WhoFinds(subject, Interpret(graph));
}

// Into so many programs a mistake of one kind is planted, and into more until it shows: few loops
// that stop do so before their trips are over.
constexpr int64_t kMost = 50;

// What became of one kind of mistake.
struct Tally {
  int64_t planted = 0;
  std::map<std::string, int64_t> found;

  int64_t all_found() const {
    int64_t sum = 0;
    for (const auto& [who, count] : found) sum += count;
    return sum;
  }
  bool GoesOn() const { return planted < kMost || all_found() == 0; }
  std::string ToString(const char* name) const {
    std::string text = absl::StrFormat("%4d of %4d found: %s (", all_found(), planted, name);
    for (const auto& [who, count] : found) absl::StrAppend(&text, " ", who, " ", count);
    return text + " )";
  }
};

TEST(Planted, NothingIsFoundWhereNothingIsWrong) {
  ASSERT_GE(Subjects().size(), kSubjects * 9 / 10);
  for (const Subject& subject : Subjects()) {
    EXPECT_EQ(WhoFindsProgram(subject, subject.program), "") << Print(subject.graph);
    EXPECT_EQ(WhoFindsGraph(subject, subject.simplified), "") << Print(subject.graph);
  }
}

// Not every single mistake shows: a mask may leave out nothing in a graph, operands of an exchange
// may be equal. A compiler that errs so errs in each graph; it is enough that some show.
TEST(Planted, MistakesOfLoweringAndEmissionAreFound) {
  EXPECT_GE(ProgramMutants().size(), 40u);
  for (const ProgramMutant& mutant : ProgramMutants()) {
    Tally tally;
    for (size_t k = 0; k < Subjects().size() && tally.GoesOn(); k++) {
      const Subject& subject = Subjects()[k];
      MutantRandom random(k + 1);
      loops::Program program = subject.program;
      if (!mutant.plant(program, random)) continue;
      tally.planted++;
      const std::string who = WhoFindsProgram(subject, program);
      if (!who.empty()) tally.found[who]++;
    }
    std::cout << tally.ToString(mutant.name) << std::endl;
    EXPECT_GE(tally.all_found(), 1) << mutant.name;
  }
}

TEST(Planted, MistakesOfPassesAreFound) {
  EXPECT_GE(GraphMutants().size(), 20u);
  for (const GraphMutant& mutant : GraphMutants()) {
    Tally tally;
    for (size_t k = 0; k < Subjects().size() && tally.GoesOn(); k++) {
      const Subject& subject = Subjects()[k];
      MutantRandom random(k + 1);
      Graph graph = subject.simplified;
      if (!mutant.plant(graph, random)) continue;
      tally.planted++;
      const std::string who = WhoFindsGraph(subject, graph);
      if (!who.empty()) tally.found[who]++;
    }
    std::cout << tally.ToString(mutant.name) << std::endl;
    EXPECT_GE(tally.all_found(), 1) << mutant.name;
  }
}

// An engine that fails where the interpreter does not is never excused; what the passes leave out
// is.
TEST(Difference, ExcusesNoEngineThatFailsByItself) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Graph graph = *t.Finish({x + 1});
  const std::vector<Array> inputs = {Array::Vector<float>({1, 2})};
  const Outcome right = Interpret(graph)->Call(inputs);
  ASSERT_TRUE(right.ok()) << right.status();
  const Outcome fails = absl::InvalidArgumentError("no");
  EXPECT_EQ(Difference(graph, inputs, right, right), "");
  EXPECT_NE(Difference(graph, inputs, right, fails), "");
  EXPECT_EQ(Difference(graph, inputs, fails, right), "");
}

}  // namespace
}  // namespace talweg
