#ifndef TALWEG_EXAMPLES_TUTORIAL_FIGURES_H_
#define TALWEG_EXAMPLES_TUTORIAL_FIGURES_H_

#include <string>
#include <vector>

#include "talweg.h"

namespace talweg::tutorial {

// The layouts of the tutorial's nine figures. They take plain numbers: what a run was, not how it
// was computed.

// A quantity over the epochs: of one run, or its mean (or median) over seeds with a band about it.
struct Curve {
  std::vector<double> mean = {};
  std::vector<double> low = {};  // both empty without a band
  std::vector<double> high = {};
};

// One panel's worth: a run by its title in the table, "momentum=0.9".
struct RunCurves {
  std::string title;
  Curve accuracy = {};      // on the training samples, 0 to 1
  Curve val_accuracy = {};  // on the test samples
  Curve loss = {};          // on the training samples
  // The learning rate after each epoch, which no history holds (an epoch's row has the one it began
  // with): who draws it has it noted by a callback, as patience.cc does.
  Curve rate = {};
};

// One line of the decay curves: the rate at each iteration from 0.
struct DecayCurve {
  std::string title;
  std::vector<double> rate;
};

// `1_blobs`: all samples in the colours of their classes, labels 0 to 2; axes scaled alike.
Figure BlobsFigure(const std::vector<double>& x, const std::vector<double>& y,
                   const std::vector<int>& labels);

// `2_learning_rate`, `3_momentum`, `5_decay` and `9_optimizer`: accuracy on the training and on the
// test samples over the epochs, one panel a run, two in a row.
Figure AccuracyFigure(const std::vector<RunCurves>& runs);

// `4_decay_curves`: the lines in one panel, the legend names their decay.
Figure DecayFigure(const std::vector<DecayCurve>& curves);

// `6_patience_rate`: on a logarithmic axis down to 1e-8. Below that a float32 weight does not move
// any more; with patience 2 the rate itself falls on to 1e-97. Curves with bands are medians, and
// the axis says so.
Figure RateFigure(const std::vector<RunCurves>& runs);

// `7_patience_loss`.
Figure LossFigure(const std::vector<RunCurves>& runs);

// `8_patience_accuracy`: on the training samples only.
Figure TrainAccuracyFigure(const std::vector<RunCurves>& runs);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_FIGURES_H_
