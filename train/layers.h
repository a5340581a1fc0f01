#ifndef TALWEG_TRAIN_LAYERS_H_
#define TALWEG_TRAIN_LAYERS_H_

#include <cstdint>
#include <optional>
#include <source_location>
#include <string_view>

#include "graph/value.h"
#include "ops/initializer.h"
#include "ops/nn.h"
#include "train/scope.h"

namespace talweg {

// Layers: functions that declare their parameters in a scope under their name and apply them. A
// layer of your own is a function like these. Errors, as of every op by the value and the tape: x
// is no float, its last extent is not known before it runs (Dense, LayerNorm), there are no units
// or no rows of a table, indices are no integers, or the name is taken by parameters of other
// shapes.

// x W + b: [.., n] -> [.., units]. Parameters NAME/kernel [n, units], GlorotUniform unless another
// initializer is given, and NAME/bias [units], zeros; none of these with std::nullopt.
Value Dense(Scope& scope, std::string_view name, const Value& x, int64_t units,
            const Initializer& kernel = GlorotUniform(),
            const std::optional<Initializer>& bias = Zeros(),
            std::source_location where = std::source_location::current());

// Rows of a table: integers [..] in [0, vocabulary) -> [.., width]. Parameter NAME/table
// [vocabulary, width].
Value Embedding(Scope& scope, std::string_view name, const Value& indices, int64_t vocabulary,
                int64_t width, const Initializer& table = Uniform(-0.05, 0.05),
                std::source_location where = std::source_location::current());

// In training each element is 0 with probability `rate`, else multiplied by 1 / (1 - rate); in
// evaluation x itself. The rate is a number in [0, 1) or a scalar Value.
Value Dropout(Scope& scope, std::string_view name, const Value& x, Arg rate,
              std::source_location where = std::source_location::current());

// (x - mean) / sqrt(variance + epsilon) over the last axis, times NAME/gain plus NAME/bias.
Value LayerNorm(Scope& scope, std::string_view name, const Value& x,
                double epsilon = kLayerNormEpsilon,
                std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_TRAIN_LAYERS_H_
