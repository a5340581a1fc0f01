#include "ops/table.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace talweg {
namespace {

TEST(AllOps, HaveNamesOfTheirOwnAndAreComplete) {
  std::set<std::string> names;
  for (const Op* op : AllOps()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name;
    EXPECT_NE(op->infer, nullptr) << op->name;
    EXPECT_NE(std::string(op->doc), "") << op->name;
    EXPECT_EQ(op->map != nullptr, op->kind == Kind::kMap) << op->name;
    EXPECT_EQ(op->reduce != nullptr, op->kind == Kind::kReduce) << op->name;
    EXPECT_EQ(op->random != nullptr, op->kind == Kind::kRandom) << op->name;
    for (const char c : std::string(op->name)) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') << op->name;
    }
  }
  for (const char* core : {"input", "constant", "iota", "size", "part"}) {
    EXPECT_FALSE(names.contains(core)) << core;
  }
}

}  // namespace
}  // namespace talweg
