#ifndef TALWEG_GRAPH_LOOP_PLACES_H_
#define TALWEG_GRAPH_LOOP_PLACES_H_

#include <cstddef>

#include "graph/attributes.h"

namespace talweg {

// Where a loop's values stand. Its operands are the trips, where the loop binds rows their numbers,
// then captures, carried and scanned values: `first` is that of the first capture. The body's
// inputs are the trip and the same values; its outputs, and the loop's parts, the carried and the
// stacked ones.
//
//   const auto [first, captures, carried, scanned, stacked] = LoopPlaces(loop);
//   node.operands[first + captures + k]  // where carried value k starts
//   body.inputs()[1 + captures + k]      // it, within a trip
//   body.outputs()[k]                    // and for the next one
struct LoopPlaces {
  explicit LoopPlaces(const LoopAttributes& a)
      : first(a.binds_rows ? 2 : 1),
        captures(static_cast<size_t>(a.captures)),
        carried(static_cast<size_t>(a.carried)),
        scanned(static_cast<size_t>(a.scanned)),
        stacked(static_cast<size_t>(a.stacked)) {}
  // Counts, but for the first.
  size_t first, captures, carried, scanned, stacked;

  // Values that enter a trip, numbered from the first capture on.
  size_t inputs() const { return captures + carried + scanned; }
  bool is_carried(size_t input) const { return input >= captures && input < captures + carried; }
  bool is_scanned(size_t input) const { return input >= captures + carried; }
};

}  // namespace talweg

#endif  // TALWEG_GRAPH_LOOP_PLACES_H_
