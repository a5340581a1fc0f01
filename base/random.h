#ifndef TALWEG_BASE_RANDOM_H_
#define TALWEG_BASE_RANDOM_H_

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace talweg {

// NumPy's legacy generator, np.random.RandomState(seed), number for number: what np.random.seed and
// scikit-learn's random_state draw from. NumPy has frozen these streams, so a data set or an order
// of samples made here is the one a Python program makes from the same seed.
//
//   NumPyRandom random(1);
//   std::vector<int64_t> order = random.Permutation(500);  // RandomState(1).permutation(500)
//   double x = random.Normal();                            // .normal()
//
// A draw of many numbers in NumPy is that many draws here, in row-major order. A copy continues the
// stream independently; an object is not to be shared between threads.
//
// Sources: M. Matsumoto, T. Nishimura, "Mersenne Twister", 1998, for the words; NumPy's reference
// on RandomState for what is made of them.
class NumPyRandom {
 public:
  explicit NumPyRandom(uint32_t seed) : words_(seed) {}

  // Uniform over all 32-bit numbers: the Mersenne Twister's next word.
  uint32_t Word() { return static_cast<uint32_t>(words_()); }
  // Uniform over the multiples of 2^-53 in [0, 1): random_sample().
  double Uniform();
  // uniform(low, high). The ends may stand in either order.
  double Uniform(double low, double high);
  // Mean 0, standard deviation 1: standard_normal(). Numbers come in pairs; the second one is kept
  // for the next call, so an odd number of calls leaves one behind, as in NumPy. The last bit hangs
  // on the C library's log, there and here.
  double Normal();
  // normal(mean, deviation).
  double Normal(double mean, double deviation);
  // Uniform over 0, 1, ..., max, the end included.
  uint64_t UpTo(uint64_t max);
  // randint(low, high): uniform over low, ..., high - 1. An empty range is an error.
  absl::StatusOr<int64_t> RandInt(int64_t low, int64_t high);

  // shuffle(elements), in place.
  template <typename T>
  void Shuffle(absl::Span<T> elements) {
    using std::swap;
    // Fisher and Yates from the end: element i changes places with one of 0, ..., i.
    for (size_t i = elements.size(); i-- > 1;) swap(elements[i], elements[UpTo(i)]);
  }
  // permutation(count): 0, ..., count - 1 shuffled. None for a negative count.
  std::vector<int64_t> Permutation(int64_t count);

 private:
  std::mt19937 words_;  // seeded as RandomState seeds from an integer, by the standard's definition
  bool has_next_normal_ = false;
  double next_normal_ = 0;
};

}  // namespace talweg

#endif  // TALWEG_BASE_RANDOM_H_
