#ifndef TALWEG_JIT_LOOPS_BUILDER_H_
#define TALWEG_JIT_LOOPS_BUILDER_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "graph/expr.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

using Registers = absl::InlinedVector<Register, 16>;

// A mistake in Talweg itself, never of a user: unbalanced blocks, say. Ends the process.
void Require(bool holds, const char* what);

// Writes a program, one instruction after another, into the innermost open block.
//
//   Builder b(1, 1);
//   b.OpenSection("double x");
//   const Register i = b.OpenFor({.value = 0}, {.reg = b.Rows()}, 8).variable;
//   const Register mask = b.Below(b.Sub(b.Rows(), i), 8);
//   const Register x = b.Load(in, i, 8, {.mask = mask});
//   b.Store(out, i, b.Binary(Opcode::kAdd, x, x), {.mask = mask});
//   b.CloseFor();
//   b.CloseSection();
//   Program program = std::move(b).Take();
//
// It keeps the text short without a pass of its own:
//
// - An instruction that has no effect and equals a visible one of the same section is that one.
//   Loads of inputs and constants count, as nobody writes there; so do checks of an index.
// - Integer arithmetic on constants is done at once, and what adds, multiplies or divides by a
//   neutral constant is dropped. Constants that are added to an index end in the load or store.
// - Operands of one lane where there are more are splatted.
// - A loop of exactly one trip is no loop, an `if` of a constant no `if`; what nobody uses and has
//   no effect is gone when the program is taken.
//
// C++ evaluates arguments in an order of the compiler's choice: where two of them make
// instructions, the text of a program depends on it (its results do not). Name them one by one.
//
// Floats are left alone: every operation is done as it is asked for. Whoever calls sees to it that
// types agree (verify.h tells where they don't).
class Builder {
 public:
  // Without `simplify` every instruction is made that is asked for: what tests compare with.
  Builder(int32_t inputs, int32_t outputs, bool simplify = true);
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // Everything that was opened must be closed.
  Program Take() &&;
  // The program so far; its body is not in it before the end.
  const Program& program() const { return program_; }
  Program& program() { return program_; }
  RegisterType type(Register r) const { return program_.type(r); }
  int32_t lanes(Register r) const { return type(r).lanes; }
  // Whether a register is a constant, and which int64 (the bits of the element, if it is of another
  // type).
  bool IsConstant(Register r, int64_t* value = nullptr) const;
  // A number that an int64 is known to be a multiple of; 0: of any.
  int64_t Divisor(Register r) const { return divisors_[static_cast<size_t>(r)]; }

  // Declarations; the result is a number in the program's list.
  int32_t AddBuffer(Buffer buffer);  // inputs, outputs and the arena; slots are the caller's
  const Buffer& buffer(int32_t number) const {
    return program_.buffers[static_cast<size_t>(number)];
  }
  int32_t AddConstant(std::string name, Array elements);
  int32_t AddDynamic(std::string name, DType dtype);
  int32_t AddSite(ErrorSite site);
  int32_t AddRandom(const Op* op, DType dtype);

  // Values.
  Register Constant(DType dtype, uint64_t bits, int32_t lanes = 1);
  Register Index(int64_t value) { return Constant(kInt64, static_cast<uint64_t>(value)); }
  Register Rows() { return Symbol(0); }
  Register Trips() { return Symbol(1); }
  Register Unary(Opcode opcode, Register a) { return Scalar(opcode, Result(opcode, a), {a}); }
  Register Binary(Opcode opcode, Register a, Register b) {
    return Scalar(opcode, Result(opcode, a), {a, b});
  }
  Register Fma(Register a, Register b, Register c) {
    return Scalar(Opcode::kFma, type(a).dtype, {a, b, c});
  }
  Register Select(Register mask, Register a, Register b) {
    return Scalar(Opcode::kSelect, type(a).dtype, {mask, a, b});
  }
  Register Convert(DType to, Register a);
  Register Bitcast(DType to, Register a) { return Scalar(Opcode::kBitcast, to, {a}); }
  Register Shift(Opcode opcode, Register a, int32_t bits) {
    return Scalar(opcode, type(a).dtype, {a}, static_cast<uint64_t>(bits));
  }
  Register Call(Function function, absl::Span<const Register> args) {
    return Scalar(Opcode::kCall, type(args[0]).dtype, args, static_cast<uint64_t>(function));
  }
  // Any of them.
  Register Scalar(Opcode opcode, DType result, absl::Span<const Register> args,
                  uint64_t immediate = 0);

