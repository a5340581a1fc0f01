// Results have the same bits whatever state the cache of compiled code is in.

#include <fenv.h>
#include <sys/stat.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "talweg.h"
#include "tests/graphs/random_graph.h"
#include "tests/jit/llvm/cache_folder.h"

namespace talweg {
namespace {

using native::CountNames;
using native::Fork;
using native::ReadBytes;
using native::Succeeds;
using native::WriteBytes;
using testing::HasSubstr;

class JitCacheTest : public native::CacheFolderTest {
 protected:
  void SetUp() override {
    CacheFolderTest::SetUp();
    for (uint64_t seed = 1; cases_.size() < 10; seed++) {
      absl::StatusOr<RandomGraph> made = MakeRandomGraph(seed);
      ASSERT_TRUE(made.ok()) << made.status();
      NamedArrays inputs = RandomInputs(made->graph, seed, made->rows);
      Case next = {.graph = made->graph, .inputs = std::move(inputs), .outputs = {}};
      absl::StatusOr<std::vector<Array>> outputs = RunCase(next, "off");
      if (!outputs.ok()) continue;  // an index out of range
      next.outputs = *std::move(outputs);
      cases_.push_back(std::move(next));
    }
  }

  struct Case {
    Graph graph;
    NamedArrays inputs;
    std::vector<Array> outputs;
  };

  static absl::StatusOr<std::vector<Array>> RunCase(const Case& c, const std::string& cache) {
    const absl::StatusOr<Executable> executable = Jit(c.graph, {.cache = cache});
    if (!executable.ok()) return executable.status();
    return executable->Run(c.inputs);
  }

  // Whether all cases still give what they gave without a cache.
  bool AreSame(const std::string& cache) const {
    for (const Case& c : cases_) {
      const absl::StatusOr<std::vector<Array>> outputs = RunCase(c, cache);
      if (!outputs.ok() || outputs->size() != c.outputs.size()) return false;
      for (size_t i = 0; i < outputs->size(); i++) {
        if (!SameBits((*outputs)[i], c.outputs[i])) return false;
      }
    }
    return true;
  }

  // The bytes of all entries.
  std::map<std::string, std::string> Entries() const {
    std::map<std::string, std::string> entries;
    for (const auto& file : std::filesystem::directory_iterator(Path("cache"))) {
      entries[file.path()] = ReadBytes(file.path());
    }
    return entries;
  }

  std::vector<Case> cases_;
};

TEST_F(JitCacheTest, ColdWarmAndDamagedCachesGiveTheSameBits) {
  EXPECT_TRUE(AreSame(Path("cache")));
  const auto entries = Entries();
  EXPECT_GT(entries.size(), 5);
  EXPECT_TRUE(AreSame(Path("cache")));
  EXPECT_EQ(Entries(), entries);
  for (const auto& [path, bytes] : entries) {
    std::string damaged = bytes;
    damaged[bytes.size() / 2] = static_cast<char>(~damaged[bytes.size() / 2]);
    WriteBytes(path, damaged);
  }
  EXPECT_TRUE(AreSame(Path("cache")));
  EXPECT_EQ(Entries(), entries) << "the same graph is the same code";
}

TEST_F(JitCacheTest, ACacheThatCannotBeUsedSaysSoAndCostsTimeOnly) {
  EXPECT_TRUE(CacheStatus("off").ok());
  EXPECT_TRUE(CacheStatus(Path("cache")).ok());
  ASSERT_EQ(::chmod(Path("cache").c_str(), 0777), 0);
  EXPECT_THAT(CacheStatus(Path("cache")).message(),
              HasSubstr(Path("cache") + "' can be written by other users"));
  EXPECT_TRUE(AreSame(Path("cache")));
  EXPECT_EQ(CountNames(Path("cache")), 0);

  EXPECT_TRUE(native::SucceedsUnprivileged([&] {
    EXPECT_EQ(::chmod(Path("cache").c_str(), 0500), 0);
    EXPECT_THAT(CacheStatus(Path("cache")).message(), HasSubstr("Permission denied"));
    return AreSame(Path("cache"));
  }));
  for (const char* nowhere : {"/proc/talweg", "/", "/dev/null", "/dev/null/talweg"}) {
    EXPECT_FALSE(CacheStatus(nowhere).ok()) << nowhere;
    EXPECT_TRUE(AreSame(nowhere)) << nowhere;
  }
}

// Constants are folded, and numbers written into code, as the next process needs them: whatever the
// caller does with denormals, and however it rounds.
TEST_F(JitCacheTest, CodeDependsOnNobodysRounding) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  const Value c = t.Constant(Array::Vector<float>({8 * tiny, 0.1f, 3}));
  const Graph graph = *t.Finish({x + c * 0.3f, x + Sum(c * c), c / 3 + Exp(c)});
  const NamedArrays inputs = {{"x", Array::Vector<float>({0, tiny, 1})}};
  const Case one = {.graph = graph, .inputs = inputs, .outputs = {}};
  const auto expected = RunCase(one, "off");
  ASSERT_TRUE(expected.ok()) << expected.status();
  fenv_t before;
  ASSERT_EQ(fegetenv(&before), 0);
#ifdef __x86_64__
  _mm_setcsr(_mm_getcsr() | 0x8040);  // denormals are taken, and given, for zeros
#endif
  fesetround(FE_UPWARD);
  const absl::StatusOr<Executable> made = Jit(graph, {.cache = Path("cache")});
  const int round = fegetround();
  fesetenv(&before);
  EXPECT_EQ(round, FE_UPWARD) << "the caller's own is as it was";
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(CountNames(Path("cache")), 1);
  const auto ran = RunCase(one, Path("cache"));
  ASSERT_TRUE(ran.ok()) << ran.status();
  for (size_t i = 0; i < ran->size(); i++) EXPECT_TRUE(SameBits((*ran)[i], (*expected)[i])) << i;
}

TEST_F(JitCacheTest, ServesSixtyFourProcessesAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 64; i++) {
    children.push_back(Fork([&] { return AreSame(Path("cache")); }));
  }
  for (pid_t child : children) EXPECT_TRUE(Succeeds(child));
  const auto entries = Entries();
  EXPECT_TRUE(AreSame(Path("cache")));
  EXPECT_EQ(Entries(), entries);
}

}  // namespace
}  // namespace talweg
