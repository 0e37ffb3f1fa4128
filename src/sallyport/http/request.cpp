#include "sallyport/http/request.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }

struct RequestLine {
  std::string_view method;
  std::optional<Authority> authority;
  std::string path;
  Query query;
};

Result<RequestLine> parse_request_line(std::string_view line, Scheme scheme) {
  const auto first = line.find(' ');
  const auto second = line.find(' ', first + 1);
  std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (version != "HTTP/1.1") {
    const bool well_formed = version.size() == 8 && version.substr(0, 5) == "HTTP/" && is_digit(version[5]) &&
                             version[6] == '.' && is_digit(version[7]);
    if (!well_formed) return malformed("HTTP version is malformed");
    return Error{Reason::http_unsupported, "HTTP version is not 1.1"};
  }
  RequestLine out;
  out.method = line.substr(0, first);
  if (target.front() != '/') {
    const auto colon = target.find("://");
    if (colon == std::string_view::npos) return malformed("target is neither origin-form nor absolute-form");
    const std::string_view given = target.substr(0, colon);
    const bool fits = scheme == Scheme::http ? equal_ignoring_case(given, "http") || equal_ignoring_case(given, "ws")
                                             : equal_ignoring_case(given, "https") || equal_ignoring_case(given, "wss");
    if (!fits) return malformed("absolute-form target is of another scheme than the connection");
    target.remove_prefix(colon + 3);
    const auto end = target.find_first_of("/?");
    TRY(Authority authority, parse_authority(target.substr(0, end)));
    out.authority = without_default_port(std::move(authority), scheme);
    target = end == std::string_view::npos ? std::string_view() : target.substr(end);
  }
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (mark != std::string_view::npos) {
    TRY(out.query, parse_query(target.substr(mark + 1)));
  }
  if (path.empty() && out.authority) {
    out.path = "/";
  } else {
    TRY(out.path, parse_path(path));
  }
  return out;
}

Result<std::optional<std::uint64_t>> parse_content_length(const Headers& headers, const Limits& limits) {
  const auto lines = headers.find_all("content-length");
  std::optional<std::uint64_t> none;
  if (lines.empty()) return none;
  if (lines.size() > 1) return malformed("Content-Length is there twice");
  const std::string_view text = lines.front();
  if (text.empty() || (text.front() == '0' && text.size() > 1))
    return malformed("Content-Length is no number in its shortest form");
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c) || text.size() > 18) return malformed("Content-Length is no number in its shortest form");
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > limits.body_bytes) return Error{Reason::message_too_big, "Content-Length is above the limit"};
  return std::optional<std::uint64_t>(value);
}

}  // namespace

Result<std::optional<ParsedRequest>> parse_request_head(Bytes received, HeadProgress& progress, Scheme scheme,
                                                        const Limits& limits) {
  std::optional<ParsedRequest> incomplete;
  if (!progress.start_line_done()) {
    TRY_OK(scan_start_line(received, progress, HeadKind::request, limits));
    if (!progress.start_line_done()) return incomplete;
    TRY_OK(parse_request_line(start_line(received, progress), scheme));
  }
  TRY_OK(scan_fields(received, progress, limits));
  if (!progress.done()) return incomplete;

  TRY(RequestLine line, parse_request_line(start_line(received, progress), scheme));
  ParsedRequest out;
  out.consumed = progress.size();
  Request& request = out.request;
  request.scheme_ = scheme;
  request.method_ = std::string(line.method);
  request.path_ = std::move(line.path);
  request.query_ = std::move(line.query);
  request.headers_ = make_headers(received, progress);
  for (const Field field : request.headers_) {
    if (field.name.find('_') != std::string_view::npos)
      return malformed("field name has an underscore: " + std::string(field.name));
  }
  const auto hosts = request.headers_.find_all("host");
  if (hosts.size() != 1) return malformed(hosts.empty() ? "Host is missing" : "Host is there twice");
  TRY(Authority authority, parse_authority(hosts.front()));
  request.authority_ = without_default_port(std::move(authority), scheme);
  if (line.authority && *line.authority != request.authority_)
    return malformed("absolute-form target is for another host than Host");
  if (request.headers_.count("transfer-encoding") > 0) {
    return Error{Reason::http_unsupported, "Transfer-Encoding is not supported"};
  }
  TRY(request.content_length_, parse_content_length(request.headers_, limits));
  return std::optional<ParsedRequest>(std::move(out));
}

