#include "data/csv.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/mutation.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Numeric = std::vector<double>;
using Text = std::vector<std::string>;

std::string Message(std::string_view text, const CsvOptions& options = {}) {
  return std::string(ParseCsv(text, options, "f.csv").status().message());
}

Numeric Cells(const absl::StatusOr<Table>& table, std::string_view name) {
  return Numbers(table.value(), name).value();
}

Text TextCells(const absl::StatusOr<Table>& table, std::string_view name) {
  return std::get<1>(table.value().Find(name)->cells);
}

TEST(Csv, ReadsColumnsOfNumbers) {
  const absl::StatusOr<Table> table = ParseCsv("x0,y\n1.5,2\n-3e-2,nan\n");
  EXPECT_EQ(table->rows(), 2);
  EXPECT_THAT(Cells(table, "x0"), ElementsAre(1.5, -0.03));
  EXPECT_EQ(Cells(table, "y")[0], 2);
  EXPECT_TRUE(std::isnan(Cells(table, "y")[1]));
}

TEST(Csv, TakesEveryLineEndAndNone) {
  for (const char* text :
       {"a,b\n1,2\n3,4", "a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\r\n3,4\n\n\r\n\n",
        "\xEF\xBB\xBF"
        "a,b\n1,2\n3,4\n"}) {
    const absl::StatusOr<Table> table = ParseCsv(text);
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_THAT(Cells(table, "a"), ElementsAre(1, 3));
    EXPECT_THAT(Cells(table, "b"), ElementsAre(2, 4));
  }
}

