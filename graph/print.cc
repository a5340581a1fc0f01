#include "graph/print.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "base/with_type.h"

namespace talweg {
namespace {

constexpr size_t kCommentColumn = 72;
constexpr size_t kWidestAligned = 32;  // types beyond this are not waited for

std::string Ids(const std::vector<NodeId>& ids) {
  return absl::StrCat(
      "(",
      absl::StrJoin(ids, ", ", [](std::string* out, NodeId id) { absl::StrAppend(out, "%", id); }),
      ")");
}

std::string List(const std::vector<int64_t>& numbers) {
  return absl::StrCat("[", absl::StrJoin(numbers, ","), "]");
}

std::string TypeText(const Node& node) {
  if (node.kind() != Kind::kLoop && !node.types.empty()) return ToString(node.type());
  return absl::StrCat("(",
                      absl::StrJoin(node.types, ", ",
                                    [](std::string* out, const Type& type) {
                                      absl::StrAppend(out, ToString(type));
                                    }),
                      ")");
}

std::string OrderText(const Order& order) {
  return order.block == 0 ? absl::StrCat(" order=", order.chains)
                          : absl::StrCat(" order=", order.chains, "/", order.block);
}

// Between double quotes; what would end the text or the line, or is not UTF-8, as \xNN.
std::string QuotedName(std::string_view name) {
  std::string out = "\"";
  const bool valid = FindInvalidUtf8(name) == std::string_view::npos;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !valid)) {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

template <typename T>
void AppendElement(std::string& out, T x) {
  if constexpr (std::is_same_v<T, bool>) {
    out += x ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    const auto bits = std::bit_cast<Bits>(x);
    if (std::isnan(x) && bits != std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN())) {
      absl::StrAppendFormat(&out, "nan:0x%x", bits);
    } else {
      out += FormatNumber(x);
    }
  } else {
    absl::StrAppend(&out, x);
  }
}

// 2*i0 - i1 + 3, or (2*i0 - i1 + 3)/4.
std::string IndexText(const AxisMap& map) {
  std::string out;
  // A number with its sign as an operator, when something stands before it.
  const auto sign = [&out](int64_t x) {
    if (!out.empty())
      out += x < 0 ? " - " : " + ";
    else if (x < 0)
      out += "-";
    return x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  };
  for (const AxisMap::Term& term : map.terms) {
    const uint64_t step = sign(term.step);
    absl::StrAppend(&out, step == 1 ? "" : absl::StrCat(step, "*"), "i", term.axis);
  }
  if (map.offset != 0 || map.terms.empty()) {
    const uint64_t offset = sign(map.offset);
    absl::StrAppend(&out, offset);
  }
  return map.dilation == 1 ? out : absl::StrCat("(", out, ")/", map.dilation);
}

class Printer {
 public:
  explicit Printer(const PrintOptions& options, bool whole) : options_(options), whole_(whole) {}

  void AppendGraph(const Graph& graph, size_t indent);
  void AppendNode(const Node& node, size_t indent);

  std::string text;

 private:
  void Append(const ConstantAttributes& constant);
  void Append(const ViewAttributes& view);
  void Append(const LoopAttributes& loop, size_t indent);
  void AppendNested(std::string_view key, const std::shared_ptr<const Graph>& graph, size_t indent);
  void AppendLine(const SourceLine& line, size_t start);

  PrintOptions options_;
  bool whole_;            // nested graphs, too
  int64_t repeated_ = 0;  // bytes that `all` stands for
};

void Printer::AppendGraph(const Graph& graph, size_t indent) {
  absl::StrAppend(&text, "graph", Ids(graph.inputs()), " -> ", Ids(graph.outputs()), " {\n");
  const size_t id_width =
      absl::StrCat("%", graph.nodes().size() - (graph.nodes().empty() ? 0 : 1)).size();
  size_t type_width = 0;
  for (const Node& node : graph.nodes()) {
    const size_t width = TypeText(node).size();
    if (width <= kWidestAligned) type_width = std::max(type_width, width);
  }
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    const Node& node = graph.nodes()[i];
    const size_t start = text.size();
    absl::StrAppendFormat(&text, "%s%-*s  %-*s = ", std::string(indent + 2, ' '), id_width,
                          absl::StrCat("%", i), type_width, TypeText(node));
    AppendNode(node, indent + 2);
    if (options_.lines) AppendLine(node.line, start);
    text += '\n';
  }
  absl::StrAppend(&text, std::string(indent, ' '), "}");
}

void Printer::AppendLine(const SourceLine& line, size_t start) {
  const std::string shown = ToString(line);
  if (shown.empty()) return;
  const size_t width = text.size() - start;
  absl::StrAppend(&text, std::string(width < kCommentColumn ? kCommentColumn - width : 0, ' '),
                  "  # ", shown);
}

