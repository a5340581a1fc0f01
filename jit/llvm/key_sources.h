#ifndef TALWEG_JIT_LLVM_KEY_SOURCES_H_
#define TALWEG_JIT_LLVM_KEY_SOURCES_H_

namespace talweg::native {

// A hash of the files that decide what an object is and what it expects of the process it runs in,
// as BUILD lists them: their next version does not take this one's objects. BUILD writes the .cc.
const char* SourcesHash();

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_KEY_SOURCES_H_
