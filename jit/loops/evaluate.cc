#include "jit/loops/evaluate.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/memory.h"
#include "base/processor.h"
#include "graph/functions.h"
#include "jit/loops/evaluate_step.h"
#include "jit/loops/run.h"

namespace talweg::loops {
namespace {

// Turns a program into steps. Registers get their places as a stack does: what a block defines
// makes room when the block ends. Constants lie before all others, and are never computed.
class Compiler {
 public:
  Compiler(const Program& program, bool wide, bool shuffle)
      : program_(program), places_(program.registers.size(), -1), wide_(wide), shuffle_(shuffle) {}

  Evaluator::Code Compile() {
    code_.buffers = program_.buffers;
    code_.arena_bytes = program_.arena_bytes;
    code_.thread_bytes = program_.thread_bytes;
    PlaceConstants(program_.body);
    used_ = most_ = static_cast<int64_t>(code_.constants.size());
    AddBlock(program_.body);
    NewStep(EndStep);
    code_.register_bytes = most_;
    return std::move(code_);
  }

 private:
  static bool IsConstant(const Instruction& i) {
    return i.code == Code::kLanes || (i.code == Code::kScalar && i.opcode == Opcode::kConstant);
  }
  int64_t BytesOf(Register r) const {
    return program_.type(r).lanes * SizeOf(program_.type(r).dtype);
  }
  static int64_t Align(int64_t place, int64_t bytes) {
    const int64_t alignment = std::clamp<int64_t>(
        static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes))), 8, 64);
    return (place + alignment - 1) / alignment * alignment;
  }

  void PlaceConstants(const Block& block) {
    for (const Statement& statement : block) {
      if (const auto* i = std::get_if<Instruction>(&statement.node)) {
        if (IsConstant(*i)) PlaceConstant(*i);
      } else if (const auto* loop = std::get_if<For>(&statement.node)) {
        PlaceOf(loop->begin);
        PlaceOf(loop->end);
        PlaceConstants(loop->body);
      } else if (const auto* branch = std::get_if<If>(&statement.node)) {
        PlaceConstants(branch->body);
      } else {
        PlaceConstants(std::get<Section>(statement.node).body);
      }
    }
  }
  void PlaceConstant(const Instruction& i) {
    const bool lanes = i.code == Code::kLanes;
    places_[static_cast<size_t>(i.result)] =
        ConstantPlace(program_.type(i.result), lanes, i.immediate);
  }
  int32_t ConstantPlace(RegisterType type, bool lanes, uint64_t bits);

  int32_t Place(Register r) const { return r == kNone ? -1 : places_[static_cast<size_t>(r)]; }
  int32_t Define(Register r) {
    const int64_t bytes = BytesOf(r);
    const int64_t place = Align(used_, bytes);
    used_ = place + bytes;
    most_ = std::max(most_, used_);
    return places_[static_cast<size_t>(r)] = static_cast<int32_t>(place);
  }
  int32_t PlaceOf(const Bound& bound) {
    if (bound.reg != kNone) return Place(bound.reg);
    return ConstantPlace({kInt64, 1}, false, static_cast<uint64_t>(bound.value));
  }

  Step& NewStep(StepFunction run) {
    Step& step = code_.steps.emplace_back();
    step.run = run;
    step.section = section_;
    return step;
  }
  int32_t Here() const { return static_cast<int32_t>(code_.steps.size()); }

  void AddBlock(const Block& block) {
    const int64_t used = used_;
    for (const Statement& statement : block) {
      std::visit([this](const auto& node) { Add(node); }, statement.node);
    }
    used_ = used;
  }
  void Add(const Instruction& i);
  void Add(const For& loop);
  void Add(const If& branch) {
    const size_t number = code_.steps.size();
    NewStep(IfStep).a = Place(branch.condition);
    AddBlock(branch.body);
    code_.steps[number].target = Here() - static_cast<int32_t>(number);
  }
  void Add(const Section& section) {
    const int32_t outer = section_;
    section_ = static_cast<int32_t>(code_.sections.size());
    code_.sections.push_back(section.label);
    AddBlock(section.body);
    section_ = outer;
  }
  StepFunction FunctionOf(const Instruction& i) const;
  StepFunction ScalarFunction(const Instruction& i) const;
  void AddCopies(Step& step, const For& loop, bool next);

  const Program& program_;
  Evaluator::Code code_;
  std::vector<int32_t> places_;  // of the registers
  const bool wide_, shuffle_;
  int32_t section_ = -1;
  int64_t used_ = 0, most_ = 0;
  absl::flat_hash_map<std::tuple<DType, int32_t, bool, uint64_t>, int32_t> constants_;
};

