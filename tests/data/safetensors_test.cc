#include "data/safetensors.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"
#include "tests/base/mutation.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

NamedArrays Parameters() {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  return {{"hidden/kernel", Array::Matrix<float>({{1, -0.0f, kNaN}, {4, 5, 6}})},
          {"hidden/bias", Array::Vector<double>({0.1, 1e300, 5e-324})},
          {"step", Array(int64_t{1} << 40)},
          {"classes", Array::Vector<int32_t>({-1, 2})},
          {"mask", Array::Vector<bool>({true, false, true})},
          {"empty", Array::Zeros(kFloat32, {0, 7}).value()},
          {"caf\xc3\xa9 \"x\\y\"", Array(1.5f)}};
}

bool Same(const NamedArrays& a, const NamedArrays& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && SameBits(x.second, y.second);
  });
}

// A file of this header and as many bytes 0 after it.
std::string File(const std::string& header, size_t data_bytes = 0) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header +
         std::string(data_bytes, '\0');
}

std::string Message(const std::string& bytes) {
  return std::string(ParseArrays(bytes, "f").status().message());
}

TEST(Safetensors, ReadsBackWhatItWrites) {
  const Metadata metadata = {{"epoch", "200"}, {"note", "a \"b\" \\ \n \xc3\xa9"}, {"", ""}};
  const std::string bytes = FormatArrays(Parameters(), metadata).value();
  const absl::StatusOr<SavedArrays> saved = ParseArrays(bytes);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_TRUE(Same(saved->arrays, Parameters()));
  EXPECT_EQ(saved->metadata, metadata);
}

TEST(Safetensors, HoldsNothingToo) {
  const SavedArrays saved = ParseArrays(FormatArrays({}).value()).value();
  EXPECT_TRUE(saved.arrays.empty());
  EXPECT_TRUE(saved.metadata.empty());
  EXPECT_TRUE(ParseArrays(File("{}")).ok());
}

TEST(Safetensors, AlignsEveryArrayToItsType) {
  const std::string bytes =
      FormatArrays({{"a", Array::Vector<bool>({true})}, {"b", Array(1.0f)}, {"c", Array(2.0)}})
          .value();
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_THAT(bytes, HasSubstr("\"c\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}"));
  EXPECT_THAT(bytes, HasSubstr("\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}"));
  EXPECT_THAT(bytes,
              HasSubstr("\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[12,13]}"));
}

// Written by the safetensors package 0.8 for Python, with save_file and a metadata of two keys.
TEST(Safetensors, ReadsPythonsFiles) {
  const absl::StatusOr<SavedArrays> saved = LoadArrays("tests/data/from_python.safetensors");
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->metadata, (Metadata{{"framework", "numpy"}, {"note", "caf\xc3\xa9"}}));
  const NamedArrays expected = {
      {"model.layers.0.weight", Array::Matrix<float>({{0, 1, 2}, {3, 4, 5}})},
      {"bias", Array::Vector<double>({0.1, -2.5})},
      {"ids", Array::Vector<int64_t>({-1, int64_t{1} << 62})},
      {"small", Array::Vector<int32_t>({7})},
      {"mask", Array::Vector<bool>({true, false})},
      {"scalar", Array(3.5f)},
      {"none", Array::Zeros(kFloat32, {2, 0}).value()}};
  EXPECT_TRUE(Same(saved->arrays, expected));
}

TEST(Safetensors, RefusesLengthsThatDoNotFit) {
  const std::string sound = File("{}");
  for (size_t size = 0; size < sound.size(); size++) {
    EXPECT_FALSE(ParseArrays(sound.substr(0, size)).ok()) << size;
  }
  EXPECT_EQ(Message("1234"), "f: 4 bytes; the header's length alone takes 8");
  for (uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{1} << 31,
                          uint64_t{1} << 63, ~uint64_t{0}}) {
    std::string bytes = sound;
    bytes.replace(0, 8, reinterpret_cast<const char*>(&length), 8);
    EXPECT_FALSE(ParseArrays(bytes).ok()) << length;
  }
  EXPECT_THAT(Message(std::string(8, '\xff')),
              HasSubstr("a header of 18446744073709551615 bytes, but 0 follow"));
}

