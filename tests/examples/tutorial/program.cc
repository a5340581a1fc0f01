#include "tests/examples/tutorial/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace talweg::tutorial {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Redirect(const std::string& path, int stream) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || dup2(file, stream) < 0) _exit(126);
}

}  // namespace

std::string NewFolder() {
  const char* const root = getenv("TEST_TMPDIR");
  std::string folder = std::string(root == nullptr ? "/tmp" : root) + "/tutorial-XXXXXX";
  return mkdtemp(folder.data()) == nullptr ? "" : folder;
}

Outcome RunTutorial(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment,
                    const std::string& elsewhere) {
  const std::string streams = NewFolder(), out = streams + "/out", err = streams + "/err";
  const pid_t child = fork();
  if (child == 0) {
    Redirect(elsewhere.empty() || elsewhere == "-" ? out : elsewhere, STDOUT_FILENO);
    Redirect(err, STDERR_FILENO);
    if (elsewhere == "-") close(STDOUT_FILENO);
    for (const auto& [name, value] : environment) {
      if (value.empty()) {
        unsetenv(name.c_str());
      } else {
        setenv(name.c_str(), value.c_str(), 1);
      }
    }
    std::vector<char*> argv = {const_cast<char*>("tutorial")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv("examples/tutorial/tutorial", argv.data());
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return {-1, Read(out), Read(err)};
  }
  return {WEXITSTATUS(status), Read(out), Read(err)};
}

}  // namespace talweg::tutorial
