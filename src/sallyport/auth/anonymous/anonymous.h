#pragma once

#include "sallyport/auth/anonymous/config.h"
#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/token.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

/// Accepts whoever presents no credential; `dangerous_anonymous` in the configuration. Mechanism `anonymous`.
/// A token that the mechanisms before it did not claim is refused all the same: in the Authorization line, among the subprotocols, in
/// band, or at one of `watched`. So a credential that is mistaken for another kind never opens the door.
class AnonymousAuthenticator final : public Authenticator {
 public:
  /// `watched`: where the route's other mechanisms look for their tokens.
  AnonymousAuthenticator(AnonymousConfig config, std::span<const TokenSource> watched);

  std::string_view mechanism() const override { return "anonymous"; }
  /// Errors: `credential.invalid` when a token is presented; those of find_token().
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  void add_to(http::Strip&) const override {}

 private:
  AnonymousConfig config_;
  std::vector<TokenSource> watched_;
};

std::shared_ptr<const Authenticator> make_authenticator(const AnonymousConfig& config,
                                                        std::span<const TokenSource> watched);

config::Plug anonymous_plug();

}  // namespace sallyport::auth