TEST(Safetensors, RefusesWhatIsNoHeader) {
  EXPECT_EQ(Message(File(" {}")), "f: the header does not begin with {");
  EXPECT_EQ(Message(File("[]")), "f: the header does not begin with {");
  EXPECT_EQ(Message(File("{\"a\xff\":1}")), "f: the header is not UTF-8 at its byte 3");
  EXPECT_THAT(Message(File("{}x")), HasSubstr("not JSON at its byte 3"));
  EXPECT_EQ(Message(File(std::string("{}\0\0x", 5))), "f: the header holds a NUL at its byte 2");
  EXPECT_THAT(Message(File("{")), HasSubstr("not JSON"));
  EXPECT_THAT(Message(File("{\"a\":}")), HasSubstr("not JSON"));
  EXPECT_EQ(Message(File("{\"a\":1}")), "f: tensor 'a': unexpected number");
  EXPECT_EQ(Message(File("{\"a\":null}")), "f: tensor 'a': unexpected null");
  EXPECT_EQ(Message(File("{\"a\":[]}")), "f: tensor 'a': unexpected list");
  EXPECT_EQ(Message(File("{\"__metadata__\":{\"a\":1}}")), "f: the metadata: unexpected number");
  EXPECT_EQ(Message(File("{\"__metadata__\":\"a\"}")), "f: the metadata: unexpected text 'a'");
  EXPECT_FALSE(ParseArrays(File("{\"a\":" + std::string(100000, '{'))).ok());
  EXPECT_FALSE(ParseArrays(File("{\"a\":{\"shape\":" + std::string(100000, '['))).ok());
}

std::string Tensor(const std::string& shape, const std::string& offsets,
                   const std::string& type = "F32", const std::string& name = "a") {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, RefusesWhatStandsTwiceOrNot) {
  const std::string a = Tensor("[1]", "[0,4]");
  EXPECT_TRUE(ParseArrays(File("{" + a + "}", 4)).ok());
  EXPECT_EQ(Message(File("{" + a + "," + a + "}", 4)), "f: two tensors 'a'");
  EXPECT_EQ(Message(File("{\"__metadata__\":{},\"__metadata__\":{}}")),
            "f: the metadata stands twice");
  EXPECT_EQ(Message(File("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}")),
            "f: metadata 'k' stands twice");
  EXPECT_EQ(Message(File("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}")),
            "f: tensor 'a': field 'dtype' stands twice");
  EXPECT_EQ(Message(File("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}")),
            "f: tensor 'a': field 'data_offsets' is missing");
  EXPECT_EQ(Message(File("{\"a\":{\"offsets\":1}}")), "f: tensor 'a': unknown field 'offsets'");
}

TEST(Safetensors, RefusesTypesThatTalwegDoesNotHave) {
  for (const char* type : {"BF16", "F16", "U8", "f32", "float32", ""}) {
    EXPECT_THAT(Message(File("{" + Tensor("[1]", "[0,4]", type) + "}", 4)),
                HasSubstr("is none of F32, F64, I32, I64, BOOL"));
  }
  EXPECT_THAT(Message(File("{\"a\":{\"dtype\":4}}")),
              HasSubstr("field 'dtype': unexpected number"));
}

