#include "jit/image.h"

#include <gnu/libc-version.h>

#include <bit>
#include <cstring>
#include <iterator>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "graph/core_ops.h"
#include "graph/expr.h"
#include "jit/bytes.h"
#include "jit/llvm/engine.h"
#include "jit/sources.h"
#include "ops/table.h"

namespace talweg {
namespace {

void WriteArray(ByteWriter& out, const Array& array) {
  out.Write(array.dtype(), array.dims());
  out.Write(absl::string_view(reinterpret_cast<const char*>(array.raw()),
                              array.raw() == nullptr ? 0 : static_cast<size_t>(array.bytes())));
}

bool ReadArray(ByteReader& in, Array& array) {
  DType dtype = kFloat32;
  Dims dims;
  absl::string_view elements;
  in.Read(dtype);
  in.Read(dims);
  in.Read(elements);
  if (!in.ok() || dtype < kAllDTypes[0] || dtype > kAllDTypes[std::size(kAllDTypes) - 1]) {
    return false;
  }
  // First, so that no more memory is asked for than there are bytes.
  const absl::StatusOr<int64_t> size = CheckedSize(dims);
  if (!size.ok() || static_cast<uint64_t>(*size) > elements.size()) return false;
  absl::StatusOr<Array> made = Array::Zeros(dtype, dims);
  if (!made.ok() || static_cast<size_t>(made->bytes()) != elements.size()) return false;
  if (!elements.empty()) std::memcpy(made->mutable_bytes(), elements.data(), elements.size());
  array = *std::move(made);
  return true;
}

bool IsOurs(const Op* op) {
  static const auto& ours = *[] {
    auto* const set = new absl::flat_hash_set<const Op*>(AllOps().begin(), AllOps().end());
    set->insert({&kInputOp, &kConstantOp, &kIotaOp, &kSizeOp, &kPartOp});
    return set;
  }();
  return ours.contains(op);
}

// The ops that draw random numbers, each once, in the order in which the graph has them.
void AddRandoms(const Graph& graph, std::vector<const Op*>& ops) {
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kRandom && !absl::c_linear_search(ops, node.op)) {
      ops.push_back(node.op);
    }
    if (node.kind() == Kind::kLoop) AddRandoms(*node.As<LoopAttributes>().body, ops);
  }
}

std::vector<const Op*> RandomsOf(const Graph& graph) {
  std::vector<const Op*> ops;
  AddRandoms(graph, ops);
  return ops;
}

// What names one of them in an image and in its key.
size_t PlaceOf(const Op* random, absl::Span<const Op* const> randoms) {
  return static_cast<size_t>(absl::c_find(randoms, random) - randoms.begin());
}

// Graphs, node by node. Structs are taken apart into all of their fields: a new field does not
// compile until somebody thought of it here.
class GraphWriter {
 public:
  explicit GraphWriter(const Graph& graph) : randoms_(RandomsOf(graph)) {}

  void Write(const Graph& graph) {
    out.Write(graph.inputs(), graph.outputs());
    out.Write(graph.nodes().size());
    for (const Node& node : graph.nodes()) WriteNode(graph, node);
  }

  ByteWriter out;

 private:
  void WriteNode(const Graph& graph, const Node& node) {
    const auto& [op, operands, attributes, types, line] = node;
    out.Write(absl::string_view(op->name));
    if (op->kind == Kind::kRandom) out.Write(PlaceOf(op, randoms_));
    if (!IsOurs(op)) {
      absl::InlinedVector<DType, 3> dtypes;
      for (NodeId id : operands) dtypes.push_back(graph.node(id).type().dtype);
      WriteRecord(*op, dtypes, types.front().dtype);
    }
    out.Write(operands);
    out.Write(attributes.index());
    std::visit([this](const auto& a) { WriteAttributes(a); }, attributes);
    out.Write(types.size());
    for (const auto& [dtype, shape] : types) {
      out.Write(dtype);
      WriteShape(shape);
    }
    out.Write(absl::string_view(line.file), line.line);
  }

