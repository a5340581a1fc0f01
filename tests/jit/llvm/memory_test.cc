#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"
#include "tests/jit/llvm/guarded.h"
#include "tests/jit/llvm/run.h"

namespace talweg::native {
namespace {

using loops::kNone;
using loops::Register;

// One load or store of some lanes at index + offset + lane * stride, or of each of some indices.
struct Access {
  enum class Kind { kLoad, kLoadEach, kStore } kind = Kind::kLoad;
  DType dtype = kFloat32;
  int32_t lanes = 1;
  int64_t stride = 1;
  bool masked = false;

  int64_t elements = 0;  // of the buffer
  int64_t index = 0, offset = 0;
  std::vector<int64_t> indices;  // of each lane, offset included
  std::vector<uint8_t> mask;

  std::string ToString() const {
    const char* kinds[] = {"load", "load_each", "store"};
    return absl::StrCat(kinds[static_cast<int>(kind)], " ", Name(dtype), "x", lanes, " stride ",
                        stride, masked ? " masked" : "");
  }
};

// Without a mask all lanes are inside of the buffer; with one, lanes that it leaves out lie
// anywhere.
Access Place(Access a, std::mt19937_64& random) {
  const auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  const int64_t reach = (a.lanes - 1) * std::abs(a.stride);
  a.offset = between(-3, 3);
  if (a.kind == Access::Kind::kLoadEach) {
    a.elements = between(1, 40);
    for (int32_t lane = 0; lane < a.lanes; lane++) {
      a.indices.push_back(a.masked ? between(-50, a.elements + 50) : between(0, a.elements - 1));
    }
  } else {
    a.elements = a.masked ? between(1, reach + 5) : reach + between(1, 5);
    int64_t first =
        a.masked ? between(-reach - 2, a.elements + 2) : between(0, a.elements - 1 - reach);
    // Backwards, the first lane is the last element.
    if (a.stride < 0 && !a.masked) first += reach;
    a.index = first - a.offset;
    for (int32_t lane = 0; lane < a.lanes; lane++) a.indices.push_back(first + lane * a.stride);
  }
  for (int64_t index : a.indices) {
    const bool inside = index >= 0 && index < a.elements;
    a.mask.push_back(inside && (!a.masked || random() % 4 != 0) ? 1 : 0);
  }
  return a;
}

std::vector<Access> AllAccesses(std::mt19937_64& random) {
  std::vector<Access> all;
  for (DType dtype : kAllDTypes) {
    for (int32_t lanes : {1, 2, 4, 8, 16, 32}) {
      for (bool masked : {false, true}) {
        for (Access::Kind kind : {Access::Kind::kLoad, Access::Kind::kStore}) {
          for (int64_t stride : {1, -1, 0, 2, -3, 50}) {
            Access access;
            access.kind = kind;
            access.dtype = dtype;
            access.lanes = lanes;
            access.stride = stride;
            access.masked = masked;
            all.push_back(Place(access, random));
          }
        }
        Access each;
        each.kind = Access::Kind::kLoadEach;
        each.dtype = dtype;
        each.lanes = lanes;
        each.masked = masked;
        all.push_back(Place(each, random));
      }
    }
  }
  return all;
}

// Buffers of an access, in the order of the table: where it goes, from where it comes, the index
// (or indices), the mask.
loops::Program AllInOne(const std::vector<Access>& accesses) {
  loops::Builder b(static_cast<int32_t>(4 * accesses.size()), 0);
  int32_t place = 0;
  for (const Access& a : accesses) {
    const int32_t to = AddInput(b, a.dtype, place++);
    b.program().buffers.back().home = loops::Buffer::Home::kOutput;
    const int32_t from = AddInput(b, a.dtype, place++);
    const int32_t index_buffer = AddInput(b, kInt64, place++);
    const int32_t mask_buffer = AddInput(b, kBool, place++);
    b.OpenSection(a.ToString());
    const Register mask = a.masked ? b.Load(mask_buffer, kNone, a.lanes) : kNone;
    const bool each = a.kind == Access::Kind::kLoadEach;
    const Register index = b.Load(index_buffer, kNone, each ? a.lanes : 1);
    const loops::Builder::Access how{.offset = a.offset, .stride = a.stride, .mask = mask};
    if (each) {
      b.Store(to, kNone, b.LoadEach(from, index, how));
    } else if (a.kind == Access::Kind::kLoad) {
      b.Store(to, kNone, b.Load(from, index, a.lanes, how));
    } else {
      b.Store(to, index, b.Load(from, kNone, a.lanes), how);
    }
    b.CloseSection();
  }
  return std::move(b).Take();
}

void FillWithElements(DType dtype, int64_t n, std::byte* memory, std::mt19937_64& random) {
  for (int64_t i = 0; i < n * SizeOf(dtype); i++) {
    const auto byte = static_cast<uint8_t>(random());
    memory[i] = static_cast<std::byte>(dtype == kBool ? byte & 1 : byte);
  }
}

TEST(Memory, IsTouchedWhereTheProgramSaysAndNowhereElse) {
  const uint64_t seed = FreshSeed();
  std::mt19937_64 random(seed);
  const std::vector<Access> accesses = AllAccesses(random);
  const loops::Program program = AllInOne(accesses);
  for (const std::string& processor : Processors()) {
    for (int level : {2, 0}) {
      if (level == 0 && processor != "native") continue;
      SCOPED_TRACE(absl::StrCat(processor, " level ", level, " seed ", seed));
      const auto code = MustCompile(program, Options(processor, level));
      ASSERT_NE(code, nullptr);
      for (auto flush : {Guarded::Flush::kBehind, Guarded::Flush::kBefore}) {
        std::vector<Guarded> memory;
        std::vector<void*> table;
        std::vector<std::vector<std::byte>> expected;
        const auto add = [&](int64_t bytes) {
          memory.emplace_back(bytes, flush);
          table.push_back(memory.back().data());
          return memory.back().data();
        };
        for (const Access& a : accesses) {
          const bool store = a.kind == Access::Kind::kStore;
          const auto size = static_cast<size_t>(SizeOf(a.dtype));
          const int64_t to_elements = store ? a.elements : a.lanes;
          const int64_t from_elements = store ? a.lanes : a.elements;
          std::byte* to = add(to_elements * SizeOf(a.dtype));
          std::byte* from = add(from_elements * SizeOf(a.dtype));
          FillWithElements(a.dtype, to_elements, to, random);
          FillWithElements(a.dtype, from_elements, from, random);
          std::byte* index = add(8 * (a.kind == Access::Kind::kLoadEach ? a.lanes : 1));
          std::memcpy(index, &a.index, 8);
          for (int32_t lane = 0; lane < a.lanes && a.kind == Access::Kind::kLoadEach; lane++) {
            const int64_t at = a.indices[static_cast<size_t>(lane)] - a.offset;
            std::memcpy(index + 8 * lane, &at, 8);
          }
          std::memcpy(add(a.lanes), a.mask.data(), static_cast<size_t>(a.lanes));

          std::vector<std::byte> result(to, to + to_elements * SizeOf(a.dtype));
          for (size_t lane = 0; lane < a.mask.size(); lane++) {
            const auto at = static_cast<size_t>(a.indices[lane]);
            if (store) {
              if (a.mask[lane] != 0) std::memcpy(&result[at * size], from + lane * size, size);
            } else if (a.mask[lane] != 0) {
              std::memcpy(&result[lane * size], from + at * size, size);
            } else {
              std::memset(&result[lane * size], 0, size);
            }
          }
          expected.push_back(std::move(result));
        }
        ASSERT_TRUE(RunBare(*code, table));
        for (size_t k = 0; k < accesses.size(); k++) {
          EXPECT_EQ(std::memcmp(memory[4 * k].data(), expected[k].data(), expected[k].size()), 0)
              << accesses[k].ToString();
        }
      }
    }
  }
}

// The arena's buffers are places in one block; constants of an index stand in the displacement.
TEST(Memory, OfTheArenaIsOneBlock) {
  loops::Builder b(1, 1);
  const int32_t in = AddInput(b, kFloat32, 0), out = AddOutput(b, kFloat32, 0);
  const int32_t first = AddBuffer(b, kFloat32, loops::Buffer::Home::kArena, 64, 8);
  const int32_t second = AddBuffer(b, kFloat64, loops::Buffer::Home::kArena, 128, 8);
  b.OpenSection("to the arena");
  b.Store(first, kNone, b.Load(in, kNone, 8));
  b.Store(second, kNone, b.Convert(kFloat64, b.Load(in, kNone, 8)));
  b.CloseSection();
  b.OpenSection("from it");
  const Register i = b.OpenFor({.value = 1}, {.reg = b.Rows()}, 1).variable;
  const Register x = b.Load(first, i);
  b.Store(out, i, b.Add(x, b.Convert(kFloat32, b.Load(second, i, 1, {.offset = -1}))),
          {.offset = -1});
  b.CloseFor();
  b.CloseSection();
  const auto code = MustCompile(std::move(b).Take(), Options("native"));
  ASSERT_NE(code, nullptr);
  const std::vector<float> input = {1, 2, 4, 8, 16, 32, 64, 128};
  std::vector<float> output(7, -1);
  Guarded arena(192, Guarded::Flush::kBehind);
  ASSERT_TRUE(RunBare(*code, {const_cast<float*>(input.data()), output.data()}, arena.data(), 8));
  EXPECT_EQ(output, (std::vector<float>{3, 6, 12, 24, 48, 96, 192}));
}

TEST(Shuffle, TakesLanesOfBoth) {
  std::mt19937_64 random(3);
  for (int32_t lanes : {1, 2, 3, 4, 8, 16, 32}) {
    for (int32_t first : {1, 2, 4, 8, 16}) {
      for (int32_t second : {1, 2, 4, 16}) {
        loops::Builder b(2, 1);
        const int32_t x = AddInput(b, kInt32, 0), y = AddInput(b, kInt32, 1);
        const int32_t out = AddOutput(b, kInt32, 0);
        std::vector<int32_t> shuffle, expected;
        for (int32_t lane = 0; lane < lanes; lane++) {
          shuffle.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(first + second)));
          expected.push_back(100 + shuffle.back());
        }
        b.OpenSection("shuffle");
        b.Store(out, kNone, b.Shuffle(b.Load(x, kNone, first), b.Load(y, kNone, second), shuffle));
        b.CloseSection();
        const auto code = MustCompile(std::move(b).Take(), Options("native"));
        ASSERT_NE(code, nullptr);
        std::vector<int32_t> both, output(static_cast<size_t>(lanes));
        for (int32_t i = 0; i < first + second; i++) both.push_back(100 + i);
        ASSERT_TRUE(RunBare(*code, {both.data(), both.data() + first, output.data()}));
        EXPECT_EQ(output, expected) << lanes << " of " << first << " and " << second;
      }
    }
  }
}

}  // namespace
}  // namespace talweg::native
