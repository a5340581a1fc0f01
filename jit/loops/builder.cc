#include "jit/loops/builder.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "jit/loops/builder_fold.h"
#include "jit/loops/unused.h"

namespace talweg::loops {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "talweg: loop IR: %s\n", what);
  std::abort();
}

namespace {

template <typename T>
void Append(Block& block, T&& node) {
  block.emplace_back().node = std::forward<T>(node);
}

bool IsCommutative(Opcode opcode) {
  switch (opcode) {
    case Opcode::kAdd:
    case Opcode::kMul:
    case Opcode::kMin:
    case Opcode::kMax:
    case Opcode::kEqual:
    case Opcode::kNotEqual:
    case Opcode::kAnd:
    case Opcode::kOr:
    case Opcode::kXor:
      return true;
    default:
      return false;
  }
}

}  // namespace

Builder::Builder(int32_t inputs, int32_t outputs, bool simplify) : simplify_(simplify) {
  program_.inputs = inputs;
  program_.outputs = outputs;
  Push(Open::Kind::kBody);
}

Program Builder::Take() && {
  Require(open_.size() == 1 && closes_.empty(), "a block was opened and not closed");
  program_.body = Pop(Open::Kind::kBody).block;
  // Only now it is known how many constants there are.
  for (Buffer& buffer : program_.buffers) {
    if (buffer.home == Buffer::Home::kConstant) buffer.slot += program_.constant_slot();
    if (buffer.home == Buffer::Home::kDynamic) buffer.slot += program_.dynamic_slot();
  }
  if (simplify_) DropUnused(program_);
  return std::move(program_);
}

bool Builder::IsConstant(Register r, int64_t* value) const {
  if (r == kNone || fact(r).kind != Fact::Kind::kConstant) return false;
  if (value != nullptr) *value = fact(r).value;
  return true;
}

int32_t Builder::AddBuffer(Buffer buffer) {
  program_.buffers.push_back(std::move(buffer));
  return static_cast<int32_t>(program_.buffers.size()) - 1;
}

int32_t Builder::AddConstant(std::string name, Array elements) {
  Buffer buffer{.name = std::move(name),
                .dtype = elements.dtype(),
                .home = Buffer::Home::kConstant,
                .slot = static_cast<int32_t>(program_.constants.size()),
                .elements = elements.size()};
  program_.constants.push_back(std::move(elements));
  return AddBuffer(std::move(buffer));
}

int32_t Builder::AddDynamic(std::string name, DType dtype) {
  return AddBuffer({.name = std::move(name),
                    .dtype = dtype,
                    .home = Buffer::Home::kDynamic,
                    .slot = program_.dynamic++,
                    .elements = -1});
}

int32_t Builder::AddSite(ErrorSite site) {
  program_.sites.push_back(std::move(site));
  return static_cast<int32_t>(program_.sites.size()) - 1;
}

int32_t Builder::AddRandom(const Op* op, DType dtype) {
  const loops::Random random{op, dtype};
  const auto it = std::find(program_.randoms.begin(), program_.randoms.end(), random);
  const auto which = static_cast<int32_t>(it - program_.randoms.begin());
  if (it == program_.randoms.end()) program_.randoms.push_back(random);
  return which;
}

Register Builder::NewRegister(RegisterType type) {
  program_.registers.push_back(type);
  facts_.emplace_back();
  divisors_.push_back(1);
  return static_cast<Register>(program_.registers.size()) - 1;
}

Register Builder::Emit(Instruction instruction, RegisterType type) {
  instruction.result = NewRegister(type);
  const Register result = instruction.result;
  if (type == RegisterType{kInt64, 1}) {
    divisors_[static_cast<size_t>(result)] = DivisorOf(instruction);
  }
  Append(open_.back().block, std::move(instruction));
  return result;
}

int64_t Builder::DivisorOf(const Instruction& instruction) const {
  constexpr int64_t kMost = 1 << 30;
  if (instruction.code != Code::kScalar) return 1;
  const auto of = [&](size_t arg) { return Divisor(instruction.args[arg]); };
  switch (instruction.opcode) {
    case Opcode::kConstant: {
      const auto value = static_cast<int64_t>(instruction.immediate);
      if (value > -kMost && value < kMost) return std::abs(value);
      return int64_t{1} << std::min(std::countr_zero(instruction.immediate), 30);  // the lowest bit
    }
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMin:
    case Opcode::kMax:
      return std::gcd(of(0), of(1));
    case Opcode::kMul:
      return of(0) * of(1) <= kMost ? of(0) * of(1) : of(0);
    default:
      return 1;
  }
}

