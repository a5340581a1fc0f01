#include "base/arena.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace talweg {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kMost = int64_t{1} << 62;

// The free gaps below the end of the block.
class Gaps {
 public:
  // The offset of `bytes` bytes: of the smallest gap that holds them, else at the end.
  int64_t Take(int64_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit == by_size_.end()) return Extend(bytes);
    const auto [size, offset] = *fit;
    Remove(offset, size);
    if (size > bytes) Add(offset + bytes, size - bytes);
    return offset;
  }

  void Return(int64_t offset, int64_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && next->first == offset + bytes) {
      const auto [at, size] = *next;
      Remove(at, size);
      bytes += size;
    }
    next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin()) {
      const auto [at, size] = *std::prev(next);
      if (at + size == offset) {
        Remove(at, size);
        offset = at;
        bytes += size;
      }
    }
    Add(offset, bytes);
  }

  int64_t end() const { return end_; }

 private:
  // Grows the gap that touches the end, if there is one.
  int64_t Extend(int64_t bytes) {
    int64_t offset = end_;
    if (!by_offset_.empty()) {
      const auto [at, size] = *std::prev(by_offset_.end());
      if (at + size == end_) {
        Remove(at, size);
        offset = at;
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void Add(int64_t offset, int64_t size) {
    by_offset_[offset] = size;
    by_size_.insert({size, offset});
  }
  void Remove(int64_t offset, int64_t size) {
    by_offset_.erase(offset);
    by_size_.erase({size, offset});
  }

  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

}  // namespace

absl::StatusOr<ArenaLayout> LayOut(absl::Span<const Lifetime> buffers) {
  std::vector<size_t> by_last(buffers.size());
  std::iota(by_last.begin(), by_last.end(), size_t{0});
  std::sort(by_last.begin(), by_last.end(), [&](size_t a, size_t b) {
    return std::pair(buffers[a].last, a) < std::pair(buffers[b].last, b);
  });
  ArenaLayout layout;
  layout.offsets.reserve(buffers.size());
  Gaps gaps;
  size_t freed = 0;
  std::vector<int64_t> sizes;
  sizes.reserve(buffers.size());
  for (const Lifetime& buffer : buffers) {
    for (; freed < by_last.size() && buffers[by_last[freed]].last < buffer.first; freed++) {
      gaps.Return(layout.offsets[by_last[freed]], sizes[by_last[freed]]);
    }
    // Empty buffers get a place of their own too, which keeps the rest free of cases.
    const int64_t size =
        (std::max<int64_t>(buffer.bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    if (size > kMost || gaps.end() > kMost - size) {
      return absl::ResourceExhaustedError(
          absl::StrCat("intermediate values of more than ", kMost, " bytes"));
    }
    sizes.push_back(size);
    layout.offsets.push_back(gaps.Take(size));
  }
  layout.bytes = gaps.end();
  return layout;
}

}  // namespace talweg
