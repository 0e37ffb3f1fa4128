#pragma once

#include <string>

#include "sallyport/config/file.h"
#include "sallyport/gateway/settings.h"

namespace sallyport::cli {

/// A configuration file that was read, or every problem with it.
struct Configuration {
  config::Reading<gateway::Settings> reading;
  /// How many of the problems are guarantees lowered without being acknowledged, and nothing else.
  std::size_t refused_dangers = 0;
};

/// Reads `file`. A `dangerous_*` setting that is in force without being acknowledged is a problem like any other: neither
/// `check` nor `serve` lets it pass.
Configuration load_configuration(const std::string& file, const config::Environment& environment);

}  // namespace sallyport::cli
