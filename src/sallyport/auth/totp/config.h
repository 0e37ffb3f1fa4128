#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/config/schema.h"
#include "sallyport/config/value.h"

namespace sallyport::auth {

/// Where the code travels beside a request.
enum class CodePlace : std::uint8_t { header, query };
std::vector<config::EnumName<CodePlace>> enum_names(CodePlace);

struct TotpConfig {
  config::FilePath secrets_file;
  std::vector<CodePlace> from = {CodePlace::header};
  std::uint32_t drift = 1;
  config::Rate attempts{10, std::chrono::hours(1)};
  std::chrono::seconds lifetime{std::chrono::hours(12)};
};

config::Schema<TotpConfig> totp_schema();

}  // namespace sallyport::auth