namespace {

// Meaningful to one connection only (RFC 9113 §8.2.2), and so to none here.
constexpr std::string_view connection_fields[] = {"connection",        "keep-alive", "proxy-connection",
                                                  "transfer-encoding", "upgrade",    "http2-settings"};

struct PseudoFields {
  std::optional<std::string_view> method, scheme, authority, path, protocol;

  std::optional<std::string_view>* find(std::string_view name) {
    if (name == ":method") return &method;
    if (name == ":scheme") return &scheme;
    if (name == ":authority") return &authority;
    if (name == ":path") return &path;
    if (name == ":protocol") return &protocol;
    return nullptr;
  }
};

Result<void> check_regular_field(Field field) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (!is_token(field.name) || std::ranges::any_of(field.name, upper))
    return malformed("field name is no token in lower case");
  if (field.name.find('_') != std::string_view::npos)
    return malformed("field name has an underscore: " + std::string(field.name));
  if (!is_field_value(field.value)) return malformed("value of " + std::string(field.name) + " is no field value");
  if (std::ranges::find(connection_fields, field.name) != std::end(connection_fields))
    return malformed("field is of one connection only: " + std::string(field.name));
  if (field.name == "te" && field.value != "trailers") return malformed("TE is not trailers");
  return {};
}

}  // namespace

Result<Request> parse_request_fields(const Headers& fields, const Limits& limits) {
  if (fields.size() > limits.header_count) return Error{Reason::http_headers_too_large, "more fields than the limit"};
  Request request;
  PseudoFields pseudo;
  std::size_t size = 0;
  bool regular = false;
  for (const Field field : fields) {
    size += field.name.size() + field.value.size() + 32;
    if (size > limits.head_bytes) return Error{Reason::http_headers_too_large, "head is longer than the limit"};
    if (field.name.starts_with(':')) {
      std::optional<std::string_view>* const place = pseudo.find(field.name);
      if (!place) return malformed("unknown pseudo-header field");
      if (regular) return malformed("pseudo-header field behind another field");
      if (*place) return malformed("pseudo-header field is there twice: " + std::string(field.name));
      *place = field.value;
      continue;
    }
    regular = true;
    TRY_OK(check_regular_field(field));
    request.headers_.add(field.name, field.value);
  }
  if (!pseudo.method || !is_token(*pseudo.method)) return malformed(":method is no token");
  if (!pseudo.authority) return malformed(":authority is missing");
  if (pseudo.protocol && *pseudo.method != "CONNECT") return malformed(":protocol without CONNECT");
  // Its target is a host and port to connect to, which nobody may ask for here.
  if (!pseudo.protocol && *pseudo.method == "CONNECT")
    return Error{Reason::http_method_not_allowed, "CONNECT without :protocol"};
  if (pseudo.protocol && !is_token(*pseudo.protocol)) return malformed(":protocol is no token");
  if (pseudo.scheme != "https") return malformed(":scheme is not https");
  if (!pseudo.path) return malformed(":path is missing");
  if (pseudo.path->size() > limits.target_bytes)
    return Error{Reason::http_headers_too_large, "target is longer than the limit"};

  request.version_ = Version::http2;
  request.scheme_ = Scheme::https;
  request.method_ = std::string(*pseudo.method);
  if (pseudo.protocol) request.protocol_ = *pseudo.protocol == "websocket" ? Protocol::websocket : Protocol::other;
  TRY(Authority authority, parse_authority(*pseudo.authority));
  request.authority_ = without_default_port(std::move(authority), Scheme::https);
  const auto hosts = request.headers_.find_all("host");
  if (hosts.size() > 1) return malformed("Host is there twice");
  if (!hosts.empty()) {
    TRY(Authority host, parse_authority(hosts.front()));
    if (without_default_port(std::move(host), Scheme::https) != request.authority_)
      return malformed("Host is another than :authority");
  }
  const auto mark = pseudo.path->find('?');
  if (mark != std::string_view::npos) {
    TRY(request.query_, parse_query(pseudo.path->substr(mark + 1)));
  }
  TRY(request.path_, parse_path(pseudo.path->substr(0, mark)));
  TRY(request.content_length_, parse_content_length(request.headers_, limits));
  return request;
}

}  // namespace sallyport::http
