// The tutorial's training: 3,200 updates alone with each optimizer (see Updates), and whole fits of
// 200 epochs. op/s: updates.

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "benchmarks/common/tutorial.h"
#include "benchmarks/micro/micro.h"

int main(int argc, char** argv) {
  using namespace talweg;  // NOLINT: a program, not a library
  benchmark::Initialize(&argc, argv);
  const absl::StatusOr<Dataset> blobs =
      Blobs({.samples = 1000, .centers = 3, .cluster_std = 2, .seed = 2});
  const absl::StatusOr<Dataset> one_hot = blobs.ok() ? OneHotTargets(*blobs, 3) : blobs;
  const absl::StatusOr<TrainTest> data = one_hot.ok() ? Split(*one_hot, 500) : one_hot.status();
  if (!data.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(data.status().message()).c_str());
    return 1;
  }
  constexpr int64_t kUpdates = 3200;
  for (const bench::NamedEngine& engine : bench::kEngines) {
    for (const auto& [name, rule] : bench::TutorialRules()) {
      Training training = bench::TutorialTraining(rule);
      bench::Register(
          absl::StrCat("updates/", name, "/", engine.name),
          [&, training] { return bench::Updates(engine.engine, training, data->train, kUpdates); },
          kUpdates);
    }
    const auto fit = [&](const char* name, const Training& training, const TrainTest& samples) {
      bench::Register(
          absl::StrCat("fit/", name, "/", engine.name),
          [&engine, training, samples] {
            return bench::WholeFit(engine.engine, training, samples);
          },
          kUpdates);
    };
    fit("sgd", bench::TutorialTraining(), *data);
    fit("adam", bench::TutorialTraining(Adam()), *data);
    fit("without_validation", bench::TutorialTraining(), {data->train, {}});
    Training wide = bench::TutorialTraining(), ordered = wide;
    wide.dtype = kFloat64;
    fit("float64", wide, *data);
    ordered.shuffle = Shuffle::kNone;
    fit("without_shuffle", ordered, *data);
  }
  benchmark::RunSpecifiedBenchmarks();
}