  // All of an op's record that decides what becomes of a node. Random numbers are drawn when the
  // graph runs, by the op itself; but a permutation's are indices that nobody checks.
  void WriteRecord(const Op& op, absl::Span<const DType> operands, DType result) {
    out.Write(op.kind);
    if (op.map != nullptr) {
      out.Write(op.map->types);
      WriteFacts(op.map->facts);
      ScalarProgram program;
      absl::InlinedVector<Expr, 3> inputs;
      for (DType dtype : operands) inputs.push_back(program.Input(dtype));
      const Expr formula = op.map->expr(inputs.data(), result);
      out.Write(formula.id(), program.instructions().size());
      for (const auto& [opcode, dtype, of, immediate] : program.instructions()) {
        out.Write(opcode, dtype, of[0], of[1], of[2], immediate);
      }
    }
    if (op.random != nullptr) out.Write(op.random->is_permutation);
    if (op.reduce != nullptr) {
      const DType dtype = operands[0];
      out.Write(op.reduce->place);
      WriteNumber(op.reduce->identity(dtype));
      WriteRecord(*op.reduce->combine, {dtype, dtype}, dtype);
    }
  }

  void WriteFacts(const MapFacts& facts) {
    const auto& [right, left, commutative, involution, idempotent, keeps_zero] = facts;
    for (const std::optional<double>& identity : {right, left}) {
      out.Write(identity.has_value());
      WriteNumber(identity.value_or(0));
    }
    out.Write(commutative, involution, idempotent, keeps_zero);
  }

  void WriteOrder(const Order& order) {
    const auto& [chains, block] = order;
    out.Write(chains, block);
  }
  void WriteNumber(double number) { out.Write(std::bit_cast<uint64_t>(number)); }
  void WriteDim(Dim dim) { out.Write(dim.symbol(), dim.value()); }
  void WriteShape(const Shape& shape) {
    out.Write(shape.size());
    for (Dim dim : shape) WriteDim(dim);
  }

  void WriteAttributes(const std::monostate&) {}
  void WriteAttributes(const InputAttributes& a) {
    const auto& [name] = a;
    out.Write(absl::string_view(name));
  }
  void WriteAttributes(const ConstantAttributes& a) {
    const auto& [value] = a;
    WriteArray(out, value);
  }
  void WriteAttributes(const SizeAttributes& a) {
    const auto& [dim] = a;
    WriteDim(dim);
  }
  void WriteAttributes(const ShapeAttributes& a) {
    const auto& [shape] = a;
    WriteShape(shape);
  }
  void WriteAttributes(const CastAttributes& a) {
    const auto& [dtype] = a;
    out.Write(dtype);
  }
  void WriteAttributes(const ViewAttributes& a) {
    const auto& [axes, fill, shape] = a;
    out.Write(axes.size());
    for (const auto& [offset, dilation, terms] : axes) {
      out.Write(offset, dilation, terms.size());
      for (const auto& [axis, step] : terms) out.Write(axis, step);
    }
    WriteNumber(fill);
    WriteShape(shape);
  }
  void WriteAttributes(const ConcatAttributes& a) {
    const auto& [axis] = a;
    out.Write(axis);
  }
  void WriteAttributes(const ReduceAttributes& a) {
    const auto& [axes, order] = a;
    out.Write(axes);
    WriteOrder(order);
  }
  void WriteAttributes(const GatherAttributes& a) {
    const auto& [axis, batch] = a;
    out.Write(axis, batch);
  }
  void WriteAttributes(const ScatterAddAttributes& a) {
    const auto& [axis, batch, size] = a;
    out.Write(axis, batch);
    WriteDim(size);
  }
  void WriteAttributes(const ContractAttributes& a) {
    const auto& [lhs_batch, rhs_batch, lhs_sum, rhs_sum, order] = a;
    out.Write(lhs_batch, rhs_batch, lhs_sum, rhs_sum);
    WriteOrder(order);
  }
  void WriteAttributes(const TypeAttributes& a) {
    const auto& [dtype, shape] = a;
    out.Write(dtype);
    WriteShape(shape);
  }
  // As deep as loops are nested, of which there is a limit.
  void WriteAttributes(const LoopAttributes& a) {
    const auto& [body, captures, carried, scanned, stacked, reversed, stops, binds_rows, length,
                 rows_limit, whole] = a;
    out.Write(captures, carried, scanned, stacked, reversed, stops, binds_rows, rows_limit, whole);
    WriteDim(length);
    Write(*body);
  }
  void WriteAttributes(const PartAttributes& a) {
    const auto& [index] = a;
    out.Write(index);
  }
  // The gradient is compiled where somebody asks for it, as nodes of a graph.
  void WriteAttributes(const CustomAttributes&) {}

