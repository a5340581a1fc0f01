#ifndef TALWEG_TESTS_GRAPHS_GENERATOR_H_
#define TALWEG_TESTS_GRAPHS_GENERATOR_H_

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "graph/tape.h"
#include "tests/graphs/random_graph.h"

// What random_graph.cc draws graphs with.

namespace talweg {

inline constexpr int64_t kMostElements = 2048;
using Numbers = std::mt19937_64;

inline int64_t Between(Numbers& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}
inline bool Chance(Numbers& random, double probability) {
  return std::bernoulli_distribution(probability)(random);
}
template <typename T>
const T& Pick(Numbers& random, const std::vector<T>& choices) {
  return choices[static_cast<size_t>(Between(random, 0, static_cast<int64_t>(choices.size()) - 1))];
}

// A value and the range in which its elements are thought to lie.
struct Item {
  Value value;
  double low = -2, high = 2;
};

// Adds one node, or a few, at a time: each Make draws operands from what there is, and gives
// nothing where none suits it.
class Generator {
 public:
  Generator(Tape tape, Numbers& random, const RandomGraphOptions& options, int64_t rows, int depth)
      : t_(std::move(tape)), random_(random), options_(options), rows_(rows), depth_(depth) {}

  // Adds values until the tape has this many nodes.
  void Grow(size_t nodes);
  void Add(Item item) { pool_.push_back(std::move(item)); }
  const std::vector<Item>& pool() const { return pool_; }

 private:
  bool Chance(double probability) { return talweg::Chance(random_, probability); }
  int64_t Between(int64_t low, int64_t high) { return talweg::Between(random_, low, high); }

  // Elements with the run-time extents at their values.
  int64_t SizeOf(const Shape& shape) const;
  int64_t Extent(Dim dim) const { return dim == kRows ? rows_ : dim == kTrips ? 4 : dim.value(); }
  bool Fits(const Shape& shape) const { return SizeOf(shape) <= kMostElements; }
  DType RandomDType();
  Shape RandomShape();

  Item NewInput(DType dtype, Shape shape);
  Item AnyOf(const std::function<bool(const Item&)>& suits, DType dtype);
  Item AnyItem() {
    return AnyOf([](const Item&) { return true; }, RandomDType());
  }
  Item AnyFloat();
  Item AnyInteger();
  // Of this element type, and with a shape that broadcasts against another.
  Item Partner(const Shape& shape, DType dtype);
  Item Into(const Item& item, double low, double high);
  Value Indices(int64_t n, Shape shape);

  std::optional<Item> MakeMap();
  std::optional<Item> MakeView();
  std::optional<Item> MakeReshape();
  std::optional<Item> MakeConcat();
  std::optional<Item> MakeReduce();
  std::optional<Item> MakeContract();
  std::optional<Item> MakeGather();
  std::optional<Item> MakeRandom();
  std::optional<Item> MakeLoop();
  std::optional<Item> MakeCustom();

  Tape t_;
  Numbers& random_;
  RandomGraphOptions options_;
  int64_t rows_;
  int depth_;
  std::vector<Item> pool_;
  int64_t inputs_ = 0;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_GENERATOR_H_
