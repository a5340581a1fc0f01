// What the pages promise: every C++ block of README.md and docs/*.md stands, line for line, in a
// source that is compiled and tested, and every path that they link to exists.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

using Lines = std::vector<std::string>;

// Where snippets may come from: what they show is built and run, or is Talweg itself.
constexpr std::string_view kSources[] = {"tests/docs", "examples", "ops", "optim"};

Lines SplitLines(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Block {
  int line;  // of the fence, from 1
  std::string language;
  Lines lines;
};

// The fenced blocks of a page. One that is not closed has the language "unclosed".
std::vector<Block> Blocks(const Lines& page) {
  std::vector<Block> blocks;
  bool open = false;
  for (size_t i = 0; i < page.size(); i++) {
    if (page[i].starts_with("```")) {
      if (!open) blocks.push_back({static_cast<int>(i) + 1, page[i].substr(3), {}});
      open = !open;
    } else if (open) {
      blocks.back().lines.push_back(page[i]);
    }
  }
  if (open) blocks.back().language = "unclosed";
  return blocks;
}

// Whether the block stands in the source, all its lines indented alike.
bool Contains(const Lines& source, const Lines& block) {
  const auto stands_at = [&](size_t first) {
    const size_t indent = source[first].size() - std::min(source[first].size(), block[0].size());
    const std::string margin(indent, ' ');
    for (size_t i = 0; i < block.size(); i++) {
      if (source[first + i] != (block[i].empty() ? "" : margin + block[i])) return false;
    }
    return true;
  };
  for (size_t first = 0; first + block.size() <= source.size(); first++) {
    if (stands_at(first)) return true;
  }
  return false;
}

// The paths that a page links to, outside of its blocks.
std::vector<std::string> Links(const Lines& page) {
  static const auto& kLink = *new std::regex(R"(\]\(([^)#]+)(#[^)]*)?\))");
  std::string text;
  bool open = false;
  for (const std::string& line : page) {
    if (line.starts_with("```")) {
      open = !open;
    } else if (!open) {
      absl::StrAppend(&text, line, "\n");
    }
  }
  std::vector<std::string> links;
  for (std::sregex_iterator it(text.begin(), text.end(), kLink), end; it != end; ++it) {
    if ((*it)[1].str().find("://") == std::string::npos) links.push_back((*it)[1]);
  }
  return links;
}

// What is wrong with the code of a page.
std::vector<std::string> Faults(const std::string& name, const Lines& page,
                                const std::vector<Lines>& sources) {
  static const auto& kLanguages = *new std::set<std::string>{"cpp", "python", "sh", "text"};
  std::vector<std::string> faults;
  for (const Block& block : Blocks(page)) {
    const std::string where = absl::StrCat(name, ":", block.line, ": ");
    if (!kLanguages.contains(block.language)) {
      faults.push_back(absl::StrCat(where, "a block of '", block.language, "'"));
    } else if (block.lines.empty() || block.lines[0].empty()) {
      faults.push_back(where + "a block that begins with nothing");
    } else if (block.language == "cpp" &&
               std::none_of(sources.begin(), sources.end(),
                            [&](const Lines& source) { return Contains(source, block.lines); })) {
      faults.push_back(where + "no source that is tested has this C++: " + block.lines[0]);
    }
  }
  return faults;
}

std::filesystem::path Checkout() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (runfiles == nullptr || workspace == nullptr) return std::filesystem::current_path();
  return std::filesystem::canonical(std::filesystem::path(runfiles) / workspace / "WORKSPACE")
      .parent_path();
}

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::filesystem::path> Pages() {
  std::vector<std::filesystem::path> pages = {Checkout() / "README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(Checkout() / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  return pages;
}

TEST(Pages, ShowOnlyCodeThatIsTested) {
  std::vector<Lines> sources;
  for (const std::string_view folder : kSources) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Checkout() / folder)) {
      const std::string extension = entry.path().extension();
      if (extension == ".cc" || extension == ".h") {
        sources.push_back(SplitLines(Read(entry.path())));
      }
    }
  }
  int blocks = 0;
  for (const std::filesystem::path& page : Pages()) {
    const Lines lines = SplitLines(Read(page));
    for (const Block& block : Blocks(lines)) blocks += block.language == "cpp" ? 1 : 0;
    for (const std::string& fault : Faults(page.filename(), lines, sources)) ADD_FAILURE() << fault;
  }
  // Or the walk went astray.
  EXPECT_GE(blocks, 10);
}

TEST(Pages, LinkToWhatIsThere) {
  size_t links = 0;
  for (const std::filesystem::path& page : Pages()) {
    for (const std::string& target : Links(SplitLines(Read(page)))) {
      links++;
      EXPECT_TRUE(std::filesystem::exists(page.parent_path() / target))
          << page.filename() << " links to " << target;
    }
  }
  EXPECT_GE(links, 10u);
}

// The checker itself.
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Lines kSource = {"void F() {", "  int a;", "", "  {", "    int b;", "  }", "}"};

TEST(Faults, FindABlockAtAnyIndentation) {
  for (const Lines& page : {Lines{"```cpp", "int a;", "", "{", "  int b;", "}", "```"},
                            Lines{"```cpp", "    int b;", "```"}, Lines{"```cpp", "}", "```"},
                            Lines{"int c;", "```sh", "int c;", "```"}}) {
    EXPECT_THAT(Faults("p", page, {{}, kSource}), IsEmpty());
  }
}

TEST(Faults, ReportCodeThatStandsNowhere) {
  EXPECT_THAT(Faults("p", {"", "```cpp", "int c;", "```"}, {kSource}),
              ElementsAre("p:2: no source that is tested has this C++: int c;"));
  // One line differs, is missing, or is indented otherwise.
  for (const Lines& page :
       {Lines{"```cpp", "int a;", "", "(", "```"}, Lines{"```cpp", "int a;", "{", "```"},
        Lines{"```cpp", "int a;", "", " {", "```"}, Lines{"```cpp", "}", "}", "}", "```"}}) {
    EXPECT_THAT(Faults("p", page, {kSource}), ElementsAre(HasSubstr("no source")));
  }
}

TEST(Links, AreThoseOutsideOfBlocks) {
  EXPECT_THAT(Links({"[a](b/c.h), ![d](e.png#f) [g](https://h.org)", "```cpp", "[i](j)", "```",
                     "[k", "l](m)"}),
              ElementsAre("b/c.h", "e.png", "m"));
}

TEST(Faults, ReportABlockThatIsNotSeenAsCode) {
  EXPECT_THAT(Faults("p", {"```c++", "int c;", "```"}, {kSource}), ElementsAre(HasSubstr("'c++'")));
  EXPECT_THAT(Faults("p", {"```cpp", "int a;"}, {kSource}), ElementsAre(HasSubstr("unclosed")));
  EXPECT_THAT(Faults("p", {"```cpp", "```"}, {kSource}), ElementsAre(HasSubstr("nothing")));
}

}  // namespace
}  // namespace talweg
