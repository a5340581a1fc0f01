#include "jit/loops/print.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "graph/functions.h"

namespace talweg::loops {
namespace {

constexpr const char* kWhats[] = {"index", "trips", "rows", "one length", "memory"};

std::string Element(DType dtype, uint64_t bits) {
  switch (dtype) {
    case DType::kFloat32:
      return FormatNumber(FromBits<float>(bits));
    case DType::kFloat64:
      return FormatNumber(FromBits<double>(bits));
    case DType::kInt32:
      return absl::StrCat(FromBits<int32_t>(bits));
    case DType::kInt64:
      return absl::StrCat(FromBits<int64_t>(bits));
    case DType::kBool:
      break;
  }
  return bits != 0 ? "true" : "false";
}

std::string Name(Register r) { return r == kNone ? "none" : absl::StrCat("%", r); }

std::string Name(const Bound& bound) {
  return bound.reg == kNone ? absl::StrCat(bound.value) : Name(bound.reg);
}

// Names are the user's own: whatever could be mistaken for another part of the line is quoted.
std::string Readable(const std::string& name) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("_.-/%").find(c) != absl::string_view::npos;
  };
  return std::all_of(name.begin(), name.end(), plain) ? name : Quoted(name);
}

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program) {
    absl::flat_hash_map<absl::string_view, int> count;
    for (const Buffer& buffer : program.buffers) count[buffer.name]++;
    for (size_t i = 0; i < program.buffers.size(); i++) {
      const std::string& name = program.buffers[i].name;
      names_.push_back(Readable(name));
      if (name.empty() || count[name] > 1) absl::StrAppend(&names_.back(), "#", i);
    }
  }

  std::string Text() {
    for (size_t i = 0; i < program_.buffers.size(); i++) PrintBuffer(i);
    for (size_t i = 0; i < program_.sites.size(); i++) {
      const ErrorSite& site = program_.sites[i];
      absl::StrAppend(&text_, "site ", i, ": ", kWhats[static_cast<int>(site.what)], ", \"",
                      site.before, "...", site.after, "\"");
      if (site.what == ErrorSite::What::kRows) absl::StrAppend(&text_, ", limit ", site.limit);
      text_ += '\n';
    }
    for (size_t k = 0; k < program_.passed_through.size(); k++) {
      if (program_.passed_through[k] < 0) continue;
      absl::StrAppend(&text_, "output ", k, " is input ", program_.passed_through[k], "\n");
    }
    absl::StrAppend(&text_, "arena of ", program_.arena_bytes, " bytes\n");
    if (program_.thread_bytes > 0) {
      absl::StrAppend(&text_, "each thread has ", program_.thread_bytes, " bytes\n");
    }
    PrintBlock(program_.body);
    return std::move(text_);
  }

  std::string Line(const Instruction& i) const;
  std::string Line(const For& loop) const {
    std::string line = absl::StrCat(loop.parallel ? "parallel for " : "for ", Name(loop.variable),
                                    " = ", Name(loop.begin), " to ", Name(loop.end));
    if (loop.step != 1) absl::StrAppend(&line, " step ", loop.step);
    if (loop.until != kNone) absl::StrAppend(&line, " until ", Name(loop.until));
    if (loop.parallel) absl::StrAppend(&line, " cost ", loop.cost);
    return line;
  }

 private:
  void PrintBuffer(size_t i) {
    const Buffer& buffer = program_.buffers[i];
    absl::StrAppend(&text_, "buffer ", names_[i], ": ");
    switch (buffer.home) {
      case Buffer::Home::kInput:
        absl::StrAppend(&text_, "input ", buffer.slot);
        break;
      case Buffer::Home::kOutput:
        absl::StrAppend(&text_, "output ", buffer.slot - program_.output_slot());
        break;
      case Buffer::Home::kConstant:
        absl::StrAppend(&text_, "constant ", buffer.slot - program_.constant_slot());
        break;
      case Buffer::Home::kArena:
        absl::StrAppend(&text_, "arena at ", buffer.offset);
        break;
      case Buffer::Home::kThread:
        absl::StrAppend(&text_, "thread at ", buffer.offset);
        break;
      case Buffer::Home::kDynamic:
        absl::StrAppend(&text_, "dynamic ", buffer.slot - program_.dynamic_slot());
        break;
    }
    absl::StrAppend(&text_, ", ", talweg::Name(buffer.dtype), ", ");
    if (buffer.elements < 0) {
      absl::StrAppend(&text_, "? elements\n");
    } else {
      absl::StrAppend(&text_, buffer.elements, " elements\n");
    }
  }

  void Print(const Instruction& instruction) { AddLine(Line(instruction)); }
  void Print(const For& loop) {
    AddLine(Line(loop));
    for (const For::Carried& c : loop.carried) {
      AddLine(absl::StrCat("    with ", Name(c.inside), " ", TypeOf(c.inside), " = ", Name(c.start),
                           ", next ", Name(c.next), ", after ", Name(c.after)));
    }
    PrintInner(loop.body);
  }
  void Print(const If& branch) {
    AddLine(absl::StrCat("if ", Name(branch.condition)));
    PrintInner(branch.body);
  }
  void Print(const Section& section) {
    AddLine(absl::StrCat("section \"", section.label, "\"", section.once ? " once" : ""));
    PrintInner(section.body);
  }

  void PrintBlock(const Block& block) {
    for (const Statement& statement : block) {
      std::visit([this](const auto& node) { Print(node); }, statement.node);
    }
  }
  void PrintInner(const Block& block) {
    indent_ += 2;
    PrintBlock(block);
    indent_ -= 2;
  }
  void AddLine(absl::string_view line) {
    text_.append(indent_, ' ');
    absl::StrAppend(&text_, line, "\n");
  }

  // What verify.h refuses is printed, too.
  std::string TypeOf(Register r) const {
    const bool known = r >= 0 && static_cast<size_t>(r) < program_.registers.size();
    return known ? ToString(program_.type(r)) : "?";
  }
  std::string NameOf(int32_t buffer) const {
    const bool known = buffer >= 0 && static_cast<size_t>(buffer) < names_.size();
    return known ? names_[static_cast<size_t>(buffer)] : absl::StrCat("?", buffer);
  }
  std::string Place(const Instruction& i, Register index) const;

  const Program& program_;
  std::vector<std::string> names_;
  std::string text_;
  size_t indent_ = 0;
};

