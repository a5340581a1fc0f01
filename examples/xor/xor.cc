// Exclusive or: no line tells the four points apart, a hidden layer of eight units does.
#include <iostream>

#include "talweg.h"

using namespace talweg;

absl::Status LearnXor() {
  Dataset points{.inputs = Array::Matrix<float>({{0, 0}, {0, 1}, {1, 0}, {1, 1}}),
                 .targets = Array::Matrix<float>({{0}, {1}, {1}, {0}})};
  Training training{.model =
                        [](Scope& s, Value x) {
                          Value h = Tanh(Dense(s, "hidden", x, 8));
                          return Sigmoid(Dense(s, "output", h, 1));
                        },
                    .loss = "mse",
                    .rule = Adam(),
                    .rate = 0.05,
                    .batch = 4,
                    .epochs = 500,
                    .seed = 1};
  absl::StatusOr<Fitted> fitted = Fit(training, points);
  if (!fitted.ok()) return fitted.status();
  absl::StatusOr<Array> answers = Predict(training, fitted->parameters, points.inputs);
  if (!answers.ok()) return answers.status();
  for (int64_t i = 0; i < 4; i++) {
    std::cout << points.inputs.At(2 * i) << " xor " << points.inputs.At(2 * i + 1) << " = "
              << answers->At(i) << "\n";
    const bool is_one = answers->At(i) > 0.5, should_be = points.targets.At(i) == 1;
    if (is_one != should_be) return absl::InternalError("an answer is wrong");
  }
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = LearnXor(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
