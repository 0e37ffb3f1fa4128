#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/config/schema.h"
#include "sallyport/config/value.h"

namespace sallyport::auth {

/// Where the signature of a request travels.
enum class SignaturePlace : std::uint8_t { header, query };
std::vector<config::EnumName<SignaturePlace>> enum_names(SignaturePlace);

struct SignedRequestConfig {
  config::FilePath keys_file;
  std::vector<SignaturePlace> from = {SignaturePlace::header};
  std::vector<std::string> components = {"@method", "@authority", "@path", "@query"};
  std::string tag = "sallyport";
  std::chrono::seconds window{60};
  std::chrono::seconds skew{10};
  std::chrono::seconds lifetime{std::chrono::hours(12)};
};

config::Schema<SignedRequestConfig> signed_request_schema();

}  // namespace sallyport::auth
