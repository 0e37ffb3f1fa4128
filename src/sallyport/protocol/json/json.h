#pragma once

#include "sallyport/config/plug.h"
#include "sallyport/protocol/adapter.h"
#include "sallyport/protocol/json/config.h"
#include "sallyport/protocol/json/scan.h"

namespace sallyport::protocol {

/// Reads messages that are JSON objects with the verb and the resource in members of theirs. Texts only.
/// Errors: `message.malformed`, `message.unsupported` for a binary message; nothing else.
/// Spec:   scan_json(); besides, verb and resource are of 1 to 1024 bytes and without control characters, a resource that is a number
///         is an integer that a double holds exactly, written without fraction and exponent, and stands as its digits.
class JsonAdapter final : public Adapter {
 public:
  /// `config` has passed json_schema().
  explicit JsonAdapter(const JsonConfig& config);

  Result<std::span<const Operation>> read(const Message& message, Workspace& workspace) const override;

 private:
  JsonSelection selection_;
  std::vector<std::string> resource_optional_;
};

config::Plug json_plug();

}  // namespace sallyport::protocol
