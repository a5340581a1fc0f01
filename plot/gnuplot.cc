#include "plot/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace talweg::plot {
namespace {

// A nameless file in memory. gnuplot's three standard streams are such files and not pipes: it can
// then never wait for us nor we for it, a gnuplot that ends early sends us no SIGPIPE, and nothing
// is left behind whatever happens.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("gnuplot", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int descriptor() const { return descriptor_; }

  // Replaces the content, which the next reader finds from its start. False with errno set.
  bool Write(std::string_view text) {
    off_t offset = 0;
    while (!text.empty()) {
      const ssize_t n = pwrite(descriptor_, text.data(), text.size(), offset);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      offset += n;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  std::string Read() const {
    std::string text;
    char block[1 << 16];
    while (true) {
      const ssize_t n = pread(descriptor_, block, sizeof(block), static_cast<off_t>(text.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return text;
      text.append(block, static_cast<size_t>(n));
    }
  }

 private:
  int descriptor_;
};

// Our environment without what would change gnuplot's output from one user to the next.
std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; variable++) {
    if (absl::StartsWith(*variable, "GNUPLOT") || absl::StartsWith(*variable, "GNUTERM") ||
        absl::StartsWith(*variable, "LANG") || absl::StartsWith(*variable, "LC_")) {
      continue;
    }
    variables.push_back(*variable);
  }
  variables.push_back("LC_ALL=C.UTF-8");
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// gnuplot repeats the command and marks the place before it says what is wrong, so the message is
// the last line that is not empty.
std::string LastLine(const std::string& text) {
  std::string last;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) last = std::string(line);
  }
  return last;
}

// Starts the program on the three files; an errno, 0 for success.
int Start(const std::string& program, const MemoryFile& in, const MemoryFile& out,
          const MemoryFile& error, pid_t* process) {
  posix_spawn_file_actions_t actions;
  if (const int failure = posix_spawn_file_actions_init(&actions); failure != 0) return failure;
  // In the order in which they were opened: none is overwritten before it is used, even where our
  // own standard streams are closed and these files took their numbers.
  int failure = posix_spawn_file_actions_adddup2(&actions, in.descriptor(), 0);
  if (failure == 0) failure = posix_spawn_file_actions_adddup2(&actions, out.descriptor(), 1);
  if (failure == 0) failure = posix_spawn_file_actions_adddup2(&actions, error.descriptor(), 2);
  if (failure == 0) {
    std::vector<std::string> arguments = {program, "--default-settings"};
    std::vector<std::string> variables = Environment();
    failure = posix_spawnp(process, program.c_str(), &actions, nullptr, Pointers(arguments).data(),
                           Pointers(variables).data());
  }
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

}  // namespace

absl::StatusOr<std::string> RunGnuplot(const std::string& gnuplot, std::string_view script) {
  MemoryFile in, out, error;
  if (in.descriptor() < 0 || out.descriptor() < 0 || error.descriptor() < 0 || !in.Write(script)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory to hand a figure to gnuplot: ", std::strerror(errno)));
  }
  pid_t process = 0;
  if (const int failure = Start(gnuplot, in, out, error, &process); failure != 0) {
    // A file that is no program, or a folder of PATH that may not be searched.
    if (failure == EACCES) {
      return absl::NotFoundError(absl::StrCat("no program ", Quoted(gnuplot),
                                              " that may be run was found: permission denied"));
    }
    if (failure == ENOENT || failure == ENOTDIR) {
      return absl::NotFoundError(absl::StrCat("the program ", Quoted(gnuplot),
                                              " was not found: install the package gnuplot-nox"));
    }
    return absl::InternalError(
        absl::StrCat("can not start ", Quoted(gnuplot), ": ", std::strerror(failure)));
  }
  int state = 0;
  while (waitpid(process, &state, 0) < 0) {
    // ECHILD: our host program has its children reaped for it; the output then tells how it went.
    if (errno != EINTR) break;
  }
  if (WIFSIGNALED(state)) {
    return absl::InternalError(absl::StrCat("gnuplot was ended by signal ", WTERMSIG(state)));
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) != 0) {
    const std::string said = LastLine(error.Read());
    return absl::InternalError(
        absl::StrCat("gnuplot failed with exit code ", WEXITSTATUS(state),
                     said.empty() ? " and said nothing" : absl::StrCat(": ", Quoted(said, 200))));
  }
  return out.Read();
}

}  // namespace talweg::plot
