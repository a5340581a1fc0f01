#ifndef TALWEG_JIT_FLOATS_H_
#define TALWEG_JIT_FLOATS_H_

#include <fenv.h>

namespace talweg {

// While it lives, this thread computes as a new process does: it rounds to nearest and keeps
// denormals. What a compiler computes must not depend on what its caller has set, since its code
// may be kept for others (jit/image.h). The caller's own settings, and the flags that it has, come
// back at the end.
class DefaultFloats {
 public:
  DefaultFloats() {
    fegetenv(&before_);
    fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloats() { fesetenv(&before_); }
  DefaultFloats(const DefaultFloats&) = delete;
  DefaultFloats& operator=(const DefaultFloats&) = delete;

 private:
  fenv_t before_;
};

}  // namespace talweg

#endif  // TALWEG_JIT_FLOATS_H_
