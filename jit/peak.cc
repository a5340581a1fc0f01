#include "jit/peak.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/builder.h"
#include "jit/loops/runtime.h"

namespace talweg {
namespace {

// Enough sums that do not wait for each other, and few enough for sixteen registers.
constexpr int32_t kChains = 12;
constexpr int64_t kPeakTrips = 200000;

// x <- x * a + b, kPeakTrips times, in each lane of each chain.
loops::Program PeakProgram(int32_t lanes, bool fma) {
  loops::Builder b(0, 1);
  const int32_t out = b.AddBuffer({.name = "out",
                                   .dtype = kFloat32,
                                   .home = loops::Buffer::Home::kOutput,
                                   .slot = 0,
                                   .offset = 0,
                                   .elements = int64_t{kChains} * lanes});
  const auto number = [&](float x) {
    return b.Constant(kFloat32, std::bit_cast<uint32_t>(x), lanes);
  };
  b.OpenSection("peak");
  const loops::Register a = number(0.999f), c = number(0.001f);
  loops::Registers starts;
  for (int32_t k = 0; k < kChains; k++) starts.push_back(number(static_cast<float>(k)));
  const loops::Builder::Loop loop = b.OpenFor({.value = 0}, {.value = kPeakTrips}, 1, starts);
  loops::Registers next;
  for (loops::Register x : loop.carried) {
    next.push_back(fma ? b.Fma(x, a, c) : b.Add(b.Mul(x, a), c));
  }
  const loops::Registers sums = b.CloseFor(next);
  for (int32_t k = 0; k < kChains; k++) {
    b.Store(out, b.Index(int64_t{k} * lanes), sums[static_cast<size_t>(k)]);
  }
  b.CloseSection();
  return std::move(b).Take();
}

}  // namespace

absl::StatusOr<double> MeasurePeak(const std::string& cpu) {
  const absl::StatusOr<native::Target> target = native::DetectTarget(cpu);
  if (!target.ok()) return target.status();
  const auto lanes = static_cast<int32_t>(target->machine.Lanes(kFloat32));
  // Where there is no instruction for fma, it is a call.
  const loops::Program program = PeakProgram(lanes, target->spec.avx);
  const absl::StatusOr<std::shared_ptr<const native::CompiledProgram>> code =
      native::Compile(program, {.target = *target, .name = "peak"});
  if (!code.ok()) return code.status();
  std::vector<float> out(static_cast<size_t>(kChains) * static_cast<size_t>(lanes) + 16);
  std::byte* table[] = {reinterpret_cast<std::byte*>(out.data())};
  loops::Context context;
  context.table = table;
  double best = 0;
  for (int i = 0; i < 8; i++) {
    const auto start = std::chrono::steady_clock::now();
    (*code)->Run(&context);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * kChains * kPeakTrips * lanes / time.count());
  }
  return best / 1e9;
}

}  // namespace talweg
