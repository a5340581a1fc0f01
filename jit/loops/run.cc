#include "jit/loops/run.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/memory.h"
#include "base/parallel.h"

namespace talweg::loops {
namespace {

// What stands in for memory that nobody has, and that nobody may write.
alignas(64) constexpr std::byte kZeros[64] = {};

// What is wrong with an output: with the loop, where it is a part of one.
absl::Status OutputError(const Graph& graph, size_t k, absl::string_view what) {
  NodeId id = graph.outputs()[k];
  if (graph.node(id).kind() == Kind::kPart) id = graph.node(id).operands[0];
  return NodeError(absl::StatusCode::kInvalidArgument, graph, id, what);
}

}  // namespace

std::byte* NewRunMemory(int64_t bytes) {
  constexpr int64_t kFewMegabytes = int64_t{4} << 20;
  std::byte* const memory = NewMemory(bytes);
  if (memory != nullptr && bytes <= kFewMegabytes) {
    std::memset(memory, 0, static_cast<size_t>(bytes));
  }
  return memory;
}

void RunMemory::Block::Make(int64_t wanted) {
  memory.reset(NewRunMemory(wanted));
  bytes = memory != nullptr ? wanted : 0;
}

int64_t RunMemory::bytes() const {
  int64_t bytes = arena.bytes;
  for (const Block& block : dynamic) bytes += block.bytes;
  return bytes;
}

RunPool::RunPool(std::shared_ptr<TeamPool> teams) : teams_(std::move(teams)) {}

RunPool::~RunPool() { delete memory_.load(); }

std::unique_ptr<RunMemory> RunPool::Take() {
  std::unique_ptr<RunMemory> kept(memory_.exchange(nullptr));
  return kept != nullptr ? std::move(kept) : std::make_unique<RunMemory>();
}

void RunPool::Give(std::unique_ptr<RunMemory> memory) { delete memory_.exchange(memory.release()); }

Team* Run::team() {
  if (!has_team_) {
    has_team_ = true;
    const int threads = options_.threads > 0 ? options_.threads : HardwareThreads();
    if (threads > 1) {
      team_ = pool_ != nullptr ? pool_->teams().Take(threads, tables_.thread_bytes)
                               : Team::Make(threads, tables_.thread_bytes);
    }
  }
  return team_.get();
}

Run::Run(const RunTables& tables, const Graph& graph, absl::Span<const Array> inputs,
         const SymbolValues& symbols, const RunOptions& options, RunPool* pool)
    : tables_(tables),
      graph_(graph),
      inputs_(inputs),
      options_(options),
      table_(static_cast<size_t>(tables.slots())),
      bytes_(static_cast<size_t>(tables.slots())),
      pool_(pool),
      memory_(pool != nullptr ? pool->Take() : std::make_unique<RunMemory>()) {
  for (int32_t slot = 0; slot < tables.slots(); slot++) SetSlot(slot, nullptr, 0);
  for (size_t i = 0; i < inputs.size(); i++) {
    SetSlot(static_cast<int32_t>(i), inputs[i].raw(), inputs[i].bytes());
  }
  for (size_t i = 0; i < tables.constants.size(); i++) {
    const Array& constant = tables.constants[i];
    SetSlot(tables.constant_slot() + static_cast<int32_t>(i), constant.raw(), constant.bytes());
  }
  context_.table = table_.data();
  context_.rows = symbols.rows;
  context_.trips = symbols.trips;
  context_.run = this;
}

Run::~Run() {
  if (pool_ != nullptr && team_ != nullptr) pool_->teams().Give(std::move(team_));
  if (pool_ != nullptr && IsWorthKeeping(*memory_)) pool_->Give(std::move(memory_));
}

// Much memory that lies idle is worth more to others, but for as much as the caller holds outputs.
// Inputs are no measure: many functions share a data set.
bool Run::IsWorthKeeping(const RunMemory& memory) const {
  constexpr int64_t kSmall = 32 << 20;
  const int64_t bytes = memory.bytes();
  if (bytes <= kSmall) return true;
  return bytes <= std::accumulate(bytes_.begin() + tables_.output_slot(),
                                  bytes_.begin() + tables_.constant_slot(), int64_t{0});
}

void Run::SetSlot(int32_t slot, const std::byte* memory, int64_t bytes) {
  const auto i = static_cast<size_t>(slot);
  // Inputs and constants are never written.
  table_[i] = const_cast<std::byte*>(memory == nullptr || bytes == 0 ? kZeros : memory);
  bytes_[i] = bytes;
}

void Run::SetError(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

bool Run::Prepare() {
  const int64_t bytes = arena_bytes();
  if (memory_->arena.memory == nullptr) memory_->arena.Make(bytes);
  context_.arena = memory_->arena.memory.get();
  if (context_.arena == nullptr) {
    SetError(absl::ResourceExhaustedError(absl::StrCat(
        "no memory for ", bytes, " bytes of intermediate values",
        tables_.largest.empty() ? "" : ", of which this is the largest: ", tables_.largest)));
    return false;
  }
  context_.thread = context_.arena + thread_place();
  return !OutputsAreKnown() || MakeOutputs();
}

bool Run::OutputsAreKnown() const {
  for (size_t k = 0; k < graph_.outputs().size(); k++) {
    if (context_.rows < 0 && Uses(graph_.output_type(k).shape, kRows)) return false;
    if (context_.trips < 0 && Uses(graph_.output_type(k).shape, kTrips)) return false;
  }
  return true;
}

Array* Run::Reusable(size_t k, const SymbolValues& symbols) const {
  if (options_.reuse == nullptr || k >= options_.reuse->size()) return nullptr;
  Array& old = (*options_.reuse)[k];
  const Type& type = graph_.output_type(k);
  const auto is_extent = [&symbols](int64_t n, Dim dim) { return n == symbols.Of(dim); };
  const auto is_old = [&old](const Array& input) { return input.raw() == old.raw(); };
  const bool fits = old.dtype() == type.dtype &&
                    std::equal(old.dims().begin(), old.dims().end(), type.shape.begin(),
                               type.shape.end(), is_extent) &&
                    std::none_of(inputs_.begin(), inputs_.end(), is_old) && old.IsSoleOwner();
  return fits ? &old : nullptr;
}

absl::StatusOr<Array> Run::NewOutput(size_t k, const SymbolValues& symbols) const {
  if (Array* const old = Reusable(k, symbols)) {
    if (!tables_.writes_all) {
      std::memset(old->mutable_bytes(), 0, static_cast<size_t>(old->bytes()));
    }
    return std::move(*old);
  }
  const Type& type = graph_.output_type(k);
  const Dims dims = Resolve(type.shape, symbols);
  return tables_.writes_all ? Array::Unwritten(type.dtype, dims) : Array::Zeros(type.dtype, dims);
}

bool Run::MakeOutputs() {
  if (!outputs_.empty()) return true;
  const SymbolValues symbols{context_.rows, context_.trips};
  const size_t count = graph_.outputs().size();
  outputs_.reserve(count);
  for (size_t k = 0; k < count; k++) {
    const int32_t passed = k < tables_.passed_through.size() ? tables_.passed_through[k] : -1;
    if (passed >= 0) {
      outputs_.push_back(inputs_[static_cast<size_t>(passed)]);
      continue;
    }
    const Type& type = graph_.output_type(k);
    for (Dim dim : type.shape) {
      if (symbols.Of(dim) >= 0) continue;
      SetError(OutputError(graph_, k,
                           absl::StrCat("nothing binds the run-time symbol `", dim.ToString(),
                                        "`: no input has it in its shape")));
      return false;
    }
    absl::StatusOr<Array> output = NewOutput(k, symbols);
    if (!output.ok()) {
      SetError(absl::IsResourceExhausted(output.status())
                   ? output.status()
                   : OutputError(graph_, k, output.status().message()));
      return false;
    }
    outputs_.push_back(*std::move(output));
    Array& made = outputs_.back();
    SetSlot(tables_.output_slot() + static_cast<int32_t>(k), made.mutable_bytes(), made.bytes());
  }
  return true;
}

absl::StatusOr<std::vector<Array>> Run::Finish(bool finished) {
  if (!status_.ok()) return status_;
  if (!finished) return absl::InternalError("the run ended without saying why");
  // Where the program never bound the symbols of its outputs, this says which.
  if (!MakeOutputs()) return status_;
  return std::move(outputs_);
}

bool Run::Allocate(int32_t slot, int32_t site, int64_t elements, int64_t element_size) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 2;
  const size_t height = live_.size();
  if (height == memory_->dynamic.size()) memory_->dynamic.emplace_back();
  RunMemory::Block& block = memory_->dynamic[height];
  const bool countable = elements >= 0 && elements <= (kMost - kSlackBytes) / element_size;
  const int64_t bytes = countable ? elements * element_size + kSlackBytes : kMost;
  if (block.bytes < bytes) {
    block = {};  // first, so that both need not exist at once
    if (countable) block.Make(bytes);
  }
  if (block.memory == nullptr) {
    const ErrorSite& where = tables_.sites[static_cast<size_t>(site)];
    const std::string what = countable ? absl::StrCat("no memory for ", bytes, " bytes")
                                       : absl::StrCat("no memory for ", elements, " elements of ",
                                                      element_size, " bytes");
    SetError(absl::ResourceExhaustedError(absl::StrCat(where.before, what, where.after)));
    return false;
  }
  live_.push_back(slot);
  table_[static_cast<size_t>(slot)] = block.memory.get();
  bytes_[static_cast<size_t>(slot)] = bytes;
  return true;
}

void Run::Release(int64_t mark) {
  while (static_cast<int64_t>(live_.size()) > std::max<int64_t>(mark, 0)) {
    SetSlot(live_.back(), nullptr, 0);
    live_.pop_back();
  }
}

}  // namespace talweg::loops
