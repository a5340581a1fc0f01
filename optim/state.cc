#include "optim/state.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {
namespace {

struct Slot {
  StateSpec spec;
  Value present;
  Value next;             // of this phase; no tape where none was set yet
  bool ever_set = false;  // in any phase
  SourceLine first_read;
};

}  // namespace

struct StateScope::Shared {
  explicit Shared(const Tape& tape, bool declares) : tape(tape), declares(declares) {}

  Slot* Find(const std::string& name) {
    auto it = by_name.find(name);
    return it == by_name.end() ? nullptr : &slots[it->second];
  }

  void Add(const StateSpec& spec, const Value& present, const SourceLine& line) {
    by_name[spec.name] = slots.size();
    specs.push_back(spec);
    slots.push_back({spec, present, {}, false, line});
  }

  Value Fail(const std::string& name, const std::string& what, const SourceLine& line) {
    const std::string where = ToString(line);
    absl::Status error = absl::InvalidArgumentError(absl::StrCat(
        "state ", name, ": ", what, where.empty() ? "" : " (", where, where.empty() ? "" : ")"));
    if (status.ok()) status = error;
    tape.state()->SetError(std::move(error));
    return Value(tape.state(), -1);
  }

  Tape tape;
  bool declares;
  std::vector<StateSpec> specs;
  std::vector<Slot> slots;
  absl::flat_hash_map<std::string, size_t> by_name;
  absl::Status status;
};

StateScope::StateScope(const Tape& scratch) : shared_(std::make_shared<Shared>(scratch, true)) {}

StateScope::StateScope(const Tape& tape, absl::Span<const StateSpec> specs,
                       absl::Span<const Value> values)
    : shared_(std::make_shared<Shared>(tape, false)) {
  if (specs.size() != values.size()) {
    shared_->Fail("scope",
                  absl::StrCat(specs.size(), " declarations, but ", values.size(), " values"), {});
    return;
  }
  for (size_t i = 0; i < specs.size(); i++) {
    if (values[i].ok() && values[i].type() != specs[i].type) {
      shared_->Fail(specs[i].name,
                    absl::StrCat("declared as ", ToString(specs[i].type), ", but its value is ",
                                 ToString(values[i].type())),
                    {});
    }
    shared_->Add(specs[i], values[i], {});
  }
}

StateScope StateScope::Within(std::string_view name) const {
  StateScope inner = *this;
  inner.prefix_.append(name).append("/");
  return inner;
}

Value StateScope::Get(std::string_view name, const Type& type, double start,
                      std::source_location where) const {
  const std::string full = prefix_ + std::string(name);
  const SourceLine line = LineOf(where);
  if (const Slot* slot = shared_->Find(full); slot != nullptr) {
    if (slot->spec.type != type || !slot->spec.StartsFrom(start)) {
      return shared_->Fail(
          full,
          absl::StrCat("asked for as ", ToString(type), " from ", FormatNumber(start),
                       ", but it is ", ToString(slot->spec.type), " from ",
                       FormatNumber(slot->spec.start)),
          line);
    }
    return slot->present;
  }
  if (!shared_->declares) {
    return shared_->Fail(full,
                         "was not asked for when the state was declared; a builder must ask for "
                         "the same state each time it runs",
                         line);
  }
  const Value present = shared_->tape.Input("state/" + full, type.dtype, type.shape, where);
  shared_->Add({full, type, start}, present, line);
  return present;
}

void StateScope::Set(std::string_view name, const Value& next, std::source_location where) const {
  const std::string full = prefix_ + std::string(name);
  const SourceLine line = LineOf(where);
  Slot* slot = shared_->Find(full);
  if (slot == nullptr) {
    shared_->Fail(full, "is set, but nobody asked for its present value", line);
    return;
  }
  slot->ever_set = true;
  if (next.tape() == nullptr) {
    shared_->Fail(full, "is set to a value of no tape", line);
    return;
  }
  // Where the value failed, its tape has the reason.
  if (!next.ok()) return;
  if (next.type() != slot->spec.type) {
    shared_->Fail(
        full,
        absl::StrCat("is ", ToString(slot->spec.type), ", but is set to ", ToString(next.type())),
        line);
    return;
  }
  if (slot->next.ok() && !(slot->next == next)) {
    shared_->Fail(full, "is set twice, to different values", line);
    return;
  }
  slot->next = next;
}

void StateScope::Commit() const {
  for (Slot& slot : shared_->slots) {
    if (slot.next.ok()) slot.present = std::exchange(slot.next, Value());
  }
}

const std::vector<StateSpec>& StateScope::specs() const { return shared_->specs; }

absl::Status StateScope::status() const { return shared_->status; }

absl::StatusOr<std::vector<Value>> StateScope::Next() const {
  if (!shared_->status.ok()) return shared_->status;
  std::vector<Value> next;
  for (const Slot& slot : shared_->slots) {
    if (shared_->declares && !slot.ever_set) {
      shared_->Fail(slot.spec.name, "is read, but never set", slot.first_read);
      return shared_->status;
    }
    next.push_back(slot.next.ok() ? slot.next : slot.present);
  }
  return next;
}

const Tape& StateScope::tape() const { return shared_->tape; }

absl::StatusOr<Array> StartOf(const StateSpec& spec) {
  absl::StatusOr<Array> array = Array::Zeros(kFloat64, Resolve(spec.type.shape, {}));
  if (!array.ok()) return array;
  for (double& element : array->mutable_data<double>()) element = spec.start;
  return array->Cast(spec.type.dtype);
}

}  // namespace talweg
