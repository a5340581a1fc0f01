#ifndef TALWEG_TRAIN_SCOPE_H_
#define TALWEG_TRAIN_SCOPE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/tape.h"
#include "graph/value.h"
#include "ops/initializer.h"

namespace talweg {

// A parameter as its model declares it.
struct ParameterSpec {
  std::string name;  // the path: "hidden/kernel"
  Type type;
  Initializer initializer;
  // Whether the optimizer changes it.
  bool trainable = true;
};

// A line of a model's summary.
struct LayerSpec {
  std::string name, kind;  // "hidden", "Dense"
  Shape output;
  int64_t parameters = 0;  // how many numbers it declares itself
  bool declares = false;   // it, or a layer inside of it, was the first to ask for some
  bool shared = false;     // a layer of this name was that before
};

enum class Mode : uint8_t { kTrain, kEvaluate };

// What a model gets its parameters, random keys and mode from. A model is a function of a scope and
// an input; it is called several times for one training (to see which parameters it has, in the
// batch's graph, in the evaluation's), each time with a scope that hands out what belongs there.
//
//   Model mlp = [](Scope& s, Value x) {
//     Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
//     return Dense(s, "output", h, 3);
//   };
//
// Names are paths: Sub("encoder") gives a scope whose parameters are called "encoder/...". A name
// that is declared twice with the same shape, initializer and trainable is the same parameter: that
// is how weights are shared.
class Scope {
 public:
  // The parameter `name`, [shape], of the scope's element type.
  //
  // Errors: a name that was declared before as something else; one that was not declared when the
  // model was called first; an extent known only at run time; an empty initializer.
  Value Parameter(std::string_view name, Shape shape, const Initializer& initializer,
                  bool trainable = true,
                  std::source_location where = std::source_location::current());
  // One that was declared before, by its name below this scope: Get("hidden/kernel").
  Value Get(std::string_view name,
            std::source_location where = std::source_location::current()) const;
  // Adds a scalar of the scope's element type to the loss of the training and of evaluations, as
  // Keras's add_loss and regularizers do:
  //
  //   s.AddLoss(1e-4 * Sum(Square(s.Get("hidden/kernel"))));
  void AddLoss(const Value& loss,
               std::source_location where = std::source_location::current()) const;
  // A scope below this one.
  Scope Sub(std::string_view name) const;
  // A random key for each name and update, for dropout and noise. The same name gives the same key:
  // two layers of one name would drop the same elements. In evaluation, where nothing is random, it
  // is a constant of the name.
  Value Key(std::string_view name) const;

  Mode mode() const;
  DType dtype() const;
  const Tape& tape() const;

  // Notes a layer for the summary: what was declared since there were `before` parameters belongs
  // to it, but for what belongs to layers inside of it.
  void NoteLayer(std::string_view name, std::string_view kind, const Value& output,
                 size_t before) const;
  size_t parameter_count() const;

 private:
  friend class ScopeRoot;
  struct State;
  Scope(std::shared_ptr<State> state, std::string prefix);
  std::shared_ptr<State> state_;
  std::string prefix_;
};

// A model: from a batch of inputs [rows, ...] to outputs [rows, ...].
using Model = std::function<Value(Scope&, Value)>;

// "parameter/NAME": a parameter as an input of graphs, and as a state of a training.
std::string ParameterInput(std::string_view name);

// What calls models. Declares parameters as inputs "parameter/NAME" of a scratch tape, or binds
// Values that are given to the names.
class ScopeRoot {
 public:
  // For seeing what a model declares.
  ScopeRoot(Tape tape, DType dtype, Mode mode);
  // With the parameters' values, in the order of `specs`.
  ScopeRoot(Tape tape, DType dtype, Mode mode, const std::vector<ParameterSpec>& specs,
            std::vector<Value> values, Value key);

  Scope scope() const;
  // In the order in which they were declared first.
  const std::vector<ParameterSpec>& parameters() const;
  const std::vector<LayerSpec>& layers() const;
  // The sum of what the model added to the loss; of no tape where it added nothing.
  Value added_loss() const;

 private:
  std::shared_ptr<Scope::State> state_;
};

// The parameters' values before training: each initializer with a key made from the seed and the
// parameter's name. A graph without inputs but "seed"; its outputs are in the order of `specs`.
absl::StatusOr<Graph> InitialParameters(const std::vector<ParameterSpec>& specs);

// A table of layers, output shapes and parameters, as text for people. Where a layer has the
// parameters of an earlier one of its name it says "shared"; those of layers inside of a layer are
// counted there, those of no layer under "others". Then how many there are, and how many of these
// no rule changes.
//
//   layer   kind   output     parameters
//   hidden  Dense  [rows,50]         150
//   total                            150
std::string Summary(const std::vector<LayerSpec>& layers,
                    const std::vector<ParameterSpec>& parameters);

}  // namespace talweg

#endif  // TALWEG_TRAIN_SCOPE_H_
