#include "train/callbacks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/safetensors.h"
#include "optim/monitor.h"

namespace talweg {
namespace {

// ---- Paths with values in braces. ----

// A format of Python's for numbers: [0][width][.precision][type].
struct NumberFormat {
  bool zeros = false;
  int width = 0;
  std::optional<int> precision;
  char type = 0;  // 0, d, f, e, g
};

// Beyond this no file name is long enough.
constexpr int kMaxDigits = 99;

std::optional<NumberFormat> ParseFormat(std::string_view text) {
  NumberFormat format;
  const auto digits = [&text](int& number) {
    const size_t before = text.size();
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && number <= kMaxDigits) {
      number = number * 10 + (text.front() - '0');
      text.remove_prefix(1);
    }
    return text.size() < before && number <= kMaxDigits;
  };
  if (text.starts_with('0')) {
    format.zeros = true;
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() >= '1' && text.front() <= '9' && !digits(format.width)) {
    return std::nullopt;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    int precision = 0;
    if (!digits(precision)) return std::nullopt;
    format.precision = precision;
  }
  if (!text.empty() && std::string_view("dfeg").find(text.front()) != std::string_view::npos) {
    format.type = text.front();
    text.remove_prefix(1);
  }
  // As in Python, whole numbers have no precision, and a precision alone is that of "g".
  if (!text.empty() || (format.type == 'd' && format.precision)) return std::nullopt;
  if (format.precision && format.type == 0) format.type = 'g';
  return format;
}

std::string FormatValue(const NumberFormat& format, double value) {
  std::string text;
  switch (format.type) {
    case 'f':
      text = absl::StrFormat("%.*f", format.precision.value_or(6), value);
      break;
    case 'e':
      text = absl::StrFormat("%.*e", format.precision.value_or(6), value);
      break;
    case 'g':
      text = absl::StrFormat("%.*g", format.precision.value_or(6), value);
      break;
    default:
      text = FormatNumber(value);
  }
  const auto width = static_cast<size_t>(format.width);
  if (text.size() >= width) return text;
  const size_t missing = width - text.size();
  if (!format.zeros) return std::string(missing, ' ') + text;
  text.insert(text.starts_with('-') ? 1 : 0, missing, '0');
  return text;
}

// The path with the values of this epoch in place of the braces.
absl::StatusOr<std::string> ExpandPath(std::string_view path,
                                       const std::map<std::string, double>& values) {
  const auto fail = [whole = path](std::string_view detail) {
    return absl::InvalidArgumentError(
        absl::StrCat("ModelCheckpoint: path ", Quoted(whole, 200), ": ", AbslView(detail)));
  };
  std::string expanded;
  while (!path.empty()) {
    const char c = path.front();
    if (c != '{' && c != '}') {
      expanded += c;
      path.remove_prefix(1);
      continue;
    }
    if (path.size() > 1 && path[1] == c) {
      expanded += c;
      path.remove_prefix(2);
      continue;
    }
    const size_t end = path.find('}');
    if (c == '}' || end == std::string_view::npos) return fail("a brace without its other");
    const std::string_view field = path.substr(1, end - 1);
    const size_t colon = std::min(field.find(':'), field.size());
    const std::string name(field.substr(0, colon));
    const auto value = values.find(name);
    if (value == values.end()) {
      return fail(absl::StrCat("there is no ", Quoted(name), ", only ",
                               absl::StrJoin(values, ", ", [](std::string* out, const auto& pair) {
                                 *out += pair.first;
                               })));
    }
    const std::string_view spelled = field.substr(std::min(colon + 1, field.size()));
    const std::optional<NumberFormat> format = ParseFormat(spelled);
    if (!format || (format->type == 'd' && name != "epoch")) {
      return fail(absl::StrCat("the format ", Quoted(spelled), " does not fit ", name,
                               "; examples are {epoch:02d} and {val_loss:.2f}"));
    }
    expanded += FormatValue(*format, value->second);
    path.remove_prefix(end + 1);
  }
  return expanded;
}

// ---- Lines of a log. ----

std::vector<Measured> Sorted(std::vector<Measured> logs) {
  std::sort(logs.begin(), logs.end(),
            [](const Measured& a, const Measured& b) { return a.name < b.name; });
  return logs;
}

std::string Header(std::vector<std::string> columns, char separator) {
  std::sort(columns.begin(), columns.end());
  std::string line = "epoch";
  for (const std::string& column : columns) {
    line += separator;
    AppendCsvField(line, column, separator);
  }
  return line;
}

// The whole lines of a log.
std::string_view WholeLines(std::string_view log) {
  return log.substr(0, log.rfind('\n') + 1);  // none: npos + 1, which is 0
}

// What is left of a log's whole lines when its last training goes on at `epoch`: without the lines
// of that training's epochs from there on, which are at the end. Others' lines stay.
std::string_view BeforeEpoch(std::string_view log, int64_t epoch) {
  int64_t after = std::numeric_limits<int64_t>::max();
  while (!log.empty()) {
    const size_t end = log.size() - 1, begin = log.rfind('\n', end - 1) + 1;
    int64_t of = 0;
    const auto [rest, error] = std::from_chars(log.data() + begin, log.data() + end, of);
    // A training's epochs ascend.
    if (begin == 0 || error != std::errc() || of < epoch || of >= after) break;
    after = of;
    log = log.substr(0, begin);
  }
  return log;
}

// A FIFO that nobody reads would be waited for: it is an error.
std::FILE* OpenLog(const std::string& path, bool append) {
  const int file = ::open(
      path.c_str(),
      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (append ? O_APPEND : O_TRUNC), 0666);
  if (file < 0) return nullptr;
  ::fcntl(file, F_SETFL, ::fcntl(file, F_GETFL) & ~O_NONBLOCK);
  std::FILE* const log = ::fdopen(file, append ? "ab" : "wb");
  if (log == nullptr) ::close(file);
  return log;
}

// Whether the process may write so many bytes more; if not, errno says why.
bool MayGrow(std::FILE* log, size_t bytes) {
  struct stat info;
  if (::fstat(::fileno(log), &info) != 0) return false;
  if (!S_ISREG(info.st_mode) || MayHaveSize(static_cast<uint64_t>(info.st_size) + bytes)) {
    return true;
  }
  errno = EFBIG;
  return false;
}

}  // namespace

