#include "base/control_group.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace talweg {
namespace {

// Numbers from the front of a file; a word ("max") or a file that is not there is no number.
double NumberIn(std::ifstream& file) {
  double number = 0;
  return file >> number ? number : -1;
}
double FirstNumberOf(const std::string& path) {
  std::ifstream file(path);
  return NumberIn(file);
}

void LimitProcessors(double time, double period, GroupLimits& limits) {
  if (time > 0 && period > 0) limits.processors = std::min(limits.processors, time / period);
}
void LimitMemory(double bytes, GroupLimits& limits) {
  if (bytes > 0 && bytes < 0x1p62) {
    limits.bytes = std::min(limits.bytes, static_cast<int64_t>(bytes));
  }
}

// Calls `read` with the folder of the group, then with those of the groups around it.
template <typename Read>
void ForGroups(const std::string& mount, std::string group, Read read) {
  while (!group.empty() && group.back() == '/') group.pop_back();
  while (true) {
    read(mount + group);
    if (group.empty()) return;
    group.resize(std::min(group.rfind('/'), group.size() - 1));
  }
}

bool Lists(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == wanted) return true;
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

GroupLimits ReadGroupLimits(const std::string& root) {
  GroupLimits limits;
  std::ifstream groups(root + "/proc/self/cgroup");
  const std::string mount = root + "/sys/fs/cgroup";
  // Lines are NUMBER:CONTROLLERS:GROUP, where the second version has no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      ForGroups(mount, group, [&](const std::string& folder) {
        std::ifstream processors(folder + "/cpu.max");
        const double time = NumberIn(processors);
        LimitProcessors(time, NumberIn(processors), limits);
        LimitMemory(FirstNumberOf(folder + "/memory.max"), limits);
      });
    }
    if (Lists(controllers, "cpu")) {
      ForGroups(mount + "/cpu", group, [&](const std::string& folder) {
        LimitProcessors(FirstNumberOf(folder + "/cpu.cfs_quota_us"),
                        FirstNumberOf(folder + "/cpu.cfs_period_us"), limits);
      });
    }
    if (Lists(controllers, "memory")) {
      ForGroups(mount + "/memory", group, [&](const std::string& folder) {
        LimitMemory(FirstNumberOf(folder + "/memory.limit_in_bytes"), limits);
      });
    }
  }
  return limits;
}

}  // namespace talweg
