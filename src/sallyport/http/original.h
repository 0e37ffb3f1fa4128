#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/http/request.h"

namespace sallyport::http {

/// How a proxy that asks whether a request may pass tells what the request was. Never guessed: a client could write the fields of
/// another form itself.
enum class OriginalForm : std::uint8_t {
  x_original,   ///< X-Original-Method and either X-Original-URL or X-Original-Host, -URI and -Proto (nginx, HAProxy)
  x_forwarded,  ///< X-Forwarded-Method, -Host, -Uri and -Proto (Traefik, Caddy)
  path,         ///< its own method and Host, its own path behind a prefix, and X-Forwarded-Proto (Envoy)
};

struct OriginalRules {
  OriginalForm form = OriginalForm::x_original;
  std::string prefix;  ///< of `path`; empty or without a slash at its end
  /// In which the proxy names the client's address, at the right end of a list or alone.
  std::string client_field = "X-Forwarded-For";
  /// A field of the proxy's own, which no client sends.
  std::string secret_field;
};

struct Original {
  Request request;
  std::string client_address;  ///< as written: whom the proxy had its request from
};

/// The request that `asked` is about: its fields without those that the proxy wrote and those of one hop, read as strictly as if it had
/// come by itself.
/// Trust:  `asked` comes from a proxy that is trusted to write the fields of `rules.form` and the last element of `client_field` itself, in
///         place of a client's; everything else in it is the client's and hostile.
/// Errors: `http.malformed` when one of those fields is missing or there twice, and for what parse_request_head() refuses;
///         `http.method_not_allowed` for any method but GET: a handshake has no other. `http.headers_too_large`.
Result<Original> read_original(const Request& asked, const OriginalRules& rules);

}  // namespace sallyport::http
