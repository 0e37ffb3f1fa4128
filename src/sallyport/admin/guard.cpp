#include "sallyport/admin/guard.h"

#include <strings.h>

#include "sallyport/crypto/constant_time.h"

namespace sallyport::admin {
namespace {

constexpr std::string_view scheme = "bearer ";

bool is_local_name(const http::Authority& authority) {
  return authority.kind != http::HostKind::name || authority.host == "localhost";
}

}  // namespace

Result<void> check_no_page(const http::Request& request) {
  const http::Headers& headers = request.headers();
  if (headers.find("Origin"))
    return Error{Reason::origin_not_allowed, "the admin port takes no requests from web pages"};
  for (const std::string_view site : headers.find_all("Sec-Fetch-Site")) {
    if (site != "none") return Error{Reason::origin_not_allowed, "the admin port takes no requests from web pages"};
  }
  if (request.scheme() == http::Scheme::http && !is_local_name(request.authority())) {
    return Error{Reason::origin_not_allowed, "without TLS the Host must be an IP address or localhost"};
  }
  return {};
}

Result<void> check_operator(const http::Request& request, const Secret& token) {
  const auto fields = request.headers().find_all("Authorization");
  if (fields.size() != 1) return Error{Reason::admin_unauthorized, "one Authorization: Bearer field expected"};
  const std::string_view field = fields.front();
  if (field.size() <= scheme.size() || ::strncasecmp(field.data(), scheme.data(), scheme.size()) != 0) {
    return Error{Reason::admin_unauthorized, "Authorization: Bearer expected"};
  }
  if (token.empty() || !crypto::equal(bytes_of(field.substr(scheme.size())), token.bytes())) {
    return Error{Reason::admin_unauthorized, "not the admin token"};
  }
  return {};
}

}  // namespace sallyport::admin