  Register Add(Register a, Register b) { return Binary(Opcode::kAdd, a, b); }
  Register Sub(Register a, Register b) { return Binary(Opcode::kSub, a, b); }
  Register Mul(Register a, Register b) { return Binary(Opcode::kMul, a, b); }
  // The same with an integer, of the type of `a`.
  Register Plus(Register a, int64_t b) { return Add(a, Like(a, b)); }
  Register Times(Register a, int64_t b) { return Mul(a, Like(a, b)); }
  Register Quotient(Register a, int64_t b) { return Binary(Opcode::kDiv, a, Like(a, b)); }
  Register InRegister(Bound bound) { return bound.reg == kNone ? Index(bound.value) : bound.reg; }
  // Whether both conditions hold; kNone is one that does.
  Register Both(Register a, Register b) {
    if (a == kNone || b == kNone) return a == kNone ? b : a;
    return Binary(Opcode::kAnd, a, b);
  }
  // What `Quotient` leaves; for a >= 0, b > 0.
  Register Remainder(Register a, int64_t b) { return Sub(a, Times(Quotient(a, b), b)); }
  // An integer constant of the type and lanes of `a`.
  Register Like(Register a, int64_t value);

  Register Splat(Register a, int32_t lanes);
  Register Lanes(DType dtype, int32_t lanes);  // 0, 1, 2, ...
  // Lane i is lane lanes[i] of `a` followed by `b` (which may be kNone).
  Register Shuffle(Register a, Register b, std::vector<int32_t> lanes);
  // Lane i is i < count: what is left of a loop in its last step. kNone where that is all lanes.
  Register Below(Register count, int32_t lanes);

  // The instruction `id` of a formula, and all that it needs, for these arguments. It has as many
  // lanes as the widest argument; parts that need only narrower arguments stay narrow.
  Register Inline(const ScalarProgram& formula, int32_t id, absl::Span<const Register> inputs);
  Registers Inline(const ScalarProgram& formula, absl::Span<const int32_t> ids,
                   absl::Span<const Register> inputs);

  // Memory. The element of lane i is index + offset + i * stride; an index of kNone is 0. A mask of
  // kNone leaves out nothing.
  struct Access {
    int64_t offset = 0;
    int64_t stride = 1;
    Register mask = kNone;
  };
  Register Load(int32_t buffer, Register index, int32_t lanes, const Access& access);
  Register Load(int32_t buffer, Register index, int32_t lanes = 1) {
    return Load(buffer, index, lanes, Access());
  }
  // A lane for each of the indices; their stride is not used.
  Register LoadEach(int32_t buffer, Register indices, const Access& access);
  Register LoadEach(int32_t buffer, Register indices) {
    return LoadEach(buffer, indices, Access());
  }
  void Store(int32_t buffer, Register index, Register value, const Access& access);
  void Store(int32_t buffer, Register index, Register value) {
    Store(buffer, index, value, Access());
  }

  void Prefetch(int32_t buffer, Register index, int64_t offset = 0);

  // The rest of ir.h's instructions.
  Register CheckIndex(Register index, Register extent, int32_t site, Register active = kNone);
  void FailIf(Register condition, int32_t site, Register a = kNone, Register b = kNone);
  void BindTrips(Register trips);
  void Allocate(int32_t buffer, Register elements, int32_t site);
  Register Mark();
  void Release(Register mark);
  void Random(int32_t buffer, Register index, Register elements, Register key, Register stream,
              int32_t which);
  Register Poll();

