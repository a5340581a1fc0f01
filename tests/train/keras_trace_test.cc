// Talweg repeats runs of the real Keras 2.3.1: one test a file, named by the file's stem, on every
// engine, with the same bits on each. The environment's KERAS_TRACES, a folder or a file, takes the
// place of the files that come with Talweg; agreement.json beside them says how closely each run is
// defined, and where it does not, all epochs must agree to 1e-9.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/keras_trace.h"
#include "gtest/gtest.h"
#include "tests/graphs/engines.h"
#include "tools/trace_training.h"

namespace talweg {
namespace {

constexpr char kBuiltIn[] = "tests/data/keras_2_3_1";
constexpr char kAgreements[] = "agreement.json";

// Whether two engines gave the same history and the same weights, to the bit (NaNs as a class).
bool SameRun(const KerasTrace& a, const KerasTrace& b) {
  const auto same = [](double x, double y) { return SameBits(Array(x), Array(y)); };
  if (a.columns.size() != b.columns.size()) return false;
  for (const auto& [name, column] : a.columns) {
    const auto other = b.columns.find(name);
    if (other == b.columns.end() || !std::equal(column.begin(), column.end(), other->second.begin(),
                                                other->second.end(), same)) {
      return false;
    }
  }
  if (a.final_weights.size() != b.final_weights.size()) return false;
  for (const auto& [name, weights] : a.final_weights) {
    const auto other = b.final_weights.find(name);
    if (other == b.final_weights.end() || !SameBits(weights, other->second)) return false;
  }
  return true;
}

class TraceTest : public testing::Test {
 public:
  explicit TraceTest(std::filesystem::path path) : path_(std::move(path)) {}

  void TestBody() override {
    const absl::StatusOr<KerasTrace> trace = ReadKerasTrace(path_);
    ASSERT_TRUE(trace.ok()) << trace.status();
    Agreement agreement = StrictAgreement(*trace);
    if (const auto path = path_.parent_path() / kAgreements; std::filesystem::exists(path)) {
      const absl::StatusOr<Agreements> agreements = ReadAgreements(path);
      ASSERT_TRUE(agreements.ok()) << agreements.status();
      const auto found = agreements->find(path_.stem().string());
      if (found != agreements->end()) agreement = found->second;
    }
    std::optional<KerasTrace> first;
    for (const NamedEngine& engine : MainEngines()) {
      const auto start = std::chrono::steady_clock::now();
      const absl::StatusOr<KerasTrace> ours = ReplayTrace(engine.make, *trace);
      ASSERT_TRUE(ours.ok()) << engine.name << ": " << ours.status();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      std::cout << engine.name << ": " << took.count() << " s\n";
      for (const std::string& difference : Disagreements(*ours, *trace, agreement)) {
        ADD_FAILURE() << engine.name << ": " << difference;
      }
      if (!first.has_value()) first = *ours;
      EXPECT_TRUE(SameRun(*first, *ours)) << "the bits of " << engine.name << " are others";
    }
  }

 private:
  std::filesystem::path path_;
};

// What stands in for traces that can not be found, and for what is no trace: nothing may pass
// because nothing was there, or because nothing looked at it.
class Failure : public testing::Test {
 public:
  explicit Failure(std::string reason) : reason_(std::move(reason)) {}
  void TestBody() override { FAIL() << reason_; }

 private:
  std::string reason_;
};

void Register(const std::string& name, std::function<testing::Test*()> make) {
  testing::RegisterTest("KerasTrace", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        std::move(make));
}

void RegisterFailure(const std::string& name, const std::string& reason) {
  Register(name, [reason] { return new Failure(reason); });
}

// agreement.json must not speak of runs that are not there.
void RegisterAgreementsWithoutTraces(const std::filesystem::path& path,
                                     const std::vector<std::filesystem::path>& files) {
  const absl::StatusOr<Agreements> agreements = ReadAgreements(path);
  if (!agreements.ok()) return RegisterFailure("Agreements", agreements.status().ToString());
  std::set<std::string> stems;
  for (const std::filesystem::path& file : files) stems.insert(file.stem());
  for (const auto& [name, agreement] : *agreements) {
    if (stems.contains(name)) continue;
    RegisterFailure(name, path.string() + " speaks of a trace that is not there");
  }
}

void RegisterTraces() {
  const char* chosen = std::getenv("KERAS_TRACES");
  const std::filesystem::path root = chosen == nullptr ? kBuiltIn : chosen;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (std::filesystem::is_directory(root, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
      const std::filesystem::path& path = entry.path();
      if (path.filename() == kAgreements || path.extension() == ".md") continue;
      if (path.extension() == ".json" && std::filesystem::is_regular_file(path, error)) {
        files.push_back(path);
      } else {
        RegisterFailure(path.filename(), path.string() + " is neither a trace (*.json) nor a page");
      }
    }
    // Who copies some of the traces may copy the agreements of all.
    if (chosen == nullptr) RegisterAgreementsWithoutTraces(root / kAgreements, files);
  } else if (std::filesystem::exists(root, error)) {
    files.push_back(root);
  }
  if (files.empty() || error) {
    RegisterFailure("AreThere", "no traces (*.json) in " + root.string());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    Register(file.stem(), [file] { return new TraceTest(file); });
  }
}

}  // namespace
}  // namespace talweg

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  talweg::RegisterTraces();
  return RUN_ALL_TESTS();
}
