// Draws what `./dev bench` has measured of products of matrices and of a large network: the share
// of the peak against the size, one line a library. Usage: shares FIGURES DIR
//
// FIGURES is what tools/dev/bench.sh collects, a line a figure: `CORES PROGRAM.KEY VALUE`. Keys are
// [SIDE_]NAME_SIZE_gflops, as goals/matmul.cc and goals/large.cc print them. Of equal keys the
// greatest counts. A figure of which nothing was measured is not drawn.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "talweg.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

using Measured = std::map<std::string, double>;  // by PROGRAM.KEY

absl::StatusOr<Measured> Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  Measured measured;
  std::string cores, key;
  for (double value; file >> cores >> key >> value;) {
    const auto [place, is_new] = measured.emplace(key, value);
    if (!is_new) place->second = std::max(place->second, value);
  }
  return measured;
}

struct Library {
  const char* name;    // in the legend
  const char* prefix;  // of its keys
};

// The line of keys PREFIX NAME _SIZE_gflops, over the sizes; empty where there are none.
Series Line(const Measured& measured, const Library& library, const std::string& name,
            double peak) {
  std::map<double, double> shares;
  const std::string prefix = absl::StrCat(library.prefix, name, "_"), suffix = "_gflops";
  for (const auto& [key, gflops] : measured) {
    if (!absl::StartsWith(key, prefix) || !absl::EndsWith(key, suffix)) continue;
    double size = 0;
    const size_t length = key.size() - prefix.size() - suffix.size();
    if (absl::SimpleAtod(key.substr(prefix.size(), length), &size)) shares[size] = gflops / peak;
  }
  Series line{.name = library.name};
  for (const auto& [size, share] : shares) {
    line.x.push_back(size);
    line.y.push_back(share);
  }
  return line;
}

struct PanelSpec {
  const char* title;
  const char* name;
  const char* peak;  // the key of the peak
};

absl::Status DrawShares(const Measured& measured, const std::vector<PanelSpec>& panels,
                        const std::vector<Library>& libraries, const char* x,
                        const std::string& path) {
  Figure figure{.columns = static_cast<int>(panels.size()), .share_x = true, .share_y = true};
  size_t points = 0;
  for (const PanelSpec& spec : panels) {
    const auto peak = measured.find(spec.peak);
    if (peak == measured.end()) return absl::NotFoundError("the peak was not measured");
    Panel panel{.title = spec.title,
                .x = {.label = x, .log = true},
                .y = {.label = "share of peak", .low = 0, .high = 1}};
    for (size_t i = 0; i < libraries.size(); i++) {
      Series line = Line(measured, libraries[i], spec.name, peak->second);
      line.color = kPalette[i];  // the same in each panel, whatever is missing
      points += line.y.size();
      if (!line.y.empty()) panel.series.push_back(std::move(line));
    }
    figure.panels.push_back(std::move(panel));
  }
  if (points == 0) return absl::OkStatus();
  std::cerr << "drawing " << path << ".png\n";
  return Draw(figure, path);
}

absl::Status DrawAll(const std::string& figures, const std::string& folder) {
  const absl::StatusOr<Measured> measured = Read(figures);
  if (!measured.ok()) return measured.status();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::UnknownError(absl::StrCat(folder, ": ", error.message()));
  const absl::Status matmul = DrawShares(*measured,
                                         {{"float32", "float32_nn", "peak.peak_gflops_f32"},
                                          {"float64", "float64_nn", "peak.peak_gflops_f64"}},
                                         {{"Talweg", "matmul.talweg_"},
                                          {"OpenBLAS", "matmul.openblas_"},
                                          {"oneDNN", "matmul.onednn_"},
                                          {"JAX", "jax_matmul."},
                                          {"PyTorch", "torch_matmul."}},
                                         "rows and columns", folder + "/matmul");
  if (!matmul.ok()) return matmul;
  return DrawShares(*measured,
                    {{"SGD", "sgd", "peak.peak_gflops_f32"},
                     {"momentum", "momentum", "peak.peak_gflops_f32"},
                     {"Adam", "adam", "peak.peak_gflops_f32"}},
                    {{"Talweg", "large."}, {"JAX", "jax_large."}, {"PyTorch", "torch_large."}},
                    "batch", folder + "/large");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "error: usage: " << argv[0] << " FIGURES DIR\n";
    return 1;
  }
  const absl::Status status = DrawAll(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}
