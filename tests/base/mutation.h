#ifndef TALWEG_TESTS_BASE_MUTATION_H_
#define TALWEG_TESTS_BASE_MUTATION_H_

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

// Mutation tests of readers: sound files, damaged at random, must be read or refused; never a
// crash, a hang, or memory out of proportion.

namespace talweg {

// `text` damaged in one to four ways: bits and bytes changed, pieces removed, doubled, moved or cut
// off, pieces of `other` or words of `words` put in, numbers replaced by hostile ones.
std::string Mutate(std::string text, const std::string& other,
                   const std::vector<std::string>& words, std::mt19937_64& random);

struct MutationTest {
  std::vector<std::string> files;  // sound ones
  std::vector<std::string> words;  // that mean something to the reader
  // Reads a mutant; whether it was accepted. May use EXPECT to check what it read.
  std::function<bool(const std::string& mutant)> read;
};

// 20,000 mutants, or as many as the environment's TALWEG_FUZZ_COUNT says, half of them the same in
// every run, half from a seed that is printed and that TALWEG_FUZZ_SEED sets. Fails where one takes
// more than a second, or more memory than the mutant's length + 64 MiB; and where all or none are
// accepted, which would not be a test. Programs that use it link tests/base:allocation.
void RunMutationTest(const MutationTest& test);

}  // namespace talweg

#endif  // TALWEG_TESTS_BASE_MUTATION_H_
