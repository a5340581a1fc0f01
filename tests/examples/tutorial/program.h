#ifndef TALWEG_TESTS_EXAMPLES_TUTORIAL_PROGRAM_H_
#define TALWEG_TESTS_EXAMPLES_TUTORIAL_PROGRAM_H_

#include <map>
#include <string>
#include <vector>

namespace talweg::tutorial {

// What a run of the tutorial's program left on its standard streams.
struct Outcome {
  int exit_code = -1;  // -1: it did not exit by itself
  std::string out, err;
};

// Runs the program with these arguments. `environment` replaces variables of the test's own; an
// empty value removes one. `out` is where its standard output goes instead of to Outcome: a path,
// or "-" where it is closed.
Outcome RunTutorial(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment = {},
                    const std::string& out = "");

// A new, empty folder of the test's.
std::string NewFolder();

}  // namespace talweg::tutorial

#endif  // TALWEG_TESTS_EXAMPLES_TUTORIAL_PROGRAM_H_
