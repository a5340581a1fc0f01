#include "data/keras_trace.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "data/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/mutation.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFolder[] = "tests/data/keras_2_3_1/";

// A small trace that has something of everything.
const std::string& Small() {
  static const auto& text = *new std::string(
      R"({"name": "small", "spec": {"data": {"n_samples": 10, "centers": 2, "n_features": 1, )"
      R"("cluster_std": 0.5, "random_state": 2, "center_box": [-1, 1.0], "shuffle": true, )"
      R"("train": 6}, "hidden": 3, "batch_size": 4, "epochs": 5, "seed": 1, )"
      R"("loss": "categorical_crossentropy", "optimizer": {"class": "Adam", "lr": 0.01, )"
      R"("amsgrad": true, "clipnorm": 1e-05}, "callbacks": [{"class": "ReduceLROnPlateau", )"
      R"("monitor": "val_accuracy", "mode": "max", "patience": 2, "cooldown": 0}, )"
      R"({"class": "EarlyStopping", "baseline": 0.5, "restore_best_weights": true}, )"
      R"({"class": "LearningRateScheduler", "drop": 0.5, "every": 2}, )"
      R"({"class": "TerminateOnNaN"}], "clip_probabilities": 1e-07}, )"
      R"("loss": [0.5, NaN], "accuracy": [0.25, 1], "val_loss": [Infinity, -Infinity], )"
      R"("val_accuracy": [0, 0.5], "lr": [0.01, 0.005], )"
      R"("initial_weights": {"w1": [[1, 2, 3]], "b1": [0, 0, 0], )"
      R"("w2": [[1, 2], [3, 4], [5, 6]], "b2": [0.5, -0.5]}, )"
      R"("final_weights": {"w1": [[1, NaN, 3]], "b1": [0, 0, 0], )"
      R"("w2": [[1, 2], [3, 4], [5, 6]], "b2": [0.5, -0.5]}})"
      "\n");
  return text;
}

// The small trace with one piece replaced, which must be there once.
std::string With(const std::string& piece, const std::string& by) {
  std::string text = Small();
  EXPECT_EQ(absl::StrReplaceAll({{piece, by}}, &text), 1) << piece;
  return text;
}
std::string Refusal(const std::string& text) {
  const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(text);
  return trace.ok() ? "accepted" : std::string(trace.status().message());
}

TEST(KerasTrace, HoldsWhatTheFileSays) {
  const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(Small());
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->name, "small");
  EXPECT_EQ(trace->samples, 10);
  EXPECT_EQ(trace->train, 6);
  EXPECT_EQ(trace->data.center_box, (std::array<double, 2>{-1, 1}));
  EXPECT_EQ(trace->data.cluster_std.values, std::vector<double>{0.5});
  EXPECT_EQ(trace->hidden, 3);
  EXPECT_EQ(trace->classes, 2);
  EXPECT_EQ(trace->batch, 4);
  EXPECT_EQ(trace->epochs, 5);
  EXPECT_EQ(trace->clip_probabilities, 1e-7);
  EXPECT_EQ(trace->optimizer.name, "Adam");
  EXPECT_EQ(trace->optimizer.lr, 0.01);
  EXPECT_EQ(trace->optimizer.clipnorm, 1e-5);
  EXPECT_EQ(trace->optimizer.beta_1, std::nullopt);
  EXPECT_TRUE(trace->optimizer.amsgrad);
  ASSERT_EQ(trace->callbacks.size(), 4u);
  EXPECT_EQ(trace->callbacks[0].monitor, "val_accuracy");
  EXPECT_EQ(trace->callbacks[0].factor, std::nullopt);
  EXPECT_EQ(trace->callbacks[1].baseline, 0.5);
  EXPECT_TRUE(trace->callbacks[1].restore_best_weights);
  EXPECT_EQ(trace->callbacks[2].every, 2);
  EXPECT_EQ(trace->callbacks[3].name, "TerminateOnNaN");
  EXPECT_TRUE(std::isnan(trace->columns.at("loss")[1]));
  EXPECT_THAT(trace->columns.at("val_loss"), ElementsAre(INFINITY, -INFINITY));
  EXPECT_TRUE(SameBits(trace->initial_weights.at("output/kernel"),
                       Array::Matrix<double>({{1, 2}, {3, 4}, {5, 6}})));
  EXPECT_TRUE(
      SameBits(trace->initial_weights.at("output/bias"), Array::Vector<double>({0.5, -0.5})));
  EXPECT_TRUE(std::isnan(trace->final_weights.at("hidden/kernel").At(1)));
}

