#ifndef TALWEG_OPS_INITIALIZER_H_
#define TALWEG_OPS_INITIALIZER_H_

#include <functional>
#include <source_location>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/shape.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// Where parameters start. An initializer makes a value of any shape as a graph function of a key
// (ops/random.h), so that the same key gives the same parameters on every engine:
//
//   Value w = HeUniform().make(t, FoldIn(key, "hidden/kernel"), kFloat32, {2, 50});
//
// Those that scale with the shape need one that is known when the graph is built. What is wrong
// with an initializer's own numbers is reported, with the line that made it, when it is used.
struct Initializer {
  std::string name;
  std::function<Value(Tape& tape, Value key, DType dtype, Shape shape)> make;
};

// Any element type; the key is not read.
Initializer Zeros(std::source_location where = std::source_location::current());
Initializer Ones(std::source_location where = std::source_location::current());
Initializer Constant(double value, std::source_location where = std::source_location::current());

// Floats, from here on. Evenly spread over [low, high) (rounding may reach `high`).
Initializer Uniform(double low = -0.05, double high = 0.05,
                    std::source_location where = std::source_location::current());
// The normal distribution.
Initializer Normal(double mean = 0, double deviation = 0.05,
                   std::source_location where = std::source_location::current());
// The normal distribution without what lies farther than two deviations from the mean, drawn
// through its inverse distribution function. What remains has 0.87962566103423978 of the deviation.
Initializer TruncatedNormal(double mean = 0, double deviation = 0.05,
                            std::source_location where = std::source_location::current());

// How many inputs reach an element of the result, and how many results an input reaches, counted as
// Keras does:
//
//     [in, out]                    in, out
//     [space.., in, out]           in * space, out * space       (convolutions, rank 3 to 5)
//     any other rank               both the square root of the number of elements
struct Fans {
  double in = 1, out = 1;
};
Fans FansOf(absl::Span<const Dim> shape);

// Distributions whose variance is scale / n, so that signals keep their size through a layer.
// Uniform ones have the limit sqrt(3 scale / n); normal ones are truncated at two deviations and
// widened such that the variance is right, as Keras does it.
//
//     He       scale 2, n = fan_in                    for relu; He et al., 2015
//     Glorot   scale 1, n = (fan_in + fan_out) / 2    Glorot, Bengio, 2010; Keras's default
//     Lecun    scale 1, n = fan_in                    for selu; LeCun et al., 1998
Initializer HeUniform(std::source_location where = std::source_location::current());
Initializer HeNormal(std::source_location where = std::source_location::current());
Initializer GlorotUniform(std::source_location where = std::source_location::current());
Initializer GlorotNormal(std::source_location where = std::source_location::current());
Initializer LecunUniform(std::source_location where = std::source_location::current());
Initializer LecunNormal(std::source_location where = std::source_location::current());

// The initializer of a name, with its default numbers: "zeros", "ones", "uniform", "normal",
// "truncated_normal", "he_uniform", ..., and those that Keras has besides for the first four,
// "zero", "one", "random_uniform", "random_normal". An unknown name is an error that lists the
// known ones.
absl::StatusOr<Initializer> InitializerByName(
    std::string_view name, std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_OPS_INITIALIZER_H_
