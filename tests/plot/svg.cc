#include "tests/plot/svg.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/text.h"

namespace talweg {
namespace {

std::string Unescaped(std::string_view text) {
  return absl::StrReplaceAll(
      AbslView(text),
      {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}});
}

// Whether each & starts one of XML's own entities.
bool EntitiesAreKnown(std::string_view text) {
  for (size_t at = text.find('&'); at != text.npos; at = text.find('&', at + 1)) {
    const std::string_view rest = text.substr(at);
    const auto starts = [rest](std::string_view entity) {
      return rest.substr(0, entity.size()) == entity;
    };
    if (!starts("&lt;") && !starts("&gt;") && !starts("&amp;") && !starts("&quot;") &&
        !starts("&apos;")) {
      return false;
    }
  }
  return true;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'; }

// The end of the tag that starts at `open`: the first > outside quotes.
size_t TagEnd(std::string_view document, size_t open) {
  char quote = 0;
  for (size_t i = open; i < document.size(); i++) {
    const char c = document[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return i;
    }
  }
  return document.npos;
}

}  // namespace

Svg ReadSvg(std::string_view document) {
  Svg svg;
  const auto fail = [&](std::string_view what, size_t at) {
    svg.error = absl::StrCat(std::string(what), " at byte ", at);
    return svg;
  };
  if (FindInvalidUtf8(document) != document.npos) return fail("not UTF-8", 0);
  std::vector<std::string> open;  // names of the elements around the place
  std::string text;
  size_t at = 0, roots = 0;
  while (at < document.size()) {
    const size_t tag = std::min(document.find('<', at), document.size());
    const std::string_view content = document.substr(at, tag - at);
    if (!EntitiesAreKnown(content)) return fail("an unknown entity", at);
    if (std::any_of(content.begin(), content.end(), IsControl)) return fail("a control", at);
    if (std::find(open.begin(), open.end(), "text") != open.end()) text += content;
    if (tag == document.size()) break;
    const size_t end = TagEnd(document, tag);
    if (end == document.npos) return fail("a tag without end", tag);
    const std::string whole(document.substr(tag, end + 1 - tag));
    at = end + 1;
    if (whole[1] == '?' || whole[1] == '!') continue;
    if (whole[1] == '/') {
      const std::string name = whole.substr(2, whole.size() - 3);
      if (open.empty() || open.back() != name) return fail("an element closed twice", tag);
      open.pop_back();
      if (name == "text") svg.texts.push_back(Unescaped(text));
      continue;
    }
    const std::string name = whole.substr(1, whole.find_first_of(" \n\t/>", 1) - 1);
    const bool defined = std::find(open.begin(), open.end(), "defs") != open.end();
    if (name == "path" && !defined) svg.paths.push_back(whole);
    if (name == "use" && !defined) svg.points.push_back(whole);
    if (open.empty() && (name != "svg" || ++roots > 1)) return fail("not one <svg>", tag);
    if (name == "text") text.clear();
    if (whole[whole.size() - 2] != '/') open.push_back(name);
  }
  if (!open.empty()) return fail(absl::StrCat("<", open.back(), "> without end"), at);
  if (roots != 1) return fail("no <svg>", at);
  return svg;
}

int CountTexts(const Svg& svg, std::string_view text) {
  return static_cast<int>(std::count(svg.texts.begin(), svg.texts.end(), text));
}

}  // namespace talweg
