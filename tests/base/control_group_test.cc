#include "base/control_group.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>

#include "gtest/gtest.h"

namespace talweg {
namespace {

// The limits of a system that has these files.
GroupLimits LimitsOf(const std::map<std::string, std::string>& files) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "system";
  std::filesystem::remove_all(root);
  for (const auto& [name, text] : files) {
    const std::filesystem::path path = root / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  return ReadGroupLimits(root.string());
}

TEST(ControlGroup, OfTheSecondVersionIsTheNarrowestOnTheWayUp) {
  const GroupLimits limits = LimitsOf({{"proc/self/cgroup", "0::/work/job\n"},
                                       {"sys/fs/cgroup/work/job/cpu.max", "max 100000\n"},
                                       {"sys/fs/cgroup/work/job/memory.max", "3000000000\n"},
                                       {"sys/fs/cgroup/work/cpu.max", "150000 100000\n"},
                                       {"sys/fs/cgroup/work/memory.max", "2000000000\n"},
                                       {"sys/fs/cgroup/cpu.max", "400000 100000\n"},
                                       {"sys/fs/cgroup/memory.max", "max\n"}});
  EXPECT_EQ(limits.processors, 1.5);
  EXPECT_EQ(limits.bytes, 2000000000);
}

TEST(ControlGroup, OfAContainerIsTheRoot) {
  const GroupLimits limits = LimitsOf({{"proc/self/cgroup", "0::/\n"},
                                       {"sys/fs/cgroup/cpu.max", "200000 100000\n"},
                                       {"sys/fs/cgroup/memory.max", "1073741824\n"}});
  EXPECT_EQ(limits.processors, 2);
  EXPECT_EQ(limits.bytes, 1 << 30);
}

TEST(ControlGroup, OfTheFirstVersionHasAFolderForEachController) {
  const GroupLimits limits =
      LimitsOf({{"proc/self/cgroup", "5:cpuacct,cpu:/docker/1\n4:memory:/docker/1\n0::/\n"},
                {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n"},
                {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                {"sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"}});
  EXPECT_EQ(limits.processors, 3);
  EXPECT_EQ(limits.bytes, 1 << 29);
}

TEST(ControlGroup, WithoutALimitHasNone) {
  for (const GroupLimits& limits :
       {LimitsOf({}), LimitsOf({{"proc/self/cgroup", "nonsense\n::\n0::\n0::///\n"}}),
        LimitsOf({{"proc/self/cgroup", "1:cpu:/\n2:memory:/\n"},
                  {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
                  {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                  {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}}),
        LimitsOf({{"proc/self/cgroup", "0::/\n"},
                  {"sys/fs/cgroup/cpu.max", ""},
                  {"sys/fs/cgroup/memory.max", "max\n"}})}) {
    EXPECT_TRUE(std::isinf(limits.processors));
    EXPECT_EQ(limits.bytes, std::numeric_limits<int64_t>::max());
  }
}

}  // namespace
}  // namespace talweg
