#include "sallyport/http/original.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }

// Compared folded. The proxy's own, or meaningful to its connection only.
constexpr std::string_view left_out[] = {
    "host",    "connection",     "upgrade",           "keep-alive", "proxy-connection", "te",
    "trailer", "content-length", "transfer-encoding", "forwarded",  "http2-settings",
};

struct Target {
  std::string_view method;
  std::string_view host;
  std::string uri;
  Scheme scheme;
};

Result<std::string_view> only(const Headers& headers, std::string_view name) {
  const auto lines = headers.find_all(name);
  if (lines.size() != 1) return malformed(std::string(name) + (lines.empty() ? " is missing" : " is there twice"));
  if (lines.front().empty()) return malformed(std::string(name) + " is empty");
  return lines.front();
}

Result<Scheme> parse_proto(std::string_view text) {
  if (text == "https" || text == "wss") return Scheme::https;
  if (text == "http" || text == "ws") return Scheme::http;
  return malformed("the scheme that the proxy names is none of HTTP");
}

// `https://host/path?query`, all in one.
Result<Target> parse_url(std::string_view method, std::string_view url) {
  const auto colon = url.find("://");
  if (colon == std::string_view::npos) return malformed("X-Original-URL has no scheme");
  TRY(const Scheme scheme, parse_proto(url.substr(0, colon)));
  const std::string_view rest = url.substr(colon + 3);
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  std::string uri(rest.substr(end));
  if (!uri.starts_with('/')) uri.insert(0, "/");
  return Target{method, rest.substr(0, end), std::move(uri), scheme};
}

Result<Target> find_target(const Request& asked, const OriginalRules& rules) {
  const Headers& headers = asked.headers();
  if (rules.form == OriginalForm::path) {
    std::string_view path = asked.path();
    if (!path.starts_with(rules.prefix)) return malformed("the path does not begin with the prefix");
    path.remove_prefix(rules.prefix.size());
    if (!path.starts_with('/')) return malformed("the path does not go on behind the prefix");
    std::string uri(path);
    if (!asked.query().empty()) uri.append("?").append(asked.query().text());
    TRY(const std::string_view proto, only(headers, "X-Forwarded-Proto"));
    TRY(const Scheme scheme, parse_proto(proto));
    TRY(const std::string_view host, only(headers, "Host"));
    return Target{asked.method(), host, std::move(uri), scheme};
  }
  const bool original = rules.form == OriginalForm::x_original;
  const std::string start = original ? "X-Original-" : "X-Forwarded-";
  TRY(const std::string_view method, only(headers, start + "Method"));
  if (original && headers.count("X-Original-URL") > 0) {
    for (const char* other : {"X-Original-URI", "X-Original-Host", "X-Original-Proto"}) {
      if (headers.count(other) > 0) return malformed(std::string(other) + " beside X-Original-URL");
    }
    TRY(const std::string_view url, only(headers, "X-Original-URL"));
    return parse_url(method, url);
  }
  TRY(const std::string_view host, only(headers, start + "Host"));
  TRY(const std::string_view uri, only(headers, start + "Uri"));
  TRY(const std::string_view proto, only(headers, start + "Proto"));
  TRY(const Scheme scheme, parse_proto(proto));
  return Target{method, host, std::string(uri), scheme};
}

// Where the request came from, in the proxy's own words: what a client wrote stands left of it.
Result<std::string> find_client(const Headers& headers, const std::string& field) {
  const auto elements = headers.find_elements(field);
  if (elements.empty()) return malformed(field + " is missing");
  return std::string(elements.back());
}

bool is_left_out(std::string_view name, const OriginalRules& rules) {
  const std::string folded = folded_name(name);
  return std::ranges::find(left_out, folded) != std::end(left_out) || folded.starts_with("x-original-") ||
         folded.starts_with("x-forwarded-") || folded == folded_name(rules.client_field) ||
         (!rules.secret_field.empty() && folded == folded_name(rules.secret_field));
}

}  // namespace

Result<Original> read_original(const Request& asked, const OriginalRules& rules) {
  TRY(const Target target, find_target(asked, rules));
  TRY(std::string client, find_client(asked.headers(), rules.client_field));
  if (!target.uri.starts_with('/')) return malformed("the path that the proxy names does not begin with a slash");

  std::string head;
  head.append(target.method).append(" ").append(target.uri).append(" HTTP/1.1\r\n");
  head.append("Host: ").append(target.host).append("\r\n");
  for (const Field field : asked.headers()) {
    if (!is_left_out(field.name, rules)) head.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  head.append("\r\n");
  HeadProgress progress;
  TRY(auto parsed, parse_request_head(bytes_of(head), progress, target.scheme));
  if (!parsed) return malformed("no whole head");
  if (parsed->request.method() != "GET") return Error{Reason::http_method_not_allowed, "method is not GET"};
  return Original{std::move(parsed->request), std::move(client)};
}

}  // namespace sallyport::http
