#pragma once

#include "sallyport/auth/opening/opening.h"

/// One function for each protocol; see parse_opening().
namespace sallyport::auth {

Result<Opening> parse_json_opening(std::string_view pointer, std::string_view text);
Result<Opening> parse_graphql_opening(std::string_view pointer, std::string_view text);
Result<Opening> parse_socketio_opening(std::string_view pointer, std::string_view text);
Result<Opening> parse_stomp_opening(std::string_view header, std::string_view frame);
Result<Opening> parse_mqtt_opening(std::string_view field, std::string_view packets);

/// The credential at `pointer` in `value`, and the text of `value` without it.
struct Taken {
  Secret token;
  std::string rest;
};
/// Errors: `credential.missing`, `message.malformed`.
Result<Taken> take_from_json(const json::Value& value, std::string_view pointer);

/// `text` as a credential, without "Bearer " before it. Errors: `credential.missing` when nothing is left.
Result<Secret> bare_credential(std::string_view text);

}  // namespace sallyport::auth
