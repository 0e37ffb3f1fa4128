#pragma once

#include <string>

#include "sallyport/auth/session/sources/query_threads.h"

namespace sallyport::auth {

struct FileLayout {
  std::string folder;
  std::string pattern;            ///< holds one `{id}` and no slash
  std::uint32_t depth;            ///< levels of folders between, each named by the next character of the id
  std::chrono::seconds lifetime;  ///< from a file's last change; zero: files do not say when a session ends
};

/// Sessions in files. Only a regular file is read, directly below its folder and never through a symbolic link.
OpenSessionQuery open_files(FileLayout layout);

}  // namespace sallyport::auth
