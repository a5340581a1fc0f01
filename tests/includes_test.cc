// The arrows of docs/design.md, held by a test: which folder may include which, where LLVM and the
// test libraries may appear, how includes and header guards are written, and how long a file may
// be. A new folder is one row of Folders().

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

constexpr int kMaxLines = 600;

// A folder may include itself, the folders of its row, and what those may include.
const std::map<std::string, std::vector<std::string>, std::less<>>& Folders() {
  static const auto& folders = *new std::map<std::string, std::vector<std::string>, std::less<>>{
      {"base", {}},
      {"data", {"base"}},
      {"graph", {"base"}},
      {"ops", {"graph"}},
      {"interpreter", {"ops"}},
      {"autodiff", {"ops"}},
      {"optim", {"ops"}},
      {"train", {"optim", "autodiff", "data"}},
      {"jit/passes", {"ops"}},
      {"jit/loops", {"jit/passes"}},
      {"jit/llvm", {"jit/loops"}},
      {"jit", {"jit/llvm"}},
      {"plot", {"train"}},
      {"talweg.h", {"interpreter", "jit", "plot", "train"}},
      {"talweg.cc", {"talweg.h"}},
  };
  return folders;
}

// examples/ reads as a user's program does: it sees the public header and itself, not what the
// header includes.
constexpr std::string_view kExamples = "examples";
// These see everything.
constexpr std::string_view kOutside[] = {"benchmarks", "tests", "tools"};

// Libraries by the prefix of their headers, and the folders that may use them; none means all.
struct Library {
  std::string_view prefix;
  std::vector<std::string> users;
};

const std::vector<Library>& Libraries() {
  static const auto& libraries = *new std::vector<Library>{
      {"absl/", {}},
      {"nlohmann/", {}},
      {"benchmark/", {"benchmarks"}},
      {"gmock/", {"tests"}},
      {"gtest/", {"tests"}},
      {"llvm/", {"jit/llvm", "tests", "benchmarks"}},
      {"llvm-c/", {"jit/llvm", "tests", "benchmarks"}},
  };
  return libraries;
}

// Path from the root of the checkout -> text.
using Sources = std::map<std::string, std::string, std::less<>>;

bool IsOutside(std::string_view folder) {
  return std::find(std::begin(kOutside), std::end(kOutside), folder) != std::end(kOutside);
}

// The row of Folders() that a path belongs to, the longest that fits; else its first component.
std::string FolderOf(std::string_view path) {
  for (std::string_view head = path;; head = head.substr(0, head.rfind('/'))) {
    if (Folders().contains(head) || head.find('/') == std::string_view::npos)
      return std::string(head);
  }
}

// What a folder sees: itself and everything its arrows lead to.
std::set<std::string> Seen(const std::string& folder) {
  if (folder == kExamples) return {folder, "talweg.h"};
  std::set<std::string> seen;
  std::vector<std::string> open = {folder};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    if (!seen.insert(next).second) continue;
    const auto row = Folders().find(next);
    if (row == Folders().end()) continue;
    open.insert(open.end(), row->second.begin(), row->second.end());
  }
  return seen;
}

// The path of an #include line without its quotes or brackets, or empty.
std::string IncludedPath(std::string_view line, bool& quoted) {
  const auto skip_spaces = [&line] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_spaces();
  if (!line.starts_with('#')) return "";
  line.remove_prefix(1);
  skip_spaces();
  if (!line.starts_with("include")) return "";
  line.remove_prefix(std::string_view("include").size());
  skip_spaces();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return "";
  quoted = line.front() == '"';
  const size_t end = line.find(quoted ? '"' : '>', 1);
  return end == std::string_view::npos ? "" : std::string(line.substr(1, end - 1));
}

std::string HeaderGuard(std::string_view path) {
  std::string guard = "TALWEG_";
  for (const char c : path) guard += absl::ascii_isalnum(c) ? absl::ascii_toupper(c) : '_';
  return guard + "_";
}

