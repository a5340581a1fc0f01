#include <filesystem>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "jit/llvm/cache.h"
#include "tests/base/mutation.h"
#include "tests/jit/llvm/cache_folder.h"

namespace talweg::native {
namespace {

using CacheMutationTest = CacheFolderTest;

TEST_F(CacheMutationTest, MutantsAreNeverTakenForTheObject) {
  const ObjectCache cache = ObjectCache::Open(folder_);
  const ObjectCache::Key key = {1, 2, 3};
  const std::string path = Path(ObjectCache::FileName(key));
  MutationTest test;
  std::vector<std::string> objects = {"", "1234", std::string(3000, 'x')};
  for (const std::string& object : objects) {
    ASSERT_TRUE(cache.Put(key, object).ok());
    test.files.push_back(ReadBytes(path));
  }
  test.words = {"Talweg01", std::string(32, '\0')};
  test.read = [&](const std::string& mutant) {
    WriteBytes(path, mutant);
    const std::optional<std::string> found = cache.Get(key);
    // Some mutants are the file that they came from.
    bool sound = false;
    for (size_t i = 0; i < objects.size(); i++) {
      sound |= mutant == test.files[i] && found == objects[i];
    }
    EXPECT_EQ(found.has_value(), sound);
    EXPECT_EQ(std::filesystem::exists(path), sound);
    return found.has_value();
  };
  RunMutationTest(test);
}

}  // namespace
}  // namespace talweg::native