// "hidden[%7 + 16 step 3]"
std::string Printer::Place(const Instruction& i, Register index) const {
  const auto offset = static_cast<int64_t>(i.immediate);
  std::string place = absl::StrCat(NameOf(i.buffer), "[");
  if (index == kNone) {
    absl::StrAppend(&place, offset);
  } else {
    absl::StrAppend(&place, Name(index));
    if (offset > 0) absl::StrAppend(&place, " + ", offset);
    if (offset < 0) absl::StrAppend(&place, " - ", -static_cast<uint64_t>(offset));
  }
  if (i.stride != 1) absl::StrAppend(&place, " step ", i.stride);
  return absl::StrCat(place, "]");
}

std::string Printer::Line(const Instruction& i) const {
  std::string line;
  if (i.result != kNone) line = absl::StrCat(Name(i.result), " ", TypeOf(i.result), " = ");
  // All operands that there are.
  const auto operands = [&](std::string word) {
    absl::StrAppend(&line, word);
    for (Register r : i.args) {
      if (r != kNone) absl::StrAppend(&line, " ", Name(r));
    }
  };
  const auto add = [&](const auto&... parts) { absl::StrAppend(&line, parts...); };
  const auto where = [&](Register mask) {
    if (mask != kNone) add(" where ", Name(mask));
  };
  switch (i.code) {
    case Code::kScalar:
      if (i.opcode == Opcode::kConstant) {
        const size_t r = static_cast<size_t>(i.result);
        const bool known = r < program_.registers.size();
        add("constant ", Element(known ? program_.registers[r].dtype : kInt64, i.immediate));
      } else if (i.opcode == Opcode::kCall) {
        const bool known = i.immediate < static_cast<uint64_t>(kFunctionCount);
        operands(absl::StrCat("call ", known ? kFunctions[i.immediate].name : "?"));
      } else {
        operands(talweg::Name(i.opcode));
        if (i.opcode == Opcode::kShiftLeft || i.opcode == Opcode::kShiftRight) {
          add(" ", i.immediate);
        }
      }
      break;
    case Code::kSplat:
      operands("splat");
      break;
    case Code::kLanes:
      operands("lanes");
      break;
    case Code::kShuffle:
      operands("shuffle");
      for (size_t k = 0; k < i.shuffle.size(); k++) add(k == 0 ? " [" : " ", i.shuffle[k]);
      add("]");
      break;
    case Code::kLoad:
      add("load ", Place(i, i.args[0]));
      where(i.args[1]);
      break;
    case Code::kLoadEach:
      add("load_each ", Place(i, i.args[0]));
      where(i.args[1]);
      break;
    case Code::kStore:
      add("store ", Place(i, i.args[0]), " ", Name(i.args[2]));
      where(i.args[1]);
      break;
    case Code::kPrefetch:
      add("prefetch ", Place(i, i.args[0]));
      break;
    case Code::kSymbol:
      add(i.immediate == 0 ? "rows" : "trips");
      break;
    case Code::kCheckIndex:
      add("check_index ", Name(i.args[0]), " below ", Name(i.args[1]));
      where(i.args[2]);
      add(" site ", i.site);
      break;
    case Code::kFailIf:
      operands("fail_if");
      add(" site ", i.site);
      break;
    case Code::kBindTrips:
      operands("bind_trips");
      break;
    case Code::kAllocate:
      add("allocate ", NameOf(i.buffer), " elements ", Name(i.args[0]), " site ", i.site);
      break;
    case Code::kMark:
      operands("mark");
      break;
    case Code::kRelease:
      operands("release");
      break;
    case Code::kRandom: {
      const bool known = static_cast<size_t>(i.which) < program_.randoms.size();
      const Op* op = known ? program_.randoms[static_cast<size_t>(i.which)].op : nullptr;
      add("random ", op == nullptr ? "?" : op->name, " ", Place(i, i.args[2]), " elements ",
          Name(i.args[3]), " key ", Name(i.args[0]), " stream ", Name(i.args[1]));
      break;
    }
    case Code::kPoll:
      operands("poll");
      break;
  }
  return line;
}

}  // namespace

std::string ToString(RegisterType type) {
  if (type.lanes == 1) return talweg::Name(type.dtype);
  return absl::StrCat(talweg::Name(type.dtype), "x", type.lanes);
}

std::string ToString(const Program& program) { return Printer(program).Text(); }

std::string ToString(const Program& program, const Instruction& instruction) {
  return Printer(program).Line(instruction);
}

std::string ToString(const Program& program, const For& loop) {
  return Printer(program).Line(loop);
}

}  // namespace talweg::loops