// What is wrong with one #include, or empty.
std::string IncludeFault(const std::string& folder, const std::string& included, bool quoted,
                         const Sources& sources) {
  for (const Library& library : Libraries()) {
    if (!included.starts_with(library.prefix)) continue;
    if (library.users.empty() ||
        std::find(library.users.begin(), library.users.end(), folder) != library.users.end()) {
      return "";
    }
    return absl::StrCat("only ", absl::StrJoin(library.users, ", "), " may include it");
  }
  if (!quoted) return "";  // the C++ library and the system's
  if (!sources.contains(included)) {
    return "there is no such file; includes are written from the root of the repository, and a new "
           "library needs a row in "
           "Libraries() of tests/includes_test.cc";
  }
  if (IsOutside(folder)) return "";
  const std::set<std::string> seen = Seen(folder);
  if (seen.contains(FolderOf(included))) return "";
  return absl::StrCat(folder, " may include ", absl::StrJoin(seen, ", "), " only");
}

// Every fault of the tree, one sentence each, with file and line.
std::vector<std::string> Faults(const Sources& sources) {
  std::vector<std::string> faults;
  for (const auto& [path, text] : sources) {
    const std::string folder = FolderOf(path);
    if (!Folders().contains(folder) && !IsOutside(folder) && folder != kExamples) {
      faults.push_back(
          absl::StrCat(path, ": the folder ", folder,
                       " has no row in Folders() of tests/includes_test.cc; add it there "
                       "and to docs/design.md"));
      continue;
    }
    std::istringstream lines(text);
    std::string line;
    int number = 0;
    while (std::getline(lines, line)) {
      ++number;
      bool quoted = false;
      const std::string included = IncludedPath(line, quoted);
      if (included.empty()) continue;
      const std::string fault = IncludeFault(folder, included, quoted, sources);
      if (!fault.empty()) {
        faults.push_back(absl::StrCat(path, ":", number, ": includes ", included, ": ", fault));
      }
    }
    if (number > kMaxLines) {
      faults.push_back(absl::StrCat(path, ": ", number, " lines; a file has at most ", kMaxLines));
    }
    if (path.ends_with(".h") &&
        !absl::StrContains(text, absl::StrCat("#ifndef ", HeaderGuard(path), "\n"))) {
      faults.push_back(absl::StrCat(path, ": its header guard must be ", HeaderGuard(path)));
    }
  }
  return faults;
}

// The checkout: where the WORKSPACE among this test's runfiles really lies.
std::filesystem::path Checkout() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (runfiles == nullptr || workspace == nullptr) return std::filesystem::current_path();
  return std::filesystem::canonical(std::filesystem::path(runfiles) / workspace / "WORKSPACE")
      .parent_path();
}

Sources ReadSources(const std::filesystem::path& root) {
  Sources sources;
  std::filesystem::recursive_directory_iterator entry(root), end;
  for (; entry != end; ++entry) {
    const std::string name = entry->path().filename();
    if (name.starts_with(".") || name.starts_with("bazel-")) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && (name.ends_with(".h") || name.ends_with(".cc"))) {
      std::ifstream file(entry->path());
      sources[entry->path().lexically_relative(root)] =
          std::string(std::istreambuf_iterator<char>(file), {});
    }
  }
  return sources;
}

TEST(Checkout, KeepsTheArrowsOfTheDesign) {
  const Sources sources = ReadSources(Checkout());
  // Or the walk went astray and would find no fault in nothing.
  ASSERT_TRUE(sources.contains("tests/includes_test.cc")) << Checkout();
  ASSERT_TRUE(sources.contains("base/shape.h")) << Checkout();
  for (const std::string& fault : Faults(sources)) ADD_FAILURE() << fault;
}