void Builder::EmitEffect(Instruction instruction) {
  Append(open_.back().block, std::move(instruction));
}

Register Builder::Numbered(Instruction instruction, RegisterType type) {
  if (!simplify_) return Emit(std::move(instruction), type);
  Key key{.code = instruction.code,
          .opcode = instruction.opcode,
          .dtype = type.dtype,
          .lanes = type.lanes,
          .args = instruction.args,
          .immediate = instruction.immediate,
          .stride = instruction.stride,
          .buffer = instruction.buffer,
          .site = instruction.site};
  if (!instruction.shuffle.empty()) {
    key.shuffle = shuffles_.try_emplace(instruction.shuffle, static_cast<int32_t>(shuffles_.size()))
                      .first->second;
  }
  Visible& visible = visible_[key];
  const auto depth = static_cast<size_t>(visible.depth);
  const bool found = visible.reg != kNone && visible.depth >= section_depth_ &&
                     depth < open_.size() && open_[depth].serial == visible.serial;
  if (!found) {
    visible = {Emit(std::move(instruction), type), static_cast<int32_t>(open_.size()) - 1,
               open_.back().serial};
  }
  return visible.reg;
}

Register Builder::Constant(DType dtype, uint64_t bits, int32_t lanes) {
  const Register r =
      Numbered({.opcode = Opcode::kConstant, .immediate = bits}, RegisterType{dtype, lanes});
  SetFact(r, {Fact::Kind::kConstant, kNone, Wrap(dtype, bits)});
  return r;
}

Register Builder::Like(Register a, int64_t value) {
  return Constant(type(a).dtype, Bits(type(a).dtype, value), lanes(a));
}

Register Builder::Symbol(uint64_t which) {
  return Numbered({.code = Code::kSymbol, .immediate = which}, RegisterType{kInt64, 1});
}

DType Builder::ResultOf(Opcode opcode, DType operand) {
  switch (opcode) {
    case Opcode::kLess:
    case Opcode::kLessEqual:
    case Opcode::kEqual:
    case Opcode::kNotEqual:
      return kBool;
    default:
      return operand;
  }
}

Register Builder::Convert(DType to, Register a) {
  const DType from = type(a).dtype;
  if (from == to) return a;
  int64_t value;
  if (IsInteger(from) && IsInteger(to) && IsConstant(a, &value)) {
    return Constant(to, Bits(to, value), lanes(a));
  }
  return Scalar(Opcode::kConvert, to, {a});
}

Register Builder::Scalar(Opcode opcode, DType result, absl::Span<const Register> args,
                         uint64_t immediate) {
  int32_t most = 1;
  for (Register r : args) most = std::max(most, lanes(r));
  std::array<Register, 4> wide = {kNone, kNone, kNone, kNone};
  for (size_t i = 0; i < args.size(); i++) wide[i] = Splat(args[i], most);
  if (args.size() == 2) {
    const DType operand = type(args[0]).dtype;
    if (!IsFloat(operand)) {
      if (IsCommutative(opcode) &&
          (IsConstant(wide[0]) || (!IsConstant(wide[1]) && wide[0] > wide[1]))) {
        std::swap(wide[0], wide[1]);
      }
      const Register folded = Fold(opcode, operand, wide[0], wide[1]);
      if (folded != kNone) return folded;
    }
  }
  return Numbered({.opcode = opcode, .args = wide, .immediate = immediate},
                  RegisterType{result, most});
}

Register Builder::Splat(Register a, int32_t lanes) {
  const RegisterType from = type(a);
  if (from.lanes == lanes) return a;
  Require(from.lanes == 1, "a vector is to be splatted");
  const Fact known = fact(a);
  if (known.kind == Fact::Kind::kConstant) {
    return Constant(from.dtype, Bits(from.dtype, known.value), lanes);
  }
  if (known.kind == Fact::Kind::kSum) return Plus(Splat(known.base, lanes), known.value);
  return Numbered({.code = Code::kSplat, .args = {a, kNone, kNone, kNone}},
                  RegisterType{from.dtype, lanes});
}

Register Builder::Lanes(DType dtype, int32_t lanes) {
  if (lanes == 1) return Constant(dtype, 0);
  return Numbered({.code = Code::kLanes}, RegisterType{dtype, lanes});
}

