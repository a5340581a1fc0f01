#ifndef TALWEG_JIT_LOOPS_ROWS_H_
#define TALWEG_JIT_LOOPS_ROWS_H_

#include <cstdint>
#include <map>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

// Whether trips follow each other for nothing but what they do to memory.
bool IsPlain(const For& loop);
// Whether that is a loop over so many rows, all of them.
bool IsOverAll(const For& loop, const Bound& rows);

// How a section uses a buffer.
struct RowUse {
  // Each trip of a loop over rows touches only the elements from row * stride on that are its
  // rows'; 0: not so, or nobody knows.
  int64_t stride = 0;
  bool reads = false, writes = false;
  bool repeats = false;     // each row reads, or may read, the same again
  bool is_scratch = false;  // stored to first, and in loops over rows only
};

// Reads a section as loops over rows, which may stand in other loops, and finds what each row
// touches (for strips.h).
//
//   for %5 = 0 to 50 step 5
//     for %6 = 0 to %3                         %3 rows
//       %7 int64 = mul %6 800
//       %8 int64 = add %7 %5
//       store hidden[%8] ...                   hidden is written with a stride of 800
class RowReader {
 public:
  RowReader(const Program& program, const Bound& rows) : program_(program), rows_(rows) {}

  // False where something in it may only be done once, or is not in a loop over the rows.
  bool Read(const Section& section) { return ReadAround(section.body, false) && loops_ > 0; }

  const std::map<int32_t, RowUse>& uses() const { return uses_; }
  // The largest step of the loops over the rows; all are powers of two.
  int64_t step() const { return step_; }
  // Whether all that the section does for some rows comes before what it does for those behind.
  bool keeps_order() const { return loops_ == 1 && !is_nested_; }

 private:
  // A sum of multiples of loop variables, a constant, and perhaps what nobody knows.
  struct Linear {
    int64_t constant = 0, of_row = 0;
    int64_t least = 0, most = 0;  // of the multiples of variables other than the row
    bool is_known = true;
  };

  bool ReadAround(const Block& block, bool in_loop);
  bool ReadRow(const Block& block);
  void AddVariable(const For& loop);
  void Add(const Instruction& instruction);
  Linear LinearOf(Register index) const;
  std::optional<Linear> LinearOf(const Instruction& made) const;
  int64_t StrideOf(const Instruction& access, const Linear& index) const;

  const Program& program_;
  const Bound rows_;
  absl::flat_hash_map<Register, Linear> linear_;
  std::map<int32_t, RowUse> uses_;
  int64_t step_of_row_ = 0;  // of the loop over rows that is being read; 0: none
  int64_t step_ = 0;
  int64_t loops_ = 0;  // over rows
  bool is_nested_ = false;
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_ROWS_H_
