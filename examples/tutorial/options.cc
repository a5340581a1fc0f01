#include "examples/tutorial/options.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/tutorial/experiments.h"

namespace talweg::tutorial {
namespace {

constexpr int64_t kMaxCount = 1'000'000;

std::string Names() {
  return absl::StrJoin(kExperiments, ", ",
                       [](std::string* out, const Experiment& e) { out->append(e.name); });
}

absl::StatusOr<int64_t> Whole(std::string_view flag, std::string_view text, int64_t low,
                              int64_t high) {
  int64_t value = 0;
  if (absl::SimpleAtoi(AbslView(text), &value) && value >= low && value <= high) {
    return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(std::string(flag), " takes a whole number from ",
                                                 low, " to ", high, ", not ", Quoted(text)));
}

absl::StatusOr<std::vector<std::string>> ExperimentNames(std::string_view text) {
  std::vector<std::string> names = absl::StrSplit(AbslView(text), ',');
  std::set<std::string> seen;
  for (const std::string& name : names) {
    const bool known = std::any_of(std::begin(kExperiments), std::end(kExperiments),
                                   [&](const Experiment& e) { return e.name == name; });
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no experiment ", Quoted(name), "; there are ", Names()));
    }
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(absl::StrCat("--experiments names ", name, " twice"));
    }
  }
  return names;
}

absl::Status Take(Options& options, const std::string& flag, std::string_view value,
                  std::string_view standing) {
  const auto number = [&](int64_t& field, int64_t low, int64_t high) {
    const absl::StatusOr<int64_t> parsed = Whole(flag, value, low, high);
    if (parsed.ok()) field = *parsed;
    return parsed.status();
  };
  const auto path = [&](std::string& field) {
    field = UserPath(value, standing);
    return absl::OkStatus();
  };
  const std::map<std::string, std::function<absl::Status()>> takers = {
      {"--out", [&] { return path(options.out); }},
      {"--weights", [&] { return path(options.weights); }},
      {"--seeds", [&] { return number(options.seeds, 1, kMaxCount); }},
      {"--epochs", [&] { return number(options.epochs, 1, kMaxCount); }},
      {"--seed",
       [&] {
         options.seed_given = true;
         return number(options.seed, 0, kMaxSeed);
       }},
      {"--experiments",
       [&]() -> absl::Status {
         absl::StatusOr<std::vector<std::string>> names = ExperimentNames(value);
         if (names.ok()) options.experiments = *std::move(names);
         return names.status();
       }},
      {"--precision",
       [&]() -> absl::Status {
         if (value != "float32" && value != "float64") {
           return absl::InvalidArgumentError(
               absl::StrCat("--precision is float32 or float64, not ", Quoted(value)));
         }
         options.precision = value == "float32" ? kFloat32 : kFloat64;
         return absl::OkStatus();
       }},
      {"--engine",
       [&]() -> absl::Status {
         const absl::StatusOr<Engine> engine = EngineByName(value);
         if (engine.ok()) options.engine = std::string(value);
         return engine.status();
       }},
      {"--cache",
       [&]() -> absl::Status {
         options.cache = value == "off" ? "off" : UserPath(value, standing);
         std::error_code ignored;
         const std::filesystem::file_status status =
             std::filesystem::status(options.cache, ignored);
         if (value != "off" && std::filesystem::exists(status) &&
             !std::filesystem::is_directory(status)) {
           return absl::InvalidArgumentError(
               absl::StrCat("--cache takes a folder or off; ", Quoted(value), " is a file"));
         }
         return absl::OkStatus();
       }},
  };
  const auto taker = takers.find(flag);
  if (taker == takers.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no option ", Quoted(flag), "; --help lists them"));
  }
  if (value.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " needs a value: ", flag, "=... ; --help says which"));
  }
  return taker->second();
}

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments,
                                     std::string_view standing) {
  Options options;
  options.out = UserPath(options.out, standing);
  std::set<std::string> seen;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    if (!seen.insert(flag).second) {
      return absl::InvalidArgumentError(absl::StrCat(Quoted(flag), " is given twice"));
    }
    if (flag == "--help" || flag == "-h" || flag == "--no-figures") {
      if (equals != std::string::npos) {
        return absl::InvalidArgumentError(absl::StrCat(flag, " takes no value"));
      }
      if (flag == "--no-figures") {
        options.figures = false;
      } else {
        options.help = true;
      }
      continue;
    }
    if (flag.empty() || flag[0] != '-') {
      return absl::InvalidArgumentError(
          absl::StrCat("there are no arguments but options, so not ", Quoted(argument)));
    }
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (absl::Status s = Take(options, flag, value, standing); !s.ok()) return s;
  }
  if (options.seed > kMaxSeed - (options.seeds - 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--seed and --seeds ask for seeds beyond ", kMaxSeed));
  }
  return options;
}

std::string Usage() {
  return absl::StrCat(
      "The tutorial \"Understand the Impact of Learning Rate on Neural Network Performance\": "
      "nine\n"
      "figures and the numbers behind them.\n\n"
      "  --out=DIR             where figures and history.csv go; default figures\n"
      "  --experiments=a,b     some of ",
      Names(),
      ";\n"
      "                        default all\n"
      "  --seed=1              of the first weights and the order of the samples\n"
      "  --seeds=1             how many seeds, from --seed on; with several the figures show "
      "means\n"
      "                        (of rates that fall with a plateau: medians), and bands from the\n"
      "                        10th to the 90th percentile\n"
      "  --epochs=200\n"
      "  --precision=float32   or float64\n"
      "  --engine=jit          what runs the graphs; or interpreter\n"
      "  --cache=DIR           where compiled code is kept for the next run, or off; default\n"
      "                        $TALWEG_CACHE_DIR, $XDG_CACHE_HOME/talweg or ~/.cache/talweg\n"
      "  --no-figures          history.csv and the table only\n"
      "  --weights=FILE        start from these weights: a run of tests/data/keras_2_3_1 or a "
      "saved\n"
      "                        model (safetensors), with NumPy's shuffles of its seed\n"
      "  --help                this text\n\n"
      "Relative paths start where you stand. Exit code: 0, or 1 with a line that begins \"error: "
      "\".\n");
}

absl::Status PrepareFolder(const std::string& folder, absl::Span<const std::string> files) {
  const auto refused = [&](std::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat("the output folder ", Quoted(folder, 300),
                                                   " cannot be written: ", std::string(reason)));
  };
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return refused(error.message());
  for (const std::string& file : files) {
    const absl::Status status = CheckWritable(JoinPath(folder, file));
    if (!status.ok()) return refused(StdView(status.message()));
  }
  return absl::OkStatus();
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  return (std::filesystem::path(folder) / name).string();
}

}  // namespace talweg::tutorial
