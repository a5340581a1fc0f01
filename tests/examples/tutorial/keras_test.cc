// From Keras's own first weights, in its shuffles and in float64, the tutorial repeats Keras's
// runs.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/csv.h"
#include "data/keras_trace.h"
#include "data/safetensors.h"
#include "gtest/gtest.h"
#include "tests/examples/tutorial/program.h"

namespace talweg::tutorial {
namespace {

const char kTraces[] = "tests/data/keras_2_3_1/";

// Which trace a run repeats.
const std::map<std::string, std::string>& Traces() {
  static const auto& traces =
      *new std::map<std::string, std::string>{{"lrate=1.0", "learning_rate_1e-0"},
                                              {"lrate=0.1", "learning_rate_1e-1"},
                                              {"lrate=0.01", "learning_rate_1e-2"},
                                              {"lrate=0.001", "learning_rate_1e-3"},
                                              {"lrate=0.0001", "learning_rate_1e-4"},
                                              {"lrate=1e-05", "learning_rate_1e-5"},
                                              {"lrate=1e-06", "learning_rate_1e-6"},
                                              {"lrate=1e-07", "learning_rate_1e-7"},
                                              {"momentum=0.0", "momentum_0"},
                                              {"momentum=0.5", "momentum_0.5"},
                                              {"momentum=0.9", "momentum_0.9"},
                                              {"momentum=0.99", "momentum_0.99"},
                                              {"decay=0.1", "decay_1e-1"},
                                              {"decay=0.01", "decay_1e-2"},
                                              {"decay=0.001", "decay_1e-3"},
                                              {"decay=0.0001", "decay_1e-4"},
                                              {"patience=2", "plateau_2"},
                                              {"patience=5", "plateau_5"},
                                              {"patience=10", "plateau_10"},
                                              {"patience=15", "plateau_15"},
                                              {"opt=sgd", "optimizer_sgd"},
                                              {"opt=rmsprop", "optimizer_rmsprop"},
                                              {"opt=adagrad", "optimizer_adagrad"},
                                              {"opt=adam", "optimizer_adam"}};
  return traces;
}

// Column by column, the rows of each run.
using Columns = std::map<std::string, std::vector<double>>;

std::map<std::string, Columns> RunsIn(const std::string& folder) {
  const absl::StatusOr<Table> table =
      ReadCsv(folder + "/history.csv", {.text = {"experiment", "run"}});
  EXPECT_TRUE(table.ok()) << table.status();
  std::map<std::string, Columns> runs;
  if (!table.ok()) return runs;
  const auto& names = std::get<std::vector<std::string>>(table->Find("run")->cells);
  for (const Table::Column& column : table->columns) {
    const auto* numbers = std::get_if<std::vector<double>>(&column.cells);
    for (size_t i = 0; numbers != nullptr && i < names.size(); i++) {
      runs[names[i]][column.name].push_back((*numbers)[i]);
    }
  }
  return runs;
}

// Within the tolerance that belongs to the trace, over the epochs for which it is well defined.
void ExpectAgrees(const Columns& run, const KerasTrace& trace, const Agreement& agreement) {
  ASSERT_EQ(run.at("loss").size(), static_cast<size_t>(trace.epochs));
  const auto epochs = static_cast<size_t>(agreement.epochs);
  const auto compare = [&](const std::string& column, double tolerance) {
    const std::vector<double>&ours = run.at(column), &keras = trace.columns.at(column);
    for (size_t i = 0; i < epochs; i++) {
      ASSERT_NEAR(ours[i], keras[i], tolerance * std::abs(keras[i]))
          << column << ", epoch " << i + 1;
    }
  };
  compare("loss", agreement.tolerance);
  compare("val_loss", agreement.tolerance);
  compare("lr", 1e-12);
  const auto count = [&](const std::string& column, int64_t samples) {
    double differing = 0;
    for (size_t i = 0; i < epochs; i++) {
      differing +=
          std::abs(run.at(column)[i] - trace.columns.at(column)[i]) * static_cast<double>(samples);
    }
    EXPECT_LE(differing, std::ceil(static_cast<double>(epochs) / 100) + 1e-6) << column;
  };
  count("accuracy", trace.train);
  count("val_accuracy", trace.samples - trace.train);
}

TEST(Tutorial, RepeatsKerasFromItsWeights) {
  const std::string folder = NewFolder();
  const Outcome outcome = RunTutorial({"--out=" + folder, "--precision=float64", "--no-figures",
                                       std::string("--weights=") + kTraces + "momentum_0.json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const absl::StatusOr<Agreements> agreements =
      ReadAgreements(std::string(kTraces) + "agreement.json");
  ASSERT_TRUE(agreements.ok()) << agreements.status();
  const std::map<std::string, Columns> runs = RunsIn(folder);
  EXPECT_EQ(runs.size(), Traces().size());
  for (const auto& [run, stem] : Traces()) {
    SCOPED_TRACE(run);
    ASSERT_TRUE(runs.contains(run));
    const absl::StatusOr<KerasTrace> trace = ReadKerasTrace(kTraces + stem + ".json");
    ASSERT_TRUE(trace.ok()) << trace.status();
    ASSERT_TRUE(agreements->contains(stem));
    ExpectAgrees(runs.at(run), *trace, agreements->at(stem));
    EXPECT_EQ(runs.at(run).at("seed")[0], trace->seed);
  }
}

// A saved model holds the same weights, and the seed as metadata.
TEST(Tutorial, StartsFromASavedModel) {
  const std::string file = std::string(kTraces) + "momentum_0.json";
  const absl::StatusOr<KerasTrace> trace = ReadKerasTrace(file);
  ASSERT_TRUE(trace.ok()) << trace.status();
  const std::string folder = NewFolder(), model = folder + "/model.safetensors";
  ASSERT_TRUE(SaveArrays(model, trace->initial_weights, {{"seed", "1"}}).ok());

  const auto history = [&](const std::string& weights, const std::string& out) {
    const Outcome outcome =
        RunTutorial({"--out=" + out, "--weights=" + weights, "--precision=float64",
                     "--experiments=momentum", "--epochs=3", "--no-figures"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return ReadFile(out + "/history.csv").value_or("");
  };
  const std::string from_trace = history(file, folder + "/trace");
  EXPECT_EQ(std::count(from_trace.begin(), from_trace.end(), '\n'), 1 + 4 * 3);
  EXPECT_EQ(history(model, folder + "/model"), from_trace);
}

// Another network's weights are refused, with the parameter that does not fit.
TEST(Tutorial, RefusesWeightsOfAnotherNetwork) {
  const std::string folder = NewFolder(), model = folder + "/model.safetensors";
  ASSERT_TRUE(SaveArrays(model, {{"hidden/kernel", Array::Matrix<double>({{1, 2}})}}).ok());
  const Outcome outcome =
      RunTutorial({"--out=" + folder + "/out", "--weights=" + model, "--experiments=momentum"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err.rfind("error: momentum=0.0: ", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find("hidden/"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder + "/out/history.csv"));
}

}  // namespace
}  // namespace talweg::tutorial
