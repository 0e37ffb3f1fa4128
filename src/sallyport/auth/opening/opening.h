#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/config/schema.h"
#include "sallyport/crypto/random.h"

/// The first message of a client that carries its credential inside the socket, in the words of the protocol that it speaks.
namespace sallyport::auth {

/// How that message is written.
enum class OpeningProtocol : std::uint8_t { control, json, graphql_ws, socketio, stomp, mqtt };
std::vector<config::EnumName<OpeningProtocol>> enum_names(OpeningProtocol);

/// A whole message, unmasked. Trust: hostile, except that a text is UTF-8.
struct FirstMessage {
  enum class Kind : std::uint8_t { text, binary };
  Kind kind = Kind::text;
  Bytes content;
};

struct Opening {
  Secret token;  ///< hostile; never empty
  /// What the backend gets: the message without the credential. Nothing: the message was for the gateway alone.
  std::optional<std::string> for_backend;
  /// Whom the message says the client is, which the backend will read as well. Empty: nobody. Trust: hostile.
  std::string claimed_subject = {};
};

/// Reads the first message.
/// Trust:  `message` is hostile, and so is the token.
/// Errors: `credential.missing` when it is of the protocol and carries no credential, `message.malformed` when it is no first message
///         of the protocol, or parsers might read two things in it; nothing else. The detail never holds the credential.
///         What is claimed beside the credential must be compared with what that proves.
/// Spec:   `where` names the place of the credential: for json, graphql-ws and socketio a JSON pointer (RFC 6901) into the message, or
///         for socketio into the packet's data; for stomp a header; for mqtt `password` or `username`. "Bearer " before it is
///         taken off. `control` is ws::parse_control's to read, and no message of it comes here.
Result<Opening> parse_opening(OpeningProtocol protocol, std::string_view where, const FirstMessage& message);

/// Where the credential stands when nothing else is said.
std::string_view usual_place(OpeningProtocol protocol);
/// Why `where` is no place of a credential in `protocol`; nothing when it is one.
std::optional<std::string> complaint_about_place(OpeningProtocol protocol, std::string_view where);

/// What a client of the protocol must be told before it says anything, in place of the backend, whose own first message is then
/// dropped; nothing where the client begins.
std::optional<std::string> greeting(OpeningProtocol protocol, crypto::Random& random);

}  // namespace sallyport::auth
