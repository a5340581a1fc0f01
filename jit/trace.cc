#include "jit/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/text.h"

namespace talweg {
namespace {

constexpr TraceStage kStages[] = {
    {"graph", &Trace::graph, "graph.txt"},
    {"passes", &Trace::passes, "passes.txt"},
    {"loops", &Trace::loops, "loops.txt"},
    {"llvm", &Trace::llvm, "llvm.ll"},
    {"asm", &Trace::assembly, "asm.s"},
    {"time", &Trace::time, "time.txt"},
    {"nan", &Trace::nan, "nan.txt"},
    {"table", &Trace::table, "table.txt"},
    {"perf", &Trace::perf, ""},
    {"gdb", &Trace::gdb, ""},
};

const TraceStage& StageOf(bool Trace::* wanted) {
  const auto is = [wanted](const TraceStage& stage) { return stage.wanted == wanted; };
  return *std::find_if(std::begin(kStages), std::end(kStages), is);
}

// In one piece, so that lines of several threads do not mix.
void Complain(std::string_view what) {
  WriteAll(STDERR_FILENO, absl::StrCat("talweg: ", AbslView(what), "\n"));
}

std::string PathOf(const std::string& folder, int64_t number, const TraceStage& stage) {
  return absl::StrFormat("%s/%03d_talweg.%s", folder, number, stage.file);
}

// The highest number that a file of the folder begins with.
int64_t LastNumber(const std::string& folder) {
  int64_t last = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    int64_t number;
    if (absl::SimpleAtoi(name.substr(0, name.find("_talweg.")), &number)) {
      last = std::max(last, number);
    }
  }
  return last;
}

}  // namespace

absl::Span<const TraceStage> TraceStages() { return kStages; }

Trace ParseTrace(std::string_view words, std::vector<std::string>* unknown) {
  Trace trace;
  for (absl::string_view word : absl::StrSplit(AbslView(words), ',')) {
    word = absl::StripAsciiWhitespace(word);
    if (word.empty()) continue;
    const auto is = [word](const TraceStage& stage) { return word == stage.word; };
    const auto* stage = std::find_if(std::begin(kStages), std::end(kStages), is);
    if (stage != std::end(kStages)) {
      trace.*stage->wanted = true;
    } else if (unknown != nullptr) {
      unknown->emplace_back(word);
    }
  }
  return trace;
}

const Trace& EnvironmentTrace() {
  static const Trace& trace = *[] {
    const char* words = std::getenv("TALWEG_TRACE");
    const char* folder = std::getenv("TALWEG_TRACE_DIR");
    std::vector<std::string> unknown;
    auto* const made = new Trace(ParseTrace(words == nullptr ? "" : words, &unknown));
    made->folder = folder == nullptr ? "" : folder;
    if (!unknown.empty()) {
      for (std::string& word : unknown) word = Quoted(word);
      Complain(
          absl::StrCat("TALWEG_TRACE has no ", absl::StrJoin(unknown, ", "), "; there are ",
                       absl::StrJoin(kStages, ", ", [](std::string* out, const TraceStage& stage) {
                         absl::StrAppend(out, stage.word);
                       })));
    }
    return made;
  }();
  return trace;
}

// A trace, and the number of the compile in its folder.
struct Tracer::Target {
  explicit Target(Trace trace_in) : trace(std::move(trace_in)) {}

  void Show(const TraceStage& stage, std::string_view text) {
    if (trace.sink != nullptr) return trace.sink(stage.word, text);
    if (trace.folder.empty()) {
      // What goes to nobody in particular says where it comes from.
      WriteAll(STDERR_FILENO, absl::StrCat("== talweg: ", stage.word, "\n", AbslView(text)));
      return;
    }
    const std::lock_guard lock(mutex);
    const int file = Open(stage);
    if (file < 0) return;
    WriteAll(file, text);  // where nobody reads it, or the disk is full: it is only a trace
    ::close(file);
  }

  // The stage's file, to write at its end. The first one takes the next number that is free, also
  // if another process is after it.
  int Open(const TraceStage& stage) {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    if (number < 0) return -1;
    int file = -1;
    if (number > 0) {
      file = ::open(PathOf(trace.folder, number, stage).c_str(), kFlags, 0644);
    } else {
      ::mkdir(trace.folder.c_str(), 0755);
      number = LastNumber(trace.folder);
      do {
        file = ::open(PathOf(trace.folder, ++number, stage).c_str(), kFlags | O_EXCL, 0644);
      } while (file < 0 && errno == EEXIST);
    }
    if (file >= 0) return file;
    Complain(absl::StrCat("there is no trace: ", PathOf(trace.folder, number, stage), ": ",
                          std::strerror(errno)));
    number = -1;
    return file;
  }

  const Trace trace;
  std::mutex mutex;    // of `number`
  int64_t number = 0;  // 0: none yet; -1: the folder can not be written
};

Tracer::Tracer(const Trace& trace, const Trace& environment) {
  for (const Trace* each : {&trace, &environment}) {
    const bool wants = std::any_of(std::begin(kStages), std::end(kStages),
                                   [each](const TraceStage& s) { return each->*s.wanted; });
    if (wants) targets_.push_back(std::make_unique<Target>(*each));
  }
}

Tracer::~Tracer() = default;

bool Tracer::Wants(bool Trace::* stage) const {
  return std::any_of(targets_.begin(), targets_.end(),
                     [stage](const auto& target) { return target->trace.*stage; });
}

void Tracer::Show(bool Trace::* stage, std::string_view text) {
  for (const auto& target : targets_) {
    if (target->trace.*stage) target->Show(StageOf(stage), text);
  }
}

}  // namespace talweg
