#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

#include "graph/functions.h"
#include "tests/jit/mutants.h"

namespace talweg {
namespace {

using loops::Block;
using loops::Buffer;
using loops::Code;
using loops::For;
using loops::If;
using loops::Instruction;
using loops::kNone;
using loops::Program;
using loops::Register;
using loops::RegisterType;
using loops::Section;
using loops::Statement;

// ---- Finding a place ----------------------------------------------------------------------------

// A statement and where it stands.
struct Place {
  Block* block = nullptr;
  size_t index = 0;

  Statement& statement() const { return (*block)[index]; }
  template <typename T>
  T* As() const {
    return std::get_if<T>(&statement().node);
  }
  void Erase() const { block->erase(block->begin() + static_cast<std::ptrdiff_t>(index)); }
};

void Collect(Block& block, std::vector<Place>& places) {
  for (size_t i = 0; i < block.size(); i++) {
    places.push_back({&block, i});
    if (auto* loop = std::get_if<For>(&block[i].node)) Collect(loop->body, places);
    if (auto* branch = std::get_if<If>(&block[i].node)) Collect(branch->body, places);
    if (auto* section = std::get_if<Section>(&block[i].node)) Collect(section->body, places);
  }
}

// Changes one of the places that suit.
bool ChangePlace(Program& program, MutantRandom& random,
                 const std::function<bool(const Place&)>& suits,
                 const std::function<void(const Place&)>& change) {
  std::vector<Place> places, suiting;
  Collect(program.body, places);
  for (const Place& place : places) {
    if (suits(place)) suiting.push_back(place);
  }
  if (suiting.empty()) return false;
  change(suiting[random() % suiting.size()]);
  return true;
}

using Suits = std::function<bool(const Program&, const Instruction&)>;
using Change = std::function<void(Program&, Instruction&)>;

bool ChangeInstruction(Program& program, MutantRandom& random, const Suits& suits,
                       const Change& change) {
  return ChangePlace(
      program, random,
      [&](const Place& place) {
        const auto* i = place.As<Instruction>();
        return i != nullptr && suits(program, *i);
      },
      [&](const Place& place) { change(program, *place.As<Instruction>()); });
}

bool ChangeLoop(Program& program, MutantRandom& random,
                const std::function<bool(const For&)>& suits,
                const std::function<void(For&)>& change) {
  return ChangePlace(
      program, random,
      [&](const Place& place) {
        const auto* loop = place.As<For>();
        return loop != nullptr && suits(*loop);
      },
      [&](const Place& place) { change(*place.As<For>()); });
}

bool Drop(Program& program, MutantRandom& random, const Suits& suits) {
  return ChangePlace(
      program, random,
      [&](const Place& place) {
        const auto* i = place.As<Instruction>();
        return i != nullptr && suits(program, *i);
      },
      [](const Place& place) { place.Erase(); });
}

// ---- What suits, and what changes ---------------------------------------------------------------

Suits Is(Code code) {
  return [code](const Program&, const Instruction& i) { return i.code == code; };
}
Suits IsMasked(Code code) {
  return
      [code](const Program&, const Instruction& i) { return i.code == code && i.args[1] != kNone; };
}
Suits IsStrided(Code code) {
  return [code](const Program& p, const Instruction& i) {
    return i.code == code && p.type(code == Code::kStore ? i.args[2] : i.result).lanes > 1;
  };
}
Suits IsScalar(Opcode opcode) {
  return [opcode](const Program&, const Instruction& i) {
    return i.code == Code::kScalar && i.opcode == opcode;
  };
}
// Of two different operands; not of what loops count with, where a mistake may run for ever.
Suits IsBinary(Opcode opcode) {
  return [opcode](const Program& p, const Instruction& i) {
    if (i.code != Code::kScalar || i.opcode != opcode || i.args[0] == i.args[1]) return false;
    return !(p.type(i.result) == RegisterType{kInt64, 1});
  };
}
Change SwapArguments(size_t a, size_t b) {
  return [a, b](Program&, Instruction& i) { std::swap(i.args[a], i.args[b]); };
}
Change Become(Opcode opcode) {
  return [opcode](Program&, Instruction& i) { i.opcode = opcode; };
}
void DropMask(Program&, Instruction& i) { i.args[1] = kNone; }
void NextElement(Program&, Instruction& i) { i.immediate++; }
void OtherStride(Program&, Instruction& i) { i.stride = i.stride == 1 ? 2 : 1; }

bool IsOutermostIndex(const Program& p, Register r) { return p.type(r) == RegisterType{kInt64, 1}; }

// A register of the same type that is defined before the place, in its block.
Register Earlier(const Program& p, const Place& place, Register like) {
  for (size_t k = place.index; k-- > 0;) {
    const auto* i = std::get_if<Instruction>(&(*place.block)[k].node);
    if (i == nullptr || i->result == kNone || i->result == like) continue;
    if (p.type(i->result) == p.type(like)) return i->result;
  }
  return kNone;
}

bool UseAnotherRegister(Program& p, MutantRandom& random, Code code, size_t argument) {
  const auto other = [&](const Place& place) {
    const auto* i = place.As<Instruction>();
    if (i == nullptr || i->code != code || i->args[argument] == kNone) return kNone;
    if (IsOutermostIndex(p, i->args[argument])) return kNone;
    return Earlier(p, place, i->args[argument]);
  };
  return ChangePlace(
      p, random, [&](const Place& place) { return other(place) != kNone; },
      [&](const Place& place) { place.As<Instruction>()->args[argument] = other(place); });
}

bool HasTwoCarried(const For& loop) { return loop.carried.size() >= 2; }

// Two carried registers of one type, as places in the list.
bool ExchangeCarried(Program& p, MutantRandom& random, Register For::Carried::* which) {
  const auto pair = [&p, which](const For& loop) -> std::pair<size_t, size_t> {
    for (size_t a = 0; a < loop.carried.size(); a++) {
      for (size_t b = a + 1; b < loop.carried.size(); b++) {
        if (loop.carried[a].*which == loop.carried[b].*which) continue;
        if (p.type(loop.carried[a].inside) == p.type(loop.carried[b].inside)) return {a, b};
      }
    }
    return {0, 0};
  };
  return ChangeLoop(
      p, random, [&](const For& loop) { return HasTwoCarried(loop) && pair(loop).second != 0; },
      [&](For& loop) {
        const auto [a, b] = pair(loop);
        std::swap(loop.carried[a].*which, loop.carried[b].*which);
      });
}

bool ChangeBuffer(Program& program, MutantRandom& random,
                  const std::function<bool(const Buffer&)>& suits,
                  const std::function<void(Buffer&)>& change) {
  std::vector<Buffer*> suiting;
  for (Buffer& buffer : program.buffers) {
    if (suits(buffer)) suiting.push_back(&buffer);
  }
  if (suiting.empty()) return false;
  change(*suiting[random() % suiting.size()]);
  return true;
}

// Two buffers of the arena share their memory.
bool ShareMemory(Program& program, MutantRandom& random) {
  std::vector<Buffer*> arena;
  for (Buffer& buffer : program.buffers) {
    if (buffer.home == Buffer::Home::kArena && buffer.elements > 0) arena.push_back(&buffer);
  }
  if (arena.size() < 2) return false;
  Buffer& a = *arena[random() % arena.size()];
  Buffer& b = *arena[random() % arena.size()];
  if (a.offset == b.offset) return false;
  const int64_t end = a.offset + b.elements * SizeOf(b.dtype);
  if (end > program.arena_bytes) return false;
  b.offset = a.offset;
  return true;
}

// An access goes to another buffer of the same element type and home.
bool UseAnotherBuffer(Program& program, MutantRandom& random, Code code) {
  const auto other = [&](const Instruction& i) {
    const Buffer& now = program.buffers[static_cast<size_t>(i.buffer)];
    for (size_t k = 0; k < program.buffers.size(); k++) {
      const Buffer& b = program.buffers[k];
      if (static_cast<int32_t>(k) == i.buffer || b.dtype != now.dtype || b.home != now.home) {
        continue;
      }
      return static_cast<int32_t>(k);
    }
    return -1;
  };
  return ChangeInstruction(
      program, random,
      [&](const Program&, const Instruction& i) { return i.code == code && other(i) >= 0; },
      [&](Program&, Instruction& i) { i.buffer = other(i); });
}

bool ExchangeSections(Program& program, MutantRandom& random) {
  const auto both = [](const Place& place) {
    return place.index + 1 < place.block->size() && place.As<Section>() != nullptr &&
           std::holds_alternative<Section>((*place.block)[place.index + 1].node);
  };
  return ChangePlace(program, random, both, [](const Place& place) {
    std::swap((*place.block)[place.index], (*place.block)[place.index + 1]);
  });
}

// fma(a, b, c) -> a * b + c, rounded twice.
bool RoundTwice(Program& program, MutantRandom& random) {
  return ChangePlace(
      program, random,
      [](const Place& place) {
        const auto* i = place.As<Instruction>();
        return i != nullptr && i->code == Code::kScalar && i->opcode == Opcode::kFma;
      },
      [&](const Place& place) {
        Instruction& i = *place.As<Instruction>();
        const auto product = static_cast<Register>(program.registers.size());
        program.registers.push_back(program.type(i.result));
        Instruction multiply = i;
        multiply.opcode = Opcode::kMul;
        multiply.result = product;
        multiply.args = {i.args[0], i.args[1], kNone, kNone};
        i.opcode = Opcode::kAdd;
        i.args = {product, i.args[2], kNone, kNone};
        place.block->insert(place.block->begin() + static_cast<std::ptrdiff_t>(place.index),
                            Statement{multiply});
      });
}

// max(a, b) -> a < b ? b : a, which forgets NaNs and the sign of a zero.
bool CompareForMaximum(Program& program, MutantRandom& random) {
  return ChangePlace(
      program, random,
      [&](const Place& place) {
        const auto* i = place.As<Instruction>();
        return i != nullptr && i->code == Code::kScalar && i->opcode == Opcode::kMax &&
               IsFloat(program.type(i->result).dtype);
      },
      [&](const Place& place) {
        Instruction& i = *place.As<Instruction>();
        const auto less = static_cast<Register>(program.registers.size());
        program.registers.push_back({kBool, program.type(i.result).lanes});
        Instruction compare = i;
        compare.opcode = Opcode::kLess;
        compare.result = less;
        i.opcode = Opcode::kSelect;
        i.args = {less, i.args[1], i.args[0], kNone};
        place.block->insert(place.block->begin() + static_cast<std::ptrdiff_t>(place.index),
                            Statement{compare});
      });
}

bool IsConstantOf(const Program& p, const Instruction& i, bool floats) {
  return i.code == Code::kScalar && i.opcode == Opcode::kConstant &&
         IsFloat(p.type(i.result).dtype) == floats && p.type(i.result).dtype != kBool;
}

// The next function with as many arguments.
bool NextFunction(Program& program, MutantRandom& random) {
  const auto next = [](const Instruction& i) {
    uint64_t f = i.immediate;
    do f = (f + 1) % static_cast<uint64_t>(kFunctionCount);
    while (kFunctions[f].arity != kFunctions[i.immediate].arity);
    return f;
  };
  return ChangeInstruction(program, random, IsScalar(Opcode::kCall),
                           [&](Program&, Instruction& i) { i.immediate = next(i); });
}

constexpr ProgramMutant kMutants[] = {
    // Addresses and masks.
    {"a load without its mask",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsMasked(Code::kLoad), DropMask);
     }},
    {"a store without its mask",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsMasked(Code::kStore), DropMask);
     }},
    {"a load of the next element",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kLoad), NextElement);
     }},
    {"a store to the next element",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kStore), NextElement);
     }},
    {"a gathering load of the next element",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kLoadEach), NextElement);
     }},
    {"a load with another stride",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsStrided(Code::kLoad), OtherStride);
     }},
    {"a store with another stride",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsStrided(Code::kStore), OtherStride);
     }},
    {"a load from another buffer",
     [](Program& p, MutantRandom& r) { return UseAnotherBuffer(p, r, Code::kLoad); }},
    {"a store to another buffer",
     [](Program& p, MutantRandom& r) { return UseAnotherBuffer(p, r, Code::kStore); }},
    {"a store left out", [](Program& p, MutantRandom& r) { return Drop(p, r, Is(Code::kStore)); }},
    {"a store of another register",
     [](Program& p, MutantRandom& r) { return UseAnotherRegister(p, r, Code::kStore, 2); }},
    // Memory.
    {"two buffers in the same memory", ShareMemory},
    {"an arena too small",
     [](Program& p, MutantRandom&) {
       p.arena_bytes -= 64;
       return p.arena_bytes >= 0;
     }},
    {"a buffer that is said to be shorter",
     [](Program& p, MutantRandom& r) {
       return ChangeBuffer(
           p, r, [](const Buffer& b) { return b.elements > 0; }, [](Buffer& b) { b.elements--; });
     }},
    {"a dynamic buffer that is not allocated",
     [](Program& p, MutantRandom& r) { return Drop(p, r, Is(Code::kAllocate)); }},
    {"sections in the other order", ExchangeSections},
    // Loops and branches.
    {"a loop with one trip more",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(
           p, r, [](const For& loop) { return loop.end.reg == kNone; },
           [](For& loop) { loop.end.value += loop.step; });
     }},
    {"a loop with one trip less",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(
           p, r,
           [](const For& loop) { return loop.end.reg == kNone && loop.end.value > loop.step; },
           [](For& loop) { loop.end.value -= loop.step; });
     }},
    {"a loop that begins late",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(
           p, r, [](const For& loop) { return loop.begin.reg == kNone; },
           [](For& loop) { loop.begin.value += loop.step; });
     }},
    {"a loop of twice the step",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(p, r, [](const For&) { return true; }, [](For& loop) { loop.step *= 2; });
     }},
    {"a loop that does not end early",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(
           p, r, [](const For& loop) { return loop.until != kNone; },
           [](For& loop) { loop.until = kNone; });
     }},
    {"two chains of a sum exchanged",
     [](Program& p, MutantRandom& r) { return ExchangeCarried(p, r, &For::Carried::next); }},
    {"two results of a loop exchanged",
     [](Program& p, MutantRandom& r) { return ExchangeCarried(p, r, &For::Carried::after); }},
    {"a carried value that is not carried",
     [](Program& p, MutantRandom& r) {
       return ChangeLoop(
           p, r,
           [](const For& loop) {
             return !loop.carried.empty() && loop.carried[0].next != loop.carried[0].inside;
           },
           [](For& loop) { loop.carried[0].next = loop.carried[0].inside; });
     }},
    // Lanes.
    {"another lane in a shuffle",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(
           p, r,
           [](const Program& q, const Instruction& i) {
             return i.code == Code::kShuffle && q.type(i.args[0]).lanes > 1;
           },
           [](Program& q, Instruction& i) {
             i.shuffle[0] = (i.shuffle[0] + 1) % q.type(i.args[0]).lanes;
           });
     }},
    {"lanes numbered from one",
     [](Program& p, MutantRandom& r) {
       return ChangePlace(
           p, r,
           [](const Place& place) {
             const auto* i = place.As<Instruction>();
             return i != nullptr && i->code == Code::kLanes;
           },
           [&](const Place& place) {
             Instruction& i = *place.As<Instruction>();
             const RegisterType type = p.type(i.result);
             const auto lanes = static_cast<Register>(p.registers.size());
             p.registers.push_back(type);
             const auto one = static_cast<Register>(p.registers.size());
             p.registers.push_back(type);
             Instruction count = i, constant = i;
             count.result = lanes;
             constant.code = Code::kScalar;
             constant.opcode = Opcode::kConstant;
             constant.result = one;
             constant.immediate = 1;
             i.code = Code::kScalar;
             i.opcode = Opcode::kAdd;
             i.args = {lanes, one, kNone, kNone};
             const auto here = place.block->begin() + static_cast<std::ptrdiff_t>(place.index);
             place.block->insert(here, {Statement{count}, Statement{constant}});
           });
     }},
    {"a splat of another register",
     [](Program& p, MutantRandom& r) { return UseAnotherRegister(p, r, Code::kSplat, 0); }},
    // Arithmetic.
    {"operands of a subtraction exchanged",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kSub), SwapArguments(0, 1));
     }},
    {"operands of a division exchanged",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kDiv), SwapArguments(0, 1));
     }},
    {"operands of a comparison exchanged",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kLess), SwapArguments(0, 1));
     }},
    {"less in place of less or equal",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kLessEqual), Become(Opcode::kLess));
     }},
    {"less or equal in place of less",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kLess), Become(Opcode::kLessEqual));
     }},
    {"arms of a select exchanged",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kSelect), SwapArguments(1, 2));
     }},
    {"a factor of an fma exchanged with its addend",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kFma), SwapArguments(1, 2));
     }},
    {"an fma that is rounded twice", RoundTwice},
    {"a maximum that forgets NaN", CompareForMaximum},
    {"a minimum in place of a maximum",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kMax), Become(Opcode::kMin));
     }},
    {"an addition in place of a multiplication",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kMul), Become(Opcode::kAdd));
     }},
    {"a subtraction in place of an addition",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kAdd), Become(Opcode::kSub));
     }},
    {"an or in place of an and",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsBinary(Opcode::kAnd), Become(Opcode::kOr));
     }},
    {"rounding up in place of rounding down",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kFloor), Become(Opcode::kCeil));
     }},
    {"rounding down in place of to even",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kRoundEven), Become(Opcode::kFloor));
     }},
    {"the absolute value in place of the negative",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kNeg), Become(Opcode::kAbs));
     }},
    {"the last bit of a float constant",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(
           p, r, [](const Program& q, const Instruction& i) { return IsConstantOf(q, i, true); },
           [](Program&, Instruction& i) { i.immediate ^= 1; });
     }},
    {"the last bit of an integer constant",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(
           p, r, [](const Program& q, const Instruction& i) { return IsConstantOf(q, i, false); },
           [](Program&, Instruction& i) { i.immediate ^= 1; });
     }},
    {"a shift by one bit more",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, IsScalar(Opcode::kShiftLeft),
                                [](Program&, Instruction& i) { i.immediate++; });
     }},
    {"another function", NextFunction},
    // What talks to the runtime.
    {"key and stream of random numbers exchanged",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kRandom), SwapArguments(0, 1));
     }},
    {"random numbers from the next element on",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kRandom), NextElement);
     }},
    {"rows in place of trips",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kSymbol),
                                [](Program&, Instruction& i) { i.immediate ^= 1; });
     }},
    {"the number of trips not told",
     [](Program& p, MutantRandom& r) { return Drop(p, r, Is(Code::kBindTrips)); }},
    {"an error that is not raised",
     [](Program& p, MutantRandom& r) { return Drop(p, r, Is(Code::kFailIf)); }},
    {"an index that is not checked",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(p, r, Is(Code::kCheckIndex), [](Program& q, Instruction& i) {
         // What min(i, i) is, is i.
         (void)q;
         i = {.code = Code::kScalar,
              .opcode = Opcode::kMin,
              .result = i.result,
              .args = {i.args[0], i.args[0], kNone, kNone}};
       });
     }},
    {"an error that tells of another place",
     [](Program& p, MutantRandom& r) {
       return ChangeInstruction(
           p, r, [](const Program&, const Instruction& i) { return i.site >= 0; },
           [](Program& q, Instruction& i) {
             i.site = (i.site + 1) % static_cast<int32_t>(q.sites.size() + 1);
           });
     }},
};

}  // namespace

absl::Span<const ProgramMutant> ProgramMutants() { return kMutants; }

}  // namespace talweg
