#ifndef TALWEG_JIT_LOOPS_IR_H_
#define TALWEG_JIT_LOOPS_IR_H_

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/array.h"
#include "graph/expr.h"
#include "graph/graph.h"

namespace talweg::loops {

// The loop IR: what a graph becomes before it becomes machine code. Loops with run-time bounds,
// loads and stores of flat buffers, and a straight line of typed registers between them, each a
// scalar or a vector of lanes. Every choice that matters to speed stands here in the open: which
// axis lies in the lanes, the tile of accumulators, where each value lies in memory. What is left
// to a backend is one instruction for another.
//
//   section "add %4"
//     for %7 = 0 to 48 step 16
//       %8 float32x16 = load hidden[%7]
//       %9 float32x16 = add %8 %3
//       store hidden[%7] %9
//
// A program prints (print.h), verifies (verify.h) and runs without LLVM (evaluate.h).
//
// Registers are in static single assignment: one instruction or loop defines each, before its uses,
// in the same block or one around it. What a section defines is not used outside of it, so that a
// backend may make a function of its own from any section.

// A register's number in Program::registers.
using Register = int32_t;
inline constexpr Register kNone = -1;

// Lanes of bools are truth values; in memory a bool is one byte that is 0 or 1.
struct RegisterType {
  DType dtype = kFloat32;
  int32_t lanes = 1;
  friend bool operator==(const RegisterType&, const RegisterType&) = default;
};

// Lanes of dynamic buffers may be read, and where nothing else lies there written, this far past
// the last element; those of the arena have as much among their elements.
inline constexpr int64_t kSlackBytes = 128;

// A flat piece of memory. The elements that generated code may touch are 0 .. elements - 1.
struct Buffer {
  enum class Home : uint8_t {
    kInput,     // an argument of the run; never written
    kOutput,    // a result
    kConstant,  // RunTables::constants; never written
    kArena,     // `offset` bytes into the run's one block of scratch memory
    kDynamic,   // allocated while the program runs
    // `offset` bytes into a block that each thread of the run has for itself: what one trip of a
    // parallel loop wrote is not there in another, nor after the loop.
    kThread,
  };
  std::string name;  // for people
  DType dtype = kFloat32;
  Home home = Home::kArena;
  // The place in the table of pointers; not for kArena and kThread. Inputs come first, then
  // outputs, constants, dynamic buffers.
  int32_t slot = -1;
  int64_t offset = 0;    // in the arena or the thread's block, in bytes; a multiple of 64
  int64_t elements = 0;  // -1: known when it runs
};

enum class Code : uint8_t {
  // On each lane: the operation `opcode` of graph/expr.h, with its meaning there. All operands have
  // the result's lanes. Its immediate is `immediate`; kInput does not occur; kConvert and kBitcast
  // go from the operand's element type to the result's.
  kScalar,
  kSplat,    // args[0], a scalar, in each lane
  kLanes,    // 0, 1, 2, ... (int32 or int64)
  kShuffle,  // lane i is lane `shuffle[i]` of args[0] followed by args[1]

  // lane i <- buffer[args[0] + immediate + i * stride]. args[0], an int64 scalar, may be kNone: 0.
  // args[1], if it is not kNone, is a mask (bool, of the result's lanes): lanes that it leaves out
  // touch no memory and are zero.
  kLoad,
  // lane i <- buffer[args[0].lane i + immediate], args[0] of int64 lanes; the mask is as above.
  kLoadEach,
  // buffer[args[0] + immediate + i * stride] <- lane i of args[2]; the mask args[1] is as above. No
  // result.
  kStore,

  // buffer[args[0] + immediate] will be used soon: a hint to fetch it into the first cache. It may
  // lie outside of the buffer. No result.
  kPrefetch,

