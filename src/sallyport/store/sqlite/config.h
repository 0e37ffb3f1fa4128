#pragma once

#include <chrono>
#include <string>

namespace sallyport::store {

struct SqliteConfig {
  std::string path;                              ///< of the file; relative to the working directory, its folder exists
  std::chrono::milliseconds busy_timeout{1000};  ///< longest wait for another process's lock
};

}  // namespace sallyport::store