int32_t Compiler::ConstantPlace(RegisterType type, bool lanes, uint64_t bits) {
  const auto size = static_cast<size_t>(SizeOf(type.dtype));
  const auto [found, inserted] =
      constants_.try_emplace(std::tuple(type.dtype, type.lanes, lanes, bits), 0);
  if (!inserted) return found->second;
  const size_t bytes = size * static_cast<size_t>(type.lanes);
  const auto place = static_cast<size_t>(
      Align(static_cast<int64_t>(code_.constants.size()), static_cast<int64_t>(bytes)));
  code_.constants.resize(place + bytes);
  for (size_t lane = 0; lane < static_cast<size_t>(type.lanes); lane++) {
    const uint64_t element = lanes ? lane : bits;
    std::memcpy(code_.constants.data() + place + lane * size, &element, size);
  }
  return found->second = static_cast<int32_t>(place);
}

StepFunction Compiler::ScalarFunction(const Instruction& i) const {
  const RegisterType result = program_.type(i.result);
  const Register operand = i.args[i.opcode == Opcode::kSelect ? 1 : 0];
  const DType dtype = program_.type(operand).dtype;
  if (i.opcode == Opcode::kCall) return CallStep(dtype, i.args[1] == kNone ? 1 : 2);
  return (IsFloat(dtype) ? FloatStep : IntegerStep)(i.opcode, dtype, result.dtype, result.lanes,
                                                    wide_);
}

StepFunction Compiler::FunctionOf(const Instruction& i) const {
  const RegisterType type = i.result == kNone ? RegisterType() : program_.type(i.result);
  const bool plain = i.stride == 1 && i.args[1] == kNone;
  switch (i.code) {
    case Code::kScalar:
      return ScalarFunction(i);
    case Code::kSplat:
      return SplatStep(type.dtype, type.lanes);
    case Code::kShuffle:
      return ShuffleStep(type.dtype);
    case Code::kLoad:
      return LoadStep(type.dtype, type.lanes, plain);
    case Code::kLoadEach:
      return LoadEachStep(type.dtype);
    case Code::kStore:
      return StoreStep(program_.type(i.args[2]).dtype, program_.type(i.args[2]).lanes, plain);
    case Code::kSymbol:
      return SymbolStep;
    case Code::kCheckIndex:
      return CheckIndexStep;
    case Code::kFailIf:
      return FailIfStep;
    case Code::kBindTrips:
      return BindTripsStep;
    case Code::kAllocate:
      return AllocateStep;
    case Code::kMark:
      return MarkStep;
    case Code::kRelease:
      return ReleaseStep;
    case Code::kRandom:
      return RandomStep;
    case Code::kPoll:
      return PollStep;
    case Code::kLanes:
    case Code::kPrefetch:
      break;
  }
  return nullptr;
}

void Compiler::Add(const Instruction& i) {
  if (IsConstant(i) || i.code == Code::kPrefetch) return;
  Step& step = NewStep(FunctionOf(i));
  step.a = Place(i.args[0]);
  step.b = Place(i.args[1]);
  step.c = Place(i.args[2]);
  step.lanes = i.code == Code::kStore ? program_.type(i.args[2]).lanes : 1;
  if (i.result != kNone) {
    step.out = Define(i.result);
    step.lanes = program_.type(i.result).lanes;
  }
  step.buffer = i.buffer;
  step.site = i.code == Code::kRandom ? i.which : i.site;
  step.immediate = static_cast<int64_t>(i.immediate);
  step.stride = i.stride;
  step.extra = static_cast<int32_t>(code_.shuffles.size());
  if (i.code == Code::kRandom) code_.shuffles.push_back(Place(i.args[3]));
  if (i.code == Code::kShuffle) {
    const auto size = static_cast<int32_t>(SizeOf(program_.type(i.result).dtype));
    const int32_t lanes = program_.type(i.args[0]).lanes;
    for (int32_t lane : i.shuffle) {
      code_.shuffles.push_back(lane < lanes ? step.a + lane * size
                                            : step.b + (lane - lanes) * size);
    }
  }
}

