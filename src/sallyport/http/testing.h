#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sallyport/http/request.h"
#include "sallyport/http/upgrade.h"

/// Requests for the tests of this folder and of those above it.
namespace sallyport::http::testing {

/// What reading a whole text came to: a value, an Error, or nothing because the text ended too early.
template <class T>
struct Outcome {
  std::optional<T> value;
  std::optional<Error> error;

  bool incomplete() const { return !value && !error; }
  bool ok() const { return value.has_value(); }
  /// The public name of the reason, `ok` or `incomplete`.
  std::string_view verdict() const { return ok() ? "ok" : incomplete() ? "incomplete" : row(error->reason).name; }
};

inline Outcome<ParsedRequest> read_request(std::string_view text, const Limits& limits = {},
                                           Scheme scheme = Scheme::https, std::size_t step = SIZE_MAX) {
  HeadProgress progress;
  std::size_t size = 0;
  while (true) {
    size = step >= text.size() - size ? text.size() : size + step;
    auto parsed = parse_request_head(bytes_of(text.substr(0, size)), progress, scheme, limits);
    if (!parsed.ok()) return {std::nullopt, parsed.error()};
    if (parsed->has_value()) return {std::move(*parsed), std::nullopt};
    if (size == text.size()) return {};
  }
}

inline Outcome<Upgrade> read_upgrade(std::string_view text, const Limits& limits = {}, Scheme scheme = Scheme::https,
                                     std::size_t step = SIZE_MAX) {
  auto request = read_request(text, limits, scheme, step);
  if (!request.ok()) return {std::nullopt, request.error};
  auto upgrade = parse_upgrade(std::move(request.value->request));
  if (!upgrade.ok()) return {std::nullopt, upgrade.error()};
  return {std::move(upgrade).value(), std::nullopt};
}

/// A valid upgrade with `more` field lines (each with its CRLF) after the Host.
inline std::string upgrade_text(std::string_view target = "/ws/echo", std::string_view more = "",
                                std::string_view host = "gw.example.test") {
  std::string out = "GET ";
  out.append(target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n").append(more);
  return out.append(
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n\r\n");
}

}  // namespace sallyport::http::testing
