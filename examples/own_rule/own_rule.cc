// An optimizer that Talweg does not have, in a dozen lines: AdaBelief (Zhuang et al., 2020). It
// takes long steps where gradients are as they were expected to be, and short ones where they are
// not. As it is made of symbols, it is compiled into the training as the built-in ones are.
#include <iostream>

#include "talweg.h"

using namespace talweg;

struct AdaBeliefOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.999;
  Hyper epsilon = 1e-8;
};

// m = beta_1 m + (1 - beta_1) g;   s = beta_2 s + (1 - beta_2) (g - m)^2 + e
// p -= lr m / (1 - beta_1^t) / (sqrt(s / (1 - beta_2^t)) + e)
Rule AdaBelief(const AdaBeliefOptions& o = {}) {
  Rule rule("adabelief", [o](RuleScope& s, Value, Value g, Value lr) {
    Value beta_1 = s.Hyper("beta_1", o.beta_1), beta_2 = s.Hyper("beta_2", o.beta_2);
    Value epsilon = s.Hyper("epsilon", o.epsilon);
    Value m = beta_1 * s.Slot("m") + (1 - beta_1) * g;
    Value belief = beta_2 * s.Slot("s") + (1 - beta_2) * Square(g - m) + epsilon;
    s.Set("m", m);
    s.Set("s", belief);
    // What depends on the time alone, in float64.
    Value first = 1 - Pow(s.WideHyper("beta_1", o.beta_1), s.count());
    Value second = 1 - Pow(s.WideHyper("beta_2", o.beta_2), s.count());
    return -lr * (m / s.Narrow(first)) / (Sqrt(belief / s.Narrow(second)) + epsilon);
  });
  rule.default_rate = 0.001;
  return rule;
}

absl::Status CompareWithAdam() {
  absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
  if (!one_hot.ok()) return one_hot.status();
  absl::StatusOr<TrainTest> data = Split(*one_hot, 500);
  if (!data.ok()) return data.status();

  for (const Rule& rule : {Adam(), AdaBelief()}) {
    Training training{.model =
                          [](Scope& s, Value x) {
                            Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
                            return Dense(s, "output", h, 3);
                          },
                      .loss = SoftmaxCrossEntropy,
                      .rule = rule,
                      .rate = 0.002,
                      .metrics = {Accuracy},
                      .epochs = 100,
                      .seed = 1};
    absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
    if (!fitted.ok()) return fitted.status();
    const double accuracy = fitted->history.last("val_accuracy");
    std::cout << rule.name << ": loss " << fitted->history.last("loss")
              << ", accuracy on the test set " << accuracy << "\n";
    if (accuracy < 0.75) return absl::InternalError(rule.name + " has learned nothing");
  }
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = CompareWithAdam(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
