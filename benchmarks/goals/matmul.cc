// Products of matrices: a graph of one contraction, compiled once and run many times, against
// OpenBLAS and oneDNN where they are here, and against the peak. Usage: matmul [--quick] blobs.csv
// (which is not read)
//
// All sides work on the same operands, in turn, on one thread, and the best time of each counts; a
// call of Talweg's makes the array of its result, the libraries write where they are told. stderr
// gets a table; stdout gets SIDE_DTYPE_FORMS_SIZE_gflops for each, where FORMS says of both
// operands whether they are transposed (tn: the first one is), and the ratios of the goals.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/common/libraries.h"
#include "jit/peak.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

struct Case {
  DType dtype;
  bench::Product product;
  bool is_goal = false;  // of the goals' ratios

  bool IsSquare() const { return product.m == product.k && product.k == product.n; }
  std::string Forms() const {
    return absl::StrCat(product.a_transposed ? "t" : "n", product.b_transposed ? "t" : "n");
  }
  std::string Size() const {
    if (IsSquare()) return absl::StrCat(product.m);
    return absl::StrCat(product.m, "x", product.k, "x", product.n);
  }
  double Flop() const {
    return 2.0 * static_cast<double>(product.m) * static_cast<double>(product.k) *
           static_cast<double>(product.n);
  }
};

// Squares, and what layers have: a batch of 1, 32 and 128, a gradient of weights, a last layer.
constexpr int64_t kSquares[] = {16,  32,  64,   100,  128,  200,  256, 400,
                                512, 768, 1000, 1024, 1536, 2048, 4096};
constexpr int64_t kSkinny[][3] = {{1, 1024, 1024},  {32, 2048, 2048}, {128, 784, 2048},
                                  {784, 128, 2048}, {512, 2048, 10},  {4096, 64, 64}};
// The squares that the goals are about.
constexpr int64_t kGoalLeast = 64, kGoalMost = 2048;

std::vector<Case> Cases(bool quick) {
  std::vector<bench::Product> products;
  for (const int64_t n : kSquares) {
    if (!quick || n <= 100) products.push_back({.m = n, .k = n, .n = n});
  }
  for (const auto& [m, k, n] : kSkinny) {
    if (!quick || m == 1) products.push_back({.m = m, .k = k, .n = n});
  }
  std::vector<Case> cases;
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        for (bench::Product p : products) {
          p.a_transposed = a_transposed;
          p.b_transposed = b_transposed;
          Case c{dtype, p};
          c.is_goal = c.IsSquare() && p.m >= kGoalLeast && p.m <= kGoalMost;
          cases.push_back(c);
        }
      }
    }
  }
  return cases;
}

// One of those that are compared.
struct Side {
  std::string name;
  std::function<absl::Status()> run;
  int repeats = 1;  // of a sample, so that it lasts long enough to be timed
  double best = std::numeric_limits<double>::infinity();  // seconds a product
};

absl::StatusOr<double> Seconds(const Side& side) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < side.repeats; i++) {
    if (absl::Status status = side.run(); !status.ok()) return status;
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return time.count() / side.repeats;
}

// All sides in turn until `seconds` have passed, at least a few times each; fewer where that takes
// long. Each has run before.
absl::Status Race(std::vector<Side>& sides, double seconds) {
  // Long ones have a second round all the same: the system may take long to find the pages of a
  // large result, but gives the same ones again.
  constexpr double kSample = 50e-6, kLong = 4;
  constexpr int kLeastRounds = 3;
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0;; round++) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (round > kLeastRounds && passed.count() >= seconds) return absl::OkStatus();
    if (round > 0 && passed.count() >= kLong) return absl::OkStatus();
    for (Side& side : sides) {
      const absl::StatusOr<double> time = Seconds(side);
      if (!time.ok()) return time.status();
      side.best = std::min(side.best, *time);
      side.repeats = static_cast<int>(std::clamp(kSample / side.best, 1.0, 1e4));
    }
  }
}

absl::StatusOr<bench::Call> Contraction(const Case& c) {
  return bench::CallOf(JitEngine(), [&](Tape& t) {
    const bench::Product& p = c.product;
    const Value a = t.Input("a", c.dtype, p.a_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k});
    const Value b = t.Input("b", c.dtype, p.b_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n});
    return Contract(a, b,
                    {.lhs_sum = {p.a_transposed ? 0 : 1}, .rhs_sum = {p.b_transposed ? 1 : 0}});
  });
}

// Whether a library computes what Talweg does. Operands are from 0.1 to 1, so that sums cannot
// cancel; they differ by the orders of the sums.
absl::Status Agree(const Case& c, const std::string& library, const Array& ours,
                   const Array& theirs) {
  const double tolerance = (c.dtype == kFloat32 ? 1e-6 : 1e-14) *
                           std::max(10.0, std::sqrt(static_cast<double>(c.product.k)));
  for (int64_t i = 0; i < ours.size(); i++) {
    if (!(std::abs(ours.At(i) - theirs.At(i)) <= tolerance * std::abs(ours.At(i)))) {
      return absl::InternalError(absl::StrCat(library, " and Talweg differ at ", c.Size(), " ",
                                              c.Forms(), ", element ", i, ": ", theirs.At(i), ", ",
                                              ours.At(i)));
    }
  }
  return absl::OkStatus();
}

