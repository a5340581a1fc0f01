#ifndef TALWEG_JIT_LOOPS_GUESSES_H_
#define TALWEG_JIT_LOOPS_GUESSES_H_

#include <cstdint>

namespace talweg::loops {

// What stands for an extent or a number of trips that only a run knows, where nothing limits it
// (private to jit/loops). Speed alone depends on them, but all schedules do; each is for a choice
// of its own, which is why they differ.

// Rows, when tiles, lanes, blocks and copies are chosen: many, so that what repays from many on is
// done.
inline constexpr int64_t kGuessedRows = 256;
// Rows or trips, when it is weighed whether instances lie innermost: a minibatch of a sweep.
inline constexpr double kGuessedRowsOfInstances = 64;
// Trips of a nest's outermost loop, when it is asked whether threads share it.
inline constexpr double kGuessedTripsToShare = 64;
// Elements along a loop, when schedules are compared: one step of many lanes stands for as many of
// few.
inline constexpr double kGuessedExtentOfLoop = 32;

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_GUESSES_H_
