#include "graph/parse.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "base/with_type.h"
#include "graph/core_ops.h"
#include "graph/print.h"
#include "graph/verify.h"

namespace talweg {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A recursive descent. Each function reads one thing and returns false where it is not there; the
// first error is kept, and all others return at once.
class Parser {
 public:
  Parser(std::string_view text, absl::Span<const Op* const> ops);

  absl::StatusOr<Graph> Parse();

 private:
  // Characters and words.
  void SkipBlanks();
  bool Fail(std::string_view what);
  bool Expected(std::string_view what);
  bool Try(std::string_view token);
  bool Read(std::string_view token);
  std::string_view PeekWord();
  template <typename T>
  bool ReadInteger(T& out);
  bool ReadName(std::string& out);

  // Parts of a node.
  bool ReadDim(Dim& dim);
  bool ReadType(Type& type);
  bool ReadTypes(Node& node);
  bool ReadIds(std::vector<NodeId>& ids);
  bool ReadList(std::vector<int64_t>& numbers);
  bool ReadPairs(std::vector<int64_t>& lhs, std::vector<int64_t>& rhs);
  bool ReadOrder(Order& order);
  template <typename T>
  bool ReadElement(T& out);
  template <typename T>
  bool ReadElements(Array& array);
  bool ReadConstant(const Type& type, ConstantAttributes& constant);
  bool ReadIndex(AxisMap& map);
  bool ReadView(ViewAttributes& view);
  bool ReadCount(std::string_view key, int32_t& count);
  bool ReadLoop(LoopAttributes& loop);
  bool ReadNested(std::string_view key, std::shared_ptr<const Graph>& graph);
  bool ReadAttributes(Node& node);
  bool ReadNode(Node& node);
  bool ReadGraph(Graph& graph);

  std::string_view text_;
  size_t at_ = 0;
  int32_t line_ = 1;  // of at_
  int32_t depth_ = 0;
  int64_t repeated_ = 0;  // bytes that `all` has stood for
  absl::Status status_;
  absl::flat_hash_map<absl::string_view, const Op*> ops_;
};

Parser::Parser(std::string_view text, absl::Span<const Op* const> ops) : text_(text) {
  for (const Op* op : {&kInputOp, &kConstantOp, &kIotaOp, &kSizeOp, &kPartOp}) ops_[op->name] = op;
  for (const Op* op : ops) ops_.emplace(op->name, op);
}

// ---- Characters and words ---------------------------------------------------------------------

void Parser::SkipBlanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      line_ += c == '\n';
      at_++;
    } else {
      return;
    }
  }
}

bool Parser::Fail(std::string_view what) {
  if (!status_.ok()) return false;
  const size_t newline = at_ == 0 ? std::string_view::npos : text_.rfind('\n', at_ - 1);
  const size_t column = newline == std::string_view::npos ? at_ + 1 : at_ - newline;
  status_ = absl::InvalidArgumentError(
      absl::StrCat("line ", line_, ", column ", column, ": ", AbslView(what)));
  return false;
}

bool Parser::Expected(std::string_view what) {
  constexpr size_t kShown = 20;
  std::string_view found = PeekWord();
  if (found.empty()) found = text_.substr(at_, 1);
  return Fail(absl::StrCat(AbslView(what), " expected, ",
                           found.empty() ? "the end" : Quoted(found, kShown), " found"));
}

// A token that is a word does not match the beginning of a longer word.
bool Parser::Try(std::string_view token) {
  SkipBlanks();
  if (!text_.substr(at_).starts_with(token)) return false;
  const size_t end = at_ + token.size();
  if (IsWordCharacter(token.back()) && end < text_.size() && IsWordCharacter(text_[end])) {
    return false;
  }
  at_ = end;
  return true;
}

bool Parser::Read(std::string_view token) {
  return Try(token) || Expected(absl::StrCat("'", AbslView(token), "'"));
}

// The letters and digits that come next; they stay there.
std::string_view Parser::PeekWord() {
  SkipBlanks();
  size_t end = at_;
  while (end < text_.size() && IsWordCharacter(text_[end])) end++;
  return text_.substr(at_, end - at_);
}

template <typename T>
bool Parser::ReadInteger(T& out) {
  SkipBlanks();
  const std::string_view rest = text_.substr(at_);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  if (error == std::errc::result_out_of_range) return Fail("a number that does not fit its place");
  if (error != std::errc()) return Expected("an integer");
  at_ += static_cast<size_t>(end - rest.data());
  return true;
}

