#include "sallyport/http/response.h"

#include <algorithm>

#include "sallyport/base/json.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  SALLYPORT_CHECK(is_token(name) && is_field_value(value));
  out.append(name).append(": ").append(value).append("\r\n");
}

Error upstream_protocol(std::string detail) { return {Reason::upstream_protocol, std::move(detail)}; }

// A fault of the backend's syntax is the backend's, whatever the shared scanner calls it.
Result<void> as_upstream(Result<void> result) {
  if (result.ok()) return {};
  return upstream_protocol("backend's answer: " + result.error().detail);
}

Result<void> check_status_line(std::string_view line) {
  const bool well_formed = line.size() >= 12 && line.substr(0, 9) == "HTTP/1.1 " && is_digit(line[9]) &&
                           is_digit(line[10]) && is_digit(line[11]) && (line.size() == 12 || line[12] == ' ');
  if (!well_formed) return upstream_protocol("backend's answer is not HTTP/1.1");
  if (line.substr(9, 3) != "101")
    return Error{Reason::upstream_refused, "backend answered with status " + std::string(line.substr(9, 3))};
  return {};
}

}  // namespace

std::string response_text(const Response& response) {
  const int status = response.status;
  SALLYPORT_CHECK(status >= 200 && status <= 599);
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out.append(phrase(status)).append("\r\n");
  for (const Field field : response.fields) append_field(out, field.name, field.value);
  if (status != 204) append_field(out, "Content-Length", std::to_string(response.body.size()));
  append_field(out, "Connection", response.fields.count("upgrade") > 0 ? "close, upgrade" : "close");
  out.append("\r\n");
  if (status != 204) out.append(response.body);
  return out;
}

Response make_refusal(Reason reason, const RefusalOptions& options) {
  const ReasonRow& why = row(reason);
  const int status = why.http_status;
  std::string_view told = why.told;
  Headers fields;
  fields.add("Content-Type", "application/json");
  fields.add("Cache-Control", "no-store");
  switch (status) {
    case 401:
      told = row(Reason::credential_missing).told;
      fields.add("WWW-Authenticate", reason == Reason::credential_missing || reason == Reason::admin_unauthorized
                                         ? "Bearer realm=\"sallyport\""
                                         : "Bearer realm=\"sallyport\", error=\"invalid_token\"");
      break;
    case 405:
      fields.add("Allow", options.allow);
      break;
    case 426:
      // RFC 9110 §15.5.22 wants Upgrade here.
      fields.add("Upgrade", "websocket");
      fields.add("Sec-WebSocket-Version", "13");
      break;
    case 429:
    case 503:
      fields.add("Retry-After", std::to_string(std::max<std::chrono::seconds::rep>(options.retry_after.count(), 1)));
      break;
    default:
      break;
  }
  for (const Field field : options.fields) fields.add(field.name, field.value);
  std::string body = "{\"error\":";
  json::append_quoted(body, told);
  body.append("}\n");
  return {status, std::move(fields), std::move(body)};
}

std::string make_switching(std::string_view accept_key, std::optional<std::string_view> subprotocol,
                           const std::optional<DeflateParameters>& deflate) {
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  append_field(out, "Sec-WebSocket-Accept", accept_key);
  if (subprotocol) {
    SALLYPORT_CHECK(is_token(*subprotocol));
    append_field(out, "Sec-WebSocket-Protocol", *subprotocol);
  }
  if (deflate) append_field(out, "Sec-WebSocket-Extensions", answer_text(*deflate));
  return out.append("\r\n");
}

Result<std::optional<Switching>> parse_switching(Bytes received, HeadProgress& progress,
                                                 std::string_view expected_accept, const Offered& offered,
                                                 const Limits& limits) {
  std::optional<Switching> incomplete;
  if (!progress.start_line_done()) {
    TRY_OK(as_upstream(scan_start_line(received, progress, HeadKind::response, limits)));
    if (!progress.start_line_done()) return incomplete;
    TRY_OK(check_status_line(start_line(received, progress)));
  }
  TRY_OK(as_upstream(scan_fields(received, progress, limits)));
  if (!progress.done()) return incomplete;

  TRY_OK(check_status_line(start_line(received, progress)));
  const Headers headers = make_headers(received, progress);
  const auto upgrades = headers.find_all("upgrade");
  if (upgrades.size() != 1 || !equal_ignoring_case(upgrades.front(), "websocket")) {
    return upstream_protocol("backend's 101 does not upgrade to websocket");
  }
  const auto options = headers.find_elements("connection");
  if (std::none_of(options.begin(), options.end(),
                   [](auto option) { return equal_ignoring_case(option, "upgrade"); })) {
    return upstream_protocol("backend's 101 has no Connection: Upgrade");
  }
  const auto accepts = headers.find_all("sec-websocket-accept");
  if (accepts.size() != 1 || accepts.front() != expected_accept) {
    return upstream_protocol("backend's 101 has a wrong Sec-WebSocket-Accept");
  }
  if (headers.count("transfer-encoding") > 0) return upstream_protocol("backend's 101 has a Transfer-Encoding");
  for (const std::string_view length : headers.find_all("content-length")) {
    if (length != "0") return upstream_protocol("backend's 101 has a body");
  }
  Switching out;
  TRY(out.deflate, parse_deflate_answer(headers, offered.deflate));
  out.consumed = progress.size();
  const auto subprotocols = headers.find_all("sec-websocket-protocol");
  if (subprotocols.size() > 1) return upstream_protocol("backend's 101 names two subprotocols");
  if (!subprotocols.empty()) {
    if (std::ranges::find(offered.subprotocols, subprotocols.front()) == offered.subprotocols.end()) {
      return upstream_protocol("backend's 101 names a subprotocol that was not offered");
    }
    out.subprotocol = std::string(subprotocols.front());
  }
  return std::optional<Switching>(std::move(out));
}

}  // namespace sallyport::http