TEST(KerasTrace, IsWrittenAsItWasRead) {
  const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(Small());
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(FormatKerasTrace(*trace), Small());
}

TEST(KerasTrace, IsWrittenWithoutWhatItLacks) {
  KerasTrace empty;
  empty.spec = "{}";
  const std::string text = FormatKerasTrace(empty);
  EXPECT_THAT(text, HasSubstr("\"loss\": []"));
  EXPECT_THAT(text, HasSubstr("\"b1\": []"));
  EXPECT_FALSE(ParseKerasTrace(text).ok());
}

TEST(KerasTrace, KeepsTheSignOfZero) {
  const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(With("[0.25, 1]", "[-0.0, 1]"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  const std::string text = FormatKerasTrace(*trace);
  const absl::StatusOr<KerasTrace> back = ParseKerasTrace(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(FormatKerasTrace(*back), text);
  EXPECT_THAT(text, testing::HasSubstr("[-0.0, 1]"));
}

TEST(KerasTrace, EveryFileOfTheFolderReadsAndIsWrittenWithTheSameNumbers) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().filename() == "agreement.json") continue;
    files++;
    const absl::StatusOr<KerasTrace> trace = ReadKerasTrace(entry.path());
    ASSERT_TRUE(trace.ok()) << trace.status();
    EXPECT_EQ(trace->name, entry.path().stem());
    const std::string text = FormatKerasTrace(*trace);
    const absl::StatusOr<KerasTrace> back = ParseKerasTrace(text);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->columns, trace->columns);
    EXPECT_EQ(FormatKerasTrace(*back), text);
  }
  EXPECT_GT(files, 30);
}

