#include "jit/loops/verify.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/functions.h"
#include "jit/loops/print.h"

namespace talweg::loops {
namespace {

constexpr RegisterType kIndex{kInt64, 1};
constexpr RegisterType kTruth{kBool, 1};

class Verifier {
 public:
  explicit Verifier(const Program& program)
      : program_(program), states_(program.registers.size(), State::kUndefined) {}

  absl::Status Verify() {
    if (!CheckRegisterTypes() || !CheckPassedThrough() || !CheckBuffers()) return status_;
    Check(program_.body);
    return status_;
  }

 private:
  enum class State : uint8_t { kUndefined, kVisible, kGone };

  // Everything below returns false once there is an error.
  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    const std::string what = absl::StrCat(parts...);
    std::string where;
    if (section_ != nullptr) absl::StrAppend(&where, "section \"", section_->label, "\": ");
    if (instruction_ != nullptr) {
      absl::StrAppend(&where, ToString(program_, *instruction_), ": ");
    } else if (loop_ != nullptr) {
      absl::StrAppend(&where, ToString(program_, *loop_), ": ");
    }
    status_ = absl::InternalError(where + what);
    return false;
  }

  bool CheckRegisterTypes();
  bool CheckBuffers();
  bool CheckBuffer(const Buffer& buffer);
  bool CheckPassedThrough();

  bool Exists(Register r) {
    if (r >= 0 && static_cast<size_t>(r) < states_.size()) return true;
    return Fail("there is no register ", r);
  }
  bool Define(Register r) {
    if (!Exists(r)) return false;
    State& state = states_[static_cast<size_t>(r)];
    if (state != State::kUndefined) return Fail("%", r, " is defined a second time");
    state = State::kVisible;
    defined_.push_back(r);
    return true;
  }
  // A use of a register of any type.
  bool Use(Register r) {
    if (!Exists(r)) return false;
    if (states_[static_cast<size_t>(r)] == State::kVisible) return true;
    if (states_[static_cast<size_t>(r)] == State::kGone) {
      return Fail("%", r, " is defined in a block that has ended");
    }
    return Fail("%", r, " is used before it is defined");
  }
  bool HasType(Register r, RegisterType type) {
    if (program_.type(r) == type) return true;
    return Fail("%", r, " has the type ", ToString(program_.type(r)), ", ", ToString(type),
                " expected");
  }
  bool Use(Register r, RegisterType type) { return Use(r) && HasType(r, type); }
  // The same where there need not be a register.
  bool MayUse(Register r, RegisterType type) { return r == kNone || Use(r, type); }

  bool Check(const Block& block) {
    const size_t outer = defined_.size();
    for (const Statement& statement : block) {
      if (!std::visit([this](const auto& node) { return Check(node); }, statement.node)) {
        return false;
      }
    }
    Leave(outer);
    return true;
  }
  // Ends the block whose definitions begin at this number.
  void Leave(size_t outer) {
    for (size_t i = outer; i < defined_.size(); i++) {
      states_[static_cast<size_t>(defined_[i])] = State::kGone;
    }
    defined_.resize(outer);
  }

  bool Check(const Instruction& i);
  bool Check(const For& loop);
  bool Check(const If& branch) { return Use(branch.condition, kTruth) && Check(branch.body); }
  bool Check(const Section& section) {
    const Section* const outer = std::exchange(section_, &section);
    if (!Check(section.body)) return false;
    section_ = outer;
    return true;
  }

  bool CheckParallel(const For& loop);
  bool CheckScalar(const Instruction& i);
  bool CheckOperation(const Instruction& i);
  bool CheckShuffle(const Instruction& i);
  bool CheckAccess(const Instruction& i, RegisterType value);
  bool CheckRandom(const Instruction& i);
  bool HasBuffer(const Instruction& i, bool written);
  bool HasSite(const Instruction& i);
  // Only the first `count` operands are there; a result is, or is not.
  bool HasForm(const Instruction& i, size_t count, bool result);

