#include "train/progress_bar.h"

#include <cmath>
#include <string>

#include "gtest/gtest.h"
#include "tests/train/fake_run.h"

namespace talweg {
namespace {

// A bar whose time and output are the test's.
struct Screen {
  ProgressBar Bar(int verbose, bool terminal) {
    return ProgressBar({.verbose = verbose,
                        .terminal = terminal,
                        .write = [this](std::string_view text) { shown += text; },
                        .clock = [this] { return seconds; }});
  }
  double seconds = 1000;
  std::string shown;
};

FakeRun Tutorial() {
  FakeRun run({"loss", "accuracy", "val_loss", "val_accuracy", "lr"});
  run.validation_samples_ = 500;
  run.epochs_ = 200;
  return run;
}

TEST(ProgressBar, IsALineAnEpochWhereTheOutputIsNoTerminal) {
  Screen screen;
  ProgressBar bar = screen.Bar(1, false);
  EXPECT_FALSE(bar.WantsBatches());
  FakeRun run = Tutorial();
  bar.OnTrainBegin(run);
  bar.OnEpochBegin(run);
  screen.seconds += 0.025;
  run.EndEpoch(bar, {1.23456, 0.344, 0.0005, 1, 0.01});
  bar.OnEpochBegin(run);
  screen.seconds += 2.5;
  run.EndEpoch(bar, {std::nan(""), 0, -0.5, 1, 0.01});
  EXPECT_EQ(screen.shown,
            "Train on 500 samples, validate on 500 samples\n"
            "Epoch 1/200\n"
            "500/500 [==============================] - 0s 50us/step - loss: 1.2346 - accuracy: "
            "0.3440 - val_loss: 5.0000e-04 - val_accuracy: 1.0000\n"
            "Epoch 2/200\n"
            "500/500 [==============================] - 2s 5ms/step - loss: nan - accuracy: "
            "0.0000e+00 - val_loss: -0.5000 - val_accuracy: 1.0000\n");
}

TEST(ProgressBar, IsDrawnOverOnATerminal) {
  Screen screen;
  ProgressBar bar = screen.Bar(1, true);
  EXPECT_TRUE(bar.WantsBatches());
  FakeRun run({"loss", "lr"});
  run.samples_ = 100;
  run.epochs_ = 1;
  bar.OnTrainBegin(run);
  bar.OnEpochBegin(run);
  screen.seconds += 1;
  run.EndBatch(bar, 32, {{"loss", 4}});
  screen.seconds += 1;
  run.EndBatch(bar, 32, {{"loss", 2}});
  screen.seconds += 0.01;
  run.EndBatch(bar, 32, {{"loss", 2}});  // too soon to be drawn
  screen.seconds += 1;
  run.EndBatch(bar, 4, {{"loss", 0}});  // drawn when the epoch ends
  screen.seconds += 2;
  run.EndEpoch(bar, {2.56, 0.01});
  EXPECT_EQ(screen.shown,
            "Epoch 1/1\n"
            " 32/100 [========>.....................] - ETA: 2s - loss: 4.0000"
            "\r 64/100 [==================>...........] - ETA: 1s - loss: 3.0000"
            "\r100/100 [==============================] - 5s 50ms/step - loss: 2.5600\n");
}

TEST(ProgressBar, LeavesNothingOfALongerLine) {
  Screen screen;
  ProgressBar bar = screen.Bar(1, true);
  FakeRun run({"loss", "lr"});
  run.samples_ = 64;
  bar.OnEpochBegin(run);
  screen.seconds += 4000;
  run.EndBatch(bar, 32, {{"loss", 1e-9}});
  run.EndBatch(bar, 32, {{"loss", 1}});
  run.EndEpoch(bar, {1, 0.01});
  const size_t first = screen.shown.find("32/64"), second = screen.shown.find("\r");
  ASSERT_NE(second, std::string::npos);
  EXPECT_NE(screen.shown.find("ETA: 1:06:40 - loss: 1.0000e-09"), std::string::npos);
  EXPECT_EQ(second - first, screen.shown.size() - 1 - (second + 1)) << screen.shown;
}

TEST(ProgressBar, ShowsWhereAnEpochWasStopped) {
  Screen screen;
  ProgressBar bar = screen.Bar(1, true);
  FakeRun run({"loss", "lr"});
  run.samples_ = 96;
  bar.OnEpochBegin(run);
  screen.seconds += 100;
  run.EndBatch(bar, 32, {{"loss", 1}});
  run.EndEpoch(bar, {1, 0.01});
  EXPECT_EQ(screen.shown.substr(screen.shown.find('\r')),
            "\r32/96 [=========>....................] - ETA: 3:20 - loss: 1.0000\n");
}

TEST(ProgressBar, CanBeALineWithoutABar) {
  for (const bool terminal : {false, true}) {
    Screen screen;
    ProgressBar bar = screen.Bar(2, terminal);
    EXPECT_FALSE(bar.WantsBatches());
    FakeRun run = Tutorial();
    run.validation_samples_ = 0;
    bar.OnTrainBegin(run);
    bar.OnEpochBegin(run);
    screen.seconds += 3;
    run.EndEpoch(bar, {1.5, 0.25, 2, 0.5, 0.01});
    EXPECT_EQ(screen.shown,
              "Epoch 1/200\n - 3s - loss: 1.5000 - accuracy: 0.2500 - val_loss: 2.0000 - "
              "val_accuracy: 0.5000\n");
  }
}

TEST(ProgressBar, CanBeSilent) {
  Screen screen;
  ProgressBar bar = screen.Bar(0, true);
  EXPECT_FALSE(bar.WantsBatches());
  FakeRun run = Tutorial();
  bar.OnTrainBegin(run);
  bar.OnEpochBegin(run);
  run.EndEpoch(bar, {1, 1, 1, 1, 1});
  EXPECT_EQ(screen.shown, "");
}

}  // namespace
}  // namespace talweg