  // The number of rows or trips (`immediate` 0 or 1) that the caller bound, an int64 scalar.
  kSymbol,
  // args[0]: an index (int64), args[1]: the extent (an int64 scalar), args[2]: which lanes count
  // (bool, of the same lanes, or kNone: all). The result is the index clamped to 0 .. extent - 1
  // (to 0 where the extent is 0). An index outside that counts is reported for `site`, unless the
  // run has an error already; the run goes on.
  kCheckIndex,
  // Where args[0] (a bool scalar) is true, the run ends with the error of `site`; args[1] and
  // args[2] are int64 numbers for its message, or kNone. No result.
  kFailIf,
  // Tells the caller the number of trips, args[0], where no input has it in its shape. Outputs are
  // there only afterwards. The run may end with an error. No result.
  kBindTrips,
  // A new dynamic `buffer` of args[0] elements (and memory for kSlackBytes more); `site` says for
  // what, should there be no memory. No result.
  kAllocate,
  kMark,     // an int64 scalar: how many dynamic buffers there are now
  kRelease,  // frees the dynamic buffers since the mark args[0]. No result.
  // Fills `buffer` from element args[2] + immediate on (kNone: 0) with args[3] random elements of
  // key args[0] and stream args[1] (all int64 scalars), by RunTables::randoms[which]. No result.
  kRandom,
  // Counts a finished trip of an outermost loop for the caller; true where he asks to stop.
  kPoll,
};

// Whether an instruction does nothing but make its result: it may go if nobody uses that.
inline bool IsPure(Code code) {
  switch (code) {
    case Code::kScalar:
    case Code::kSplat:
    case Code::kLanes:
    case Code::kShuffle:
    case Code::kLoad:
    case Code::kLoadEach:
    case Code::kSymbol:
      return true;
    default:
      return false;
  }
}

// Whether it may stand in a parallel loop.
inline bool IsParallel(Code code) {
  return IsPure(code) || code == Code::kStore || code == Code::kPrefetch;
}

struct Instruction {
  Code code = Code::kScalar;
  Opcode opcode = Opcode::kConstant;
  Register result = kNone;
  std::array<Register, 4> args = {kNone, kNone, kNone, kNone};
  // Elements for loads and stores; the bits of a constant; the count of a shift ...
  uint64_t immediate = 0;
  int64_t stride = 1;
  int32_t buffer = -1;
  int32_t site = -1;
  int32_t which = -1;
  std::vector<int32_t> shuffle = {};
  friend bool operator==(const Instruction&, const Instruction&) = default;
};

struct Statement;
using Block = std::vector<Statement>;

// An int64 that is known now, or a register.
struct Bound {
  int64_t value = 0;
  Register reg = kNone;
  friend bool operator==(const Bound&, const Bound&) = default;
};

// for (variable = begin; variable < end; variable += step) body
//
// A carried register `inside` has the value of `start` in the first trip, and of `next` (which the
// body defines) in those after it; `after` is the last one, outside of the loop, or that of `start`
// where there was no trip. `until`, a bool of the body, ends the loop after the present trip.
//
// The trips of a `parallel` loop may run in any order and on several threads at once: none reads
// what another one writes, and what two of them write is the same. It stands in a section, but not
// in another such loop; it carries nothing and has no `until`, and its body only computes, loads
// and stores, so that nothing in it can fail.
struct For {
  struct Carried {
    Register inside = kNone, start = kNone, next = kNone, after = kNone;
    friend bool operator==(const Carried&, const Carried&) = default;
  };
  Register variable = kNone;  // int64
  Bound begin, end;
  int64_t step = 1;
  std::vector<Carried> carried;
  Register until = kNone;
  std::vector<Statement> body;
  bool parallel = false;
  int64_t cost = 0;   // of a trip of a parallel loop, in cycles or so: what is worth another thread
  int64_t spare = 0;  // vector registers that the trips of an innermost loop leave (hoist.h)
};

struct If {
  Register condition = kNone;  // a bool scalar
  std::vector<Statement> body;
};

// A piece of work that communicates with others through memory only.
struct Section {
  std::string label;  // "contract %4 (model.cc:14)"
  std::vector<Statement> body;
  bool once = false;  // runs so seldom that it may be compiled quickly rather than well
};

struct Statement {
  std::variant<Instruction, For, If, Section> node;
};

// What an error of a run says: `before` + the numbers + `after`.
struct ErrorSite {
  enum class What : uint8_t {
    kIndex,      // "index 7 is outside of [0, 5)"
    kTrips,      // "7 trips, but scanned and stacked values have 5"
    kRows,       // "rows is 7 in trip 2, which is not in 0 to its limit 5"
    kOneLength,  // "loops of one graph run 7 and 5 trips, ..."
    kMemory,     // "no memory for 700 bytes"
  };
  What what = What::kIndex;
  std::string before;  // "gather: float32[5,2] x int32[3]: "
  std::string after;   // " (model.cc:14)"
  int64_t limit = 0;   // of kRows
};

// What kRandom draws: the rule of an op, for elements of a type.
struct Random {
  const Op* op = nullptr;
  DType dtype = kFloat32;
  friend bool operator==(const Random&, const Random&) = default;
};

// What a run of a program needs to know besides its code.
struct RunTables {
  std::vector<Array> constants;
  std::vector<Random> randoms;
  std::vector<ErrorSite> sites;
  int64_t arena_bytes = 0;
  int64_t thread_bytes = 0;  // of each thread's own block
  std::string largest;  // which value has the arena's largest buffer, for when there is no memory
  int32_t inputs = 0, outputs = 0, dynamic = 0;
  // Outputs that are an input as it was: which; else -1. They have no buffer.
  std::vector<int32_t> passed_through;
  // Whether every element of the outputs is written; else they start as zeros, which a loop that
  // stops early leaves behind its last trip.
  bool writes_all = false;

  // The slot of the first output, constant, dynamic buffer; the table's length.
  int32_t output_slot() const { return inputs; }
  int32_t constant_slot() const { return inputs + outputs; }
  int32_t dynamic_slot() const { return constant_slot() + static_cast<int32_t>(constants.size()); }
  int32_t slots() const { return dynamic_slot() + dynamic; }
};

struct Program : RunTables {
  std::vector<RegisterType> registers;
  std::vector<Buffer> buffers;
  Block body;

  RegisterType type(Register r) const { return registers[static_cast<size_t>(r)]; }
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_IR_H_
