#ifndef TALWEG_OPS_LOOP_H_
#define TALWEG_OPS_LOOP_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

extern const Op kLoopOp;

// A loop as a value: the body is a graph of its own that is run once for each trip. State is
// carried from trip to trip; there are no assignments, so derivatives go through a loop as through
// any op.
//
//   // w after 100 steps of gradient descent on batches, and the loss of each step
//   LoopResult r = Loop(t, {.trips = 100, .carried = {w0}, .scanned = {batches}},
//                       [&](LoopBody& body) -> LoopStep {
//                         Value w = body.carried[0], x = body.scanned[0];
//                         Value loss = Mean(Square(MatMul(x, w)));
//                         return {.carried = {w - 0.1 * Gradient(loss, w)}, .stacked = {loss}};
//                       });
//   Value w = r.carried[0], losses = r.stacked[0];            // losses: [100]
//
// The function is called once, to build the body. Values from outside may be used in it; those that
// meet values of the body become captures, the same in each trip. The body has no inputs of its own
// (Tape::Input): what comes from outside is carried, scanned or captured.

// What the body is built from.
struct LoopBody {
  Tape tape;                   // for Iota, Constant and Size inside of the body
  Value trip;                  // int64 scalar: 0, 1, ...
  std::vector<Value> carried;  // in the order of LoopOptions::carried
  std::vector<Value> scanned;  // this trip's slices
};

// What one trip yields.
struct LoopStep {
  std::vector<Value> carried;  // the next values; types as they were
  std::vector<Value> stacked = {};
  Value stop = {};  // optional bool scalar: whether this trip is the last
};

struct LoopOptions {
  // How many trips: a number or an int64 scalar. At most the leading extent of scanned values and
  // of `rows`. Below 0 counts as 0; but the number -1, the default, means all of what is scanned. A
  // number that is no integer is an error.
  Arg trips = -1;
  std::vector<Value> carried = {};
  // Their leading axis is cut into slices, one a trip.
  std::vector<Value> scanned = {};
  // Visits the trips from the last to the first, and all of them: nobody ends it from outside
  // (RunOptions::stop).
  bool reversed = false;
  // int32 or int64 [trips]: the value of the symbol `rows` in each trip, for batches of which the
  // last one is smaller. At most `rows_limit`, which is needed with it; compiled code has memory
  // for that many. Without it rows means in the body what it means outside.
  Value rows = {};
  int64_t rows_limit = 0;
  // Runs all of its trips even where the run is told to stop (RunOptions::stop), and does not count
  // them (RunOptions::progress).
  bool whole = false;
};

struct LoopResult {
  std::vector<Value> carried;  // after the last trip
  // Along a new leading axis; slices of trips that did not run are zero. The extent is that of the
  // scanned values or of `rows`, or `trips` if it is a number, else the run-time symbol kTrips.
  std::vector<Value> stacked;
  Value trips;  // int64 scalar: trips that were run
};

LoopResult Loop(const Tape& tape, const LoopOptions& options,
                const std::function<LoopStep(LoopBody&)>& body,
                std::source_location where = std::source_location::current());

// Runs `body` once with `rows` bound to another number: how a model for [rows, ...] is evaluated on
// data of a given size inside of a graph whose own rows are something else.
std::vector<Value> WithRows(const Tape& tape, int64_t rows,
                            const std::function<std::vector<Value>(Tape&)>& body,
                            std::source_location where = std::source_location::current());

// ---- For those who write derivatives and passes. ----

// The outputs of a loop node, in the order of LoopAttributes.
std::vector<Value> LoopParts(const Value& loop);

}  // namespace talweg

#endif  // TALWEG_OPS_LOOP_H_
