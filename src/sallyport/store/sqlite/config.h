#pragma once

#include <chrono>

#include "sallyport/config/plug.h"

namespace sallyport::store {

struct SqliteConfig {
  config::FilePath path;                         ///< its folder exists
  std::chrono::milliseconds busy_timeout{1000};  ///< longest wait for another process's lock
};

config::Plug sqlite_plug();

}  // namespace sallyport::store
