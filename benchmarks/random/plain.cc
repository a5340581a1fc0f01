#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "benchmarks/random/network.h"

namespace talweg::bench {
namespace {

// `text` with N as the number of a layer, M as that of the layer before it; layers count from 1.
std::string ForLayer(const char* text, int layer) {
  return absl::StrReplaceAll(text, {{"@N", absl::StrCat(layer)}, {"@M", absl::StrCat(layer - 1)}});
}

constexpr char kHead[] = R"(#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

)";

constexpr char kLayerArrays[] = R"(
float w@N[n@M][n@N], b@N[n@N], gw@N[n@M][n@N], gb@N[n@N], h@N[kBatch][n@N], d@N[n@N];)";

constexpr char kForward[] = R"(
  for (int j = 0; j < n@N; j++) h@N[i][j] = b@N[j];
  for (int k = 0; k < n@M; k++) {
    const float v = h@M[k];
    for (int j = 0; j < n@N; j++) h@N[i][j] += v * w@N[k][j];
  })";
// With few inputs it is better the other way round.
constexpr char kForwardOfFew[] = R"(
  for (int j = 0; j < n@N; j++) {
    float s = b@N[j];
    for (int k = 0; k < n@M; k++) s += h@M[k] * w@N[k][j];
    h@N[i][j] = s;
  })";

constexpr char kSoftmax[] = R"(

static float Score(const float* z, float* p, int right, int* count) {
  const float m = *std::max_element(z, z + n@N);
  float sum = 0;
  for (int o = 0; o < n@N; o++) sum += p[o] = std::exp(z[o] - m);
  for (int o = 0; o < n@N; o++) p[o] /= sum;
  *count += int(std::max_element(z, z + n@N) - z) == right;
  return m + std::log(sum) - z[right];
}

static float Update(const int* index, int n, float lr, int* count) {
  static float p[kBatch][n@N];
  float loss = 0;
  for (int i = 0; i < n; i++) {
    Logits(x[index[i]], i);
    loss += Score(h@N[i], p[i], label[index[i]], count);
    for (int o = 0; o < n@N; o++) p[i][o] = (p[i][o] - y[index[i]][o]) / n;
  })";

constexpr char kClear[] = R"(
  for (auto& row : gw@N) for (float& g : row) g = 0;
  for (float& g : gb@N) g = 0;)";

constexpr char kBackwardStart[] = R"(
  for (int i = 0; i < n; i++) {
    for (int o = 0; o < n@N; o++) d@N[o] = p[i][o];)";
constexpr char kBackward[] = R"(
    for (int o = 0; o < n@N; o++) gb@N[o] += d@N[o];
    for (int j = 0; j < n@M; j++) {
      const float v = h@M[i][j];
      float d = 0;
      for (int o = 0; o < n@N; o++) {
        gw@N[j][o] += v * d@N[o];
        d += d@N[o] * w@N[j][o];
      }
      d@M[j] = @D;
    })";
constexpr char kBackwardEnd[] = R"(
    const float* in = x[index[i]];
    for (int j = 0; j < n1; j++) gb1[j] += d1[j];
    for (int k = 0; k < n0; k++) {
      const float v = in[k];
      for (int j = 0; j < n1; j++) gw1[k][j] += v * d1[j];
    }
  })";

constexpr char kDescend[] = R"(
  for (int k = 0; k < n@M; k++) for (int j = 0; j < n@N; j++) w@N[k][j] -= lr * gw@N[k][j];
  for (int j = 0; j < n@N; j++) b@N[j] -= lr * gb@N[j];)";

constexpr char kMain[] = R"(
  return loss;
}

static float Evaluate(int* count) {
  float loss = 0, p[n@N];
  for (int i = kTrain; i < kAll; i++) {
    Logits(x[i], 0);
    loss += Score(h@N[0], p, label[i], count);
  }
  return loss;
}

