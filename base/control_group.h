#ifndef TALWEG_BASE_CONTROL_GROUP_H_
#define TALWEG_BASE_CONTROL_GROUP_H_

#include <cstdint>
#include <limits>
#include <string>

namespace talweg {

// What the system lets the control groups of this process have, which containers are made of:
// less, as a rule, than the machine has.
struct GroupLimits {
  double processors =
      std::numeric_limits<double>::infinity();          // of time, 1.5 for half as much again
  int64_t bytes = std::numeric_limits<int64_t>::max();  // of memory
};

// The narrowest limits of the process's group and of those around it, of either version of control
// groups. No limit where the system has none, tells nothing, or tells something else than expected.
// `root` stands in front of /proc and /sys/fs/cgroup.
//
//   double processors = ReadGroupLimits().processors;  // 2 under `docker run --cpus=2`
GroupLimits ReadGroupLimits(const std::string& root = "");

}  // namespace talweg

#endif  // TALWEG_BASE_CONTROL_GROUP_H_
