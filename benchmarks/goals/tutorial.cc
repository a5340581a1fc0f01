// The tutorial's program as its users start it, with --no-figures: seconds from start to end of the
// process, the best of several. 24 fits without an object cache and with one that an earlier
// process has filled; and 720 fits, 30 seeds each, without. Usage: tutorial blobs.csv (which is not
// read: the program makes its data)

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace {

namespace fs = std::filesystem;

// Beside this program, as the build leaves both.
absl::StatusOr<std::string> TutorialProgram() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path runfiles = self.string() + ".runfiles";
  for (const fs::path& place :
       {self.parent_path().parent_path().parent_path() / "examples/tutorial/tutorial",
        runfiles / "talweg/examples/tutorial/tutorial"}) {
    if (fs::exists(place, error)) return place.string();
  }
  return absl::NotFoundError("the tutorial's program is not there");
}

absl::StatusOr<double> Seconds(const std::vector<std::string>& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "fork");
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.data()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) return absl::InternalError("the tutorial's program failed");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

absl::Status Measure(const std::string& program, const std::string& folder) {
  const auto measure = [&](const char* key, const std::string& cache, int seeds, int rounds) {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < rounds; i++) {
      const absl::StatusOr<double> seconds =
          Seconds({program, "--no-figures", "--out=" + folder, "--cache=" + cache,
                   "--seeds=" + std::to_string(seeds)});
      if (!seconds.ok()) return seconds.status();
      best = std::min(best, *seconds);
    }
    std::printf("%s %.5f\n", key, best);
    return absl::OkStatus();
  };
  if (absl::Status s = measure("cold_s", "off", 1, 3); !s.ok()) return s;
  if (absl::Status s = measure("warm_s", folder + "/cache", 1, 4); !s.ok()) return s;
  return measure("fits_720_s", "off", 30, 2);
}

absl::Status MeasureInNewFolder() {
  const absl::StatusOr<std::string> program = TutorialProgram();
  if (!program.ok()) return program.status();
  std::string folder = fs::temp_directory_path() / "talweg-tutorial-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::ErrnoToStatus(errno, folder);
  const absl::Status status = Measure(*program, folder);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return status;
}

}  // namespace

int main() {
  const absl::Status status = MeasureInNewFolder();
  if (status.ok()) return 0;
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}
