#include <cstring>
#include <memory>

#include "graph/op.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

class RandomInstruction : public PlanStep {
 public:
  RandomInstruction(const RandomRule& rule, const Place& out, const Address& key,
                    const Address& stream)
      : rule_(rule),
        out_(out.address),
        key_(key),
        stream_(stream),
        dtype_(out.dtype),
        n_(out.size()) {}

  bool Run(Frame& frame) const override {
    uint64_t key, stream;
    std::memcpy(&key, frame.At(key_), sizeof(key));
    std::memcpy(&stream, frame.At(stream_), sizeof(stream));
    rule_.fill(key, stream, dtype_, n_, frame.At(out_));
    return true;
  }

 private:
  const RandomRule& rule_;
  const Address out_, key_, stream_;
  const DType dtype_;
  const int64_t n_;
};

}  // namespace

absl::Status PlanRandom(Planner& planner) {
  const Place out = planner.NewValue(planner.node().type().dtype, planner.ResultDims());
  const Address key = planner.Read(planner.operand(0));
  const Address stream = planner.Read(planner.operand(1));
  planner.Emit(std::make_unique<RandomInstruction>(*planner.node().op->random, out, key, stream),
               {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace talweg