bool Parser::ReadName(std::string& out) {
  if (!Read("\"")) return false;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    if (text_[at_] != '\\') {
      out += text_[at_++];
      continue;
    }
    const std::string_view escape = text_.substr(at_, 4);  // \x1b
    uint8_t byte = 0;
    if (escape.size() < 4 || escape[1] != 'x' ||
        std::from_chars(escape.data() + 2, escape.data() + 4, byte, 16).ptr != escape.data() + 4) {
      return Fail("\\xNN expected after a backslash");
    }
    out += static_cast<char>(byte);
    at_ += escape.size();
  }
  if (at_ >= text_.size() || text_[at_] != '"') return Fail("a name without its second quote");
  at_++;
  return true;
}

// ---- Parts of a node ----------------------------------------------------------------------------

bool Parser::ReadDim(Dim& dim) {
  if (Try("rows")) {
    dim = kRows;
    return true;
  }
  if (Try("trips")) {
    dim = kTrips;
    return true;
  }
  int64_t value = 0;
  if (!ReadInteger(value)) return false;
  if (value < 0) return Fail("a negative extent");
  dim = value;
  return true;
}

// float32[rows,2]
bool Parser::ReadType(Type& type) {
  const std::string_view word = PeekWord();
  const absl::StatusOr<DType> dtype = ParseDType(AbslView(word));
  if (!dtype.ok()) return Expected("an element type");
  type.dtype = *dtype;
  at_ += word.size();
  if (!Read("[")) return false;
  if (Try("]")) return true;
  do {
    if (static_cast<int64_t>(type.shape.size()) == kMaxRank) {
      return Fail(absl::StrCat("more than ", kMaxRank, " axes"));
    }
    type.shape.push_back(0);
    if (!ReadDim(type.shape.back())) return false;
  } while (Try(","));
  return Read("]");
}

// One type, or those of a loop's parts: (float32[], int64[])
bool Parser::ReadTypes(Node& node) {
  const bool several = Try("(");
  do {
    node.types.emplace_back();
    if (!ReadType(node.types.back())) return false;
  } while (several && Try(","));
  return !several || Read(")");
}

// (%0, %1)
bool Parser::ReadIds(std::vector<NodeId>& ids) {
  if (!Read("(")) return false;
  if (Try(")")) return true;
  do {
    if (!Read("%")) return false;
    ids.push_back(0);
    if (!ReadInteger(ids.back())) return false;
  } while (Try(","));
  return Read(")");
}

// [0,1]
bool Parser::ReadList(std::vector<int64_t>& numbers) {
  if (!Read("[")) return false;
  if (Try("]")) return true;
  do {
    numbers.push_back(0);
    if (!ReadInteger(numbers.back())) return false;
  } while (Try(","));
  return Read("]");
}

// [1]x[0]
bool Parser::ReadPairs(std::vector<int64_t>& lhs, std::vector<int64_t>& rhs) {
  return ReadList(lhs) && Read("x") && ReadList(rhs);
}

// order=16/4096
bool Parser::ReadOrder(Order& order) {
  return Read("order=") && ReadInteger(order.chains) && (!Try("/") || ReadInteger(order.block));
}

template <typename T>
bool Parser::ReadElement(T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    out = Try("true");
    return out || Try("false") || Expected("true or false");
  } else if constexpr (std::is_integral_v<T>) {
    return ReadInteger(out);
  } else {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    if (Try("nan:")) {
      Bits bits = 0;
      if (!text_.substr(at_).starts_with("0x")) return Expected("0x and the bits of a NaN");
      at_ += 2;
      const std::string_view rest = text_.substr(at_);
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), bits, 16);
      out = std::bit_cast<T>(bits);
      if (error != std::errc() || !std::isnan(out)) return Fail("these are not the bits of a NaN");
      at_ += static_cast<size_t>(end - rest.data());
      return true;
    }
    if (Try("nan")) {
      out = std::numeric_limits<T>::quiet_NaN();
      return true;
    }
    SkipBlanks();
    const std::string_view rest = text_.substr(at_);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
    // Too small or too large is out of range too; Print writes neither.
    if (error == std::errc::result_out_of_range) return Fail("a number out of its type's range");
    if (error != std::errc() || std::isnan(out)) return Expected("a number");
    at_ += static_cast<size_t>(end - rest.data());
    return true;
  }
}

// 0.5, or {1, 2, 3}, or all 0
template <typename T>
bool Parser::ReadElements(Array& array) {
  const absl::Span<T> elements = array.mutable_data<T>();
  if (array.rank() == 0) return ReadElement(elements[0]);
  if (Try("all")) {
    T element{};
    if (!ReadElement(element)) return false;
    std::fill(elements.begin(), elements.end(), element);
    return true;
  }
  if (!Read("{")) return false;
  for (size_t i = 0; i < elements.size(); i++) {
    if ((i > 0 && !Read(",")) || !ReadElement(elements[i])) return false;
  }
  return Read("}");
}

