// docs/walk.md shows what the compiler prints. Where that has changed, `./dev walk` writes the
// page's blocks anew; the sentences around them are then to be read again.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "tests/docs/walk.h"

namespace talweg {
namespace {

std::filesystem::path Page() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  std::filesystem::path checkout = std::filesystem::current_path();
  if (runfiles != nullptr && workspace != nullptr) {
    checkout = std::filesystem::canonical(std::filesystem::path(runfiles) / workspace / "WORKSPACE")
                   .parent_path();
  }
  return checkout / "docs" / "walk.md";
}

constexpr absl::string_view kMark = "<!-- walk: ";

// The page with the text of its blocks replaced: "<!-- walk: NAME -->" stands before each of them.
std::string Replaced(const std::string& page, std::map<std::string, std::string> blocks) {
  std::vector<std::string> out;
  bool inside = false;
  const std::vector<std::string> lines = absl::StrSplit(page, '\n');
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, kMark)) {
      out.push_back(line);
    } else if (inside) {
      if (line != "```") continue;
      inside = false;
      out.push_back(line);
    } else {
      out.push_back(line);
      if (line != "```text" || out.size() < 2) continue;
      const std::string& mark = out[out.size() - 2];
      if (!absl::StartsWith(mark, kMark)) continue;
      const std::string name =
          mark.substr(kMark.size(), mark.find(' ', kMark.size()) - kMark.size());
      EXPECT_TRUE(blocks.contains(name)) << "the page has a block '" << name << "'";
      inside = true;
      std::string text = blocks[name];
      blocks.erase(name);
      if (absl::EndsWith(text, "\n")) text.pop_back();
      out.push_back(text);
    }
  }
  for (const auto& [unused, text] : blocks) {
    ADD_FAILURE() << "the page has no block '" << unused << "', which is\n" << text;
  }
  return absl::StrJoin(out, "\n");
}

TEST(Walk, ShowsWhatTheCompilerPrints) {
  const absl::StatusOr<WalkStages> stages = Walk();
  ASSERT_TRUE(stages.ok()) << stages.status();
  std::map<std::string, std::string> blocks;
  for (const auto& [name, text] : WalkBlocks(*stages)) {
    blocks.insert({name, text});
    // Short enough to be read.
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 60) << name;
  }
  const absl::StatusOr<std::string> page = ReadFile(Page());
  ASSERT_TRUE(page.ok()) << page.status();
  const std::string now = Replaced(*page, blocks);
  const char* const what = std::getenv("TALWEG_WALK");
  if (what != nullptr && std::string(what) == "write") {
    ASSERT_TRUE(WriteFile(Page(), std::string_view(now)).ok());
    return;
  }
  EXPECT_EQ(*page, now) << "The compiler prints something else than docs/walk.md shows. If that is "
                           "meant, `./dev walk` writes it there; read what stands around it, too.";
}

}  // namespace
}  // namespace talweg
