#ifndef TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_
#define TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace talweg::tutorial {

// How far the fits have come. On a terminal one line, drawn again and again,
//
//   [=========>....................]  7/24 lrate=1e-06
//
// and elsewhere (a file, a pipe) plain lines, one a run.
class Progress {
 public:
  // `file` stays the caller's; `total` is the number of fits to come.
  Progress(std::FILE* file, bool terminal, int64_t total)
      : file_(file), terminal_(terminal), total_(total) {}

  // One more fit is done, of the run of this title.
  void Finish(const std::string& title);
  // A line about a run that has ended, with which so many fits are done. On a terminal the table at
  // the end says it.
  void Say(size_t done, const std::string& line);
  // Wipes the moving line away.
  void Clear();

 private:
  std::FILE* file_;
  bool terminal_;
  int64_t total_;
  int64_t done_ = 0;
  std::chrono::steady_clock::time_point drawn_ = {};
};

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_