int main() {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> number(-1, 1);
  for (int i = 0; i < kAll; i++) {
    for (float& v : x[i]) v = number(random);
    label[i] = random() % n@N;
    y[i][label[i]] = 1;
  }
  double best = 1e9;
  float checksum = 0;
  for (int repeat = 0; repeat < 10; repeat++) {)";
constexpr char kFirst[] = R"(
    for (auto& row : w@N) for (float& w : row) w = std::sqrt(6.f / (n@M@F)) * number(random);
    for (float& b : b@N) b = 0;)";
constexpr char kTail[] = R"(
    std::vector<int> order(kTrain);
    std::iota(order.begin(), order.end(), 0);
    std::vector<float> history;
    const auto start = std::chrono::steady_clock::now();
    for (int epoch = 0; epoch < kEpochs; epoch++) {
      std::shuffle(order.begin(), order.end(), random);
      float train = 0;
      int right = 0, test_right = 0;
      for (int i = 0; i < kTrain; i += kBatch) train += Update(&order[i], std::min(kBatch, kTrain - i), 0.01f, &right);
      const float test = Evaluate(&test_right);
      history.insert(history.end(), {train / kTrain, right / float(kTrain), test / kTrain, test_right / float(kTrain)});
    }
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    checksum += history.back() + history[history.size() - 2];
  }
  std::printf("fit_s %.7f checksum %.4f\n", best, checksum);
}
)";

}  // namespace

std::string PlainSource(const Network& network) {
  const int layers = static_cast<int>(network.widths.size()) - 1;
  std::string text = absl::StrCat("// ", Describe(network), "\n", kHead,
                                  "constexpr int kBatch = ", network.batch, ", kTrain = ", kSamples,
                                  ", kAll = ", 2 * kSamples, ", kEpochs = ", network.epochs, ";\n");
  for (int i = 0; i <= layers; i++) {
    absl::StrAppend(&text, "constexpr int n", i, " = ", network.widths[i], ";\n");
  }
  absl::StrAppend(&text, ForLayer("float x[kAll][n0], y[kAll][n@N];\nint label[kAll];", layers));
  for (int i = 1; i <= layers; i++) absl::StrAppend(&text, ForLayer(kLayerArrays, i));

  absl::StrAppend(&text, "\n\nstatic void Logits(const float* h0, int i) {");
  for (int i = 1; i <= layers; i++) {
    std::string forward = ForLayer(network.widths[i - 1] <= 4 ? kForwardOfFew : kForward, i);
    if (i > 1)
      forward = absl::StrReplaceAll(
          forward, {{absl::StrCat("h", i - 1, "[k]"), absl::StrCat("h", i - 1, "[i][k]")}});
    absl::StrAppend(&text, forward);
    if (i == layers) break;
    const char* activation =
        network.tanh ? "std::tanh(h@N[i][j])" : "h@N[i][j] > 0 ? h@N[i][j] : 0";
    absl::StrAppend(&text, ForLayer("\n  for (int j = 0; j < n@N; j++) h@N[i][j] = ", i),
                    ForLayer(activation, i), ";");
  }
  absl::StrAppend(&text, "\n}", ForLayer(kSoftmax, layers));

  for (int i = 1; i <= layers; i++) absl::StrAppend(&text, ForLayer(kClear, i));
  absl::StrAppend(&text, ForLayer(kBackwardStart, layers));
  for (int i = layers; i > 1; i--) {
    absl::StrAppend(
        &text, absl::StrReplaceAll(ForLayer(kBackward, i),
                                   {{"@D", network.tanh ? "d * (1 - v * v)" : "v > 0 ? d : 0"}}));
  }
  absl::StrAppend(&text, kBackwardEnd);
  for (int i = 1; i <= layers; i++) absl::StrAppend(&text, ForLayer(kDescend, i));

  absl::StrAppend(&text, ForLayer(kMain, layers));
  for (int i = 1; i <= layers; i++) {
    // He's bound for ReLU, Glorot's for tanh and the outputs.
    const bool he = i < layers && !network.tanh;
    absl::StrAppend(&text, absl::StrReplaceAll(ForLayer(kFirst, i),
                                               {{"@F", he ? "" : absl::StrCat(" + n", i)}}));
  }
  absl::StrAppend(&text, kTail);
  return text;
}

}  // namespace talweg::bench
