#ifndef TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_
#define TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "talweg.h"

namespace talweg::tutorial {

// How far the fits have come. On a terminal one line, drawn again and again,
//
//   [=========>....................]  7/24 lrate=1e-06, epoch 120/200
//
// and elsewhere (a file, a pipe) plain lines, one a run.
class Progress : public Callback {
 public:
  // `file` stays the caller's; `total` is the number of fits to come.
  Progress(std::FILE* file, bool terminal, int64_t total)
      : file_(file), terminal_(terminal), total_(total) {}

  // Whether the line moves within a fit, and epochs are worth watching.
  bool moves() const { return terminal_; }

  void Start(const std::string& title);
  void Finish();
  // A line about what has just ended. On a terminal the table at the end says it.
  void Say(const std::string& line);
  // Wipes the moving line away.
  void Clear();

  void OnEpochEnd(const Run& run) override;

 private:
  void DrawLine(int64_t epoch, int64_t epochs);

  std::FILE* file_;
  bool terminal_;
  int64_t total_;
  int64_t done_ = 0;
  std::string title_;
  std::chrono::steady_clock::time_point drawn_ = {};
};

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_PROGRESS_H_