bool Parser::ReadConstant(const Type& type, ConstantAttributes& constant) {
  if (!IsStatic(type.shape)) return Fail("a constant of a run-time shape");
  const Dims dims = Resolve(type.shape, {});
  const absl::StatusOr<int64_t> size = CheckedSize(dims);
  if (!size.ok()) return Fail(std::string(size.status().message()));
  // Before memory is asked for: a listed element takes two bytes of text, or more.
  const size_t start = at_;
  const bool repeats = !type.shape.empty() && Try("all");
  at_ = start;
  if (repeats) {
    repeated_ += *size * SizeOf(type.dtype);
    if (*size > kMaxRepeatedBytes || repeated_ > kMaxRepeatedBytes) {
      return Fail(absl::StrCat("constants by `all` of more than ", kMaxRepeatedBytes, " bytes"));
    }
  } else if (*size > static_cast<int64_t>((text_.size() - at_) / 2)) {
    return Fail(absl::StrCat(*size, " elements are more than the text has"));
  }
  absl::StatusOr<Array> array = Array::Zeros(type.dtype, dims);
  if (!array.ok()) return Fail(std::string(array.status().message()));
  constant.value = *std::move(array);
  return WithType(type.dtype, [&]<typename T>(T) { return ReadElements<T>(constant.value); });
}

// 2*i0 - i1 + 3, or (2*i0 - i1 + 3)/4
bool Parser::ReadIndex(AxisMap& map) {
  const bool dilated = Try("(");
  bool first = true, more = true;
  while (more) {
    int64_t sign = 1;
    if (Try("-"))
      sign = -1;
    else if (!first && !Read("+"))
      return false;
    int64_t number = 1;
    const std::string_view next = PeekWord();
    const bool has_number = !next.empty() && IsDigit(next[0]);
    if (has_number) {
      // Read as unsigned, so that the least integer has a text.
      uint64_t size = 0;
      if (!ReadInteger(size)) return false;
      if (size > (uint64_t{1} << 63) - (sign > 0 ? 1 : 0)) {
        return Fail("a number that does not fit its place");
      }
      number = static_cast<int64_t>(sign > 0 ? size : -size);
    } else {
      number = sign;
    }
    if (!has_number || Try("*")) {
      AxisMap::Term term{.axis = 0, .step = number};
      if (PeekWord().substr(0, 1) != "i") return Expected("an index i0, i1, ...");
      at_++;
      if (at_ >= text_.size() || !IsDigit(text_[at_])) return Expected("the number of an axis");
      if (!ReadInteger(term.axis)) return false;
      map.terms.push_back(term);
    } else {
      map.offset = number;  // the offset stands last
      break;
    }
    SkipBlanks();
    const std::string_view rest = text_.substr(at_);
    more = rest.starts_with('+') || rest.starts_with('-');
    first = false;
  }
  return !dilated || (Read(")") && Read("/") && ReadInteger(map.dilation));
}

bool Parser::ReadView(ViewAttributes& view) {
  if (!Read("[")) return false;
  if (!Try("]")) {
    do {
      view.axes.emplace_back();
      if (!ReadIndex(view.axes.back())) return false;
    } while (Try(","));
    if (!Read("]")) return false;
  }
  return !Try("fill=") || ReadElement(view.fill);
}

// A count that is left out where it is 0: " carried=2".
bool Parser::ReadCount(std::string_view key, int32_t& count) {
  return !Try(key) || (Read("=") && ReadInteger(count));
}

bool Parser::ReadLoop(LoopAttributes& loop) {
  if (!Read("length=") || !ReadDim(loop.length) || !ReadCount("captures", loop.captures) ||
      !ReadCount("carried", loop.carried) || !ReadCount("scanned", loop.scanned) ||
      !ReadCount("stacked", loop.stacked)) {
    return false;
  }
  if (Try("binds_rows=")) {
    loop.binds_rows = true;
    if (!ReadInteger(loop.rows_limit)) return false;
  }
  loop.reversed = Try("reversed");
  loop.stops = Try("stops");
  loop.whole = Try("whole");
  return ReadNested("body", loop.body);
}

bool Parser::ReadNested(std::string_view key, std::shared_ptr<const Graph>& graph) {
  if (!Read(key) || !Read("=")) return false;
  if (depth_ == kMaxNesting) {
    return Fail(absl::StrCat("graphs within graphs, more than ", kMaxNesting, " deep"));
  }
  depth_++;
  auto nested = std::make_shared<Graph>();
  if (!ReadGraph(*nested)) return false;
  graph = std::move(nested);
  depth_--;
  return true;
}

