#include "sallyport/http/upgrade.h"

#include <algorithm>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr std::size_t max_subprotocols = 64;

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }
Error upgrade_required(std::string detail) { return {Reason::http_upgrade_required, std::move(detail)}; }

// `protocol-name ["/" protocol-version]`, RFC 9110 §7.8.
bool is_protocol(std::string_view text) {
  const auto slash = text.find('/');
  return is_token(text.substr(0, slash)) && (slash == std::string_view::npos || is_token(text.substr(slash + 1)));
}

}  // namespace

Result<std::vector<std::string>> parse_subprotocols(const Headers& headers) {
  std::vector<std::string> out;
  for (const std::string_view line : headers.find_all("sec-websocket-protocol")) {
    for (const std::string_view element : split_list(line)) {
      if (!is_token(element)) return malformed("Sec-WebSocket-Protocol is no list of tokens");
      if (std::find(out.begin(), out.end(), element) != out.end())
        return malformed("Sec-WebSocket-Protocol names one twice");
      if (out.size() == max_subprotocols) return malformed("Sec-WebSocket-Protocol names more than 64");
      out.emplace_back(element);
    }
  }
  return out;
}

bool is_websocket_key(std::string_view text) {
  if (text.size() != 24 || text.substr(22) != "==") return false;
  if (!std::all_of(text.begin(), text.begin() + 22, [](char c) { return is_alnum(c) || c == '+' || c == '/'; }))
    return false;
  // The last letter carries two bits; the other four must be zero.
  return std::string_view("AQgw").find(text[21]) != std::string_view::npos;
}

namespace {

// The fields that ask HTTP/1.1 for a WebSocket.
Result<void> check_upgrade_fields(const Request& request) {
  const Headers& headers = request.headers();
  if (request.method() != "GET") return Error{Reason::http_method_not_allowed, "method is not GET"};

  const auto protocols = headers.find_elements("upgrade");
  if (!std::all_of(protocols.begin(), protocols.end(), is_protocol))
    return malformed("Upgrade is no list of protocols");
  if (std::none_of(protocols.begin(), protocols.end(), [](auto p) { return equal_ignoring_case(p, "websocket"); })) {
    return upgrade_required("Upgrade does not name websocket");
  }
  const auto options = headers.find_elements("connection");
  if (!std::all_of(options.begin(), options.end(), is_token)) return malformed("Connection is no list of tokens");
  if (std::none_of(options.begin(), options.end(), [](auto o) { return equal_ignoring_case(o, "upgrade"); })) {
    return upgrade_required("Connection does not name upgrade");
  }
  return {};
}

// The same in HTTP/2, where Upgrade and Connection cannot be.
Result<void> check_extended_connect(const Request& request) {
  if (request.method() == "GET") return upgrade_required("GET where a websocket is to be had by CONNECT");
  if (request.method() != "CONNECT") return Error{Reason::http_method_not_allowed, "method is not CONNECT"};
  if (request.protocol() != Protocol::websocket) return Error{Reason::http_unsupported, ":protocol is not websocket"};
  return {};
}

}  // namespace

Result<Upgrade> parse_upgrade(Request request) {
  const Headers& headers = request.headers();
  const bool http2 = request.version() == Version::http2;
  TRY_OK(http2 ? check_extended_connect(request) : check_upgrade_fields(request));
  const auto versions = headers.find_all("sec-websocket-version");
  if (versions.size() != 1 || versions.front() != "13")
    return upgrade_required("Sec-WebSocket-Version is not 13, once");

  const auto keys = headers.find_all("sec-websocket-key");
  if (http2 && !keys.empty()) return malformed("Sec-WebSocket-Key has no meaning in HTTP/2");
  if (!http2 && keys.size() != 1)
    return malformed(keys.empty() ? "Sec-WebSocket-Key is missing" : "Sec-WebSocket-Key is there twice");
  if (!http2 && !is_websocket_key(keys.front())) return malformed("Sec-WebSocket-Key is not the base64 of 16 bytes");
  if (request.content_length().value_or(0) != 0) return malformed("an upgrade has no body");

  TRY(auto subprotocols, parse_subprotocols(headers));
  Upgrade out(std::move(request));
  out.subprotocols_ = std::move(subprotocols);
  return out;
}

std::string accept_key(std::string_view key) {
  std::string text(key);
  text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base64_encode(crypto::sha1(bytes_of(text)));
}

}  // namespace sallyport::http