  const Program& program_;
  absl::Status status_;
  std::vector<State> states_;      // of the registers
  std::vector<Register> defined_;  // what is visible, by age
  // What an error is about.
  const Section* section_ = nullptr;
  const For* loop_ = nullptr;
  const Instruction* instruction_ = nullptr;
  bool in_parallel_ = false;  // within a parallel loop
};

bool Verifier::CheckRegisterTypes() {
  // More lanes than any machine's vectors of vectors have are a mistake.
  constexpr int32_t kMostLanes = 1024;
  for (size_t r = 0; r < program_.registers.size(); r++) {
    const int32_t lanes = program_.registers[r].lanes;
    if (lanes < 1 || lanes > kMostLanes) return Fail("%", r, " has ", lanes, " lanes");
  }
  return true;
}

bool Verifier::CheckBuffers() {
  if (program_.inputs < 0 || program_.outputs < 0 || program_.dynamic < 0) {
    return Fail("the table has a negative number of slots");
  }
  for (const Buffer& buffer : program_.buffers) {
    if (!CheckBuffer(buffer)) return false;
  }
  return true;
}

bool Verifier::CheckBuffer(const Buffer& buffer) {
  const auto fail = [&](const auto&... parts) {
    return Fail("buffer ", buffer.name, ": ", parts...);
  };
  const auto in = [&](int32_t first, int32_t end) {
    if (buffer.slot >= first && buffer.slot < end) return true;
    return fail("slot ", buffer.slot, " is not one of its home, ", first, " to ", end - 1);
  };
  if (buffer.elements < -1) return fail(buffer.elements, " elements");
  switch (buffer.home) {
    case Buffer::Home::kInput:
      return in(0, program_.inputs);
    case Buffer::Home::kOutput: {
      if (!in(program_.output_slot(), program_.constant_slot())) return false;
      const auto k = static_cast<size_t>(buffer.slot - program_.output_slot());
      if (k < program_.passed_through.size() && program_.passed_through[k] >= 0) {
        return fail("its output is an input");
      }
      return true;
    }
    case Buffer::Home::kConstant: {
      if (!in(program_.constant_slot(), program_.dynamic_slot())) return false;
      const auto k = static_cast<size_t>(buffer.slot - program_.constant_slot());
      const Array& constant = program_.constants[k];
      if (constant.dtype() == buffer.dtype && constant.size() == buffer.elements) return true;
      return fail("its constant has ", constant.size(), " elements of ",
                  talweg::Name(constant.dtype()));
    }
    case Buffer::Home::kDynamic:
      return in(program_.dynamic_slot(), program_.slots());
    case Buffer::Home::kArena:
    case Buffer::Home::kThread:
      break;
  }
  const bool of_thread = buffer.home == Buffer::Home::kThread;
  const char* const block = of_thread ? "a thread's block" : "an arena";
  const int64_t bytes = of_thread ? program_.thread_bytes : program_.arena_bytes;
  if (buffer.slot != -1) {
    return fail("slot ", buffer.slot, " in ", of_thread ? block : "the arena");
  }
  if (buffer.offset < 0 || buffer.offset % 64 != 0) return fail("offset ", buffer.offset);
  const int64_t room = bytes - buffer.offset;
  if (buffer.elements < 0 || room < 0 || buffer.elements > room / SizeOf(buffer.dtype)) {
    return fail(buffer.elements, " elements at ", buffer.offset, " are not in ", block, " of ",
                bytes, " bytes");
  }
  return true;
}

bool Verifier::CheckPassedThrough() {
  const auto& passed = program_.passed_through;
  if (!passed.empty() && passed.size() != static_cast<size_t>(program_.outputs)) {
    return Fail(passed.size(), " outputs may be inputs, but there are ", program_.outputs);
  }
  for (size_t k = 0; k < passed.size(); k++) {
    if (passed[k] < -1 || passed[k] >= program_.inputs) {
      return Fail("output ", k, " is input ", passed[k], ", which does not exist");
    }
  }
  return true;
}

bool Verifier::Check(const For& loop) {
  loop_ = &loop;
  if (loop.step <= 0) return Fail("the step is not positive");
  if (loop.parallel && !CheckParallel(loop)) return false;
  if (!MayUse(loop.begin.reg, kIndex) || !MayUse(loop.end.reg, kIndex)) return false;
  for (const For::Carried& carried : loop.carried) {
    if (!Use(carried.start)) return false;
  }
  const size_t outer = defined_.size();
  if (!Define(loop.variable) || !HasType(loop.variable, kIndex)) return false;
  for (const For::Carried& carried : loop.carried) {
    if (!Define(carried.inside)) return false;
    if (!HasType(carried.start, program_.type(carried.inside))) return false;
  }
  loop_ = nullptr;
  in_parallel_ = in_parallel_ || loop.parallel;
  // Not as a block of its own: `next` and `until` see what the body defines.
  for (const Statement& statement : loop.body) {
    if (!std::visit([this](const auto& node) { return Check(node); }, statement.node)) {
      return false;
    }
  }
  loop_ = &loop;
  if (loop.parallel) in_parallel_ = false;
  if (!MayUse(loop.until, kTruth)) return false;
  for (const For::Carried& carried : loop.carried) {
    if (!Use(carried.next, program_.type(carried.inside))) return false;
  }
  Leave(outer);
  for (const For::Carried& carried : loop.carried) {
    if (!Define(carried.after)) return false;
    if (!HasType(carried.after, program_.type(carried.inside))) return false;
  }
  loop_ = nullptr;
  return true;
}

bool Verifier::CheckParallel(const For& loop) {
  if (section_ == nullptr) return Fail("a parallel loop outside of a section");
  if (in_parallel_) return Fail("a parallel loop in another");
  if (!loop.carried.empty()) return Fail("a parallel loop carries values");
  if (loop.until != kNone) return Fail("a parallel loop with an end of its own");
  return loop.cost > 0 || Fail("the cost of a trip is ", loop.cost);
}

bool Verifier::HasForm(const Instruction& i, size_t count, bool result) {
  for (size_t k = count; k < i.args.size(); k++) {
    if (i.args[k] != kNone) return Fail("operand ", k, " is not expected");
  }
  if (i.result == kNone) return !result || Fail("a result is expected");
  return result ? Exists(i.result) : Fail("a result is not expected");
}

bool Verifier::HasBuffer(const Instruction& i, bool written) {
  if (i.buffer < 0 || static_cast<size_t>(i.buffer) >= program_.buffers.size()) {
    return Fail("there is no buffer ", i.buffer);
  }
  const Buffer::Home home = program_.buffers[static_cast<size_t>(i.buffer)].home;
  if (written && home == Buffer::Home::kInput) return Fail("an input is written");
  if (written && home == Buffer::Home::kConstant) return Fail("a constant is written");
  return true;
}

bool Verifier::HasSite(const Instruction& i) {
  if (i.site < 0 || static_cast<size_t>(i.site) >= program_.sites.size()) {
    return Fail("there is no site ", i.site);
  }
  const ErrorSite::What what = program_.sites[static_cast<size_t>(i.site)].what;
  if (i.code == Code::kCheckIndex && what != ErrorSite::What::kIndex) {
    return Fail("site ", i.site, " is not for an index");
  }
  if (i.code == Code::kAllocate && what != ErrorSite::What::kMemory) {
    return Fail("site ", i.site, " is not for memory");
  }
  return true;
}

bool Verifier::Check(const Instruction& i) {
  instruction_ = &i;
  if (in_parallel_ && !IsParallel(i.code)) return Fail("in a parallel loop");
  const auto checked = [&] {
    // For the codes that have a result: HasForm came first.
    const auto type = [&] { return program_.type(i.result); };
    const auto mask = [](RegisterType like) { return RegisterType{kBool, like.lanes}; };
    switch (i.code) {
      case Code::kScalar:
        return CheckScalar(i);
      case Code::kSplat:
        return HasForm(i, 1, true) && Use(i.args[0], {type().dtype, 1});
      case Code::kLanes:
        if (!HasForm(i, 0, true)) return false;
        return IsInteger(type().dtype) || Fail("lanes have numbers of int32 or int64");
      case Code::kShuffle:
        return CheckShuffle(i);
      case Code::kLoad:
        return HasForm(i, 2, true) && MayUse(i.args[0], kIndex) && CheckAccess(i, type());
      case Code::kLoadEach:
        return HasForm(i, 2, true) && Use(i.args[0], {kInt64, type().lanes}) &&
               CheckAccess(i, type());
      case Code::kStore:
        return HasForm(i, 3, false) && MayUse(i.args[0], kIndex) && Use(i.args[2]) &&
               CheckAccess(i, program_.type(i.args[2]));
      case Code::kSymbol:
        if (!HasForm(i, 0, true) || !HasType(i.result, kIndex)) return false;
        return i.immediate <= 1 || Fail("there is no symbol ", i.immediate);
      case Code::kPrefetch:
        return HasForm(i, 1, false) && MayUse(i.args[0], kIndex) && HasBuffer(i, false);
      case Code::kCheckIndex:
        if (!HasForm(i, 3, true)) return false;
        if (type().dtype != kInt64) return Fail("the index is not int64");
        return Use(i.args[0], type()) && Use(i.args[1], kIndex) &&
               MayUse(i.args[2], mask(type())) && HasSite(i);
      case Code::kFailIf:
        return HasForm(i, 3, false) && Use(i.args[0], kTruth) && MayUse(i.args[1], kIndex) &&
               MayUse(i.args[2], kIndex) && HasSite(i);
      case Code::kBindTrips:
      case Code::kRelease:
        return HasForm(i, 1, false) && Use(i.args[0], kIndex);
      case Code::kAllocate:
        if (!HasForm(i, 1, false) || !Use(i.args[0], kIndex) || !HasBuffer(i, true)) return false;
        if (program_.buffers[static_cast<size_t>(i.buffer)].home != Buffer::Home::kDynamic) {
          return Fail("the buffer is not dynamic");
        }
        return HasSite(i);
      case Code::kMark:
        return HasForm(i, 0, true) && HasType(i.result, kIndex);
      case Code::kRandom:
        return CheckRandom(i);
      case Code::kPoll:
        return HasForm(i, 0, true) && HasType(i.result, kTruth);
    }
    return Fail("an unknown code");
  };
  if (!checked() || (i.result != kNone && !Define(i.result))) return false;
  instruction_ = nullptr;
  return true;
}

bool Verifier::CheckShuffle(const Instruction& i) {
  if (!HasForm(i, 2, true) || !Use(i.args[0])) return false;
  const RegisterType type = program_.type(i.result);
  int32_t lanes = 0;
  for (size_t k = 0; k < 2; k++) {
    if (i.args[k] == kNone) continue;
    if (!Use(i.args[k])) return false;
    const RegisterType from = program_.type(i.args[k]);
    if (!HasType(i.args[k], {type.dtype, from.lanes})) return false;
    lanes += from.lanes;
  }
  if (i.shuffle.size() != static_cast<size_t>(type.lanes)) {
    return Fail(i.shuffle.size(), " lanes are given");
  }
  for (int32_t lane : i.shuffle) {
    if (lane < 0 || lane >= lanes) return Fail("lane ", lane, " of ", lanes);
  }
  return true;
}

// The buffer, the mask and the value of a load or store.
bool Verifier::CheckAccess(const Instruction& i, RegisterType value) {
  if (!MayUse(i.args[1], {kBool, value.lanes})) return false;
  if (!HasBuffer(i, i.code == Code::kStore)) return false;
  const DType dtype = program_.buffers[static_cast<size_t>(i.buffer)].dtype;
  return value.dtype == dtype || Fail("the buffer has elements of ", talweg::Name(dtype));
}

bool Verifier::CheckRandom(const Instruction& i) {
  if (!HasForm(i, 4, false) || !HasBuffer(i, true)) return false;
  for (size_t k : {0, 1, 3}) {
    if (!Use(i.args[k], kIndex)) return false;
  }
  if (!MayUse(i.args[2], kIndex)) return false;
  if (i.which < 0 || static_cast<size_t>(i.which) >= program_.randoms.size()) {
    return Fail("there are no random numbers ", i.which);
  }
  const Random& random = program_.randoms[static_cast<size_t>(i.which)];
  if (random.op == nullptr || random.op->random == nullptr) return Fail("the op is not random");
  const DType dtype = program_.buffers[static_cast<size_t>(i.buffer)].dtype;
  return dtype == random.dtype || Fail("the numbers are ", talweg::Name(random.dtype));
}

// How many operands; -1 where an instruction can not be of this opcode.
int32_t ArityOf(Opcode opcode, uint64_t immediate) {
  switch (opcode) {
    case Opcode::kInput:
      return -1;
    case Opcode::kConstant:
      return 0;
    case Opcode::kNeg:
    case Opcode::kSqrt:
    case Opcode::kAbs:
    case Opcode::kFloor:
    case Opcode::kCeil:
    case Opcode::kRoundEven:
    case Opcode::kNot:
    case Opcode::kShiftLeft:
    case Opcode::kShiftRight:
    case Opcode::kBitcast:
    case Opcode::kConvert:
      return 1;
    case Opcode::kFma:
    case Opcode::kSelect:
      return 3;
    case Opcode::kCall:
      if (immediate >= static_cast<uint64_t>(kFunctionCount)) return -1;
      return kFunctions[immediate].arity;
    default:
      return 2;
  }
}

bool Verifier::CheckScalar(const Instruction& i) {
  const int32_t arity = ArityOf(i.opcode, i.immediate);
  if (arity < 0) return Fail("no such operation");
  if (!HasForm(i, static_cast<size_t>(arity), true)) return false;
  for (size_t k = 0; k < static_cast<size_t>(arity); k++) {
    if (!Use(i.args[k])) return false;
    const RegisterType from = program_.type(i.args[k]);
    if (!HasType(i.args[k], {from.dtype, program_.type(i.result).lanes})) return false;
  }
  return CheckOperation(i);
}

// The element types of a kScalar instruction, as graph/scalar.h has them.
bool Verifier::CheckOperation(const Instruction& i) {
  const DType result = program_.type(i.result).dtype;
  const auto operand = [&](size_t k) { return program_.type(i.args[k]).dtype; };
  const auto given = [&](bool right) {
    if (right) return true;
    return Fail("operands of ", talweg::Name(operand(0)), " for a ", talweg::Name(result));
  };
  const int64_t width = 8 * SizeOf(result);
  switch (i.opcode) {
    case Opcode::kConstant:
      if (result == kBool) return i.immediate <= 1 || Fail("neither true nor false");
      return width == 64 || i.immediate >> 32 == 0 || Fail("too many bits");
    case Opcode::kLess:
    case Opcode::kLessEqual:
    case Opcode::kEqual:
    case Opcode::kNotEqual:
      return given(operand(0) == operand(1) && result == kBool);
    case Opcode::kMin:
    case Opcode::kMax:
      return given(operand(0) == result && operand(1) == result);
    case Opcode::kSelect:
      return given(operand(0) == kBool && operand(1) == result && operand(2) == result);
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMul:
    case Opcode::kDiv:
      return given(operand(0) == result && operand(1) == result && result != kBool);
    case Opcode::kFma:
      return given(operand(0) == result && operand(1) == result && operand(2) == result &&
                   result != kBool);
    case Opcode::kNeg:
    case Opcode::kAbs:
      return given(operand(0) == result && result != kBool);
    case Opcode::kSqrt:
    case Opcode::kFloor:
    case Opcode::kCeil:
    case Opcode::kRoundEven:
      return given(operand(0) == result && IsFloat(result));
    case Opcode::kAnd:
    case Opcode::kOr:
    case Opcode::kXor:
      return given(operand(0) == result && operand(1) == result && !IsFloat(result));
    case Opcode::kNot:
      return given(operand(0) == result && !IsFloat(result));
    case Opcode::kShiftLeft:
    case Opcode::kShiftRight:
      if (i.immediate >= static_cast<uint64_t>(width)) return Fail("a shift by the whole width");
      return given(operand(0) == result && IsInteger(result));
    case Opcode::kBitcast:
      return given(SizeOf(operand(0)) == SizeOf(result) && IsFloat(operand(0)) != IsFloat(result) &&
                   operand(0) != kBool && result != kBool);
    case Opcode::kConvert:
      return given(operand(0) != result);
    case Opcode::kCall:
      return given(operand(0) == result && IsFloat(result) &&
                   (i.args[1] == kNone || operand(1) == result));
    case Opcode::kInput:
      break;
  }
  return Fail("no such operation");
}

}  // namespace

absl::Status Verify(const Program& program) { return Verifier(program).Verify(); }

}  // namespace talweg::loops