Register Builder::Shuffle(Register a, Register b, std::vector<int32_t> lanes) {
  const RegisterType result{type(a).dtype, static_cast<int32_t>(lanes.size())};
  return Numbered(
      {.code = Code::kShuffle, .args = {a, b, kNone, kNone}, .shuffle = std::move(lanes)}, result);
}

// In 32 bits: half the vectors of 64.
Register Builder::Below(Register count, int32_t lanes) {
  int64_t known;
  if (IsConstant(count, &known) && known >= lanes) return kNone;
  const Register most = Convert(kInt32, Binary(Opcode::kMin, count, Index(lanes)));
  return Binary(Opcode::kLess, Lanes(kInt32, lanes), most);
}

Registers Builder::Inline(const ScalarProgram& formula, absl::Span<const int32_t> ids,
                          absl::Span<const Register> inputs) {
  const std::vector<talweg::Instruction>& steps = formula.instructions();
  const size_t count = 1 + static_cast<size_t>(*std::max_element(ids.begin(), ids.end()));
  std::vector<uint8_t> needed(count, 0);
  for (int32_t id : ids) needed[static_cast<size_t>(id)] = 1;
  for (size_t i = count; i-- > 0;) {
    if (!needed[i]) continue;
    for (int32_t operand : steps[i].operands) {
      if (operand >= 0) needed[static_cast<size_t>(operand)] = 1;
    }
  }
  std::vector<Register> results(count, kNone);
  for (size_t i = 0; i < count; i++) {
    if (!needed[i]) continue;
    const talweg::Instruction& step = steps[i];
    if (step.opcode == Opcode::kInput) {
      results[i] = inputs[step.immediate];
    } else if (step.opcode == Opcode::kConstant) {
      results[i] = Constant(step.dtype, step.immediate);
    } else {
      std::array<Register, 3> args;
      size_t arity = 0;
      for (; arity < 3 && step.operands[arity] >= 0; arity++) {
        args[arity] = results[static_cast<size_t>(step.operands[arity])];
      }
      results[i] =
          Scalar(step.opcode, step.dtype, absl::MakeSpan(args.data(), arity), step.immediate);
    }
  }
  Registers out;
  for (int32_t id : ids) out.push_back(results[static_cast<size_t>(id)]);
  return out;
}

Register Builder::Inline(const ScalarProgram& formula, int32_t id,
                         absl::Span<const Register> inputs) {
  return Inline(formula, absl::MakeConstSpan(&id, 1), inputs)[0];
}

void Builder::SplitIndex(Register& index, int64_t& offset) const {
  if (index == kNone) return;
  const Fact& known = fact(index);
  if (known.kind == Fact::Kind::kNothing) return;
  offset += known.value;
  index = known.base;
}

Register Builder::Mask(Register mask, int32_t lanes) {
  int64_t value;
  if (mask == kNone || (IsConstant(mask, &value) && value != 0)) return kNone;
  return Splat(mask, lanes);
}

Register Builder::Load(int32_t buffer, Register index, int32_t lanes, const Access& access) {
  const Buffer& from = program_.buffers[static_cast<size_t>(buffer)];
  const Register mask = Mask(access.mask, lanes);
  if (lanes > 1 && access.stride == 0 && mask == kNone) {
    return Splat(Load(buffer, index, 1, {.offset = access.offset}), lanes);
  }
  int64_t offset = access.offset;
  SplitIndex(index, offset);
  Instruction load{.code = Code::kLoad,
                   .args = {index, mask, kNone, kNone},
                   .immediate = static_cast<uint64_t>(offset),
                   .stride = lanes == 1 ? 1 : access.stride,
                   .buffer = buffer};
  const RegisterType type{from.dtype, lanes};
  const bool fixed = from.home == Buffer::Home::kInput || from.home == Buffer::Home::kConstant;
  return fixed ? Numbered(std::move(load), type) : Emit(std::move(load), type);
}

