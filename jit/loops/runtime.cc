#include "jit/loops/runtime.h"

#include <math.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/functions.h"
#include "graph/op.h"
#include "jit/loops/run.h"
#include "jit/loops/team.h"

namespace talweg::loops {
namespace {

const ErrorSite& SiteOf(Context* context, int32_t site) {
  return context->run->tables().sites[static_cast<size_t>(site)];
}

// The interpreter's words (interpreter/loop.cc, interpreter/program.cc).
std::string What(const ErrorSite& site, int64_t a, int64_t b) {
  switch (site.what) {
    case ErrorSite::What::kTrips:
      return absl::StrCat(a, " trips, but scanned and stacked values have ", b);
    case ErrorSite::What::kRows:
      return absl::StrCat("rows is ", a, " in trip ", b, ", which is not in 0 to its limit ",
                          site.limit);
    case ErrorSite::What::kOneLength:
      return absl::StrCat("loops of one graph run ", a, " and ", b,
                          " trips, and the length of both is the symbol `trips`, which has one "
                          "value");
    case ErrorSite::What::kIndex:
      return absl::StrCat("index ", a, " is outside of [0, ", b, ")");
    case ErrorSite::What::kMemory:
      break;
  }
  return absl::StrCat("no memory for ", a, " bytes");
}

absl::Status ErrorOf(const ErrorSite& site, int64_t a, int64_t b) {
  const std::string text = absl::StrCat(site.before, What(site, a, b), site.after);
  switch (site.what) {
    case ErrorSite::What::kIndex:
      return absl::OutOfRangeError(text);
    case ErrorSite::What::kMemory:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::InvalidArgumentError(text);
  }
}

template <typename F>
RuntimeSymbol Symbol(const char* name, F* function) {
  return {name, reinterpret_cast<void*>(function)};
}

using Double = double (*)(double);
using Float = float (*)(float);

std::vector<RuntimeSymbol> MakeSymbols() {
  std::vector<RuntimeSymbol> symbols = {
      Symbol("talweg_index_error", talweg_index_error),
      Symbol("talweg_fail", talweg_fail),
      Symbol("talweg_bind_trips", talweg_bind_trips),
      Symbol("talweg_allocate", talweg_allocate),
      Symbol("talweg_mark", talweg_mark),
      Symbol("talweg_release", talweg_release),
      Symbol("talweg_random", talweg_random),
      Symbol("talweg_poll", talweg_poll),
      Symbol("talweg_parallel", talweg_parallel),
      Symbol("memcpy", ::memcpy),
      Symbol("memmove", ::memmove),
      Symbol("memset", ::memset),
      // What x86-64 without SSE4.1 or FMA calls for want of an instruction.
      Symbol<double(double, double, double)>("fma", ::fma),
      Symbol<float(float, float, float)>("fmaf", ::fmaf),
      Symbol("floor", Double(::floor)),
      Symbol("floorf", Float(::floorf)),
      Symbol("ceil", Double(::ceil)),
      Symbol("ceilf", Float(::ceilf)),
      Symbol("trunc", Double(::trunc)),
      Symbol("truncf", Float(::truncf)),
      Symbol("rint", Double(::rint)),
      Symbol("rintf", Float(::rintf)),
      Symbol("nearbyint", Double(::nearbyint)),
      Symbol("nearbyintf", Float(::nearbyintf)),
      Symbol("roundeven", Double(::roundeven)),
      Symbol("roundevenf", Float(::roundevenf)),
  };
  for (const FunctionInfo& function : kFunctions) {
    if (function.arity == 1) {
      symbols.push_back(Symbol(function.name, function.unary));
      symbols.push_back(Symbol(function.float_name, function.float_unary));
    } else {
      symbols.push_back(Symbol(function.name, function.binary));
      symbols.push_back(Symbol(function.float_name, function.float_binary));
    }
  }
  return symbols;
}

}  // namespace

absl::StatusOr<std::vector<Array>> RunProgram(const RunTables& tables, const Graph& graph,
                                              const Body& body, absl::Span<const Array> inputs,
                                              const SymbolValues& symbols,
                                              const RunOptions& options, RunPool* pool) {
  Run run(tables, graph, inputs, symbols, options, pool);
  return run.Finish(run.Prepare() && body(run.context()));
}

absl::Span<const RuntimeSymbol> RuntimeSymbols() {
  static const auto& symbols = *new std::vector<RuntimeSymbol>(MakeSymbols());
  return symbols;
}

extern "C" {

void talweg_index_error(Context* context, int32_t site, const int64_t* indices,
                        const uint8_t* active, int32_t lanes, int64_t extent) {
  // Most calls for wrong indices come after the first, which is the one that is told.
  if (!context->run->status().ok()) return;
  for (int32_t lane = 0; lane < lanes; lane++) {
    if (active != nullptr && active[lane] == 0) continue;
    const int64_t index = indices[lane];
    if (index >= 0 && index < extent) continue;
    context->run->SetError(ErrorOf(SiteOf(context, site), index, extent));
    return;
  }
}

void talweg_fail(Context* context, int32_t site, int64_t a, int64_t b) {
  context->run->SetError(ErrorOf(SiteOf(context, site), a, b));
}

int32_t talweg_bind_trips(Context* context, int64_t trips) {
  context->trips = trips;
  return context->run->MakeOutputs() ? 1 : 0;
}

int32_t talweg_allocate(Context* context, int32_t slot, int32_t site, int64_t elements,
                        int32_t element_size) {
  return context->run->Allocate(slot, site, elements, element_size) ? 1 : 0;
}

int64_t talweg_mark(Context* context) { return context->run->Mark(); }

void talweg_release(Context* context, int64_t mark) { context->run->Release(mark); }

void talweg_random(Context* context, int32_t which, int64_t key, int64_t stream, int64_t n,
                   std::byte* out) {
  const Random& random = context->run->tables().randoms[static_cast<size_t>(which)];
  random.op->random->fill(static_cast<uint64_t>(key), static_cast<uint64_t>(stream), random.dtype,
                          n, out);
}

int32_t talweg_poll(Context* context) {
  const RunOptions& options = context->run->options();
  if (options.progress != nullptr) options.progress->fetch_add(1, std::memory_order_relaxed);
  return options.stop != nullptr && options.stop->load(std::memory_order_relaxed) ? 1 : 0;
}

void talweg_parallel(Context* context, ParallelBody body, const void* captured, int64_t begin,
                     int64_t end, int64_t step, int64_t cost) {
  // Pieces that take some ten microseconds or more: waking a thread that spins takes a fraction of
  // one. Several for each thread, so that nobody waits long for the last one.
  constexpr double kPieceCycles = 30000;
  constexpr double kPiecesPerThread = 16;
  const int64_t trips = (end - begin + step - 1) / step;
  const double work = static_cast<double>(trips) * static_cast<double>(cost);
  if (trips > 1 && work >= 2 * kPieceCycles) {
    if (Team* const team = context->run->team(); team != nullptr) {
      const double most = std::min(static_cast<double>(trips), kPiecesPerThread * team->threads());
      return team->Run(*context, body, captured, begin, end, step,
                       static_cast<int64_t>(std::min(most, work / kPieceCycles)));
    }
  }
  body(context, captured, begin, end);
}

}  // extern "C"

}  // namespace talweg::loops
