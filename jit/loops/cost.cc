#include <algorithm>
#include <cstdlib>

#include "jit/loops/guesses.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

// Cycles, roughly, of cores with AVX2 or AVX-512; they only have to rank the schedules of one nest.
// An operation on a whole register is the unit; a load takes less, as two are done at a time;
// division and square root keep their unit for 4 to 10 cycles.
//
// A trip's own work.
constexpr double kPerTrip = 1;
constexpr double kPerLaneAlone = 1.5;
// The same where the lanes share few sets of the first cache and each has a page of its own, or
// half of one.
constexpr double kPerLaneFar = 8;
// Arithmetic of an index: much of it moves out of the loop or into an address, the rest has units
// of its own.
constexpr double kPerIndex = 0.25;
constexpr double kCall = 20;
// What it costs to compile an instruction, as far as a choice should mind that.
constexpr double kPerInstruction = 0.5;

double CostOf(const Program& program, const Instruction& instruction, const Machine& machine) {
  const Register typed =
      instruction.code == Code::kStore ? instruction.args[2] : instruction.result;
  if (instruction.code == Code::kPrefetch) return 0.5;
  if (typed == kNone) return kCall;
  const RegisterType type = program.type(typed);
  const double registers =
      std::max<double>(1, static_cast<double>(type.lanes * SizeOf(type.dtype)) /
                              static_cast<double>(machine.vector_bytes));
  switch (instruction.code) {
    case Code::kScalar:
      switch (instruction.opcode) {
        case Opcode::kConstant:
          return 0;
        case Opcode::kDiv:
        case Opcode::kSqrt:
          return 8 * registers;
        case Opcode::kCall:
          return kCall * type.lanes;
        default:
          return type == RegisterType{kInt64, 1} ? kPerIndex : registers;
      }
    case Code::kSplat:
    case Code::kLanes:
      return 0.5;
    case Code::kLoad:
    case Code::kStore:
      if (type.lanes == 1) return 0.5;
      if (instruction.stride != 1) {
        const bool is_far =
            std::abs(instruction.stride) * SizeOf(type.dtype) >= Machine::kSetsBytes;
        return (is_far ? kPerLaneFar : kPerLaneAlone) * type.lanes;
      }
      return registers * (instruction.args[1] == kNone ? 0.6 : 1);
    case Code::kLoadEach:
    case Code::kCheckIndex:
      return kPerLaneAlone * type.lanes;
    default:
      return registers;
  }
}

double CostOf(const Program& program, const Block& block, const Machine& machine) {
  double cost = 0;
  for (const Statement& statement : block) {
    if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
      cost += CostOf(program, *instruction, machine);
    } else if (const auto* loop = std::get_if<For>(&statement.node)) {
      double trips = 1;
      if (loop->begin.reg == kNone && loop->end.reg == kNone) {
        trips = static_cast<double>((loop->end.value - loop->begin.value + loop->step - 1) /
                                    loop->step);
      } else {
        trips = std::max(1.0, kGuessedExtentOfLoop / static_cast<double>(loop->step));
      }
      cost += trips * (CostOf(program, loop->body, machine) + kPerTrip);
    } else if (const auto* branch = std::get_if<If>(&statement.node)) {
      cost += CostOf(program, branch->body, machine);
    } else {
      cost += CostOf(program, std::get<Section>(statement.node).body, machine);
    }
  }
  return cost;
}

int64_t InstructionsOf(const Program& program, const Block& block) {
  int64_t count = 0;
  for (const Statement& statement : block) {
    if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
      const bool each = instruction->code == Code::kLoadEach ||
                        (instruction->code == Code::kLoad && instruction->stride != 1) ||
                        (instruction->code == Code::kStore && instruction->stride != 1);
      const Register typed =
          instruction->code == Code::kStore ? instruction->args[2] : instruction->result;
      count += each && typed != kNone ? 3 * program.type(typed).lanes : 1;
    } else if (const auto* loop = std::get_if<For>(&statement.node)) {
      count += 3 + InstructionsOf(program, loop->body);
    } else if (const auto* branch = std::get_if<If>(&statement.node)) {
      count += 2 + InstructionsOf(program, branch->body);
    } else {
      count += InstructionsOf(program, std::get<Section>(statement.node).body);
    }
  }
  return count;
}

}  // namespace

double CostOfTrip(const Program& program, const For& loop, const Machine& machine) {
  return CostOf(program, loop.body, machine) + kPerTrip;
}

double CostOf(const Program& program, const Section& section, const Machine& machine) {
  return CostOf(program, section.body, machine) +
         kPerInstruction * InstructionsOf(program, section.body);
}

}  // namespace talweg::loops
