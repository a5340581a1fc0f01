#ifndef TALWEG_EXAMPLES_TUTORIAL_EXPERIMENTS_H_
#define TALWEG_EXAMPLES_TUTORIAL_EXPERIMENTS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "examples/tutorial/lab.h"

namespace talweg::tutorial {

// The seven experiments, in the order in which the tutorial tells them. Each stands in a file of
// its name and is a lesson: what is changed, what is measured, what to look for in the figures.
absl::Status PlotBlobs(Lab& lab);
absl::Status LearningRate(Lab& lab);
absl::Status Momentum(Lab& lab);
absl::Status DecayCurves(Lab& lab);
absl::Status Decay(Lab& lab);
absl::Status Patience(Lab& lab);
absl::Status Optimizer(Lab& lab);

struct Experiment {
  std::string_view name;  // as --experiments takes it
  absl::Status (*conduct)(Lab& lab);
};

inline constexpr Experiment kExperiments[] = {
    {"blobs", PlotBlobs},     {"learning_rate", LearningRate},
    {"momentum", Momentum},   {"decay_curves", DecayCurves},
    {"decay", Decay},         {"patience", Patience},
    {"optimizer", Optimizer},
};

// The rate of time-based decay at an iteration, counted from 0; see decay_curves.cc.
double DecayedRate(double initial_lrate, double decay, int64_t iteration);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_EXPERIMENTS_H_