TEST(Safetensors, RefusesShapesThatCanNotBe) {
  const auto shape = [](const std::string& dims) {
    return Message(File("{" + Tensor(dims, "[0,4]") + "}", 4));
  };
  EXPECT_THAT(shape("[-1]"), HasSubstr("tensor 'a', field 'shape': unexpected a negative number"));
  EXPECT_THAT(shape("[-0]"), HasSubstr("a negative number"));
  EXPECT_THAT(shape("[1.0]"), HasSubstr("'1.0', which is not a whole number"));
  EXPECT_THAT(shape("[1e0]"), HasSubstr("not a whole number"));
  EXPECT_THAT(shape("[18446744073709551616]"), HasSubstr("not a whole number below 2^64"));
  EXPECT_THAT(shape("[18446744073709551615]"), HasSubstr("is too large"));
  EXPECT_THAT(shape("[4294967296,4294967296]"), HasSubstr("has too many elements"));
  EXPECT_THAT(shape("[4611686018427387904,4]"), HasSubstr("has too many elements"));
  EXPECT_THAT(shape("[0,9223372036854775807,9223372036854775807]"), HasSubstr("too many elements"));
  EXPECT_THAT(shape("[[1]]"), HasSubstr("unexpected list"));
  EXPECT_THAT(shape("[\"1\"]"), HasSubstr("unexpected text"));
  EXPECT_THAT(shape("1"), HasSubstr("unexpected number"));
  EXPECT_THAT(shape("[2]"), HasSubstr("float32[2] takes 8 bytes, its offsets 0 to 4 give it 4"));
  std::string rank = "[1";
  for (int i = 1; i < 100000; i++) rank += ",1";
  EXPECT_THAT(shape(rank + "]"), HasSubstr("more than 32 numbers"));
}

TEST(Safetensors, RefusesOffsetsThatDoNotFit) {
  const auto offsets = [](const std::string& pair, size_t bytes = 4) {
    return Message(File("{" + Tensor("[1]", pair) + "}", bytes));
  };
  EXPECT_THAT(offsets("[4,0]"), HasSubstr("the end comes before the begin"));
  EXPECT_THAT(offsets("[0,4]", 3), HasSubstr("its bytes 0 to 4 are not among the file's 3"));
  EXPECT_THAT(offsets("[0,4]", 5), HasSubstr("1 bytes after the last tensor"));
  EXPECT_THAT(offsets("[4,8]", 8), HasSubstr("begins at byte 4, after a gap from 0 on"));
  EXPECT_THAT(offsets("[0]"), HasSubstr("not two numbers"));
  EXPECT_THAT(offsets("[]"), HasSubstr("not two numbers"));
  EXPECT_THAT(offsets("[0,4,4]"), HasSubstr("more than 2 numbers"));
  EXPECT_THAT(offsets("[-4,0]"), HasSubstr("negative"));
  EXPECT_THAT(offsets("[9223372036854775804,9223372036854775808]"), HasSubstr("too large"));
  EXPECT_THAT(offsets("[9223372036854775803,9223372036854775807]"), HasSubstr("not among"));
  const std::string overlap =
      "{" + Tensor("[2]", "[0,8]") + "," + Tensor("[2]", "[4,12]", "F32", "b") + "}";
  EXPECT_THAT(Message(File(overlap, 12)), HasSubstr("inside another one that ends at 8"));
  const std::string hole =
      "{" + Tensor("[1]", "[0,4]") + "," + Tensor("[1]", "[8,12]", "F32", "b") + "}";
  EXPECT_THAT(Message(File(hole, 12)), HasSubstr("after a gap from 4 on"));
  const std::string empty_inside =
      "{" + Tensor("[2]", "[0,8]") + "," + Tensor("[0]", "[4,4]", "F32", "b") + "}";
  EXPECT_THAT(Message(File(empty_inside, 8)), HasSubstr("inside another one"));
}

TEST(Safetensors, RefusesBoolsThatAreNeitherTrueNorFalse) {
  std::string bytes = File("{" + Tensor("[3]", "[0,3]", "BOOL") + "}", 3);
  EXPECT_TRUE(ParseArrays(bytes).ok());
  bytes.back() = 2;
  EXPECT_EQ(Message(bytes), "f: tensor 'a': element 2 is the byte 2, neither 0 nor 1");
}