TEST(Csv, ReadsQuotedFieldsAsRfc4180Says) {
  const absl::StatusOr<Table> table =
      ParseCsv("\"a\",\"b,\"\"c\"\"\",n\r\n\"x\r\ny\",\"\",\"7\"\n\"\"\"\",\"a\"\"\",8\n",
               {.text = {"a", "b,\"c\""}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(TextCells(table, "a"), ElementsAre("x\r\ny", "\""));
  EXPECT_THAT(TextCells(table, "b,\"c\""), ElementsAre("", "a\""));
  EXPECT_THAT(Cells(table, "n"), ElementsAre(7, 8)) << "quotes do not make a number text";
}

TEST(Csv, NamesColumnsByTheirNumberWithoutAHeader) {
  const absl::StatusOr<Table> table = ParseCsv("1,two\n3,four\n", {.header = false, .text = {"1"}});
  EXPECT_THAT(Cells(table, "0"), ElementsAre(1, 3));
  EXPECT_THAT(TextCells(table, "1"), ElementsAre("two", "four"));
}

TEST(Csv, TakesAHeaderWithoutRows) {
  EXPECT_EQ(ParseCsv("a,b\n")->rows(), 0);
  EXPECT_EQ(ParseCsv("a")->columns.size(), 1u);
}

TEST(Csv, SaysWhereANumberIsNone) {
  EXPECT_EQ(Message("x0,x1\n1,2\n3,abc\n"),
            "f.csv: line 3, column 2 ('x1'): 'abc' is not a number");
  EXPECT_EQ(Message("x0,x1\n1,2\n,4\n"), "f.csv: line 3, column 1 ('x0'): '' is not a number");
  for (const char* cell : {"NaN", "NA", "None", "Infinity", " 1", "1 ", "1e999", "0x1", "+1"}) {
    EXPECT_THAT(Message(std::string("x\n") + cell + "\n"), HasSubstr("is not a number")) << cell;
  }
}

TEST(Csv, RefusesRaggedRows) {
  EXPECT_EQ(Message("a,b\n1,2\n3\n"),
            "f.csv: line 3, column 1 ('a'): the line ends after 1 of 2 fields");
  EXPECT_EQ(Message("a,b\n1,2,3\n"),
            "f.csv: line 2, column 3: more fields than the first line, which has 2");
  EXPECT_EQ(Message("a,b\n1,2\n\n3,4\n"), "f.csv: line 3, column 1 ('a'): an empty line");
  EXPECT_EQ(Message("a,b\n1,"), "f.csv: line 2, column 2 ('b'): '' is not a number");
  EXPECT_THAT(Message("\n\na\n1\n"), HasSubstr("an empty line"));
}

TEST(Csv, RefusesEmptyFiles) {
  for (const char* text : {"", "\n", "\r\n\n", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(Message(text), "f.csv: the file is empty") << Quoted(text);
  }
}

TEST(Csv, RefusesQuotesOutOfPlace) {
  EXPECT_EQ(Message("a,b\n1,2\n3,\"4\n5,6\n7,8\n"),
            "f.csv: line 3, column 2 ('b'): the quote is never closed");
  EXPECT_THAT(Message("a\nx\"y\"\n", {.text = {"a"}}), HasSubstr("a quote inside a field"));
  EXPECT_THAT(Message("a\n\"x\"y\n", {.text = {"a"}}), HasSubstr("text after the closing quote"));
  EXPECT_THAT(Message("\""), HasSubstr("never closed"));
}

TEST(Csv, CountsLinesInsideQuotes) {
  EXPECT_EQ(Message("a,b\n\"\n\n\",1\nx,y\n", {.text = {"a"}}),
            "f.csv: line 5, column 2 ('b'): 'y' is not a number");
}

TEST(Csv, RefusesWhatIsNoText) {
  EXPECT_EQ(Message("a\n1\n\xff\n"), "f.csv: line 3: not UTF-8 (byte 4 of the file)");
  EXPECT_EQ(Message(std::string_view("a\n\0\n", 4)),
            "f.csv: line 2: a NUL, which no text holds (byte 2 of the file)");
  EXPECT_THAT(Message("a\rb\r"), HasSubstr("a carriage return without a line feed"));
}

TEST(Csv, TakesOtherSeparators) {
  for (const char separator : {';', '\t', '|', ' '}) {
    std::string text = "a,b\n1,\"x,y\"\n-2.5e3,z\n";
    for (char& c : text) c = c == ',' ? separator : c;
    const absl::StatusOr<Table> table = ParseCsv(text, {.separator = separator, .text = {"b"}});
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ(*Numbers(*table, "a"), (std::vector<double>{1, -2500}));
    EXPECT_EQ(std::get<1>(table->Find("b")->cells)[0], std::string("x") + separator + "y");
  }
  for (const char separator : {'.', '-', '+', '"', '\n', '\0', 'e', '0', '\xe4'}) {
    EXPECT_THAT(ParseCsv("a\n1\n", {.separator = separator}).status().message(),
                ::testing::HasSubstr("csv: the separator '"));
  }
}

TEST(Csv, RefusesNamesThatStandTwice) {
  EXPECT_EQ(Message("a,b,a\n1,2,3\n"),
            "f.csv: line 1, column 3 ('a'): a second column of this name");
  EXPECT_EQ(Message("a,b\n1,2\n", {.text = {"c"}}),
            "f.csv: no column 'c', which the options name as text");
}

TEST(Csv, RefusesAMillionColumns) {
  EXPECT_EQ(Message(std::string(1000000, ',')),
            "f.csv: line 1, column 65537: more than the limit of 65536 columns");
  EXPECT_EQ(Message(std::string(1000000, ','), {.header = false}),
            "f.csv: line 1, column 65537: more than the limit of 65536 columns");
  EXPECT_TRUE(ParseCsv("a,b,c\n", {.max_columns = 3}).ok());
  EXPECT_FALSE(ParseCsv("a,b,c,d\n", {.max_columns = 3}).ok());
}

TEST(Csv, NumbersSaysWhatColumnsThereAre) {
  const Table table = ParseCsv("loss,run\n1,x\n", {.text = {"run"}}).value();
  EXPECT_EQ(Numbers(table, "los").status().message(), "no column 'los'; there are: 'loss', 'run'");
  EXPECT_EQ(Numbers(table, "run").status().message(), "column 'run' holds text");
}

TEST(Csv, WritesQuotesOnlyWhereNeeded) {
  Table table;
  table.columns.push_back({"experiment", Text{"momentum", "a,b", "say \"hi\"", "two\nlines", ""}});
  table.columns.push_back({"lr", Numeric{0.01, 1e-7, -0.0, 500, std::nan("")}});
  EXPECT_EQ(FormatCsv(table).value(),
            "experiment,lr\nmomentum,0.01\n\"a,b\",1e-07\n\"say \"\"hi\"\"\",-0\n"
            "\"two\nlines\",500\n,nan\n");
}

TEST(Csv, ReadsBackWhatItWrites) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Table table;
  table.columns.push_back({"\xEF\xBB\xBFmark", Text{"", "\"", ",", "\r", "\n", "caf\xc3\xa9"}});
  table.columns.push_back({"", Numeric{1.0 / 3, 5e-324, 1e308, kInfinity, -kInfinity, -0.0}});
  const std::string text = FormatCsv(table).value();
  const absl::StatusOr<Table> back = ParseCsv(text, {.text = {table.columns[0].name}});
  ASSERT_TRUE(back.ok()) << back.status();
  for (size_t i = 0; i < 2; i++) {
    EXPECT_EQ(back->columns[i].name, table.columns[i].name);
    EXPECT_EQ(back->columns[i].cells, table.columns[i].cells);
  }
  EXPECT_TRUE(std::signbit(std::get<0>(back->columns[1].cells)[5]));
}

TEST(Csv, ReadsBackAColumnOfEmptyText) {
  Table table;
  table.columns.push_back({"only", Text{"", "x", ""}});
  EXPECT_EQ(FormatCsv(table).value(), "only\n\"\"\nx\n\"\"\n");
  EXPECT_THAT(TextCells(ParseCsv(FormatCsv(table).value(), {.text = {"only"}}), "only"),
              ElementsAre("", "x", ""));
}

TEST(Csv, RefusesToWriteWhatItCouldNotRead) {
  EXPECT_FALSE(FormatCsv({}).ok());
  EXPECT_EQ(FormatCsv({{{"a", Numeric{1}}, {"b", Numeric{}}}}).status().message(),
            "csv: column 'b' has 0 rows, the first one 1");
  EXPECT_EQ(FormatCsv({{{"a", Numeric{}}, {"a", Numeric{}}}}).status().message(),
            "csv: two columns 'a'");
  EXPECT_FALSE(FormatCsv({{{"a", Text{"\xff"}}}}).ok());
  EXPECT_FALSE(FormatCsv({{{std::string("a\0", 2), Numeric{}}}}).ok());
}

TEST(Csv, ReadsAndWritesFiles) {
  const std::string path = ::testing::TempDir() + "/talweg_csv_test.csv";
  ASSERT_TRUE(WriteCsv(path, {{{"a", Numeric{1, 2}}}}).ok());
  EXPECT_THAT(Cells(ReadCsv(path), "a"), ElementsAre(1, 2));
  EXPECT_THAT(ReadCsv(path, {.max_bytes = 3}).status().message(),
              HasSubstr("the limit of 3 bytes"));
  std::filesystem::remove(path);
  EXPECT_THAT(ReadCsv(path).status().message(), HasSubstr("No such file"));
}

TEST(Csv, ReadsTenMegabytesInFarLessThanASecond) {
  std::string text = "x0,x1,x2,y\n";
  while (text.size() < 10'000'000) text += "0.4871981127474787,-0.4316054814243375,17,2\n";
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(ParseCsv(text).ok());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << text.size() / seconds / 1e6 << " MB/s" << std::endl;
  EXPECT_LT(seconds, 2) << "some 0.1 s is usual; a sanitizer takes ten times as long";
}

TEST(CsvMutation, IsReadOrRefused) {
  const std::vector<std::string> files = {
      "x0,x1,y\n0.4871981127474787,-0.4316054814243375,2\n-1.48,-3.47,0\n1e-07,nan,1\n",
      "experiment,run,loss\nlearning_rate,\"lrate=1.0\",0.5\nmomentum,\"a,\"\"b\"\"\",inf\n",
      "a\r\n1\r\n2\r\n3\r\n", "a,b,c,d,e,f,g,h\n1,2,3,4,5,6,7,8\n"};
  RunMutationTest({.files = files,
                   .words = {"\"", "\"\"", ",", "\n", "\r\n", "\r", "nan", "inf", "-", "e999",
                             "\xEF\xBB\xBF", "\xff", std::string(1, '\0'), "1.5", "\"\n"},
                   .read = [](const std::string& mutant) {
                     bool accepted = false;
                     for (bool header : {true, false}) {
                       CsvOptions options = {.header = header};
                       absl::StatusOr<Table> table = ParseCsv(mutant, options);
                       if (!table.ok() && mutant.starts_with("experiment,run,")) {
                         options.text = {"experiment", "run"};
                         table = ParseCsv(mutant, options);
                       }
                       if (!table.ok()) {
                         EXPECT_FALSE(table.status().message().empty());
                         continue;
                       }
                       accepted = true;
                       // What is read can be written, and is then read as the same.
                       const absl::StatusOr<std::string> text = FormatCsv(*table);
                       EXPECT_TRUE(text.ok()) << text.status();
                       options.header = true;
                       const absl::StatusOr<Table> back = ParseCsv(text.value_or(""), options);
                       EXPECT_TRUE(back.ok()) << back.status();
                       if (back.ok()) {
                         EXPECT_EQ(FormatCsv(*back).value(), *text);
                       }
                     }
                     return accepted;
                   }});
}

}  // namespace
}  // namespace talweg
