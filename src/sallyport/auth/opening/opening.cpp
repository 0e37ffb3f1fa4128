#include "sallyport/auth/opening/opening.h"

#include "sallyport/auth/opening/opening_parts.h"
#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {

std::vector<config::EnumName<OpeningProtocol>> enum_names(OpeningProtocol) {
  return {
      {OpeningProtocol::control, "control",
       "The control channel: `{\"$sallyport\":{\"op\":\"authenticate\",\"token\":…}}`."},
      {OpeningProtocol::json, "json", "A JSON object of the application's own."},
      {OpeningProtocol::graphql_ws, "graphql-ws",
       "`connection_init` of graphql-transport-ws and of the older subscriptions-transport-ws."},
      {OpeningProtocol::socketio, "socketio", "The CONNECT packet of Socket.IO 3 and later, with its auth data."},
      {OpeningProtocol::stomp, "stomp", "The CONNECT or STOMP frame."},
      {OpeningProtocol::mqtt, "mqtt", "The CONNECT packet of MQTT 3.1.1 and 5."},
  };
}

Result<Opening> parse_opening(OpeningProtocol protocol, std::string_view where, const FirstMessage& message) {
  const bool binary = message.kind == FirstMessage::Kind::binary;
  if (binary && protocol != OpeningProtocol::mqtt && protocol != OpeningProtocol::stomp)
    return Error{Reason::message_malformed, "the first message is binary"};
  const std::string_view content = text_of(message.content);
  switch (protocol) {
    case OpeningProtocol::control:
      break;
    case OpeningProtocol::json:
      return parse_json_opening(where, content);
    case OpeningProtocol::graphql_ws:
      return parse_graphql_opening(where, content);
    case OpeningProtocol::socketio:
      return parse_socketio_opening(where, content);
    case OpeningProtocol::stomp:
      return parse_stomp_opening(where, content);
    case OpeningProtocol::mqtt:
      if (!binary) return Error{Reason::message_malformed, "an MQTT packet in a text"};
      return parse_mqtt_opening(where, content);
  }
  throw_bug("the control channel is read elsewhere");
}

std::string_view usual_place(OpeningProtocol protocol) {
  switch (protocol) {
    case OpeningProtocol::control:
      return "";
    case OpeningProtocol::json:
    case OpeningProtocol::socketio:
      return "/token";
    case OpeningProtocol::graphql_ws:
      return "/payload/token";
    case OpeningProtocol::stomp:
      return "Authorization";
    case OpeningProtocol::mqtt:
      return "password";
  }
  return "";
}

std::optional<std::string> complaint_about_place(OpeningProtocol protocol, std::string_view where) {
  switch (protocol) {
    case OpeningProtocol::control:
      return "the control channel has one place for it";
    case OpeningProtocol::json:
    case OpeningProtocol::graphql_ws:
    case OpeningProtocol::socketio:
      if (where.size() > 1 && where.starts_with('/')) return std::nullopt;
      return "a JSON pointer such as /payload/token expected";
    case OpeningProtocol::stomp:
      if (http::is_token(where)) return std::nullopt;
      return "the name of a header such as passcode expected";
    case OpeningProtocol::mqtt:
      if (where == "password" || where == "username") return std::nullopt;
      return "password or username expected";
  }
  return std::nullopt;
}

std::optional<std::string> greeting(OpeningProtocol protocol, crypto::Random& random) {
  if (protocol != OpeningProtocol::socketio) return std::nullopt;
  // Engine.IO 4 begins with a packet of the server's. Its times are the defaults of its server.
  return "0{\"sid\":\"" + base64url_encode(bytes_of(random.bytes(15))) +
         "\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
}

Result<Secret> bare_credential(std::string_view text) {
  constexpr std::string_view scheme = "bearer ";
  if (text.size() >= scheme.size() && http::equal_ignoring_case(text.substr(0, scheme.size()), scheme))
    text.remove_prefix(scheme.size());
  if (text.empty()) return Error{Reason::credential_missing, "the credential is empty"};
  return Secret(std::string(text));
}

}  // namespace sallyport::auth
