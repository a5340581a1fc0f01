#include "data/user_path.h"

#include <cstdlib>
#include <filesystem>

namespace talweg {

std::string UserFolder() {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr ? "" : folder;
}

std::string UserPath(std::string_view path, std::string_view folder) {
  // Nothing stays nothing: it is no path.
  if (path.empty() || folder.empty()) return std::string(path);
  return (std::filesystem::path(folder) / path).string();
}

}  // namespace talweg
