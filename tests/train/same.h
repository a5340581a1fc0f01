#ifndef TALWEG_TESTS_TRAIN_SAME_H_
#define TALWEG_TESTS_TRAIN_SAME_H_

#include "gtest/gtest.h"
#include "train/fit.h"

namespace talweg {

inline void ExpectSame(const NamedArrays& a, const NamedArrays& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_TRUE(SameBits(array, b.at(name))) << name;
  }
}

// What two runs of one training must have in common: everything, to the bit.
inline void ExpectSame(const Fitted& a, const Fitted& b) {
  EXPECT_EQ(a.history.ToCsv(), b.history.ToCsv());
  ExpectSame(a.parameters, b.parameters);
  ExpectSame(a.state, b.state);
}

}  // namespace talweg

#endif  // TALWEG_TESTS_TRAIN_SAME_H_