TEST(KerasTrace, TakesListsOfBlobsSettings) {
  absl::StatusOr<KerasTrace> trace =
      ParseKerasTrace(With("\"n_samples\": 10", "\"n_samples\": [4, 6]"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->samples, 10);
  EXPECT_FALSE(trace->data.samples.same);
  trace = ParseKerasTrace(With("\"centers\": 2", "\"centers\": [[1.5], [2]]"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(std::get<Array>(trace->data.centers).dims(), (Dims{2, 1}));
  trace = ParseKerasTrace(With("\"cluster_std\": 0.5", "\"cluster_std\": [1, 2]"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->data.cluster_std.values, (std::vector<double>{1, 2}));
}

TEST(KerasTrace, TakesNullForNothingWhereThatIsTheDefault) {
  absl::StatusOr<KerasTrace> trace =
      ParseKerasTrace(With("\"baseline\": 0.5", "\"baseline\": null"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->callbacks[1].baseline, std::nullopt);
  // It is written back as it was read.
  EXPECT_THAT(FormatKerasTrace(*trace), HasSubstr("\"baseline\": null"));
  trace = ParseKerasTrace(With("\"clipnorm\": 1e-05", "\"clipnorm\": null, \"clipvalue\": null"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->optimizer.clipnorm, std::nullopt);
  EXPECT_EQ(trace->optimizer.clipvalue, std::nullopt);
  trace = ParseKerasTrace(With("\"clip_probabilities\": 1e-07", "\"clip_probabilities\": null"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->clip_probabilities, std::nullopt);
}

// Where TerminateOnNaN ends an epoch before its last batch, Keras does not come to validate.
TEST(KerasTrace, TakesALastEpochWithoutAValidation) {
  for (const char* lacking : {"\"val_loss\": [3]", "\"val_loss\": [3, null]"}) {
    const std::string text = With("\"val_loss\": [Infinity, -Infinity]", lacking);
    const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(text);
    ASSERT_TRUE(trace.ok()) << trace.status();
    ASSERT_THAT(trace->columns.at("val_loss"), testing::SizeIs(2));
    EXPECT_EQ(trace->columns.at("val_loss")[0], 3);
    EXPECT_TRUE(std::isnan(trace->columns.at("val_loss")[1]));
  }
  EXPECT_THAT(Refusal(With("\"val_loss\": [Infinity, -Infinity]", "\"val_loss\": []")),
              HasSubstr("val_loss and loss differ in length"));
  EXPECT_THAT(Refusal(With("\"val_loss\": [Infinity, -Infinity]", "\"val_loss\": [null, 1]")),
              HasSubstr("val_loss holds something else than numbers"));
  EXPECT_THAT(Refusal(With("\"lr\": [0.01, 0.005]", "\"lr\": [0.01]")),
              HasSubstr("lr and loss differ in length"));
  // Without that callback each epoch has one.
  std::string text = With("\"val_loss\": [Infinity, -Infinity]", "\"val_loss\": [3]");
  absl::StrReplaceAll({{", {\"class\": \"TerminateOnNaN\"}", ""}}, &text);
  EXPECT_THAT(Refusal(text), HasSubstr("val_loss and loss differ in length"));
}

TEST(KerasTrace, PassesOverResultsThatNobodyWants) {
  std::string text = With(", \"lr\": [0.01, 0.005]", "");
  absl::StrReplaceAll({{"\"loss\": [0.5, NaN]", "\"loss\": \"unknown\""}}, &text);
  EXPECT_NE(Refusal(text), "accepted");
  const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(text, TraceResults::kIgnore);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->columns.empty());
  EXPECT_TRUE(trace->final_weights.empty());
  EXPECT_EQ(trace->initial_weights.size(), 4u);
  EXPECT_FALSE(
      ParseKerasTrace(With("\"lr\": [0.01", "\"rate\": [0.01"), TraceResults::kIgnore).ok());
}

TEST(KerasTrace, KnowsCallbacksThatOnlyWatch) {
  const auto with = [](const std::string& callback) {
    return With("{\"class\": \"TerminateOnNaN\"}", callback);
  };
  absl::StatusOr<KerasTrace> trace = ParseKerasTrace(
      with(R"({"class": "ModelCheckpoint", "filepath": "{epoch}.h5", "monitor": "val_loss", )"
           R"("verbose": 1, "save_best_only": true, "save_weights_only": false, "mode": "auto", )"
           R"("period": 2})"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->callbacks[3].OnlyWatches());
  EXPECT_FALSE(trace->callbacks[2].OnlyWatches());
  EXPECT_EQ(trace->callbacks[3].filepath, "{epoch}.h5");
  trace = ParseKerasTrace(
      with(R"({"class": "CSVLogger", "filename": "a.csv", "separator": ";", "append": true})"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->callbacks[3].OnlyWatches());
  EXPECT_EQ(Refusal(with(R"({"class": "CSVLogger"})")),
            "spec.callbacks[3]: the key 'filename' is missing");
  EXPECT_EQ(Refusal(with(R"({"class": "CSVLogger", "filename": "a", "period": 1})")),
            "spec.callbacks[3]: unknown key 'period'");
  EXPECT_EQ(Refusal(with(R"({"class": "ModelCheckpoint", "filepath": "a", "period": 0})")),
            "spec.callbacks[3]: period is not a whole number from 1 on");
}

TEST(KerasTrace, NamesUnknownKeysAndClasses) {
  EXPECT_EQ(Refusal(With("\"name\"", "\"extra\": 1, \"name\"")), "unknown key 'extra'");
  EXPECT_EQ(Refusal(With("\"hidden\": 3", "\"hidden\": 3, \"dropout\": 0.5")),
            "spec: unknown key 'dropout'");
  EXPECT_EQ(Refusal(With("\"train\": 6", "\"train\": 6, \"noise\": 1")),
            "spec.data: unknown key 'noise'");
  EXPECT_EQ(Refusal(With("\"amsgrad\"", "\"momentum\": 0.9, \"amsgrad\"")),
            "spec.optimizer: unknown key 'momentum'");
  EXPECT_EQ(Refusal(With("\"Adam\"", "\"AdamW\"")), "spec.optimizer: unknown class 'AdamW'");
  EXPECT_EQ(Refusal(With("\"TerminateOnNaN\"", "\"TensorBoard\"")),
            "spec.callbacks[3]: unknown class 'TensorBoard'");
  EXPECT_EQ(Refusal(With("\"drop\": 0.5", "\"drop\": 0.5, \"factor\": 1")),
            "spec.callbacks[2]: unknown key 'factor'");
  EXPECT_EQ(Refusal(With("\"initial_weights\": {", "\"initial_weights\": {\"w3\": [1], ")),
            "initial_weights: unknown key 'w3'");
  // Keras's own Nadam takes no decay.
  EXPECT_EQ(Refusal(With("\"Adam\", \"lr\": 0.01, \"amsgrad\": true", "\"Nadam\", \"decay\": 0.1")),
            "spec.optimizer: unknown key 'decay'");
}

TEST(KerasTrace, NamesMissingKeys) {
  EXPECT_EQ(Refusal(With("\"name\": \"small\", ", "")), "the key 'name' is missing");
  EXPECT_EQ(Refusal(With(", \"lr\": [0.01, 0.005]", "")), "the key 'lr' is missing");
  EXPECT_EQ(Refusal(With(", \"random_state\": 2", "")),
            "spec.data: the key 'random_state' is missing");
  EXPECT_EQ(Refusal(With("\"class\": \"Adam\", ", "")),
            "spec.optimizer: the key 'class' is missing");
  EXPECT_EQ(Refusal(With(", \"every\": 2", "")), "spec.callbacks[2]: the key 'every' is missing");
  EXPECT_EQ(
      Refusal(With("\"b1\": [0, 0, 0], \"w2\": [[1, 2], [3, 4], [5, 6]], \"b2\": [0.5, -0.5]}}",
                   "\"w2\": [[1, 2], [3, 4], [5, 6]], \"b2\": [0.5, -0.5]}}")),
      "final_weights: the key 'b1' is missing");
}

TEST(KerasTrace, RefusesWrongTypesAndNumbersThatCanNotBe) {
  for (const auto& [piece, by] : std::vector<std::pair<std::string, std::string>>{
           {"\"epochs\": 5", "\"epochs\": 0"},
           {"\"epochs\": 5", "\"epochs\": 5.0"},
           {"\"epochs\": 5", "\"epochs\": \"5\""},
           {"\"epochs\": 5", "\"epochs\": 1"},  // less than were measured
           {"\"epochs\": 5", "\"epochs\": 99999999999999999999"},
           {"\"hidden\": 3", "\"hidden\": 4"},
           {"\"hidden\": 3", "\"hidden\": 10000001"},
           {"\"batch_size\": 4", "\"batch_size\": -4"},
           {"\"seed\": 1", "\"seed\": 4294967296"},
           {"\"seed\": 1", "\"seed\": null"},
           {"\"n_samples\": 10", "\"n_samples\": 10000001"},
           {"\"n_samples\": 10", "\"n_samples\": []"},
           {"\"n_samples\": 10", "\"n_samples\": [-1, 11]"},
           {"\"n_samples\": 10, \"centers\": 2, \"n_features\": 1",
            "\"n_samples\": 10, \"centers\": 2, \"n_features\": 2"},
           {"\"centers\": 2", "\"centers\": 3"},
           {"\"centers\": 2", "\"centers\": [[1], [2, 3]]"},
           {"\"train\": 6", "\"train\": 10"},
           {"\"train\": 6", "\"train\": 0"},
           {"\"center_box\": [-1, 1.0]", "\"center_box\": [-1]"},
           {"\"shuffle\": true", "\"shuffle\": 1"},
           {"\"lr\": 0.01, \"amsgrad\"", "\"lr\": NaN, \"amsgrad\""},
           {"\"lr\": 0.01, \"amsgrad\"", "\"lr\": \"0.01\", \"amsgrad\""},
           {"\"amsgrad\": true", "\"amsgrad\": 1"},
           {"\"patience\": 2", "\"patience\": 1.5"},
           {"\"patience\": 2", "\"patience\": -1"},
           {"\"every\": 2", "\"every\": 0"},
           {"\"mode\": \"max\"", "\"mode\": 1"},
           {"\"clip_probabilities\": 1e-07", "\"clip_probabilities\": 0.5"},
           {"\"lr\": 0.01, \"amsgrad\"", "\"lr\": null, \"amsgrad\""},
           {"\"patience\": 2", "\"patience\": null"},
           {"\"mode\": \"max\"", "\"mode\": null"},
           {"\"categorical_crossentropy\"", "\"mse\""},  // with clip_probabilities
           {"\"categorical_crossentropy\"", "7"},
           {"\"accuracy\": [0.25, 1]", "\"accuracy\": [0.25]"},
           {"\"accuracy\": [0.25, 1]", "\"accuracy\": [0.25, null]"},
           {"\"accuracy\": [0.25, 1]", "\"accuracy\": [0.25, \"NaN\"]"},
           {"\"accuracy\": [0.25, 1]", "\"accuracy\": 1"},
           {"[[1, 2, 3]]", "[[1, 2, Infinity]]"},
           {"[[1, 2, 3]]", "[1, 2, 3]"},
           {"[[1, 2, 3]]", "[[1, 2], [3]]"},
           {"[[1, 2, 3]]", "[]"},
           {"[[1, 2, 3]]", "[[]]"},
           {"\"callbacks\": [", "\"callbacks\": 1, \"rest\": ["},
           {"{\"class\": \"TerminateOnNaN\"}", "7"},
       }) {
    const std::string message = Refusal(With(piece, by));
    EXPECT_NE(message, "accepted") << piece << " -> " << by;
    EXPECT_FALSE(absl::StrContains(message, "\n")) << message;
  }
}

TEST(KerasTrace, RefusesWhatIsNotOneSoundJsonObject) {
  EXPECT_THAT(Refusal(""), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("not an object"));
  EXPECT_THAT(Refusal("{}"), HasSubstr("'name' is missing"));
  EXPECT_THAT(Refusal("NaN"), HasSubstr("not an object"));
  EXPECT_THAT(Refusal(Small() + "1"), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal(Small() + std::string(1, '\0')), HasSubstr("NUL"));
  EXPECT_THAT(Refusal(With("\"small\"", "\"a\\u0000b\"")), HasSubstr("NUL"));
  // An escaped backslash and a word, no NUL.
  EXPECT_EQ(ParseJson(R"({"k": "a\\u0000"})")->Find("k")->text, R"(a\u0000)");
  EXPECT_THAT(Refusal(With("\"small\"", "\"\xff\"")), HasSubstr("not UTF-8"));
  EXPECT_THAT(Refusal(With("\"hidden\": 3", "\"hidden\": 3, \"hidden\": 3")),
              HasSubstr("'hidden' stands twice"));
  EXPECT_THAT(Refusal(With("\"seed\": 1", "\"seed\": 1e999")), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal(With("\"seed\": 1", "\"seed\": nan")), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal(With("\"seed\": 1", "\"seed\": +Infinity")), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal(std::string(100'000, '[')), HasSubstr("deep"));
  EXPECT_THAT(Refusal(std::string(size_t{kMaxTraceBytes} + 1, ' ')), HasSubstr("larger"));
}

// The word NaN in text is text, and a quote behind a backslash does not end it.
TEST(KerasTrace, KeepsTextThatLooksLikeNumbers) {
  const absl::StatusOr<KerasTrace> trace =
      ParseKerasTrace(With("\"small\"", R"("NaN \" -Infinity \\")"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->name, "NaN \" -Infinity \\");
}

TEST(KerasTrace, ErrorsOfFilesBeginWithThePath) {
  EXPECT_THAT(std::string(ReadKerasTrace("no/such.json").status().message()),
              HasSubstr("no/such.json"));
  const std::string path = testing::TempDir() + "/bad.json";
  ASSERT_TRUE(WriteFile(path, "{").ok());
  EXPECT_THAT(std::string(ReadKerasTrace(path).status().message()),
              testing::StartsWith(path + ": not JSON"));
}

TEST(Agreements, AreReadWithSuspicion) {
  const absl::StatusOr<Agreements> agreements = ParseAgreements(
      R"({"a": {"epochs": 90, "tolerance": 3e-4}, "b": {"tolerance": 0, "epochs": 1}})");
  ASSERT_TRUE(agreements.ok()) << agreements.status();
  EXPECT_EQ(agreements->size(), 2u);
  EXPECT_EQ(agreements->at("a").epochs, 90);
  EXPECT_EQ(agreements->at("a").tolerance, 3e-4);
  for (const char* wrong :
       {"[]", R"({"a": 1})", R"({"a": {"epochs": 90}})", R"({"a": {"tolerance": 1e-9}})",
        R"({"a": {"epochs": 0, "tolerance": 1e-9}})", R"({"a": {"epochs": 1, "tolerance": -1}})",
        R"({"a": {"epochs": 1, "tolerance": Infinity}})", R"({NaN: {"epochs": 1, "tolerance": 0}})",
        R"({"a": {"epochs": 1, "tolerance": 1e-9, "more": 1}})",
        R"({"a": {"epochs": 1, "tolerance": 0}, "a": {"epochs": 1, "tolerance": 0}})"}) {
    EXPECT_FALSE(ParseAgreements(wrong).ok()) << wrong;
  }
}

// Nothing is looked for among all of what there may be very many of.
TEST(Agreements, AreReadInOneGo) {
  std::string text = "{";
  for (int i = 0; i < 300'000; i++) absl::StrAppend(&text, i == 0 ? "" : ",", "\"", i, "\":0");
  EXPECT_FALSE(ParseAgreements(text + "}").ok());
  EXPECT_EQ(ParseAgreements(std::string(kMaxTraceBytes + 1, ' ')).status().message(),
            "larger than 16 MiB");
}

TEST(KerasTrace, SurvivesDamagedFiles) {
  RunMutationTest(
      {.files = {Small()},
       .words = {"NaN", "-Infinity", "\"", "\\", "null", "true", "[", "]", "{", "}", ",", "[[1]]",
                 "\"class\": \"SGD\"", "\"decay\": 1", "\\u0000", "\\ud800", "\xff"},
       .read = [](const std::string& mutant) {
         const absl::StatusOr<KerasTrace> trace = ParseKerasTrace(mutant);
         if (!trace.ok()) {
           EXPECT_FALSE(trace.status().message().empty());
           return false;
         }
         // What is read can be written, and is then read as the same.
         const std::string text = FormatKerasTrace(*trace);
         const absl::StatusOr<KerasTrace> back = ParseKerasTrace(text);
         EXPECT_TRUE(back.ok()) << back.status();
         if (back.ok()) {
           EXPECT_EQ(FormatKerasTrace(*back), text);
         }
         return true;
       }});
}

}  // namespace
}  // namespace talweg