const std::pair<std::string, std::string> kBadNames[] = {
    {"", "is empty"},
    {"/etc/passwd", "has an empty part"},
    {"a//b", "has an empty part"},
    {"a/", "has an empty part"},
    {"..", "has a part '.' or '..'"},
    {"a/../b", "has a part '.' or '..'"},
    {"./a", "has a part '.' or '..'"},
    {std::string("a\0b", 3), "holds a control character"},
    {"a\nb", "holds a control character"},
    {std::string(1025, 'a'), "is longer than 1024 bytes"},
};

TEST(Safetensors, RefusesNamesThatLeadAstray) {
  for (const auto& [name, why] : kBadNames) {
    EXPECT_THAT(std::string(FormatArrays({{name, Array(1.0f)}}).status().message()),
                HasSubstr(why));
    std::string json;
    for (char c : name) json += c == '\0' ? "\\u0000" : c == '\n' ? "\\n" : std::string(1, c);
    EXPECT_THAT(Message(File("{" + Tensor("[1]", "[0,4]", "F32", json) + "}", 4)), HasSubstr(why));
  }
  EXPECT_FALSE(FormatArrays({{"__metadata__", Array()}}).ok());
  EXPECT_FALSE(FormatArrays({{"\xff", Array()}}).ok());
  for (const char* name : {"hidden/kernel", "a.b", "..a", "a/...", "model.layers.0.weight", " "}) {
    EXPECT_TRUE(ParseArrays(FormatArrays({{name, Array()}}).value()).ok()) << name;
  }
}

TEST(Safetensors, RefusesToWriteWhatItCouldNotRead) {
  EXPECT_FALSE(FormatArrays({}, {{"k", "\xff"}}).ok());
  EXPECT_FALSE(FormatArrays({}, {{"\n", "v"}}).ok());
  EXPECT_FALSE(FormatArrays({}, {{std::string(kChecksumKey), "v"}}).ok());
  EXPECT_TRUE(FormatArrays({{"a", Array::Zeros(kFloat32, Dims(32, 1)).value()}}).ok());
  EXPECT_THAT(FormatArrays({{"a", Array::Zeros(kFloat32, Dims(33, 1)).value()}}).status().message(),
              HasSubstr("tensor 'a' has 33 axes"));
}

// As everywhere, an array for which there was no memory, or of rows of unequal lengths, is no
// array.
TEST(Safetensors, RefusesArraysWithoutElements) {
  EXPECT_EQ(FormatArrays({{"w", Array::Matrix<float>({{1, 2}, {3}})}}).status().message(),
            "tensor 'w' is an array without elements");
}

TEST(Safetensors, ChecksumSeesEveryFlippedBit) {
  const NamedArrays arrays = {{"a/b", Array::Vector<float>({1, 2})}, {"m", Array(true)}};
  const std::string sound = FormatArrays(arrays, {{"k", "v"}}).value();
  uint64_t length;
  std::memcpy(&length, sound.data(), 8);
  int64_t losses = 0;
  for (size_t bit = 0; bit < 8 * sound.size(); bit++) {
    std::string damaged = sound;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    const absl::StatusOr<SavedArrays> read = ParseArrays(damaged);
    if (read.ok()) {
      // Only the key of the checksum itself can go unnoticed: it becomes other metadata, in sight.
      EXPECT_EQ(read->metadata.size(), 2u) << bit;
      EXPECT_TRUE(Same(read->arrays, arrays)) << bit;
    } else {
      losses += read.status().code() == absl::StatusCode::kDataLoss;
    }
  }
  EXPECT_GT(losses, 64) << "damaged elements are for the checksum to find";
}

TEST(Safetensors, ChecksumHoldsForAnotherLayout) {
  // The same content in another order, as another program may save it with the metadata it read.
  const NamedArrays arrays = {{"a", Array(1.0f)}, {"b", Array(2.0f)}};
  std::string bytes = FormatArrays(arrays).value();
  const auto replace = [&bytes](const std::string& from, const std::string& to) {
    const size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, from.size(), to);
  };
  replace("\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}", "A");
  replace("\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}",
          "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}");
  replace("A", "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}");
  const std::string data = bytes.substr(bytes.size() - 8);
  bytes.replace(bytes.size() - 8, 8, data.substr(4) + data.substr(0, 4));
  const absl::StatusOr<SavedArrays> saved = ParseArrays(bytes);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_TRUE(Same(saved->arrays, arrays));
}

class SafetensorsFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/talweg_safetensors_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/model.safetensors";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

TEST_F(SafetensorsFile, SavesAndLoads) {
  ASSERT_TRUE(SaveArrays(path_, Parameters(), {{"epoch", "3"}}).ok());
  const absl::StatusOr<SavedArrays> saved = LoadArrays(path_);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_TRUE(Same(saved->arrays, Parameters()));
  EXPECT_EQ(saved->metadata, (Metadata{{"epoch", "3"}}));
}

TEST_F(SafetensorsFile, NamesTheFileInErrors) {
  EXPECT_THAT(LoadArrays(path_).status().message(), HasSubstr(path_));
  EXPECT_EQ(SaveArrays(path_, {{"..", Array()}}).message(),
            "can not save " + path_ + ": tensor name '..' has a part '.' or '..'");
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(WriteFile(path_, "short").ok());
  EXPECT_THAT(LoadArrays(path_).status().message(), HasSubstr(path_ + ": 5 bytes"));
  EXPECT_THAT(LoadArrays(folder_).status().message(), HasSubstr("a folder"));
}

// Beyond the 4 GiB that are read unless more is allowed.
TEST_F(SafetensorsFile, IsReadUpToTheLimitThatIsGiven) {
  ASSERT_TRUE(SaveArrays(path_, Parameters()).ok());
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path_));
  EXPECT_TRUE(LoadArrays(path_, bytes).ok());
  EXPECT_THAT(LoadArrays(path_, bytes - 1).status().message(),
              HasSubstr(absl::StrCat("more than the limit of ", bytes - 1, " bytes")));
  EXPECT_TRUE(LoadArrays(path_, int64_t{1} << 40).ok());
}

TEST_F(SafetensorsFile, IsOldOrNewWhicheverCallFails) {
  const NamedArrays before = {{"w", Array::Vector<float>(std::vector<float>(100, 1))}};
  const NamedArrays after = {{"w", Array::Vector<float>(std::vector<float>(200, 2))}};
  ASSERT_TRUE(SaveArrays(path_, before).ok());
  const FileSystem real;
  bool passed = false;
  for (int k = 1; !passed; k++) {
    ASSERT_LT(k, 100);
    int calls = 0;
    FileSystem system;
    const auto fails = [&] { return ++calls == k ? (errno = EIO, true) : false; };
    system.write = [&](int file, const void* bytes, size_t count) {
      return fails() ? ssize_t{-1} : real.write(file, bytes, std::min<size_t>(count, 64));
    };
    system.fsync = [&](int file) { return fails() ? -1 : real.fsync(file); };
    system.rename = [&](int folder, const char* from, const char* to) {
      return fails() ? -1 : real.rename(folder, from, to);
    };
    const absl::Status status = SaveArrays(path_, after, {}, system);
    passed = status.ok();
    const absl::StatusOr<SavedArrays> now = LoadArrays(path_);
    ASSERT_TRUE(now.ok()) << now.status();
    const bool in_place = status.message().find("is in place") != absl::string_view::npos;
    EXPECT_TRUE(Same(now->arrays, passed || in_place ? after : before)) << status;
  }
}