// The checker itself, on trees made for it.
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Faults, AllowWhatTheArrowsLeadToAtAnyDistance) {
  EXPECT_THAT(Faults({{"base/a.cc", "#include <vector>\n\n#include \"absl/status/status.h\"\n"},
                      {"train/b.cc", "#include \"base/a.cc\"\n"},
                      {"jit/c.cc", "#include \"jit/passes/d.cc\"\n"},
                      {"jit/passes/d.cc", "#include \"graph/e.cc\"\n"},
                      {"graph/e.cc", ""},
                      {"tests/f.cc", "#include \"jit/c.cc\"\n#include \"llvm/IR/Module.h\"\n"}}),
              IsEmpty());
}

TEST(Faults, NameFileLineAndFoldersOfAnArrowThatPointsDown) {
  EXPECT_THAT(Faults({{"base/a.cc", "\n#include \"graph/b.cc\"\n"}, {"graph/b.cc", ""}}),
              ElementsAre("base/a.cc:2: includes graph/b.cc: base may include base only"));
}

TEST(Faults, KeepSiblingsApart) {
  EXPECT_THAT(Faults({{"train/a.cc", "#include \"interpreter/b.cc\"\n"}, {"interpreter/b.cc", ""}}),
              ElementsAre(HasSubstr("train may include")));
  EXPECT_THAT(Faults({{"jit/passes/a.cc", "#include \"jit/b.cc\"\n"}, {"jit/b.cc", ""}}),
              ElementsAre(HasSubstr("jit/passes may include")));
}

TEST(Faults, LetExamplesSeeThePublicHeaderOnly) {
  EXPECT_THAT(
      Faults({{"base/b.cc", ""},
              {"examples/a.cc", "#include \"examples/c.cc\"\n#include \"base/b.cc\"\n"},
              {"examples/c.cc", ""}}),
      ElementsAre(
          "examples/a.cc:2: includes base/b.cc: examples may include examples, talweg.h only"));
}

TEST(Faults, KeepLlvmInItsFolderHoweverItIsIncluded) {
  EXPECT_THAT(Faults({{"jit/a.cc", "#include <llvm/IR/Module.h>\n"},
                      {"jit/llvm/b.cc", "#include \"llvm/IR/Module.h\"\n"},
                      {"ops/c.cc", "# include \"llvm-c/Core.h\"\n"}}),
              ElementsAre(HasSubstr("jit/a.cc:1: includes llvm/IR/Module.h"),
                          HasSubstr("ops/c.cc:1: includes llvm-c/Core.h")));
}

TEST(Faults, KeepTestLibrariesInTests) {
  EXPECT_THAT(Faults({{"base/a.cc", "#include \"gtest/gtest.h\"\n"}}),
              ElementsAre(HasSubstr("only tests may include it")));
}

TEST(Faults, ReportAPathThatDoesNotStartAtTheRoot) {
  EXPECT_THAT(Faults({{"base/a.cc", "#include \"b.h\"\n"}}),
              ElementsAre(HasSubstr("no such file")));
}

TEST(Faults, ReportAFolderWithoutARow) {
  EXPECT_THAT(Faults({{"utilities/a.cc", ""}}), ElementsAre(HasSubstr("utilities has no row")));
}

TEST(Faults, ReportALongFile) {
  std::string text;
  for (int i = 0; i < kMaxLines; ++i) text += "\n";
  EXPECT_THAT(Faults({{"base/a.cc", text}}), IsEmpty());
  EXPECT_THAT(Faults({{"base/a.cc", text + "\n"}}),
              ElementsAre("base/a.cc: 601 lines; a file has at most 600"));
}

TEST(Faults, ReportAForeignHeaderGuard) {
  EXPECT_THAT(Faults({{"base/a_b.h", "#ifndef TALWEG_BASE_A_B_H_\n"}}), IsEmpty());
  EXPECT_THAT(Faults({{"base/a_b.h", "#ifndef A_B_H\n"}}),
              ElementsAre("base/a_b.h: its header guard must be TALWEG_BASE_A_B_H_"));
}

}  // namespace
}  // namespace talweg
