// The problem: to tell from two numbers which of three groups a point belongs to.
//
// The points are drawn about three centers, with a standard deviation of 2 in both directions.
// That is so much that the groups run into one another. No straight line parts them, and no curve
// does without mistakes: the best that any network reaches here is an accuracy of about 0.83.
// Whoever sees more than that on a few points has learnt those points by heart.
//
// Look for: one group far from the others (class 1), which is why even a bad training soon is right
// about a third of the points; and where the other two overlap, which is what takes 200 epochs.

#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status PlotBlobs(Lab& lab) {
  const absl::StatusOr<Dataset> points = Points();
  if (!points.ok()) return points.status();

  std::vector<double> x, y;
  std::vector<int> labels;
  for (int64_t i = 0; i < points->size(); i++) {
    x.push_back(points->inputs.At(2 * i));
    y.push_back(points->inputs.At(2 * i + 1));
    labels.push_back(static_cast<int>(points->targets.At(i)));
  }
  lab.Draw("1_blobs", BlobsFigure(x, y, labels));
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
