#ifndef TALWEG_TESTS_BASE_ALLOCATION_H_
#define TALWEG_TESTS_BASE_ALLOCATION_H_

#include <cstdint>

// Watches and fails the heap of a test: a program that links this has its operators new and delete.

namespace talweg {

// How far the heap grows beyond where it stood when this was made.
class HeapWatch {
 public:
  HeapWatch();
  // In bytes, the highest so far.
  int64_t Peak() const;

 private:
  int64_t start_;
};

// Whether FailingAllocation works in this build: clang's thread sanitizer has operators of its own,
// which can not be replaced. HeapWatch sees no growth there.
bool AllocationsCanFail();

// While it lives, the k-th allocation of array storage (by nothrow new) from now on fails, k
// from 1.
class FailingAllocation {
 public:
  explicit FailingAllocation(int64_t k);
  ~FailingAllocation();
  // Whether the k-th was asked for.
  bool Happened() const;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_BASE_ALLOCATION_H_