// Talweg first, then the libraries that have products of this type.
absl::StatusOr<std::vector<Side>> Measure(const Case& c,
                                          const std::vector<bench::ProductLibrary>& libraries,
                                          double seconds) {
  const absl::StatusOr<bench::Call> call = Contraction(c);
  if (!call.ok()) return call.status();
  const absl::StatusOr<std::vector<Array>> ours = call->Run();
  if (!ours.ok()) return ours.status();
  std::vector<Side> sides = {{"talweg", [&] { return call->Run().status(); }}};
  std::vector<Array> results(libraries.size());
  for (size_t i = 0; i < libraries.size(); i++) {
    const bench::ProductLibrary& library = libraries[i];
    if (c.dtype == kFloat64 && !library.float64) continue;
    absl::StatusOr<Array> result = Array::Zeros(c.dtype, {c.product.m, c.product.n});
    if (!result.ok()) return result.status();
    results[i] = *std::move(result);
    const Array &a = call->inputs[0], &b = call->inputs[1];
    std::function<absl::Status()> run = [&c, &library, a, b, out = results[i].mutable_bytes()] {
      if (c.dtype == kFloat32) {
        library.float32(c.product, a.data<float>().data(), b.data<float>().data(),
                        reinterpret_cast<float*>(out));
      } else {
        library.float64(c.product, a.data<double>().data(), b.data<double>().data(),
                        reinterpret_cast<double*>(out));
      }
      return absl::OkStatus();
    };
    if (absl::Status status = run(); !status.ok()) return status;
    if (absl::Status s = Agree(c, library.version, ours->front(), results[i]); !s.ok()) return s;
    sides.push_back({library.name, std::move(run)});
  }
  if (absl::Status status = Race(sides, seconds); !status.ok()) return status;
  return sides;
}

// The libraries that are here. What is missing is said, and with it the goals are, which are
// against the better of two.
std::vector<bench::ProductLibrary> Libraries() {
  std::vector<bench::ProductLibrary> libraries;
  std::string missing;
  for (absl::StatusOr<bench::ProductLibrary> library : {bench::OpenBlas(), bench::OneDnn()}) {
    if (library.ok()) {
      std::cerr << "against " << library->version << "\n";
      libraries.push_back(*std::move(library));
    } else {
      missing = std::string(library.status().message());
      std::cerr << missing << ": its ratios are left out\n";
    }
  }
  std::vector<std::string> keys;
  if (libraries.size() < 2) keys = {"over_best_library", "worst_over_best_library"};
  if (libraries.empty()) {
    keys.insert(keys.end(), {"over_best_library_all", "worst_over_best_library_all"});
  }
  for (const std::string& key : keys) std::printf("absent %s %s\n", key.c_str(), missing.c_str());
  return libraries;
}

// Ratios to the better of the libraries, over some of the cases.
class Ratios {
 public:
  void Add(double ratio) {
    logs_ += std::log(ratio);
    count_++;
    worst_ = std::min(worst_, ratio);
  }
  void Print(const char* suffix) const {
    if (count_ == 0) return;
    std::printf("over_best_library%s %.4f worst_over_best_library%s %.4f\n", suffix,
                std::exp(logs_ / count_), suffix, worst_);
  }

 private:
  double logs_ = 0, worst_ = std::numeric_limits<double>::infinity();
  int count_ = 0;
};

absl::Status MeasureAll(bool quick) {
  const std::vector<bench::ProductLibrary> libraries = Libraries();
  const absl::StatusOr<double> peak = MeasurePeak("native");
  if (!peak.ok()) return peak.status();
  std::printf("fma_gflops %.3f\n", *peak);
  Ratios goal, all;
  std::fprintf(stderr, "%8s %6s %14s  GFLOP/s and share of peak of each\n", "dtype", "forms",
               "m x k x n");
  for (const Case& c : Cases(quick)) {
    const bool is_plain = c.dtype == kFloat32 && c.Forms() == "nn";
    const double seconds = quick ? 0 : c.is_goal && is_plain ? 0.6 : 0.15;
    const absl::StatusOr<std::vector<Side>> sides = Measure(c, libraries, seconds);
    if (!sides.ok()) return sides.status();
    std::fprintf(stderr, "%8s %6s %14s", c.dtype == kFloat32 ? "float32" : "float64",
                 c.Forms().c_str(), c.Size().c_str());
    // A vector holds half as many float64.
    const double most = c.dtype == kFloat32 ? *peak : *peak / 2;
    double library = std::numeric_limits<double>::infinity();
    for (const Side& side : *sides) {
      if (&side != &sides->front()) library = std::min(library, side.best);
      const double gflops = c.Flop() / side.best * 1e-9;
      std::fprintf(stderr, "  %8s %6.1f %3.0f %%", side.name.c_str(), gflops, 100 * gflops / most);
      std::printf("%s_%s_%s_%s_gflops %.3f\n", side.name.c_str(),
                  c.dtype == kFloat32 ? "float32" : "float64", c.Forms().c_str(), c.Size().c_str(),
                  gflops);
    }
    std::fprintf(stderr, "\n");
    if (!c.is_goal || std::isinf(library)) continue;
    all.Add(library / sides->front().best);
    if (is_plain && libraries.size() == 2) goal.Add(library / sides->front().best);
  }
  goal.Print("");
  all.Print("_all");
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  return talweg::bench::ExitCode(MeasureAll(quick));
}
