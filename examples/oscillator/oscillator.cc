// A mass on a spring: from noisy measurements of where it was, its damping and its stiffness. The
// motion is simulated by a loop in the graph, and the gradient goes back through all of its steps.
// The loop around the compiled step is the program's own.
#include <cmath>
#include <iostream>
#include <vector>

#include "talweg.h"

using namespace talweg;

constexpr int64_t kSteps = 400;
constexpr double kTimeStep = 0.025;
constexpr double kDamping = 0.3, kStiffness = 4;  // what is to be found

// Where the mass is after each step: x'' = -stiffness x - damping x', from x = 1 at rest, by the
// leapfrog method with the damping taken half before and half after.
Value Simulate(Tape& t, Value damping, Value stiffness) {
  Value one = t.Constant(Array(1.0)), zero = t.Constant(Array(0.0));
  LoopResult motion =
      Loop(t, {.trips = kSteps, .carried = {one, zero}}, [&](LoopBody& body) -> LoopStep {
        Value x = body.carried[0], v = body.carried[1];
        Value half = v - (kTimeStep / 2) * (stiffness * x + damping * v);
        Value next = x + kTimeStep * half;
        Value after = (half - (kTimeStep / 2) * stiffness * next) / (1 + kTimeStep / 2 * damping);
        return {.carried = {next, after}, .stacked = {next}};
      });
  return motion.stacked[0];
}

// The exact motion with noise on top.
Array Measure() {
  NumPyRandom random(7);
  const double decay = kDamping / 2, frequency = std::sqrt(kStiffness - decay * decay);
  std::vector<double> positions;
  for (int64_t i = 1; i <= kSteps; i++) {
    const double time = static_cast<double>(i) * kTimeStep;
    const double exact = std::exp(-decay * time) * (std::cos(frequency * time) +
                                                    decay / frequency * std::sin(frequency * time));
    positions.push_back(exact + random.Normal(0, 0.02));
  }
  return Array::Vector<double>(positions);
}

absl::Status FindTheConstants() {
  Tape t;
  Value damping = t.Input("damping", kFloat64, {}), stiffness = t.Input("stiffness", kFloat64, {});
  Value measured = t.Input("measured", kFloat64, {kSteps}), rate = t.Input("rate", kFloat64, {});
  Value loss = Mean(Square(Simulate(t, damping, stiffness) - measured));
  std::vector<Value> slope = Gradient(loss, {damping, stiffness});
  absl::StatusOr<Step> step = CompileStep(
      t, {{damping, damping - rate * slope[0]}, {stiffness, stiffness - rate * slope[1]}}, {loss});
  if (!step.ok()) return step.status();

  const Array positions = Measure();
  absl::StatusOr<State> state = step->Start({{"damping", Array(0.0)}, {"stiffness", Array(3.5)}});
  if (!state.ok()) return state.status();
  State good = *state;  // a copy is a way back
  double length = 0.5, least = 1e300;
  for (int round = 0; round <= 400; round++) {
    const State before = *state;
    absl::StatusOr<std::vector<Array>> out =
        step->Run(*state, {{"measured", positions}, {"rate", Array(length)}});
    if (!out.ok()) return out.status();
    const double now = (*out)[0].At(0);
    if (round % 100 == 0) std::cout << "round " << round << ": mean square error " << now << "\n";
    // The loss is that of the state before this step. Where it has risen (or is no number any
    // more), the step before was too long: it is taken again, half as long.
    if (now <= least) {
      good = before;
      least = now;
    } else {
      *state = good;
      length /= 2;
    }
  }
  const double found_damping = state->Get("damping")->At(0);
  const double found_stiffness = state->Get("stiffness")->At(0);
  std::cout << "damping " << found_damping << " (" << kDamping << "), stiffness " << found_stiffness
            << " (" << kStiffness << ")\n";
  if (std::abs(found_damping - kDamping) > 0.02 || std::abs(found_stiffness - kStiffness) > 0.02) {
    return absl::InternalError("the constants were not found");
  }
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = FindTheConstants(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
