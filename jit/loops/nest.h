#ifndef TALWEG_JIT_LOOPS_NEST_H_
#define TALWEG_JIT_LOOPS_NEST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "jit/loops/level.h"
#include "jit/loops/reader.h"
#include "jit/loops/tensor.h"

namespace talweg::loops {

// Vectors of a lane axis that are written out side by side, at most.
inline constexpr int64_t kMostVectors = 4;
// A sum of fewer terms has no loop, and does not make others wait.
inline constexpr int64_t kShortSum = 8;

// How a nest runs over its domain.
struct Schedule {
  int32_t lane_axis = -1;  // of the domain; -1: scalars
  int32_t lanes = 1;       // of a full vector
  int64_t vectors = 1;     // side by side along the lane axis
  // Other axes, and how many points along each are worked on at once.
  struct Tile {
    int32_t axis = -1;
    int64_t size = 1;
    friend bool operator==(const Tile&, const Tile&) = default;
  };
  absl::InlinedVector<Tile, 2> tiles = {};
  // Loops over the tiles lie around those over single points: what only differs from tile to tile
  // stays in registers.
  bool tiles_outside = false;
  bool unrolls = true;  // loops over the terms of sums may do a few at a time
  bool turns = false;   // chains of a sum take turns, where they do not lie in the lanes
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

// What is written where; -1: zeros.
struct Target {
  NodeId id = -1;
  Tensor to;
};

// One section of the program: loops over a domain, and in them what the members of a fusion group
// compute (private to jit/loops). Emits the nest in several schedules and keeps the cheapest.
class Nest {
 public:
  Nest(Level& level, std::string label, const Shape& shape);
  // A node that is computed here. Everything else is read from memory.
  void AddMember(NodeId id) {
    members_.insert(id);
    order_.push_back(id);
  }
  // The elements of `id`, which may also be a view or another node that is read through, go there.
  void Write(NodeId id, Tensor to) { writes_.push_back({id, std::move(to)}); }
  // The same, read from a tensor that stands for the node.
  void WriteFrom(NodeId id, Tensor from, Tensor to) {
    from_.push_back({id, std::move(from)});
    Write(id, std::move(to));
  }
  void WriteZeros(Tensor to) { writes_.push_back({-1, std::move(to)}); }
  void Emit();

 private:
  const Shape& ShapeOf(NodeId id) const { return level_.node(id).type().shape; }
  void Flatten();
  // Copies of operands that the schedule would rather read.
  void Prepare(const Schedule& schedule);
  // Of the sums that may take turns, or of the others.
  void PrepareTerms(bool in_turn);
  std::vector<Tensor> FlatTerms(NodeId id);
  void PrepareLanes(const Schedule& schedule);
  bool IsDoneOnce() const;

  // Which schedules are worth a try: nest_schedule.cc.
  struct Sums {
    bool contract_in_order = false, contract_in_chains = false;  // contractions of either order
    bool reduce_in_order = false;                                // reductions by one chain
    bool take_turns = false;                                     // some sums' chains may
    DType dtype = kFloat32;                                      // of contractions
    int64_t terms = 0;                                           // of the longest contraction
  };
  std::vector<Schedule> Candidates() const;
  // The one that makes this nest's loops those of others that read what it writes, or write what it
  // reads (join_plan.h).
  std::optional<Schedule> ScheduleToJoin() const;
  Sums SumsOf() const;
  int32_t LanesOfVector() const;
  bool MayTakeLanes(int32_t axis, int32_t full) const;
  static int32_t LanesOfChains(int64_t extent, int32_t full, const Sums& sums);
  Schedule Along(int32_t axis, int32_t full, const Sums& sums) const;
  // Tiles along one axis or two that do not lie in the lanes, of `most` points at most.
  void ChooseTiles(int64_t most, bool along_one, Schedule& schedule) const;
  int64_t LikelyExtent(Dim dim) const { return level_.LikelyExtent(dim); }
  bool MayOverrun(int32_t axis) const;

  // Emission: nest_emit.cc.
  void EmitWith(const Schedule& schedule);
  Builder::Loop OpenDomain(Bound begin, Bound end, int64_t step);
  void LoopOverPanels(const Schedule& schedule);
  void LoopOverAll(const Schedule& schedule);
  // Loops over single points of axes from this one on, and of tiles from this one on; inside of
  // all, what is done at all points of a tile.
  void LoopOver(const Schedule& schedule, size_t axis, std::vector<Indices> at, bool clamped);
  void LoopOverTiles(const Schedule& schedule, size_t tile, const std::vector<Indices>& at,
                     bool clamped);
  void LoopOverLanes(const Schedule& schedule, const std::vector<Indices>& tiles, bool clamped);
  // Points are the vectors of a first piece of the lane axis, one for each of the tiles, then of
  // the next piece.
  void Body(const std::vector<Point>& all, size_t tiles, bool clamped);
  // Lets threads share the section's outermost loops over the domain, if they do much (threads.cc).
  void SplitOverThreads(Section& section) const;
  Point InShape(const Shape& shape, const Point& domain_point) const;

  Level& level_;
  Builder& b_;
  const std::string label_;
  Shape domain_;
  bool flat_ = false;
  std::vector<NodeId> order_;
  absl::flat_hash_set<NodeId> members_;
  std::vector<Target> writes_;
  std::vector<std::pair<NodeId, std::vector<Tensor>>> terms_;
  std::vector<std::pair<NodeId, Tensor>> copies_, from_;
  Reader* reader_ = nullptr;
  // Where the lane axis begins, and how far it goes: all of it or a panel.
  Register first_lane_ = kNone;
  Bound lane_extent_;
  // The variables of the loops over the domain.
  absl::flat_hash_set<Register> over_domain_;
};

// What a section costs, in cycles or so, by its instructions and the trips of its loops; the same
// of a trip of a loop.
double CostOf(const Program& program, const Section& section, const Machine& machine);
double CostOfTrip(const Program& program, const For& loop, const Machine& machine);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_NEST_H_
