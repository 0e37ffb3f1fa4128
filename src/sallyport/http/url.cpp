#include "sallyport/http/url.h"

#include <algorithm>

#include "sallyport/http/grammar.h"
#include "sallyport/http/target.h"

namespace sallyport::http {
namespace {

// The text itself stays out of the detail: a URL may carry a password where it should not.
Error config_error(std::string detail) { return {Reason::config_invalid, "URL " + std::move(detail)}; }

struct Split {
  std::string scheme;
  Authority authority;
  std::string_view rest;  // from the slash or question mark on, or empty
};

Result<Split> split_url(std::string_view text, std::string_view expected) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return config_error("has no scheme; expected " + std::string(expected));
  Split out;
  out.scheme = lowered(text.substr(0, colon));
  const std::string_view after = text.substr(colon + 3);
  const auto end = after.find_first_of("/?#");
  const std::string_view authority = after.substr(0, end);
  if (authority.find('@') != std::string_view::npos)
    return config_error("holds a user or password; secrets belong in a file");
  Result<Authority> parsed = parse_authority(authority);
  if (!parsed.ok()) return config_error("is malformed: " + parsed.error().detail);
  out.authority = std::move(parsed).value();
  out.rest = end == std::string_view::npos ? std::string_view() : after.substr(end);
  if (out.rest.find('#') != std::string_view::npos) return config_error("has a fragment, which no server ever sees");
  return out;
}

Result<std::string> parse_config_path(std::string_view text) {
  Result<std::string> path = parse_path(text);
  if (!path.ok()) return config_error("is malformed: " + path.error().detail);
  return path;
}

}  // namespace

std::string UpstreamUrl::host_text() const {
  if (kind == Kind::unix_socket) return "localhost";
  return without_default_port(authority, kind == Kind::tls ? Scheme::https : Scheme::http).text();
}

Result<UpstreamUrl> parse_upstream_url(std::string_view text) {
  constexpr std::string_view expected = "`ws://host:port`, `wss://host:port` or `unix:/path/to.sock`";
  UpstreamUrl out;
  if (text.substr(0, 5) == "unix:") {
    out.kind = UpstreamUrl::Kind::unix_socket;
    std::string_view socket = text.substr(5);
    if (const auto colon = socket.find(':'); colon != std::string_view::npos) {
      TRY(out.path, parse_config_path(socket.substr(colon + 1)));
      socket = socket.substr(0, colon);
    }
    if (socket.size() < 2 || socket.front() != '/' || socket.substr(0, 2) == "//") {
      return config_error("names no socket; expected `unix:` and an absolute path, as in `unix:/run/app.sock`");
    }
    if (socket.find('\0') != std::string_view::npos) return config_error("has a NUL in the path of its socket");
    if (socket.size() > 107)
      return config_error("has a socket path of more than 107 bytes, the most a unix socket can have");
    out.socket_path = std::string(socket);
    return out;
  }
  TRY(const Split split, split_url(text, expected));
  if (split.scheme == "wss") {
    out.kind = UpstreamUrl::Kind::tls;
  } else if (split.scheme != "ws") {
    const bool http = split.scheme == "http" || split.scheme == "https";
    return config_error(http ? "is of a web page; write `ws` for `http` and `wss` for `https`"
                             : "has an unknown scheme; expected " + std::string(expected));
  }
  if (split.rest.find('?') != std::string_view::npos)
    return config_error("has a query; the client's query is what is forwarded");
  if (!split.rest.empty()) {
    TRY(out.path, parse_config_path(split.rest));
  }
  out.authority = split.authority;
  if (!out.authority.port)
    out.authority.port = default_port(out.kind == UpstreamUrl::Kind::tls ? Scheme::https : Scheme::http);
  return out;
}

std::string HttpUrl::text() const {
  return (scheme == Scheme::https ? "https://" : "http://") + without_default_port(authority, scheme).text() + target;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  TRY(const Split split, split_url(text, "`https://host/path`"));
  HttpUrl out;
  if (split.scheme == "http") {
    out.scheme = Scheme::http;
  } else if (split.scheme != "https") {
    return config_error("has an unknown scheme; expected `https://host/path`");
  }
  out.authority = split.authority;
  if (!out.authority.port) out.authority.port = default_port(out.scheme);
  const auto mark = split.rest.find('?');
  const std::string_view path = split.rest.substr(0, mark);
  TRY(out.target, parse_config_path(path.empty() ? std::string_view("/") : path));
  if (mark != std::string_view::npos) {
    Result<Query> query = parse_query(split.rest.substr(mark + 1));
    if (!query.ok()) return config_error("is malformed: " + query.error().detail);
    out.target.append("?").append(query->text());
  }
  return out;
}

}  // namespace sallyport::http
