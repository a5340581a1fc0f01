// A training loop of one's own: the model, its gradients, the update and the loop are all spelled
// out. Talweg compiles one step of it; the parameters are carried from step to step by a State.
#include <cmath>
#include <iostream>

#include "talweg.h"

using namespace talweg;

constexpr int64_t kHidden = 50, kClasses = 3, kBatch = 32, kRounds = 40;

// An input for each parameter of a network 2 -> 50 -> 3.
struct Network {
  Value w1, b1, w2, b2;

  explicit Network(Tape& t)
      : w1(t.Input("w1", kFloat32, {2, kHidden})),
        b1(t.Input("b1", kFloat32, {kHidden})),
        w2(t.Input("w2", kFloat32, {kHidden, kClasses})),
        b2(t.Input("b2", kFloat32, {kClasses})) {}

  Value Logits(Value x) const { return Linear(Relu(Linear(x, w1, b1)), w2, b2); }
};

// One update: the loss of a batch, and stochastic gradient descent with momentum.
absl::StatusOr<Step> TrainingStep() {
  Tape t;
  Network network(t);
  Value x = t.Input("x", kFloat32, {kRows, 2}), y = t.Input("y", kFloat32, {kRows, kClasses});
  Value rate = t.Input("rate", kFloat32, {});
  Value loss = Mean(CategoricalCrossEntropyFromLogits(y, network.Logits(x)));

  std::vector<Value> parameters = {network.w1, network.b1, network.w2, network.b2};
  std::vector<Value> gradients = Gradient(loss, parameters);
  std::vector<Carry> carried;
  for (size_t i = 0; i < parameters.size(); i++) {
    Value v = t.Input("velocity" + std::to_string(i), kFloat32, parameters[i].shape());
    Value next = 0.9 * v - rate * gradients[i];
    carried.push_back({v, next});
    carried.push_back({parameters[i], parameters[i] + next});
  }
  return CompileStep(t, carried, {loss});
}

// The share of right answers. It takes the parameters that the step carries.
absl::StatusOr<Executable> ShareOfRightAnswers() {
  Tape t;
  Network network(t);
  Value x = t.Input("x", kFloat32, {kRows, 2}), y = t.Input("y", kFloat32, {kRows, kClasses});
  return Compile(t, {Mean(CategoricalAccuracy(y, network.Logits(x)))});
}

// Zeros; weights uniform in +-sqrt(6 / inputs), as He et al., 2015, have them.
absl::StatusOr<NamedArrays> InitialState(const Step& step, NumPyRandom& random) {
  NamedArrays arrays;
  const Graph& graph = step.executable().graph();
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const std::string& name = graph.input_name(i);
    if (name == "x" || name == "y" || name == "rate") continue;
    absl::StatusOr<Array> array = Array::Zeros(kFloat32, Resolve(graph.input_type(i).shape, {}));
    if (!array.ok()) return array.status();
    if (name[0] == 'w') {
      const double limit = std::sqrt(6.0 / static_cast<double>(array->dims()[0]));
      for (float& w : array->mutable_data<float>()) {
        w = static_cast<float>(random.Uniform(-limit, limit));
      }
    }
    arrays.insert({name, *array});
  }
  return arrays;
}

absl::Status TrainByHand() {
  absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, kClasses);
  if (!one_hot.ok()) return one_hot.status();
  absl::StatusOr<Dataset> floats = Cast(*one_hot, kFloat32);
  if (!floats.ok()) return floats.status();
  absl::StatusOr<TrainTest> data = Split(*floats, 500);
  if (!data.ok()) return data.status();

  absl::StatusOr<Step> step = TrainingStep();
  if (!step.ok()) return step.status();
  absl::StatusOr<Executable> accuracy = ShareOfRightAnswers();
  if (!accuracy.ok()) return accuracy.status();
  NumPyRandom random(1);
  absl::StatusOr<NamedArrays> initial = InitialState(*step, random);
  if (!initial.ok()) return initial.status();
  absl::StatusOr<State> state = step->Start(*initial);
  if (!state.ok()) return state.status();

  float rate = 0.02f;
  for (int64_t epoch = 1; epoch <= kRounds; epoch++) {
    const std::vector<int64_t> order = random.Permutation(data->train.size());
    double total = 0;
    int64_t batches = 0;
    for (size_t first = 0; first < order.size(); first += kBatch, batches++) {
      // The last batch is smaller: the same step runs any number of rows.
      absl::StatusOr<Dataset> batch =
          Take(data->train, absl::MakeConstSpan(order).subspan(first, kBatch));
      if (!batch.ok()) return batch.status();
      absl::StatusOr<std::vector<Array>> out =
          step->Run(*state, {{"x", batch->inputs}, {"y", batch->targets}, {"rate", Array(rate)}});
      if (!out.ok()) return out.status();
      total += (*out)[0].At(0);
    }
    // Whatever one likes to do between steps, in plain C++.
    if (epoch % 10 == 0) {
      std::cout << "epoch " << epoch << ": loss " << total / static_cast<double>(batches) << "\n";
      rate /= 2;
    }
  }

  NamedArrays inputs = {{"x", data->test.inputs}, {"y", data->test.targets}};
  for (const char* name : {"w1", "b1", "w2", "b2"}) {
    absl::StatusOr<Array> parameter = state->Get(name);
    if (!parameter.ok()) return parameter.status();
    inputs.insert({name, *parameter});
  }
  absl::StatusOr<std::vector<Array>> right = accuracy->Run(inputs);
  if (!right.ok()) return right.status();
  std::cout << "accuracy on the test set: " << (*right)[0].At(0) << "\n";
  if ((*right)[0].At(0) < 0.7) return absl::InternalError("the network has learned nothing");
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = TrainByHand(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
