#ifndef TALWEG_JIT_SOURCES_H_
#define TALWEG_JIT_SOURCES_H_

namespace talweg {

// A hash of the files that decide what becomes of a graph and what compiled code expects of its
// process, as BUILD lists them: their next version takes nothing that this one compiled. BUILD
// writes the .cc.
const char* SourcesHash();

}  // namespace talweg

#endif  // TALWEG_JIT_SOURCES_H_
