#ifndef TALWEG_DATA_USER_PATH_H_
#define TALWEG_DATA_USER_PATH_H_

#include <string>
#include <string_view>

namespace talweg {

// Under `bazel run` a program starts elsewhere than where its user stands. This is the folder that
// Bazel names then (BUILD_WORKING_DIRECTORY); else it is empty, and paths are right as they are.
std::string UserFolder();

// A path of the user's, relative ones from that folder:
//
//   ReadDataset(UserPath(argv[1]), {.label = "label"})
std::string UserPath(std::string_view path, std::string_view folder = UserFolder());

}  // namespace talweg

#endif  // TALWEG_DATA_USER_PATH_H_
