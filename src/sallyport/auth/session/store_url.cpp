#include "sallyport/auth/session/store_url.h"

#include <algorithm>
#include <array>

#include "sallyport/http/authority.h"
#include "sallyport/net/socket.h"

namespace sallyport::auth {
namespace {

constexpr std::array<std::string_view, 1> redis_plain = {"redis"};
constexpr std::array<std::string_view, 2> postgres_plain = {"postgres", "postgresql"};
constexpr std::array<std::string_view, 2> mysql_plain = {"mysql", "mariadb"};
constexpr std::array<std::string_view, 1> memcached_plain = {"memcached"};

Error unfit(std::string detail) { return {Reason::config_invalid, "URL " + std::move(detail)}; }

bool is_name(std::string_view text) {
  return text.size() <= 128 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

}  // namespace

const StoreSchemes redis_schemes{redis_plain, "rediss", 6379};
const StoreSchemes postgres_schemes{postgres_plain, "", 5432};
const StoreSchemes mysql_schemes{mysql_plain, "", 3306};
const StoreSchemes memcached_schemes{memcached_plain, "", 11211};

bool StoreUrl::stays_here() const {
  if (kind == Kind::unix_socket || host == "localhost") return true;
  const auto endpoint = net::Endpoint::parse_ip(host, port);
  return endpoint.ok() && endpoint->is_loopback();
}

std::string StoreUrl::place() const {
  if (kind == Kind::unix_socket) return "unix:" + socket_path;
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<StoreUrl> parse_store_url(std::string_view text, const StoreSchemes& schemes) {
  const std::string expected =
      "`" + std::string(schemes.plain.front()) + "://host[:port][/database]` or `unix:/path/to.sock`";
  StoreUrl out;
  std::string_view rest;
  if (text.starts_with("unix:")) {
    out.kind = StoreUrl::Kind::unix_socket;
    std::string_view socket = text.substr(5);
    if (const auto colon = socket.find(':'); colon != std::string_view::npos) {
      rest = socket.substr(colon + 1);
      socket = socket.substr(0, colon);
    }
    if (socket.size() < 2 || socket.front() != '/') return unfit("names no socket; expected " + expected);
    if (!net::Endpoint::unix_socket(socket).ok()) return unfit("has a path that no unix socket can have");
    out.socket_path = std::string(socket);
  } else {
    const auto colon = text.find("://");
    if (colon == std::string_view::npos) return unfit("has no scheme; expected " + expected);
    const std::string_view scheme = text.substr(0, colon);
    if (!schemes.tls.empty() && scheme == schemes.tls) {
      out.kind = StoreUrl::Kind::tls;
    } else if (std::ranges::find(schemes.plain, scheme) == schemes.plain.end()) {
      return unfit("has an unknown scheme; expected " + expected);
    }
    const std::string_view after = text.substr(colon + 3);
    const auto end = after.find_first_of("/?#");
    std::string_view authority = after.substr(0, end);
    if (end != std::string_view::npos) rest = after.substr(end);
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
      const std::string_view user = authority.substr(0, at);
      if (user.find(':') != std::string_view::npos) {
        return unfit("holds a password, which would be printed with it; use password_file or password: env:NAME");
      }
      if (user.empty() || !is_name(user)) return unfit("has a user that is no plain name");
      out.user = std::string(user);
      authority = authority.substr(at + 1);
    }
    Result<http::Authority> parsed = http::parse_authority(authority);
    if (!parsed.ok()) return unfit("is malformed: " + parsed.error().detail);
    out.host = parsed->host;
    out.port = parsed->port.value_or(schemes.port);
  }
  if (rest.empty() || rest == "/") return out;
  if (!rest.starts_with('/') || !is_name(rest.substr(1))) {
    return unfit("has more after the host than a slash and the plain name of a database");
  }
  out.database = std::string(rest.substr(1));
  return out;
}

}  // namespace sallyport::auth