void Printer::AppendNode(const Node& node, size_t indent) {
  absl::StrAppend(&text, node.op->name, node.operands.empty() ? "" : Ids(node.operands));
  if (auto* a = std::get_if<InputAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " ", QuotedName(a->name));
  } else if (auto* a = std::get_if<ConstantAttributes>(&node.attributes)) {
    Append(*a);
  } else if (auto* a = std::get_if<SizeAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " ", a->dim.ToString());
  } else if (auto* a = std::get_if<ViewAttributes>(&node.attributes)) {
    Append(*a);
  } else if (auto* a = std::get_if<ConcatAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " axis=", a->axis);
  } else if (auto* a = std::get_if<ReduceAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " axes=", List(a->axes), OrderText(a->order));
  } else if (auto* a = std::get_if<GatherAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " axis=", a->axis,
                    a->batch == 0 ? "" : absl::StrCat(" batch=", a->batch));
  } else if (auto* a = std::get_if<ScatterAddAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " axis=", a->axis,
                    a->batch == 0 ? "" : absl::StrCat(" batch=", a->batch));
  } else if (auto* a = std::get_if<ContractAttributes>(&node.attributes)) {
    if (!a->lhs_batch.empty() || !a->rhs_batch.empty()) {
      absl::StrAppend(&text, " batch=", List(a->lhs_batch), "x", List(a->rhs_batch));
    }
    absl::StrAppend(&text, " sum=", List(a->lhs_sum), "x", List(a->rhs_sum), OrderText(a->order));
  } else if (auto* a = std::get_if<PartAttributes>(&node.attributes)) {
    absl::StrAppend(&text, " index=", a->index);
  } else if (auto* a = std::get_if<LoopAttributes>(&node.attributes)) {
    Append(*a, indent);
  } else if (auto* a = std::get_if<CustomAttributes>(&node.attributes)) {
    AppendNested("gradient", a->gradient, indent);
  }
  // A reshape, a cast, an iota and random numbers have said all by their type.
}

void Printer::Append(const ConstantAttributes& constant) {
  const Array& value = constant.value;
  const auto append = [&]<typename T>(absl::Span<const T> elements) {
    if (value.rank() == 0) {
      text += ' ';
      AppendElement(text, elements[0]);
      return;
    }
    const auto same = [&](const T& x) { return std::memcmp(&x, &elements[0], sizeof(T)) == 0; };
    if (elements.size() > 1 && repeated_ + value.bytes() <= kMaxRepeatedBytes &&
        std::all_of(elements.begin(), elements.end(), same)) {
      repeated_ += value.bytes();
      text += " all ";
      AppendElement(text, elements[0]);
      return;
    }
    text += " {";
    for (size_t i = 0; i < elements.size(); i++) {
      if (i > 0) text += ", ";
      AppendElement(text, elements[i]);
    }
    text += '}';
  };
  WithType(value.dtype(), [&]<typename T>(T) { append(value.data<T>()); });
}

void Printer::Append(const ViewAttributes& view) {
  absl::StrAppend(
      &text, " [",
      absl::StrJoin(view.axes, ", ",
                    [](std::string* out, const AxisMap& m) { absl::StrAppend(out, IndexText(m)); }),
      "]");
  if (std::bit_cast<uint64_t>(view.fill) != 0) {
    text += " fill=";
    AppendElement(text, view.fill);
  }
}

void Printer::Append(const LoopAttributes& loop, size_t indent) {
  absl::StrAppend(&text, " length=", loop.length.ToString());
  const auto count = [this](std::string_view key, int64_t n) {
    if (n != 0) absl::StrAppend(&text, " ", AbslView(key), "=", n);
  };
  count("captures", loop.captures);
  count("carried", loop.carried);
  count("scanned", loop.scanned);
  count("stacked", loop.stacked);
  if (loop.binds_rows) absl::StrAppend(&text, " binds_rows=", loop.rows_limit);
  if (loop.reversed) text += " reversed";
  if (loop.stops) text += " stops";
  if (loop.whole) text += " whole";
  AppendNested("body", loop.body, indent);
}

void Printer::AppendNested(std::string_view key, const std::shared_ptr<const Graph>& graph,
                           size_t indent) {
  absl::StrAppend(&text, " ", AbslView(key), "=");
  if (whole_ && graph != nullptr) {
    AppendGraph(*graph, indent);
  } else {
    absl::StrAppend(&text, "graph with ", graph == nullptr ? 0 : graph->nodes().size(), " nodes");
  }
}

}  // namespace

std::string Print(const Graph& graph, const PrintOptions& options) {
  Printer printer(options, /*whole=*/true);
  printer.AppendGraph(graph, 0);
  printer.text += '\n';
  return std::move(printer.text);
}

std::string PrintNode(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  Printer printer({}, /*whole=*/false);
  printer.text = absl::StrCat("%", id, "  ", TypeText(node), " = ");
  printer.AppendNode(node, 0);
  return std::move(printer.text);
}

}  // namespace talweg
