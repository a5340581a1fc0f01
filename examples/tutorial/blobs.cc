// The problem: to tell from two numbers which of three groups a point belongs to.
//
// The points are drawn about three centers, with a standard deviation of 2 in both directions.
// That is so much that the groups run into one another: no line parts them without mistakes, and
// the trainings that follow end at an accuracy of about 0.83 when they go well.
//
// Look for: class 0, which stands apart below and is learnt within a few epochs; and classes 1 and
// 2, which overlap. To place the border between those two is what takes the other epochs.

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
  lab.Draw("1_blobs", [=](const Lab&) { return BlobsFigure(x, y, labels); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
