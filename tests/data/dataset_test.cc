#include "data/dataset.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

Dataset Small() {
  return {Array::Matrix<double>({{0, 1}, {2, 3}, {4, 5}, {6, 7}}),
          Array::Vector<int32_t>({0, 2, 1, 2})};
}

TEST(Dataset, ValidateAgreesOnTheNumberOfRows) {
  EXPECT_TRUE(Validate(Small()).ok());
  EXPECT_EQ(Validate({Small().inputs, Array::Vector<int32_t>({1, 2})}).message(),
            "dataset: 4 rows of inputs [4,2] but 2 of targets [2]");
  EXPECT_THAT(Validate({}).message(), HasSubstr("must have a leading axis"));
  EXPECT_THAT(Validate({Small().inputs, Array(1.0)}).message(), HasSubstr("targets []"));
  EXPECT_EQ(Validate({Array::Vector<double>({}), Array::Vector<double>({})}).message(),
            "dataset: there are no samples");
  EXPECT_THAT(Validate({Array::Vector<bool>({true}), Array::Vector<double>({1})}).message(),
              HasSubstr("Cast them"));
}

TEST(Dataset, SplitKeepsTheOrder) {
  const TrainTest data = Split(Small(), 3).value();
  EXPECT_TRUE(SameBits(data.train.inputs, Array::Matrix<double>({{0, 1}, {2, 3}, {4, 5}})));
  EXPECT_TRUE(SameBits(data.train.targets, Array::Vector<int32_t>({0, 2, 1})));
  EXPECT_TRUE(SameBits(data.test.inputs, Array::Matrix<double>({{6, 7}})));
  EXPECT_TRUE(SameBits(data.test.targets, Array::Vector<int32_t>({2})));
}

TEST(Dataset, SplitTakesNoneAndAll) {
  EXPECT_EQ(Split(Small(), 0)->train.inputs.dims(), (Dims{0, 2}));
  EXPECT_EQ(Split(Small(), 4)->test.inputs.dims(), (Dims{0, 2}));
  const Dataset none = Split(Small(), 4)->test;
  EXPECT_EQ(Split(none, 0)->test.size(), 0);
}

TEST(Dataset, SplitRefusesMoreThanThereAre) {
  EXPECT_EQ(Split(Small(), 5).status().message(), "split: 5 training samples of the 4 there are");
  EXPECT_EQ(Split(Small(), -1).status().message(), "split: -1 training samples of the 4 there are");
  EXPECT_FALSE(Split({}, 0).ok());
}

