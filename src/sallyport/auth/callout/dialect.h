#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/callout/config.h"
#include "sallyport/auth/callout/request_part.h"
#include "sallyport/auth/identity.h"
#include "sallyport/net/http_client.h"

namespace sallyport::auth {

/// Why the service is asked.
enum class Occasion : std::uint8_t {
  connect,  ///< somebody asks to be let in
  refresh,  ///< somebody inside brought a fresh credential
  recheck,  ///< somebody inside was let in a while ago
};

/// Everything that a service is told of somebody: what was chosen to be shown, and nothing else.
struct Facts {
  std::string route;
  std::string peer;  ///< the IP address
  std::string tls;   ///< version; empty: none, or not known here
  // Of the request; all empty for what came in band.
  std::string method;
  std::string scheme;
  std::string host;
  std::string path;
  std::string origin;  ///< only one that the route allows
  std::vector<std::string> subprotocols;
  std::vector<ShownPart> findings;
};

/// What `evidence` has to tell on `route`. `credentials` were found in it.
Facts make_facts(const std::string& route, const Evidence& evidence, std::vector<ShownPart> credentials,
                 std::span<const RequestPart> shows);

/// The question in the words of `dialect`: method, header fields and body. `present` is who a recheck is about.
net::HttpRequest make_question(Dialect dialect, const Facts& facts, Occasion occasion, const Identity* present);

/// Where answers stand that leave something open.
struct AnswerDefaults {
  std::string issuer;
  std::chrono::seconds lifetime{900};
};

/// Who the service lets in. Hash and grounds are the caller's to add.
/// Trust:  `response` comes from the server that decides, over a connection that was verified; its form is not trusted.
/// Errors: `credential.invalid`, `credential.expired`, `credential.revoked` and `identity.not_allowed` as the service says;
///         `auth.unavailable` for what is no answer: other statuses, no JSON object, a member of the wrong type or with a control character.
Result<Proven> read_decision(Dialect dialect, const net::HttpResponse& response, const AnswerDefaults& defaults,
                             WallTime now);

}  // namespace sallyport::auth
