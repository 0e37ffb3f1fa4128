#include "sallyport/auth/anonymous/anonymous.h"

#include <algorithm>

namespace sallyport::auth {

AnonymousAuthenticator::AnonymousAuthenticator(AnonymousConfig config, std::span<const TokenSource> watched)
    : config_(std::move(config)), watched_{{TokenPlace::header, {}}, {TokenPlace::subprotocol, {}}} {
  for (const TokenSource& source : watched) {
    if (std::find(watched_.begin(), watched_.end(), source) == watched_.end()) watched_.push_back(source);
  }
}

net::Task<Verdict> AnonymousAuthenticator::authenticate(const Evidence& evidence, Here& here, net::Deadline) const {
  Result<std::optional<PresentedToken>> found = find_token(evidence, watched_, TokenSchemes::bearer_or_dpop);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (*found)
    co_return Verdict::refuse(Error{Reason::credential_invalid, "a token that no mechanism of the route takes"});
  const WallTime now = here.loop.wall();
  Proven proven;
  proven.mechanism = mechanism();
  proven.subject = config_.subject;
  proven.issued_at = now;
  proven.expires_at = now + config_.lifetime;
  co_return Verdict::accept(std::move(proven));
}

std::shared_ptr<const Authenticator> make_authenticator(const AnonymousConfig& config,
                                                        std::span<const TokenSource> watched) {
  return std::make_shared<AnonymousAuthenticator>(config, watched);
}

config::Plug anonymous_plug() {
  return {"dangerous_anonymous", config::Maturity::preview, config::Posture::hostile_clients, {}, anonymous_schema()};
}

}  // namespace sallyport::auth