// The carried values enter (from `start`) or go on (from `next`). All copies of a step happen at
// once, so that values may change places: where one would overwrite what another reads, all go by
// way of a place of their own.
void Compiler::AddCopies(Step& step, const For& loop, bool next) {
  step.extra = static_cast<int32_t>(code_.copies.size());
  std::vector<Copy> copies;
  for (const For::Carried& carried : loop.carried) {
    const Copy copy{Place(next ? carried.next : carried.start), Place(carried.inside),
                    static_cast<int32_t>(BytesOf(carried.inside))};
    if (copy.from != copy.to) copies.push_back(copy);
  }
  const bool collide = std::any_of(copies.begin(), copies.end(), [&](const Copy& a) {
    return std::any_of(copies.begin(), copies.end(), [&](const Copy& b) { return a.from == b.to; });
  });
  if (collide) {
    std::vector<Copy> back;
    int64_t spare = used_;
    for (Copy& copy : copies) {
      spare = Align(spare, copy.bytes);
      back.push_back({static_cast<int32_t>(spare), copy.to, copy.bytes});
      copy.to = static_cast<int32_t>(spare);
      spare += copy.bytes;
    }
    most_ = std::max(most_, spare);
    copies.insert(copies.end(), back.begin(), back.end());
  }
  step.lanes = static_cast<int32_t>(copies.size());
  code_.copies.insert(code_.copies.end(), copies.begin(), copies.end());
}

void Compiler::Add(const For& loop) {
  const int32_t begin = PlaceOf(loop.begin), end = PlaceOf(loop.end);
  // Inside and after are never used at the same time.
  for (const For::Carried& carried : loop.carried) {
    places_[static_cast<size_t>(carried.after)] = Define(carried.inside);
  }
  const int64_t used = used_;
  const int32_t variable = Define(loop.variable);
  const bool shuffled = loop.parallel && shuffle_;
  int32_t number = -1;
  if (shuffled) {
    used_ = Align(used_, 8) + 8;
    number = static_cast<int32_t>(used_ - 8);
    most_ = std::max(most_, used_);
  }
  const size_t entry = code_.steps.size();
  Step& enter = NewStep(shuffled ? ShuffledForStep : ForStep);
  enter.a = begin;
  enter.b = end;
  enter.c = number;
  enter.immediate = loop.step;
  enter.out = variable;
  AddCopies(enter, loop, false);
  // Not by AddBlock: what the body defined is still needed for the copies.
  for (const Statement& statement : loop.body) {
    std::visit([this](const auto& node) { Add(node); }, statement.node);
  }
  const int32_t back = Here();
  Step& next = NewStep(shuffled ? ShuffledNextStep : NextStep);
  next.a = begin;
  next.b = end;
  next.c = shuffled ? number : Place(loop.until);
  next.out = variable;
  next.immediate = loop.step;
  next.target = static_cast<int32_t>(entry) + 1 - back;
  AddCopies(next, loop, true);
  code_.steps[entry].target = Here() - static_cast<int32_t>(entry);
  used_ = used;
}

}  // namespace

Evaluator::Evaluator(const Program& program, bool wide, bool shuffle)
    : code_(std::make_shared<const Code>(
          Compiler(program, wide && HasWideVectors(), shuffle).Compile())) {}

bool Evaluator::operator()(Context* context) const {
  const std::unique_ptr<std::byte[], MemoryDeleter> registers(
      NewMemory(std::max<int64_t>(code_->register_bytes, 64)));
  if (registers == nullptr) {
    context->run->SetError(absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", code_->register_bytes, " bytes of registers")));
    return false;
  }
  if (!code_->constants.empty()) {
    std::memcpy(registers.get(), code_->constants.data(), code_->constants.size());
  }
  std::memset(context->arena, 0xff, static_cast<size_t>(code_->arena_bytes));
  if (code_->thread_bytes > 0) {
    std::memset(context->thread, 0xff, static_cast<size_t>(code_->thread_bytes));
  }
  EvaluatorState state;
  state.registers = registers.get();
  state.context = context;
  state.code = code_.get();
  for (const Buffer& buffer : code_->buffers) {
    View& view = state.views.emplace_back();
    if (buffer.home == Buffer::Home::kArena) {
      view = {context->arena + buffer.offset, buffer.elements};
    } else if (buffer.home == Buffer::Home::kThread) {
      view = {context->thread + buffer.offset, buffer.elements};
    }
  }
  FindBuffers(state);
  const Step* step = code_->steps.data();
  while (step != nullptr) step = step->run(step, state);
  return state.finished;
}

bool Evaluate(const Program& program, Context* context) { return Evaluator(program)(context); }

}  // namespace talweg::loops