TEST(Dataset, RowsAreThoseFromAFirstOneOn) {
  const Dataset rows = Rows(Small(), 1, 2).value();
  EXPECT_TRUE(SameBits(rows.inputs, Array::Matrix<double>({{2, 3}, {4, 5}})));
  EXPECT_TRUE(SameBits(rows.targets, Array::Vector<int32_t>({2, 1})));
  EXPECT_EQ(Rows(Small(), 3, 2).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(Rows({}, 0, 0).ok());
}

TEST(Dataset, TakeRepeatsAndReordersRows) {
  const Dataset taken = Take(Small(), {3, 0, 3}).value();
  EXPECT_TRUE(SameBits(taken.inputs, Array::Matrix<double>({{6, 7}, {0, 1}, {6, 7}})));
  EXPECT_TRUE(SameBits(taken.targets, Array::Vector<int32_t>({2, 0, 2})));
  EXPECT_EQ(Take(Small(), {0, 4}).status().message(), "take: no row 4 among 4 samples");
  EXPECT_FALSE(Take(Small(), {-1}).ok());
  EXPECT_EQ(Take(Small(), {})->size(), 0);
}

TEST(Dataset, RowsMayHaveAnyShapeAndType) {
  const Dataset images = {Array::Zeros(kFloat32, {3, 2, 2}).value(),
                          Array::Matrix<bool>({{true, false}, {false, true}, {true, true}})};
  const Dataset taken = Take(images, {2, 1}).value();
  EXPECT_EQ(taken.inputs.dims(), (Dims{2, 2, 2}));
  EXPECT_TRUE(SameBits(taken.targets, Array::Matrix<bool>({{true, true}, {false, true}})));
  const Dataset empty_rows = {Array::Zeros(kFloat32, {3, 0}).value(),
                              Array::Vector<float>({1, 2, 3})};
  EXPECT_EQ(Split(empty_rows, 2)->train.inputs.dims(), (Dims{2, 0}));
}

TEST(OneHot, HasAOneWhereTheLabelIs) {
  const Array labels = Array::Vector<int64_t>({0, 2, 1});
  EXPECT_TRUE(SameBits(OneHot(labels, 3).value(),
                       Array::Matrix<double>({{1, 0, 0}, {0, 0, 1}, {0, 1, 0}})));
  EXPECT_TRUE(SameBits(OneHot(labels, 4, kFloat32).value(),
                       Array::Matrix<float>({{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 0}})));
  EXPECT_EQ(OneHot(labels, 3, kBool)->dtype(), kBool);
}

TEST(OneHot, NamesTheRowAndTheLabelThatIsOutside) {
  EXPECT_EQ(OneHot(Array::Vector<int32_t>({0, 1, 3}), 3).status().message(),
            "one_hot: label 3 in row 2 is outside the 3 classes 0 to 2");
  EXPECT_EQ(OneHot(Array::Vector<int64_t>({-1}), 3).status().message(),
            "one_hot: label -1 in row 0 is outside the 3 classes 0 to 2");
  EXPECT_THAT(OneHot(Array::Vector<double>({0, 1}), 2).status().message(),
              HasSubstr("labels are float64[2]; they must be int32 or int64 [n]"));
  EXPECT_FALSE(OneHot(Array::Matrix<int32_t>({{0}}), 2).ok());
  EXPECT_FALSE(OneHot(Array::Vector<int32_t>({}), 0).ok());
  EXPECT_FALSE(OneHot(Array::Vector<int32_t>({0}), -3).ok());
  EXPECT_FALSE(OneHot(Array::Vector<int32_t>({0}), std::numeric_limits<int64_t>::max()).ok());
}

TEST(Dataset, OneHotTargetsAreOfTheInputsType) {
  const Dataset one_hot = OneHotTargets(Cast(Small(), kFloat32).value(), 3).value();
  EXPECT_EQ(one_hot.targets.dtype(), kFloat32);
  EXPECT_EQ(one_hot.targets.dims(), (Dims{4, 3}));
  EXPECT_FALSE(OneHotTargets(Small(), 2).ok());
  // Tokens, say.
  const Dataset tokens{Array::Matrix<int32_t>({{3, 1}, {0, 2}}), Array::Vector<int32_t>({1, 0})};
  EXPECT_EQ(OneHotTargets(tokens, 2)->targets.dtype(), kFloat64);
  EXPECT_EQ(OneHotTargets(tokens, 2)->inputs.dtype(), kInt32);
}

TEST(Dataset, CastLeavesClassesAsTheyAre) {
  EXPECT_EQ(Cast(Small(), kFloat32)->inputs.dtype(), kFloat32);
  EXPECT_EQ(Cast(Small(), kFloat32)->targets.dtype(), kInt32);
  EXPECT_EQ(Cast(OneHotTargets(Small(), 3).value(), kFloat32)->targets.dtype(), kFloat32);
  EXPECT_THAT(Cast(Small(), kInt32).status().message(), HasSubstr("float32 or float64"));
}

Table Measured() {
  return ParseCsv("height,weight,kind,name\n1.5,20,0,a\n2.5,30,2,b\n", {.text = {"name"}}).value();
}

TEST(ToDataset, TakesLabelsAndTheNamedInputs) {
  const Dataset dataset =
      ToDataset(Measured(), {.label = "kind", .inputs = {"weight", "height"}}).value();
  EXPECT_TRUE(SameBits(dataset.inputs, Array::Matrix<double>({{20, 1.5}, {30, 2.5}})));
  EXPECT_TRUE(SameBits(dataset.targets, Array::Vector<int32_t>({0, 2})));
}

TEST(ToDataset, TakesTargetsAndAllOtherColumnsAsInputs) {
  Table table = Measured();
  table.columns.pop_back();
  const Dataset dataset = ToDataset(table, {.targets = {"weight"}}).value();
  EXPECT_TRUE(SameBits(dataset.inputs, Array::Matrix<double>({{1.5, 0}, {2.5, 2}})));
  EXPECT_TRUE(SameBits(dataset.targets, Array::Matrix<double>({{20}, {30}})));
}

TEST(ToDataset, NamesTheColumnAndTheRowThatDoNotServe) {
  const auto message = [](const Table& table, const DatasetColumns& columns) {
    return std::string(ToDataset(table, columns).status().message());
  };
  EXPECT_EQ(message(Measured(), {.label = "kind"}), "column 'name' holds text");
  EXPECT_EQ(message(Measured(), {.label = "species"}),
            "no column 'species'; there are: 'height', 'weight', 'kind', 'name'");
  EXPECT_EQ(message(Measured(), {.label = "height"}),
            "column 'height', row 1: a label is a whole number from 0 on, not 1.5");
  EXPECT_THAT(message(Measured(), {}), HasSubstr("name the column of labels"));
  EXPECT_THAT(message(Measured(), {.label = "kind", .targets = {"weight"}}), HasSubstr("not both"));
  EXPECT_EQ(message(ParseCsv("x,y\n1,0\nnan,1\n").value(), {.label = "y"}),
            "column 'x', row 2: nan is no number to learn from");
  EXPECT_EQ(message(ParseCsv("x,y\n1,-1\n").value(), {.label = "y"}),
            "column 'y', row 1: a label is a whole number from 0 on, not -1");
  EXPECT_FALSE(ToDataset(ParseCsv("x,y\n1,2147483648\n").value(), {.label = "y"}).ok());
  EXPECT_EQ(message(ParseCsv("x,y\n").value(), {.label = "y"}), "dataset: the table has no rows");
  EXPECT_EQ(message(ParseCsv("y\n1\n").value(), {.label = "y"}),
            "dataset: no column is left for the inputs");
  for (const size_t shorter : {0, 1}) {
    Table table = ParseCsv("x,y\n1,0\n2,1\n").value();
    std::get<0>(table.columns[shorter].cells).pop_back();
    EXPECT_EQ(message(table, {.label = "y"}), absl::StrCat("dataset: column 'y' has ", 2 - shorter,
                                                           " rows, 'x' has ", 1 + shorter));
  }
}

TEST(ToDataset, TakesTargetsAsInputsAndNoLabel) {
  const Table table{{{"x", std::vector<double>{1, 2}}, {"y", std::vector<double>{0, 1}}}};
  EXPECT_TRUE(ToDataset(table, {.targets = {"x", "y"}, .inputs = {"x", "y"}}).ok());
  EXPECT_EQ(ToDataset(table, {.label = "y", .inputs = {"x", "y"}}).status().message(),
            "dataset: column 'y' is the label, and among the inputs");
}

TEST(ReadDataset, NamesTheFile) {
  EXPECT_THAT(ReadDataset("tests/data/shuffle_500_seed1.csv", {.label = "y"}).status().message(),
              HasSubstr("shuffle_500_seed1.csv: line 2, column 4: more fields"));
  EXPECT_EQ(ReadDataset("tests/data/blobs/blobs_one_sample.csv", {.label = "z"}).status().message(),
            "tests/data/blobs/blobs_one_sample.csv: no column 'z'; there are: 'x0', 'y'");
}

TEST(ReadDataset, ReadsTheDigits) {
  const Dataset digits = ReadDataset("examples/data/digits.csv", {.label = "label"}).value();
  EXPECT_EQ(digits.inputs.dims(), (Dims{1797, 64}));
  EXPECT_EQ(OneHotTargets(digits, 10)->targets.dims(), (Dims{1797, 10}));
  EXPECT_TRUE(Validate(digits).ok());
}

TEST(ToTable, ReadsBack) {
  const Table table = ToTable(Small()).value();
  EXPECT_EQ(FormatCsv(table).value(), "x0,x1,y\n0,1,0\n2,3,2\n4,5,1\n6,7,2\n");
  const Dataset back = ToDataset(table, {.label = "y"}).value();
  EXPECT_TRUE(SameBits(back.inputs, Small().inputs));
  EXPECT_TRUE(SameBits(back.targets, Small().targets));
  EXPECT_EQ(FormatCsv(ToTable(OneHotTargets(Split(Small(), 1)->train, 3).value()).value()).value(),
            "x0,x1,y0,y1,y2\n0,1,1,0,0\n");
  EXPECT_FALSE(
      ToTable({Array::Zeros(kFloat32, {3, 2, 2}).value(), Array::Vector<float>({1, 2, 3})}).ok());
}

TEST(Dataset, ReportsThatMemoryIsShort) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const Dataset small = Small();
  const Table table = ToTable(small).value();
  bool happened = true;
  int64_t k = 0;
  for (; happened; k++) {
    const FailingAllocation failing(k + 1);
    const auto all = [&]() -> absl::Status {
      const absl::StatusOr<Dataset> read = ToDataset(table, {.label = "y"});
      if (!read.ok()) return read.status();
      const absl::StatusOr<Dataset> one_hot = OneHotTargets(small, 3);
      if (!one_hot.ok()) return one_hot.status();
      const absl::StatusOr<Dataset> cast = Cast(*one_hot, kFloat32);
      if (!cast.ok()) return cast.status();
      return Split(*cast, 3).status();
    };
    const absl::Status status = all();
    happened = failing.Happened();
    EXPECT_EQ(status.ok(), !happened) << k;
    if (happened) {
      EXPECT_THAT(status.message(), HasSubstr("no memory for"));
    }
  }
  EXPECT_GT(k, 9);
}

}  // namespace
}  // namespace talweg
