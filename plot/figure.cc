#include "plot/figure.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/text.h"
#include "plot/check.h"
#include "plot/gnuplot.h"
#include "plot/script.h"

namespace talweg {
namespace {

// The last bytes of every PNG: its IEND chunk's name and checksum.
constexpr absl::string_view kPngEnd = "IEND\xAE\x42\x60\x82";
constexpr absl::string_view kPngStart = "\x89PNG\r\n";

// gnuplot names the picture "Gnuplot", which browsers show as a tooltip. In its place comes a rule
// for readers without DejaVu Sans: Verdana's letters are as wide.
void Polish(std::string& svg) {
  constexpr absl::string_view kName = "<title>Gnuplot</title>";
  constexpr absl::string_view kStyle =
      "<style>text, tspan { font-family: 'DejaVu Sans', Verdana, Arial, sans-serif }</style>";
  const size_t name = svg.find(kName.data(), 0, kName.size());
  if (name != std::string::npos) svg.replace(name, kName.size(), kStyle.data(), kStyle.size());
}

}  // namespace

absl::StatusOr<Pictures> Render(const Figure& figure, const DrawOptions& options) {
  if (absl::Status status = plot::CheckFigure(figure, options); !status.ok()) return status;
  const absl::StatusOr<std::string> output =
      plot::RunGnuplot(options.gnuplot, plot::GnuplotScript(figure, options.png_scale));
  if (!output.ok()) return output.status();
  const size_t end = output->find(kPngEnd.data(), 0, kPngEnd.size());
  const size_t svg = end == std::string::npos ? end : output->find("<?xml", end);
  if (output->compare(0, kPngStart.size(), kPngStart.data(), kPngStart.size()) != 0 ||
      svg == std::string::npos || output->find("</svg>", svg) == std::string::npos) {
    return absl::InternalError(absl::StrCat(Quoted(options.gnuplot), " ran but drew no picture"));
  }
  Pictures pictures{.png = output->substr(0, end + kPngEnd.size()), .svg = output->substr(svg)};
  Polish(pictures.svg);
  return pictures;
}

absl::Status Draw(const Figure& figure, std::string_view path, const DrawOptions& options) {
  const absl::StatusOr<Pictures> pictures = Render(figure, options);
  const std::string stem(path);
  if (!pictures.ok()) {
    return absl::Status(pictures.status().code(), absl::StrCat("can not draw ", Quoted(stem, 4096),
                                                               ": ", pictures.status().message()));
  }
  absl::Status status = WriteFile(absl::StrCat(stem, ".png"), pictures->png);
  if (status.ok()) status = WriteFile(absl::StrCat(stem, ".svg"), pictures->svg);
  return status;
}

}  // namespace talweg