bool Parser::ReadAttributes(Node& node) {
  const Type& type = node.type();
  Attributes& out = node.attributes;
  switch (node.kind()) {
    case Kind::kInput:
      return ReadName(out.emplace<InputAttributes>().name);
    case Kind::kConstant:
      return ReadConstant(type, out.emplace<ConstantAttributes>());
    case Kind::kSize:
      return ReadDim(out.emplace<SizeAttributes>().dim);
    case Kind::kIota:
    case Kind::kRandom:
      out = TypeAttributes{type.dtype, type.shape};
      return true;
    case Kind::kMap:
      if (node.op->map != nullptr && node.op->map->types == MapTypes::kCast) {
        out = CastAttributes{type.dtype};
      }
      return true;
    case Kind::kReshape:
      out = ShapeAttributes{type.shape};
      return true;
    case Kind::kView: {
      auto& view = out.emplace<ViewAttributes>();
      view.shape = type.shape;
      return ReadView(view);
    }
    case Kind::kConcat:
      return Read("axis=") && ReadInteger(out.emplace<ConcatAttributes>().axis);
    case Kind::kReduce: {
      auto& reduce = out.emplace<ReduceAttributes>();
      return Read("axes=") && ReadList(reduce.axes) && ReadOrder(reduce.order);
    }
    case Kind::kGather: {
      auto& gather = out.emplace<GatherAttributes>();
      return Read("axis=") && ReadInteger(gather.axis) &&
             (!Try("batch=") || ReadInteger(gather.batch));
    }
    case Kind::kScatterAdd: {
      auto& scatter = out.emplace<ScatterAddAttributes>();
      if (!Read("axis=") || !ReadInteger(scatter.axis)) return false;
      if (Try("batch=") && !ReadInteger(scatter.batch)) return false;
      if (scatter.axis < 0 || scatter.axis >= static_cast<int64_t>(type.shape.size())) {
        return Fail(absl::StrCat("the result has no axis ", scatter.axis));
      }
      scatter.size = type.shape[static_cast<size_t>(scatter.axis)];
      return true;
    }
    case Kind::kContract: {
      auto& contract = out.emplace<ContractAttributes>();
      return (!Try("batch=") || ReadPairs(contract.lhs_batch, contract.rhs_batch)) &&
             Read("sum=") && ReadPairs(contract.lhs_sum, contract.rhs_sum) &&
             ReadOrder(contract.order);
    }
    case Kind::kPart:
      return Read("index=") && ReadInteger(out.emplace<PartAttributes>().index);
    case Kind::kLoop:
      return ReadLoop(out.emplace<LoopAttributes>());
    case Kind::kCustom:
      return ReadNested("gradient", out.emplace<CustomAttributes>().gradient);
  }
  return false;
}

// float32[rows,3] = tanh(%2)
bool Parser::ReadNode(Node& node) {
  node.line = {"text", static_cast<uint32_t>(line_)};
  if (!ReadTypes(node) || !Read("=")) return false;
  const std::string_view name = PeekWord();
  if (name.empty()) return Expected("an op");
  const auto op = ops_.find(AbslView(name));
  if (op == ops_.end()) return Fail(absl::StrCat("no op is called ", Quoted(name)));
  at_ += name.size();
  node.op = op->second;
  SkipBlanks();
  if (text_.substr(at_).starts_with('(') && !ReadIds(node.operands)) return false;
  return ReadAttributes(node);
}

bool Parser::ReadGraph(Graph& graph) {
  std::vector<NodeId> inputs, outputs;
  std::vector<Node> nodes;
  if (!Read("graph") || !ReadIds(inputs) || !Read("->") || !ReadIds(outputs) || !Read("{")) {
    return false;
  }
  while (!Try("}")) {
    if (!Read("%")) return false;
    NodeId id = 0;
    if (!ReadInteger(id)) return false;
    if (static_cast<size_t>(id) != nodes.size()) {
      return Fail(absl::StrCat("node %", nodes.size(), " comes next, not %", id));
    }
    nodes.emplace_back();
    if (!ReadNode(nodes.back())) return false;
  }
  graph = Graph(std::move(nodes), std::move(inputs), std::move(outputs));
  return true;
}

absl::StatusOr<Graph> Parser::Parse() {
  Graph graph;
  if (!ReadGraph(graph)) return status_;
  SkipBlanks();
  if (at_ != text_.size()) {
    Expected("the end");
    return status_;
  }
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  return graph;
}

}  // namespace

absl::StatusOr<Graph> ParseGraph(std::string_view text, absl::Span<const Op* const> ops) {
  return Parser(text, ops).Parse();
}

}  // namespace talweg