  const std::vector<const Op*> randoms_;
};

void WriteSite(ByteWriter& out, const loops::ErrorSite& site) {
  const auto& [what, before, after, limit] = site;
  out.Write(what, absl::string_view(before), absl::string_view(after), limit);
}

void ReadSite(ByteReader& in, loops::ErrorSite& site) {
  in.Read(site.what);
  in.Read(site.before);
  in.Read(site.after);
  in.Read(site.limit);
}

}  // namespace

const Toolchain& ThisToolchain() {
  static const Toolchain& toolchain = *[] {
    auto* const made = new Toolchain{.llvm = native::LlvmVersion(),
                                     .triple = native::ProcessTriple(),
                                     .libc = gnu_get_libc_version(),
                                     .sources = SourcesHash(),
                                     .processor = ""};
    if (const auto here = native::DetectTarget(); here.ok()) {
      made->processor = absl::StrCat(here->spec.cpu, ",", here->spec.features);
    }
    return made;
  }();
  return toolchain;
}

native::ObjectCache::Key KeyOf(const Graph& graph, const JitOptions& options,
                               const native::Target& target, const Toolchain& toolchain) {
  GraphWriter writer(graph);
  ByteWriter& out = writer.out;
  const auto& [llvm, triple, libc, sources, processor] = toolchain;
  for (const std::string* text : {&llvm, &triple, &libc, &sources, &processor}) {
    out.Write(absl::string_view(*text));
  }
  const auto& [cpu, features, avx, avx512] = target.spec;
  out.Write(absl::string_view(cpu), absl::string_view(features), avx, avx512);
  const auto& [vector_bytes, vector_registers, l1, l2, l3] = target.machine;
  out.Write(vector_bytes, vector_registers, l1, l2, l3);
  out.Write(options.level, options.fuse, options.block, options.split, options.without.size());
  for (const std::string& pass : options.without) out.Write(absl::string_view(pass));
  writer.Write(graph);
  return native::ObjectCache::KeyOf(out.bytes());
}

std::string ToBytes(const Image& image, const Graph& graph) {
  const auto& [constants, randoms, sites, arena_bytes, thread_bytes, largest, inputs, outputs,
               dynamic, passed_through, writes_all] = image.tables;
  ByteWriter out;
  out.Write(constants.size());
  for (const Array& constant : constants) WriteArray(out, constant);
  out.Write(randoms.size());
  const std::vector<const Op*> ops = RandomsOf(graph);
  for (const auto& [op, dtype] : randoms) out.Write(PlaceOf(op, ops), dtype);
  out.Write(sites.size());
  for (const loops::ErrorSite& site : sites) WriteSite(out, site);
  out.Write(arena_bytes, thread_bytes, absl::string_view(largest), inputs, outputs, dynamic,
            passed_through, writes_all);
  out.Write(absl::string_view(image.object));
  return out.bytes();
}

std::optional<Image> ImageFromBytes(absl::string_view bytes, const Graph& graph) {
  Image image;
  auto& [constants, randoms, sites, arena_bytes, thread_bytes, largest, inputs, outputs, dynamic,
         passed_through, writes_all] = image.tables;
  ByteReader in(bytes);
  constants.resize(in.ReadLength());
  for (Array& constant : constants) {
    if (!ReadArray(in, constant)) return std::nullopt;
  }
  randoms.resize(in.ReadLength());
  const std::vector<const Op*> ops = RandomsOf(graph);
  for (auto& [op, dtype] : randoms) {
    size_t place = 0;
    in.Read(place);
    in.Read(dtype);
    if (place >= ops.size()) return std::nullopt;
    op = ops[place];
  }
  sites.resize(in.ReadLength());
  for (loops::ErrorSite& site : sites) ReadSite(in, site);
  in.Read(arena_bytes);
  in.Read(thread_bytes);
  in.Read(largest);
  in.Read(inputs);
  in.Read(outputs);
  in.Read(dynamic);
  in.Read(passed_through);
  in.Read(writes_all);
  in.Read(image.object);
  if (!in.ok() || !in.at_end()) return std::nullopt;
  if (static_cast<size_t>(inputs) != graph.inputs().size() ||
      static_cast<size_t>(outputs) != graph.outputs().size()) {
    return std::nullopt;
  }
  return image;
}

}  // namespace talweg