Register Builder::LoadEach(int32_t buffer, Register indices, const Access& access) {
  const Buffer& from = program_.buffers[static_cast<size_t>(buffer)];
  const RegisterType type{from.dtype, lanes(indices)};
  if (type.lanes == 1) {
    return Load(buffer, indices, 1, {.offset = access.offset, .mask = access.mask});
  }
  int64_t offset = access.offset;
  if (fact(indices).kind == Fact::Kind::kSum) SplitIndex(indices, offset);
  Instruction load{.code = Code::kLoadEach,
                   .args = {indices, Mask(access.mask, type.lanes), kNone, kNone},
                   .immediate = static_cast<uint64_t>(offset),
                   .buffer = buffer};
  const bool fixed = from.home == Buffer::Home::kInput || from.home == Buffer::Home::kConstant;
  return fixed ? Numbered(std::move(load), type) : Emit(std::move(load), type);
}

void Builder::Store(int32_t buffer, Register index, Register value, const Access& access) {
  int64_t offset = access.offset;
  SplitIndex(index, offset);
  EmitEffect({.code = Code::kStore,
              .args = {index, Mask(access.mask, lanes(value)), value, kNone},
              .immediate = static_cast<uint64_t>(offset),
              .stride = lanes(value) == 1 ? 1 : access.stride,
              .buffer = buffer});
}

void Builder::Prefetch(int32_t buffer, Register index, int64_t offset) {
  SplitIndex(index, offset);
  EmitEffect({.code = Code::kPrefetch,
              .args = {index, kNone, kNone, kNone},
              .immediate = static_cast<uint64_t>(offset),
              .buffer = buffer});
}

Register Builder::CheckIndex(Register index, Register extent, int32_t site, Register active) {
  int64_t place, most;
  if (IsConstant(index, &place) && IsConstant(extent, &most) && place >= 0 && place < most) {
    return index;
  }
  const RegisterType result = type(index);
  return Numbered({.code = Code::kCheckIndex,
                   .args = {index, extent, Mask(active, result.lanes), kNone},
                   .site = site},
                  result);
}

void Builder::FailIf(Register condition, int32_t site, Register a, Register b) {
  int64_t value;
  if (IsConstant(condition, &value) && value == 0) return;
  EmitEffect({.code = Code::kFailIf, .args = {condition, a, b, kNone}, .site = site});
}

void Builder::BindTrips(Register trips) {
  // What was read before is not what will be read.
  visible_.erase({.code = Code::kSymbol, .dtype = kInt64, .immediate = 1});
  EmitEffect({.code = Code::kBindTrips, .args = {trips, kNone, kNone, kNone}});
}

void Builder::Allocate(int32_t buffer, Register elements, int32_t site) {
  EmitEffect({.code = Code::kAllocate,
              .args = {elements, kNone, kNone, kNone},
              .buffer = buffer,
              .site = site});
}

Register Builder::Mark() { return Emit({.code = Code::kMark}, RegisterType{kInt64, 1}); }

void Builder::Release(Register mark) {
  EmitEffect({.code = Code::kRelease, .args = {mark, kNone, kNone, kNone}});
}

void Builder::Random(int32_t buffer, Register index, Register elements, Register key,
                     Register stream, int32_t which) {
  int64_t offset = 0;
  SplitIndex(index, offset);
  EmitEffect({.code = Code::kRandom,
              .args = {key, stream, index, elements},
              .immediate = static_cast<uint64_t>(offset),
              .buffer = buffer,
              .which = which});
}

Register Builder::Poll() { return Emit({.code = Code::kPoll}, RegisterType{kBool, 1}); }

Builder::Open& Builder::Push(Open::Kind kind) {
  Open& open = open_.emplace_back();
  open.kind = kind;
  open.serial = serial_++;
  open.outer_section = section_depth_;
  return open;
}

Builder::Open Builder::Pop(Open::Kind kind) {
  Require(!open_.empty() && open_.back().kind == kind, "a block is closed that is not open");
  Open open = std::move(open_.back());
  open_.pop_back();
  section_depth_ = open.outer_section;
  return open;
}

Bound Builder::Simplified(Bound bound) const {
  int64_t value;
  if (IsConstant(bound.reg, &value)) return {.value = value};
  return bound;
}