void CsvLogger::OnTrainBegin(const Run& run) {
  file_.reset();
  if (absl::Status s = CheckCsvSeparator("CsvLogger", options_.separator); !s.ok()) {
    return run.Fail(s);
  }
  const std::string header = Header(run.history().columns(), options_.separator);
  bool writes_header = true;
  if (options_.append) {
    const absl::StatusOr<std::string> before = ReadFile(path_);
    if (!before.ok() && !absl::IsNotFound(before.status())) return run.Fail(before.status());
    if (before.ok() && !before->empty()) {
      const std::string first = before->substr(0, before->find('\n'));
      const bool is_cut = first.size() == before->size() && header.starts_with(first);
      if (first != header && !is_cut) {
        return run.Fail(absl::InvalidArgumentError(
            absl::StrCat("CsvLogger: ", path_, " has the columns ", Quoted(first, 200),
                         ", this training ", Quoted(header, 200))));
      }
      std::string_view kept = WholeLines(*before);
      if (run.goes_on()) kept = BeforeEpoch(kept, run.epoch());
      if (kept != *before) {
        // The log may be a link, which would not be one any more.
        std::error_code error;
        const std::string target = std::filesystem::canonical(path_, error).string();
        if (absl::Status s = WriteFile(error ? path_ : target, kept); !s.ok()) return run.Fail(s);
      }
      writes_header = kept.empty();
    }
  }
  file_.reset(OpenLog(path_, options_.append));
  if (!file_) {
    return run.Fail(
        absl::InvalidArgumentError(absl::StrCat("CsvLogger: ", path_, ": ", strerror(errno))));
  }
  if (writes_header) Write(run, header);
}

void CsvLogger::OnEpochEnd(const Run& run) {
  std::string line = absl::StrCat(run.epoch());
  for (const Measured& measured : Sorted(run.logs())) {
    line += options_.separator;
    AppendNumber(line, measured.value);
  }
  Write(run, line);
}

void CsvLogger::OnTrainEnd(const Run&) { file_.reset(); }

void CsvLogger::Write(const Run& run, const std::string& line) {
  if (!file_) return;
  const std::string text = line + "\n";
  if (MayGrow(file_.get(), text.size()) &&
      std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() &&
      std::fflush(file_.get()) == 0) {
    return;
  }
  run.Fail(absl::UnavailableError(absl::StrCat("CsvLogger: ", path_, ": ", strerror(errno))));
  file_.reset();
}

bool ModelCheckpoint::IsBetter(double value) const {
  // NaN compares false both ways.
  return greater_is_better_ ? value > best_ : value < best_;
}