  // Blocks. A loop's carried values start as `starts`; what CloseFor gets is their values in the
  // next trip, what it gives those after the loop.
  struct Loop {
    Register variable = kNone;
    Registers carried;
  };
  Loop OpenFor(Bound begin, Bound end, int64_t step = 1, absl::Span<const Register> starts = {});
  // A parallel loop, whose trips cost about so much, in cycles.
  Loop OpenParallel(Bound begin, Bound end, int64_t step, double cost);
  Registers CloseFor(absl::Span<const Register> next = {}, Register until = kNone);
  void OpenIf(Register condition);
  void CloseIf();
  // A section that stays empty vanishes.
  void OpenSection(std::string label, bool once = false);
  void CloseSection();
  // For trying something out: where the innermost open block ends now, and the sections that came
  // since, which are taken out again. Memory that was allocated for them since is not, then.
  size_t Position() const { return open_.back().block.size(); }
  std::vector<Section> TakeSections(size_t since);
  // The section that was closed last, if it is the last statement so far; else null.
  Section* LastSection();

 private:
  // What makes two pure instructions equal. All of its bytes count, so that they are hashed and
  // compared as one piece.
  struct Key {
    Code code = Code::kScalar;
    Opcode opcode = Opcode::kConstant;
    DType dtype = kFloat32;
    uint8_t none = 0;
    int32_t lanes = 1;
    std::array<Register, 4> args = {kNone, kNone, kNone, kNone};
    uint64_t immediate = 0;
    int64_t stride = 1;
    int32_t buffer = -1, site = -1, shuffle = -1, nothing = 0;
    friend bool operator==(const Key& a, const Key& b) {
      return std::memcmp(&a, &b, sizeof(Key)) == 0;
    }
    template <typename H>
    friend H AbslHashValue(H h, const Key& k) {
      static_assert(std::has_unique_object_representations_v<Key>);
      return H::combine_contiguous(std::move(h), reinterpret_cast<const uint8_t*>(&k), sizeof(Key));
    }
  };
  // A register and the block that defines it. Blocks are not reused: one whose serial number has
  // left the stack is closed, and what it defined invisible.
  struct Visible {
    Register reg = kNone;
    int32_t depth = 0, serial = 0;
  };
  // What is known of an integer register: `value`, or `base` + `value`; of others that are
  // constants, their bits.
  struct Fact {
    enum class Kind : uint8_t { kNothing, kConstant, kSum } kind = Kind::kNothing;
    Register base = kNone;
    int64_t value = 0;
  };
  struct Open {
    enum class Kind : uint8_t { kBody, kFor, kIf, kSection } kind = Kind::kBody;
    int32_t serial = 0;
    int32_t outer_section = 0;  // what section_depth_ was before
    Block block;
    For loop;
    Register condition = kNone;
    std::string label;
    bool once = false;
  };
  // What a CloseFor or CloseIf is to do: end a block, nothing, end a block that never runs.
  enum class Close : uint8_t { kBlock, kNothing, kDrop };
  struct Closing {
    Close close = Close::kNothing;
    Registers starts;
  };

  static DType ResultOf(Opcode opcode, DType operand);
  DType Result(Opcode opcode, Register a) const { return ResultOf(opcode, type(a).dtype); }
  Register NewRegister(RegisterType type);
  Register Emit(Instruction instruction, RegisterType type);
  Register Numbered(Instruction instruction, RegisterType type);
  int64_t DivisorOf(const Instruction& instruction) const;
  void EmitEffect(Instruction instruction);
  Register Symbol(uint64_t which);
  const Fact& fact(Register r) const { return facts_[static_cast<size_t>(r)]; }
  Register Fold(Opcode opcode, DType dtype, Register a, Register b);
  Register FoldSum(Register a, Register b);
  // Moves the constant part of an index to the offset.
  void SplitIndex(Register& index, int64_t& offset) const;
  Register Mask(Register mask, int32_t lanes);
  Bound Simplified(Bound bound) const;
  Open& Push(Open::Kind kind);
  Open Pop(Open::Kind kind);

  void SetFact(Register r, const Fact& fact) {
    if (simplify_) facts_[static_cast<size_t>(r)] = fact;
  }

  Program program_;
  const bool simplify_;
  std::vector<Fact> facts_;        // of each register
  std::vector<int64_t> divisors_;  // of each register
  std::vector<Open> open_;
  std::vector<Closing> closes_;
  int32_t section_depth_ = 0;  // of the innermost section in open_
  int32_t serial_ = 0;
  absl::flat_hash_map<Key, Visible> visible_;
  absl::flat_hash_map<std::vector<int32_t>, int32_t> shuffles_;
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_BUILDER_H_
