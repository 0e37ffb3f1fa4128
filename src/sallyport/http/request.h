#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/http/authority.h"
#include "sallyport/http/cookie.h"
#include "sallyport/http/head.h"
#include "sallyport/http/headers.h"
#include "sallyport/http/target.h"

namespace sallyport::http {

struct ParsedRequest;

enum class Version : std::uint8_t { http1, http2 };

/// What an extended CONNECT asks for (RFC 8441 §4); `none` in any other request.
enum class Protocol : std::uint8_t { none, websocket, other };

/// A well-formed request head: host and path in their only spelling. Made only by parse_request_head and parse_request_fields.
class Request {
 public:
  Version version() const { return version_; }
  const std::string& method() const { return method_; }
  Protocol protocol() const { return protocol_; }
  /// The scheme of the connection it came on.
  Scheme scheme() const { return scheme_; }
  /// Host and port, without the port that the scheme implies.
  const Authority& authority() const { return authority_; }
  const std::string& host() const { return authority_.host; }
  const std::string& path() const { return path_; }
  const Query& query() const { return query_; }
  const Headers& headers() const { return headers_; }
  /// The length of the body that follows; nothing when none was announced, which means no body.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  /// Lifetime: views into this Request.
  Cookies cookies() const { return Cookies(headers_); }

 private:
  friend Result<std::optional<ParsedRequest>> parse_request_head(Bytes, HeadProgress&, Scheme, const Limits&);
  friend Result<Request> parse_request_fields(const Headers&, const Limits&);
  std::string method_;
  Version version_ = Version::http1;
  Protocol protocol_ = Protocol::none;
  Scheme scheme_ = Scheme::http;
  Authority authority_;
  std::string path_;
  Query query_;
  Headers headers_;
  std::optional<std::uint64_t> content_length_;
};

struct ParsedRequest {
  Request request;
  /// Bytes of `received` that the head took; what follows is the body or the first frames.
  std::size_t consumed = 0;
};

/// Reads a request head, or nothing when `received` does not hold all of it yet: call again with the longer view and
/// the same `progress`. The verdict never depends on how the bytes were split, and a start that can become no request
/// is refused at its first wrong byte.
/// Trust:  `received` is hostile.
/// Errors: `http.malformed`; `http.headers_too_large` beyond the limits of head, count or target; `http.unsupported`
///         for another HTTP version and for Transfer-Encoding; `message.too_big` for a Content-Length above
///         `limits.body_bytes`.
/// Spec:   RFC 9112. Stricter: only HTTP/1.1; CRLF only; no empty line before the request line; no obs-fold; no field
///         name with an underscore, which CGI-style backends read as the same name with a hyphen; exactly one Host even
///         where RFC 9112 §3.2.2 would ignore it; absolute-form only when its scheme is the connection's and its
///         authority is the Host's; no asterisk-form and no authority-form; no Transfer-Encoding; Content-Length once,
///         in its shortest form. Path: see parse_path.
Result<std::optional<ParsedRequest>> parse_request_head(Bytes received, HeadProgress& progress, Scheme scheme,
                                                        const Limits& limits = {});

/// Reads the fields of an HTTP/2 request as they stood in its header block, pseudo-header fields among them.
/// Trust:  `fields` is hostile.
/// Errors: `http.malformed`; `http.headers_too_large` beyond the limits of head, count or target; `http.method_not_allowed` for a
///         CONNECT without `:protocol`; `message.too_big` for a Content-Length above `limits.body_bytes`.
/// Units:  the head's size is that of RFC 9113 §6.5.2: 32 more than name and value for each field.
/// Spec:   RFC 9113 §8.2, §8.3, RFC 8441 §4. Stricter: `:scheme` is https, `:authority` is always there and a Host must be the same; no field
///         name with an underscore; nothing in Content-Length or path that parse_request_head would refuse.
Result<Request> parse_request_fields(const Headers& fields, const Limits& limits = {});

}  // namespace sallyport::http