Builder::Loop Builder::OpenFor(Bound begin, Bound end, int64_t step,
                               absl::Span<const Register> starts) {
  begin = Simplified(begin);
  end = Simplified(end);
  // How far apart the bounds are, if that is known.
  Register from = begin.reg, to = end.reg;
  int64_t first = from == kNone ? begin.value : 0, last = to == kNone ? end.value : 0;
  SplitIndex(from, first);
  SplitIndex(to, last);
  const bool known = from == to && simplify_;
  Loop loop;
  const uint64_t distance = static_cast<uint64_t>(last) - static_cast<uint64_t>(first);
  if (known && last > first && distance <= static_cast<uint64_t>(step)) {
    closes_.emplace_back();
    loop.variable = begin.reg == kNone ? Index(begin.value) : begin.reg;
    loop.carried.assign(starts.begin(), starts.end());
    return loop;
  }
  Closing& closing = closes_.emplace_back();
  closing.close = known && last <= first ? Close::kDrop : Close::kBlock;
  closing.starts.assign(starts.begin(), starts.end());
  For& made = Push(Open::Kind::kFor).loop;
  made.variable = loop.variable = NewRegister({kInt64, 1});
  const int64_t divisor = begin.reg == kNone ? begin.value : Divisor(begin.reg);
  divisors_[static_cast<size_t>(loop.variable)] = std::gcd(divisor, step);
  made.begin = begin;
  made.end = end;
  made.step = step;
  for (Register start : starts) {
    made.carried.push_back({.inside = NewRegister(type(start)), .start = start});
    loop.carried.push_back(made.carried.back().inside);
  }
  return loop;
}

Builder::Loop Builder::OpenParallel(Bound begin, Bound end, int64_t step, double cost) {
  Loop loop = OpenFor(begin, end, step);
  if (closes_.back().close == Close::kNothing) return loop;
  open_.back().loop.parallel = true;
  open_.back().loop.cost = static_cast<int64_t>(std::clamp(cost, 1.0, 0x1p62));
  return loop;
}

Registers Builder::CloseFor(absl::Span<const Register> next, Register until) {
  Require(!closes_.empty(), "a loop is closed that is not open");
  const Close close = closes_.back().close;
  Registers starts = std::move(closes_.back().starts);
  closes_.pop_back();
  if (close == Close::kNothing) return Registers(next.begin(), next.end());
  Open open = Pop(Open::Kind::kFor);
  For& loop = open.loop;
  Require(next.size() == loop.carried.size(), "a loop has other values at its end");
  if (close == Close::kDrop) return starts;
  Registers after;
  for (size_t i = 0; i < next.size(); i++) {
    loop.carried[i].next = next[i];
    loop.carried[i].after = NewRegister(type(next[i]));
    after.push_back(loop.carried[i].after);
  }
  loop.until = until;
  loop.body = std::move(open.block);
  Append(open_.back().block, std::move(loop));
  return after;
}

void Builder::OpenIf(Register condition) {
  int64_t value;
  if (IsConstant(condition, &value) && value != 0) {
    closes_.emplace_back();
    return;
  }
  closes_.emplace_back().close = IsConstant(condition) ? Close::kDrop : Close::kBlock;
  Push(Open::Kind::kIf).condition = condition;
}

void Builder::CloseIf() {
  Require(!closes_.empty(), "an if is closed that is not open");
  const Close close = closes_.back().close;
  closes_.pop_back();
  if (close == Close::kNothing) return;
  Open open = Pop(Open::Kind::kIf);
  if (close == Close::kDrop || open.block.empty()) return;
  Append(open_.back().block, If{open.condition, std::move(open.block)});
}

void Builder::OpenSection(std::string label, bool once) {
  Open& open = Push(Open::Kind::kSection);
  open.label = std::move(label);
  open.once = once;
  section_depth_ = static_cast<int32_t>(open_.size()) - 1;
}

void Builder::CloseSection() {
  Open open = Pop(Open::Kind::kSection);
  if (open.block.empty()) return;
  Append(open_.back().block, Section{std::move(open.label), std::move(open.block), open.once});
}

Section* Builder::LastSection() {
  Block& block = open_.back().block;
  return block.empty() ? nullptr : std::get_if<Section>(&block.back().node);
}

std::vector<Section> Builder::TakeSections(size_t since) {
  std::vector<Section> sections;
  Block& block = open_.back().block;
  Block rest;
  for (size_t i = since; i < block.size(); i++) {
    if (auto* section = std::get_if<Section>(&block[i].node)) {
      sections.push_back(std::move(*section));
      continue;
    }
    const auto* instruction = std::get_if<Instruction>(&block[i].node);
    if (instruction == nullptr || instruction->code != Code::kAllocate) {
      rest.push_back(std::move(block[i]));
    }
  }
  block.resize(since);
  for (Statement& statement : rest) block.push_back(std::move(statement));
  return sections;
}

}  // namespace talweg::loops
