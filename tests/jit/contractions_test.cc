// Contractions larger than those of random graphs (tests/graphs/random_graph.h), dims from 1 to 300
// drawn at random: with transposed operands, batches, rows known at run time only, epilogues,
// gradients and updates. The JIT is the interpreter to the bit, for lesser processors, in blocks
// and on several threads.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/print.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "tests/base/seeds.h"
#include "tests/graphs/contractions.h"

namespace talweg {
namespace {

using Numbers = std::mt19937_64;

NamedArrays Inputs(const Graph& graph, int64_t rows, Numbers& random) {
  NamedArrays inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type type = graph.input_type(i);
    Array array = *Array::Zeros(kFloat64, Resolve(type.shape, {.rows = rows}));
    for (double& x : array.mutable_data<double>()) {
      x = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
    }
    inputs[graph.input_name(i)] = *array.Cast(type.dtype);
  }
  return inputs;
}

TEST(LargeContractions, AreTheInterpretersToTheBit) {
  for (const uint64_t seed : FuzzSeeds(22)) {
    Numbers random(seed);
    const RandomContraction drawn = MakeRandomContraction(random);
    ASSERT_TRUE(drawn.graph.ok()) << "seed " << seed << ": " << drawn.graph.status();
    const Graph& graph = *drawn.graph;
    const NamedArrays inputs = Inputs(graph, drawn.rows, random);
    const auto expected = Interpret(graph)->Run(inputs);
    ASSERT_TRUE(expected.ok()) << "seed " << seed << ": " << expected.status();

    struct Variant {
      JitOptions options;
      int threads;
    };
    const int64_t block = random() % 2 == 0 ? 17 : 100;
    for (const Variant& variant : std::vector<Variant>{
             {{.cache = "off"}, 1},
             {{.cpu = "avx2", .cache = "off"}, 1},
             {{.cpu = "x86-64", .cache = "off"}, 1},
             {{.split = true, .cache = "off"}, 3},
             {{.block = block, .split = true, .cache = "off"}, 4},
         }) {
      if (!native::DetectTarget(variant.options.cpu).ok()) continue;
      const absl::StatusOr<Executable> executable = Jit(graph, variant.options);
      ASSERT_TRUE(executable.ok()) << "seed " << seed << ": " << executable.status();
      const auto outputs = executable->Run(inputs, {.threads = variant.threads});
      ASSERT_TRUE(outputs.ok()) << "seed " << seed << ": " << outputs.status();
      for (size_t i = 0; i < expected->size(); i++) {
        ASSERT_TRUE(SameBits((*outputs)[i], (*expected)[i]))
            << "seed " << seed << ", output " << i << " for " << variant.options.cpu
            << ", blocks of " << variant.options.block << ", " << variant.threads
            << " threads, with " << drawn.rows << " rows\n"
            << Print(graph, {.lines = false});
      }
    }
  }
}

}  // namespace
}  // namespace talweg
