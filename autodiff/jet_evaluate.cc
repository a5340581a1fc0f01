#include "autodiff/jet_evaluate.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/convert.h"
#include "graph/jet.h"
#include "graph/loop_places.h"
#include "graph/reads.h"
#include "graph/scalar.h"
#include "graph/tape.h"

namespace talweg {
namespace {

// Integers and bools are held in the value too. Of integers beyond 2^53 (keys of random numbers) it
// has the upper 53 bits; the rest is in a derivative's place, as integers have none.
struct Jets {
  Dims dims;
  std::vector<SecondJet> elements;
  int64_t size() const { return static_cast<int64_t>(elements.size()); }
};

SecondJet Constant(double value) { return SecondJet(value); }
double ValueOf(const SecondJet& jet) { return jet.value().value().raw(); }

SecondJet WholeNumber(int64_t number) {
  constexpr int64_t kExact = int64_t{1} << 53, kRest = (int64_t{1} << 11) - 1;
  if (number >= -kExact && number <= kExact) return Constant(static_cast<double>(number));
  const int64_t rest = number & kRest;
  return SecondJet(
      Jet<Number<double>>(static_cast<double>(number - rest), static_cast<double>(rest)),
      Jet<Number<double>>(0.0));
}
int64_t WholeNumberOf(const SecondJet& jet) {
  return ConvertElement<int64_t>(ValueOf(jet)) +
         ConvertElement<int64_t>(jet.value().derivative().raw());
}

// Calls f(indices, flat) for each element of a shape, in row-major order.
template <typename F>
void ForEach(const Dims& dims, F f) {
  const int64_t size = SizeOf(dims);
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t flat = 0; flat < size; flat++) {
    f(index, flat);
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

int64_t Flat(const std::vector<int64_t>& index, const Dims& strides) {
  int64_t flat = 0;
  for (size_t i = 0; i < index.size(); i++) flat += index[i] * strides[i];
  return flat;
}

Jets Filled(Dims dims, double value = 0) {
  const auto size = static_cast<size_t>(SizeOf(dims));
  return {std::move(dims), std::vector<SecondJet>(size, Constant(value))};
}

absl::StatusOr<Array> ToArray(const Jets& jets, DType dtype) {
  if (dtype == kInt64) {
    absl::StatusOr<Array> array = Array::Zeros(kInt64, jets.dims);
    if (!array.ok()) return array;
    const absl::Span<int64_t> elements = array->mutable_data<int64_t>();
    for (size_t i = 0; i < elements.size(); i++) elements[i] = WholeNumberOf(jets.elements[i]);
    return array;
  }
  absl::StatusOr<Array> wide = Array::Zeros(kFloat64, jets.dims);
  if (!wide.ok()) return wide;
  const absl::Span<double> elements = wide->mutable_data<double>();
  for (size_t i = 0; i < elements.size(); i++) elements[i] = ValueOf(jets.elements[i]);
  return wide->Cast(dtype);
}

Jets FromArray(const Array& array) {
  Jets jets = Filled(array.dims());
  const absl::Span<const int64_t> whole = array.data<int64_t>();
  for (size_t i = 0; i < jets.elements.size(); i++) {
    jets.elements[i] = array.dtype() == kInt64 ? WholeNumber(whole[i])
                                               : Constant(array.At(static_cast<int64_t>(i)));
  }
  return jets;
}

// A formula on the elements themselves, for what has no derivative.
absl::StatusOr<Jets> RunLoop(const MapRule& rule, absl::Span<const Jets* const> operands,
                             const std::vector<DType>& types, DType dtype, const Dims& dims) {
  std::vector<Array> arrays;
  std::vector<const std::byte*> pointers;
  for (size_t k = 0; k < operands.size(); k++) {
    absl::StatusOr<Array> array = ToArray(*operands[k], types[k]);
    if (!array.ok()) return array.status();
    pointers.push_back(array->raw());
    arrays.push_back(*std::move(array));
  }
  absl::StatusOr<Array> result = Array::Zeros(dtype, dims);
  if (!result.ok()) return result.status();
  const std::vector<int64_t> strides(operands.size(), 1);
  rule.loop(types, dtype, false)(result->mutable_bytes(), pointers.data(), strides.data(),
                                 result->size());
  return FromArray(*result);
}

// Moves a result to its place, or passes its error on.
absl::Status Take(absl::StatusOr<Jets> result, std::vector<Jets>& out) {
  if (!result.ok()) return result.status();
  out = {*std::move(result)};
  return absl::OkStatus();
}

// The graph's nodes, one after another.
class Evaluator {
 public:
  Evaluator(const Graph& graph, SymbolValues symbols) : graph_(graph), symbols_(symbols) {}

  absl::StatusOr<std::vector<Jets>> Run(std::vector<Jets> inputs, int depth);

 private:
  absl::Status BindTrips(const std::vector<Jets>& inputs, int depth);
  Dims DimsOf(const Node& node) const { return Resolve(node.type().shape, symbols_); }
  const Jets& In(const Node& node, size_t i) const {
    return values_[static_cast<size_t>(node.operands[i])].front();
  }
  DType TypeIn(const Node& node, size_t i) const {
    return graph_.node(node.operands[i]).type().dtype;
  }

  absl::StatusOr<Jets> Map(const Node& node) const;
  Jets View(const Node& node) const;
  Jets Concat(const Node& node) const;
  absl::StatusOr<Jets> Reduce(const Node& node) const;
  Jets Gather(const Node& node) const;
  Jets ScatterAdd(const Node& node) const;
  Jets Contract(const Node& node) const;
  absl::StatusOr<Jets> Random(const Node& node) const;
  absl::StatusOr<std::vector<Jets>> Loop(const Node& node, int depth) const;

  const Graph& graph_;
  SymbolValues symbols_;
  std::vector<std::vector<Jets>> values_;  // by node; loops have several
};

// Where `trips` is the number of trips of a loop, nodes before the loop may have that extent, too.
absl::Status Evaluator::BindTrips(const std::vector<Jets>& inputs, int depth) {
  if (symbols_.trips >= 0) return absl::OkStatus();
  const std::vector<bool> all(graph_.nodes().size(), true);
  const std::vector<NodeId> counts = TripCounts(graph_, all);
  if (counts.empty()) return absl::OkStatus();
  const Graph before = Extract(graph_.nodes(), graph_.inputs(), counts);
  const absl::StatusOr<std::vector<Jets>> trips =
      Evaluator(before, symbols_).Run(inputs, depth + 1);
  if (!trips.ok()) return trips.status();
  for (const Jets& count : *trips) {
    symbols_.trips =
        std::max({symbols_.trips, int64_t{0}, static_cast<int64_t>(ValueOf(count.elements[0]))});
  }
  return absl::OkStatus();
}

// Formulas of floats run on jets; those on integers and bools on the elements themselves.
absl::StatusOr<Jets> Evaluator::Map(const Node& node) const {
  const MapRule& rule = *node.op->map;
  Jets out = Filled(DimsOf(node));
  const size_t arity = node.operands.size();
  if (rule.jet != nullptr && IsFloat(node.type().dtype) && IsFloat(TypeIn(node, arity - 1))) {
    std::vector<SecondJet> arguments(arity);
    for (size_t i = 0; i < out.elements.size(); i++) {
      for (size_t k = 0; k < arity; k++) arguments[k] = In(node, k).elements[i];
      out.elements[i] = rule.jet(arguments.data());
    }
    return out;
  }
  std::vector<const Jets*> operands;
  std::vector<DType> types;
  for (size_t k = 0; k < arity; k++) {
    operands.push_back(&In(node, k));
    types.push_back(TypeIn(node, k));
  }
  return RunLoop(rule, operands, types, node.type().dtype, out.dims);
}

Jets Evaluator::View(const Node& node) const {
  const auto& view = node.As<ViewAttributes>();
  const Jets& x = In(node, 0);
  const Dims strides = RowMajorStrides(x.dims);
  Jets out = Filled(DimsOf(node), view.fill);
  ForEach(out.dims, [&](const std::vector<int64_t>& index, int64_t flat) {
    int64_t from = 0;
    for (size_t axis = 0; axis < view.axes.size(); axis++) {
      int64_t place = view.axes[axis].offset;
      for (const AxisMap::Term& term : view.axes[axis].terms) {
        place += term.step * index[static_cast<size_t>(term.axis)];
      }
      const int64_t dilation = view.axes[axis].dilation;
      if (place % dilation != 0 || place < 0 || place / dilation >= x.dims[axis]) return;
      from += place / dilation * strides[axis];
    }
    out.elements[static_cast<size_t>(flat)] = x.elements[static_cast<size_t>(from)];
  });
  return out;
}

Jets Evaluator::Concat(const Node& node) const {
  const auto axis = static_cast<size_t>(node.As<ConcatAttributes>().axis);
  Jets out = Filled(DimsOf(node));
  const Dims strides = RowMajorStrides(out.dims);
  int64_t start = 0;
  for (size_t k = 0; k < node.operands.size(); k++) {
    const Jets& x = In(node, k);
    ForEach(x.dims, [&](const std::vector<int64_t>& index, int64_t flat) {
      out.elements[static_cast<size_t>(Flat(index, strides) + start * strides[axis])] =
          x.elements[static_cast<size_t>(flat)];
    });
    start += x.dims[axis];
  }
  return out;
}

// In plain row-major order: the order of a node's sum concerns the last bits only.
absl::StatusOr<Jets> Evaluator::Reduce(const Node& node) const {
  const auto& axes = node.As<ReduceAttributes>().axes;
  const ReduceRule& rule = *node.op->reduce;
  const Jets& x = In(node, 0);
  const DType dtype = TypeIn(node, 0);
  Jets out = Filled(DimsOf(node));
  std::vector<std::vector<SecondJet>> groups(out.elements.size());
  const Dims strides = RowMajorStrides(out.dims);
  ForEach(x.dims, [&](const std::vector<int64_t>& index, int64_t flat) {
    int64_t to = 0;
    size_t kept = 0;
    for (size_t axis = 0; axis < index.size(); axis++) {
      if (std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(axis))) continue;
      to += index[axis] * strides[kept++];
    }
    groups[static_cast<size_t>(to)].push_back(x.elements[static_cast<size_t>(flat)]);
  });
  const MapRule& combine = *rule.combine->map;
  for (size_t i = 0; i < groups.size(); i++) {
    SecondJet best = Constant(rule.identity(dtype));
    int64_t place = 0;
    for (size_t k = 0; k < groups[i].size(); k++) {
      const SecondJet pair[] = {best, groups[i][k]};
      if (rule.place) {
        const double before = ValueOf(best), here = ValueOf(pair[1]);
        const double picked = k == 0 ? here : ValueOf(combine.jet(pair));
        const bool is_new = k > 0 && before == before && !(picked == before);
        if (k == 0 || is_new) best = pair[1], place = static_cast<int64_t>(k);
      } else if (combine.jet != nullptr && IsFloat(dtype)) {
        best = k == 0 ? pair[1] : combine.jet(pair);
      } else {
        const Jets a{{}, {pair[0]}}, b{{}, {pair[1]}};
        const Jets* const operands[] = {&a, &b};
        absl::StatusOr<Jets> result = RunLoop(combine, operands, {dtype, dtype}, dtype, {});
        if (!result.ok()) return result;
        best = result->elements[0];
      }
    }
    out.elements[i] = rule.place ? Constant(static_cast<double>(place)) : best;
  }
  return out;
}

// Where the elements of gather's result (scatter_add's updates) lie in x, in row-major order.
template <typename F>
void ForEachGathered(const Jets& indices, const Dims& gathered, const Dims& x, int64_t axis,
                     int64_t batch, F f) {
  const Dims strides = RowMajorStrides(x), index_strides = RowMajorStrides(indices.dims);
  const auto index_rank = static_cast<int64_t>(indices.dims.size()) - batch;
  ForEach(gathered, [&](const std::vector<int64_t>& at, int64_t flat) {
    int64_t index_flat = 0, to = 0;
    for (int64_t i = 0; i < batch; i++) {
      index_flat += at[static_cast<size_t>(i)] * index_strides[static_cast<size_t>(i)];
    }
    for (int64_t i = 0; i < index_rank; i++) {
      index_flat +=
          at[static_cast<size_t>(axis + i)] * index_strides[static_cast<size_t>(batch + i)];
    }
    for (int64_t i = 0; i < static_cast<int64_t>(x.size()); i++) {
      const auto named =
          static_cast<int64_t>(ValueOf(indices.elements[static_cast<size_t>(index_flat)]));
      const int64_t last = x[static_cast<size_t>(i)] - 1;
      const int64_t place = i < axis    ? at[static_cast<size_t>(i)]
                            : i == axis ? std::clamp<int64_t>(named, 0, last)
                                        : at[static_cast<size_t>(i - 1 + index_rank)];
      to += place * strides[static_cast<size_t>(i)];
    }
    f(static_cast<size_t>(flat), static_cast<size_t>(to));
  });
}

Jets Evaluator::Gather(const Node& node) const {
  const auto& [axis, batch] = node.As<GatherAttributes>();
  const Jets& x = In(node, 0);
  Jets out = Filled(DimsOf(node));
  if (x.size() == 0) return out;
  ForEachGathered(In(node, 1), out.dims, x.dims, axis, batch,
                  [&](size_t flat, size_t from) { out.elements[flat] = x.elements[from]; });
  return out;
}

Jets Evaluator::ScatterAdd(const Node& node) const {
  const auto& [axis, batch, size] = node.As<ScatterAddAttributes>();
  const Jets& updates = In(node, 0);
  Jets out = Filled(DimsOf(node));
  if (out.size() == 0) return out;
  ForEachGathered(In(node, 1), updates.dims, out.dims, axis, batch, [&](size_t flat, size_t to) {
    out.elements[to] = out.elements[to] + updates.elements[flat];
  });
  return out;
}

Jets Evaluator::Contract(const Node& node) const {
  const auto& [lhs_batch, rhs_batch, lhs_sum, rhs_sum, order] = node.As<ContractAttributes>();
  const Jets &lhs = In(node, 0), &rhs = In(node, 1);
  Jets out = Filled(DimsOf(node));
  Dims sums;
  for (int64_t axis : lhs_sum) sums.push_back(lhs.dims[static_cast<size_t>(axis)]);
  const Dims lhs_strides = RowMajorStrides(lhs.dims), rhs_strides = RowMajorStrides(rhs.dims);
  // The place in one operand of the result's element `index` and the term `term`.
  const auto place = [&](const Dims& strides, const std::vector<int64_t>& batch,
                         const std::vector<int64_t>& sum, size_t free,
                         const std::vector<int64_t>& index, const std::vector<int64_t>& term) {
    int64_t flat = 0;
    for (size_t axis = 0; axis < strides.size(); axis++) {
      const auto is_axis = [&](int64_t a) { return a == static_cast<int64_t>(axis); };
      const auto b = std::find_if(batch.begin(), batch.end(), is_axis);
      const auto s = std::find_if(sum.begin(), sum.end(), is_axis);
      const int64_t at = b != batch.end() ? index[static_cast<size_t>(b - batch.begin())]
                         : s != sum.end() ? term[static_cast<size_t>(s - sum.begin())]
                                          : index[free++];
      flat += at * strides[axis];
    }
    return static_cast<size_t>(flat);
  };
  const size_t lhs_free = lhs_batch.size();
  const size_t rhs_free = lhs.dims.size() - lhs_sum.size();
  ForEach(out.dims, [&](const std::vector<int64_t>& index, int64_t flat) {
    SecondJet& sum = out.elements[static_cast<size_t>(flat)];
    ForEach(sums, [&](const std::vector<int64_t>& term, int64_t) {
      sum = sum + lhs.elements[place(lhs_strides, lhs_batch, lhs_sum, lhs_free, index, term)] *
                      rhs.elements[place(rhs_strides, rhs_batch, rhs_sum, rhs_free, index, term)];
    });
  });
  return out;
}

absl::StatusOr<Jets> Evaluator::Random(const Node& node) const {
  absl::StatusOr<Array> result = Array::Zeros(node.type().dtype, DimsOf(node));
  if (!result.ok()) return result.status();
  const auto number = [&](size_t operand) {
    return static_cast<uint64_t>(WholeNumberOf(In(node, operand).elements[0]));
  };
  node.op->random->fill(number(0), number(1), node.type().dtype, result->size(),
                        result->mutable_bytes());
  return FromArray(*result);
}

absl::StatusOr<std::vector<Jets>> Evaluator::Loop(const Node& node, int depth) const {
  const auto& a = node.As<LoopAttributes>();
  const auto [first, captures, carried, scanned, stacked] = LoopPlaces(a);
  const auto trips = static_cast<int64_t>(ValueOf(In(node, 0).elements[0]));
  // The symbol has no value where nothing has that extent.
  const int64_t length = a.length == kTrips && symbols_.trips < 0 ? std::max<int64_t>(trips, 0)
                                                                  : symbols_.Of(a.length);
  if (trips > length) return absl::InvalidArgumentError("loop: more trips than scanned slices");
  std::vector<Jets> state;
  for (size_t k = 0; k < carried; k++) state.push_back(In(node, first + captures + k));
  std::vector<Jets> outputs(stacked);
  std::vector<bool> shaped(stacked, false);
  int64_t run = 0;
  bool stop = false;
  for (int64_t i = 0; i < trips && !stop; i++, run++) {
    const int64_t trip = a.reversed ? trips - 1 - i : i;
    SymbolValues inner{.rows = symbols_.rows, .trips = -1};
    if (a.binds_rows) {
      inner.rows = static_cast<int64_t>(ValueOf(In(node, 1).elements[static_cast<size_t>(trip)]));
    }
    std::vector<Jets> inputs = {{{}, {Constant(static_cast<double>(trip))}}};
    for (size_t k = 0; k < captures; k++) inputs.push_back(In(node, first + k));
    inputs.insert(inputs.end(), state.begin(), state.end());
    for (size_t k = 0; k < scanned; k++) {
      const Jets& x = In(node, first + captures + carried + k);
      Jets slice{Dims(x.dims.begin() + 1, x.dims.end()), {}};
      const int64_t size = SizeOf(slice.dims);
      const auto begin = x.elements.begin() + trip * size;
      slice.elements.assign(begin, begin + size);
      inputs.push_back(std::move(slice));
    }
    absl::StatusOr<std::vector<Jets>> results =
        Evaluator(*a.body, inner).Run(std::move(inputs), depth + 1);
    if (!results.ok()) return results.status();
    for (size_t k = 0; k < carried; k++) state[k] = (*results)[k];
    for (size_t k = 0; k < stacked; k++) {
      const Jets& slice = (*results)[carried + k];
      if (!shaped[k]) {
        Dims dims = slice.dims;
        dims.insert(dims.begin(), length);
        outputs[k] = Filled(std::move(dims));
        shaped[k] = true;
      }
      std::copy(slice.elements.begin(), slice.elements.end(),
                outputs[k].elements.begin() + trip * slice.size());
    }
    stop = a.stops && ValueOf(results->back().elements[0]) != 0;
  }
  std::vector<Jets> parts = std::move(state);
  for (size_t k = 0; k < stacked; k++) {
    if (!shaped[k]) outputs[k] = Filled(Resolve(node.types[carried + k].shape, symbols_));
    parts.push_back(std::move(outputs[k]));
  }
  parts.push_back({{}, {Constant(static_cast<double>(run))}});
  return parts;
}

absl::StatusOr<std::vector<Jets>> Evaluator::Run(std::vector<Jets> inputs, int depth) {
  constexpr int kDeepest = 64;
  if (depth > kDeepest) return absl::InvalidArgumentError("loops are nested too deeply");
  if (absl::Status s = BindTrips(inputs, depth); !s.ok()) return s;
  values_.resize(graph_.nodes().size());
  for (size_t i = 0; i < inputs.size(); i++) {
    values_[static_cast<size_t>(graph_.inputs()[i])] = {std::move(inputs[i])};
  }
  for (size_t i = 0; i < values_.size(); i++) {
    const Node& node = graph_.nodes()[i];
    for (const Type& type : node.types) {
      if (type.dtype == kFloat32) {
        return absl::UnimplementedError(absl::StrCat(node.op->name, ": jets are float64 only, ",
                                                     ToString(type), " (", ToString(node.line),
                                                     ")"));
      }
    }
    std::vector<Jets>& out = values_[i];
    switch (node.kind()) {
      case Kind::kInput:
        break;
      case Kind::kConstant:
        out = {FromArray(node.As<ConstantAttributes>().value)};
        break;
      case Kind::kIota: {
        Jets iota = Filled(DimsOf(node));
        for (size_t k = 0; k < iota.elements.size(); k++) {
          iota.elements[k] = Constant(static_cast<double>(k));
        }
        out = {std::move(iota)};
        break;
      }
      case Kind::kSize: {
        const int64_t size = symbols_.Of(node.As<SizeAttributes>().dim);
        out = {{{}, {Constant(static_cast<double>(size))}}};
        break;
      }
      case Kind::kMap:
        if (absl::Status s = Take(Map(node), out); !s.ok()) return s;
        break;
      case Kind::kView:
        out = {View(node)};
        break;
      case Kind::kReshape:
        out = {{DimsOf(node), In(node, 0).elements}};
        break;
      case Kind::kConcat:
        out = {Concat(node)};
        break;
      case Kind::kReduce:
        if (absl::Status s = Take(Reduce(node), out); !s.ok()) return s;
        break;
      case Kind::kGather:
        out = {Gather(node)};
        break;
      case Kind::kScatterAdd:
        out = {ScatterAdd(node)};
        break;
      case Kind::kContract:
        out = {Contract(node)};
        break;
      case Kind::kRandom:
        if (absl::Status s = Take(Random(node), out); !s.ok()) return s;
        break;
      case Kind::kCustom:
        out = {In(node, 0)};
        break;
      case Kind::kPart: {
        const auto index = static_cast<size_t>(node.As<PartAttributes>().index);
        out = {values_[static_cast<size_t>(node.operands[0])][index]};
        break;
      }
      case Kind::kLoop: {
        absl::StatusOr<std::vector<Jets>> parts = Loop(node, depth);
        if (!parts.ok()) return parts.status();
        out = *std::move(parts);
        break;
      }
    }
  }
  std::vector<Jets> outputs;
  for (NodeId id : graph_.outputs()) outputs.push_back(values_[static_cast<size_t>(id)].front());
  return outputs;
}

}  // namespace

absl::StatusOr<std::vector<JetArray>> JetEvaluate(const Graph& graph,
                                                  absl::Span<const JetArray> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("the graph has ", graph.inputs().size(),
                                                   " inputs, ", inputs.size(), " given"));
  }
  SymbolValues symbols;
  std::vector<Jets> jets;
  for (size_t i = 0; i < inputs.size(); i++) {
    const Array& value = inputs[i].value;
    const Shape& shape = graph.input_type(i).shape;
    if (shape.size() != value.dims().size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", graph.input_name(i), "' has another rank"));
    }
    for (size_t axis = 0; axis < shape.size(); axis++) {
      if (shape[axis] == kRows) symbols.rows = value.dims()[axis];
      if (shape[axis] == kTrips) symbols.trips = value.dims()[axis];
    }
    jets.push_back(FromArray(value));
    if (!IsFloat(value.dtype())) continue;
    for (int64_t k = 0; k < value.size(); k++) {
      jets[i].elements[static_cast<size_t>(k)] =
          SecondJet(Jet<Number<double>>(value.At(k), inputs[i].along_u.At(k)),
                    Jet<Number<double>>(inputs[i].along_v.At(k), inputs[i].along_uv.At(k)));
    }
  }
  const absl::StatusOr<std::vector<Jets>> results = Evaluator(graph, symbols).Run(jets, 0);
  if (!results.ok()) return results.status();
  std::vector<JetArray> outputs;
  for (size_t i = 0; i < results->size(); i++) {
    const Jets& result = (*results)[i];
    JetArray out;
    absl::StatusOr<Array> value = ToArray(result, graph.output_type(i).dtype);
    if (!value.ok()) return value.status();
    out.value = *std::move(value);
    absl::Status status;
    const bool derives = IsFloat(graph.output_type(i).dtype);
    const auto part = [&](auto get) {
      Jets plain = Filled(result.dims);
      for (size_t k = 0; derives && k < plain.elements.size(); k++) {
        plain.elements[k] = Constant(get(result.elements[k]).raw());
      }
      absl::StatusOr<Array> array = ToArray(plain, kFloat64);
      status.Update(array.status());
      return std::move(array).value_or(Array());
    };
    out.along_u = part([](const SecondJet& jet) { return jet.value().derivative(); });
    out.along_v = part([](const SecondJet& jet) { return jet.derivative().value(); });
    out.along_uv = part([](const SecondJet& jet) { return jet.derivative().derivative(); });
    if (!status.ok()) return status;
    outputs.push_back(std::move(out));
  }
  return outputs;
}

}  // namespace talweg