void ModelCheckpoint::OnTrainBegin(const Run& run) {
  if (options_.period < 1) {
    return run.Fail(absl::InvalidArgumentError(
        absl::StrCat("ModelCheckpoint: a period of ", options_.period, " epochs")));
  }
  // Keras has this exception here and in no other callback.
  const bool is_fmeasure = options_.mode == "auto" && options_.monitor.starts_with("fmeasure");
  const absl::StatusOr<bool> greater =
      GreaterIsBetter(is_fmeasure ? "max" : options_.mode, options_.monitor);
  if (!greater.ok()) {
    return run.Fail(
        absl::InvalidArgumentError(absl::StrCat("ModelCheckpoint: ", greater.status().message())));
  }
  const std::vector<std::string>& columns = run.history().columns();
  if (options_.save_best_only && !run.history().has(options_.monitor)) {
    return run.Fail(absl::InvalidArgumentError(
        absl::StrCat("ModelCheckpoint: there is no metric ", Quoted(options_.monitor),
                     " to monitor, only ", absl::StrJoin(columns, ", "))));
  }
  std::map<std::string, double> values = {{"epoch", static_cast<double>(run.epoch() + 1)}};
  for (const std::string& column : columns) values[column] = 0;
  const absl::StatusOr<std::string> first = ExpandPath(path_, values);
  if (!first.ok()) return run.Fail(first.status());
  // A folder by an epoch's numbers may be made until then; any other should be there now.
  for (auto& [name, value] : values) value += 1;
  const absl::StatusOr<std::string> second = ExpandPath(path_, values);
  if (!second.ok()) return run.Fail(second.status());
  const auto folder_of = [](const std::string& path) {
    return path.substr(0, path.rfind('/') + 1);
  };
  if (folder_of(*first) == folder_of(*second)) {
    if (const absl::Status s = CheckWritable(*first); !s.ok()) {
      return run.Fail(absl::Status(s.code(), absl::StrCat("ModelCheckpoint: ", s.message())));
    }
  }
  greater_is_better_ = *greater;
  best_ =
      *greater ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  // A training that goes on has been looked at before.
  const absl::Span<const double> before = run.history()[options_.monitor];
  const auto epochs = static_cast<int64_t>(run.history().epochs());
  // Of a state without its history these are more than its rows.
  epochs_since_last_save_ = run.epoch() % options_.period;
  saved_epochs_ = run.epoch();
  for (int64_t epoch = options_.period - 1; epoch < epochs && options_.save_best_only;
       epoch += options_.period) {
    const double value = before[static_cast<size_t>(epoch)];
    if (IsBetter(value)) best_ = value;
  }
}

void ModelCheckpoint::OnEpochEnd(const Run& run) {
  if (++epochs_since_last_save_ < options_.period) return;
  epochs_since_last_save_ = 0;
  absl::StatusOr<NamedArrays> arrays = options_.save_weights_only ? run.Parameters() : run.State();
  if (!arrays.ok()) return run.Fail(arrays.status());
  int64_t epochs = run.epoch() + 1;
  if (const auto whole = arrays->find("epoch");
      !options_.save_weights_only && whole != arrays->end()) {
    // After a part of an epoch the state is still that of the epoch before, which may be saved, or
    // have metrics of its own.
    const auto in_state = static_cast<int64_t>(whole->second.At(0));
    if (in_state < epochs && (in_state <= saved_epochs_ || options_.save_best_only)) return;
    epochs = in_state;
  }
  std::map<std::string, double> values = {{"epoch", static_cast<double>(epochs)}};
  if (epochs > run.epoch()) {
    for (const Measured& measured : run.logs()) values[measured.name] = measured.value;
  } else {
    // The row of that epoch; the last one is that of the part.
    const History& history = run.history();
    for (const std::string& column : history.columns()) {
      const absl::Span<const double> numbers = history[column];
      values[column] = numbers.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                          : numbers[numbers.size() - 2];
    }
  }
  if (options_.save_best_only) {
    const double current = values.at(options_.monitor);
    if (!IsBetter(current)) return;
    best_ = current;
  }
  const absl::StatusOr<std::string> path = ExpandPath(path_, values);
  if (!path.ok()) return run.Fail(path.status());
  Metadata metadata;
  for (const auto& [name, value] : values) metadata[name] = FormatNumber(value);
  metadata["seed"] = absl::StrCat(run.seed());
  if (absl::Status s = SaveArrays(*path, *arrays, metadata); !s.ok()) {
    return run.Fail(absl::Status(s.code(), absl::StrCat("ModelCheckpoint: ", s.message())));
  }
  saved_epochs_ = epochs;
}

}  // namespace talweg