TEST_F(SafetensorsFile, IsOldOrNewAfterKill9) {
  const NamedArrays versions[] = {
      {{"w", Array::Vector<float>(std::vector<float>(30000, 1))}},
      {{"v", Array::Vector<double>(std::vector<double>(20000, 2))}, {"w", Array(1.0)}}};
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(SaveArrays(path_, versions[0]).ok());
  const std::chrono::duration<double, std::micro> save = std::chrono::steady_clock::now() - start;
  const uint64_t seed = FreshSeed();
  std::mt19937 random(seed);
  int new_ones = 0;
  for (int point = 0; point < 100; point++) {
    int saved[2];
    ASSERT_EQ(::pipe(saved), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      while (true) {
        for (const NamedArrays& version : versions) {
          if (!SaveArrays(path_, version).ok()) ::_exit(1);
        }
        if (::write(saved[1], "s", 1) != 1) ::_exit(1);
      }
    }
    // A busy machine may take long to start the child; the time to its death runs from its first
    // saves.
    ::close(saved[1]);
    char byte;
    ASSERT_EQ(::read(saved[0], &byte, 1), 1);
    ::usleep(random() % (1000 + static_cast<unsigned>(3 * save.count())));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    ::close(saved[0]);
    ASSERT_TRUE(WIFSIGNALED(state));
    const absl::StatusOr<SavedArrays> now = LoadArrays(path_);
    ASSERT_TRUE(now.ok()) << now.status() << ", seed " << seed;
    const bool is_new = Same(now->arrays, versions[1]);
    EXPECT_TRUE(is_new || Same(now->arrays, versions[0])) << "seed " << seed;
    new_ones += is_new;
  }
  EXPECT_GT(new_ones, 0) << "killed before anything was ever saved: no test";
}

TEST(Safetensors, ReportsThatMemoryIsShort) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const std::string bytes = FormatArrays(Parameters()).value();
  bool happened = true;
  int64_t k = 0;
  for (; happened; k++) {
    const FailingAllocation failing(k + 1);
    const absl::StatusOr<SavedArrays> saved = ParseArrays(bytes);
    happened = failing.Happened();
    EXPECT_EQ(saved.ok(), !happened) << k;
  }
  EXPECT_GE(k, 7);
}

TEST(SafetensorsMutation, IsReadOrRefused) {
  const std::string a = Tensor("[2,1]", "[0,8]"), b = Tensor("[3]", "[8,11]", "BOOL", "b/c");
  RunMutationTest(
      {.files = {FormatArrays(Parameters(), {{"epoch", "200"}}).value(),
                 FormatArrays({{"w", Array::Zeros(kFloat32, {3, 4}).value()}}).value(),
                 // Without a checksum, which would refuse nearly all mutants that the rest accepts.
                 File("{" + a + "," + b + "}", 11),
                 File("{\"__metadata__\":{\"k\":\"v\"}," + b + "," + a + "}   ", 11),
                 File("{" + Tensor("[]", "[0,8]", "I64") + "}", 8)},
       .words = {"{",
                 "}",
                 "[",
                 "]",
                 ",",
                 ":",
                 "\"",
                 "\\u0000",
                 "\\ud800",
                 "F32",
                 "I64",
                 "BOOL",
                 "\"shape\":",
                 "\"dtype\":",
                 "\"data_offsets\":",
                 "__metadata__",
                 "-1",
                 "..",
                 "/",
                 "[0,0]",
                 "null",
                 "true",
                 " ",
                 "\xff",
                 std::string(1, '\0'),
                 a,
                 b,
                 "," + a},
       .read = [](const std::string& mutant) {
         const absl::StatusOr<SavedArrays> saved = ParseArrays(mutant);
         if (!saved.ok()) {
           EXPECT_FALSE(saved.status().message().empty());
           return false;
         }
         // What is read can be written, and is then read as the same.
         const absl::StatusOr<std::string> bytes = FormatArrays(saved->arrays, saved->metadata);
         EXPECT_TRUE(bytes.ok()) << bytes.status();
         const absl::StatusOr<SavedArrays> back = ParseArrays(bytes.value_or(""));
         EXPECT_TRUE(back.ok() && Same(back->arrays, saved->arrays)) << back.status();
         if (back.ok()) {
           EXPECT_EQ(back->metadata, saved->metadata);
         }
         return true;
       }});
}

}  // namespace
}  // namespace talweg
