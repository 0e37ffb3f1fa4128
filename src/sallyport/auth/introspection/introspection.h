#pragma once

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/introspection/config.h"
#include "sallyport/auth/token.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

class Introspector;

/// Accepts tokens that an authorization server says are active, and asks it again. Mechanism `introspection`.
class IntrospectionAuthenticator final : public Authenticator {
 public:
  /// `tokens`: those that are its own among the ones that are no opaque tokens of ours.
  IntrospectionAuthenticator(std::shared_ptr<const Introspector> introspector, std::vector<TokenSource> sources,
                             TokenForms tokens);

  std::string_view mechanism() const override { return "introspection"; }
  /// Errors: `credential.invalid`, `credential.expired`; those of find_token(); `auth.unavailable` when the server gives no answer;
  ///         `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Nothing that is remembered is believed. Errors: as authenticate(), but `credential.revoked` for a token that is not active any more.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override { auth::add_to(strip, sources_); }

 private:
  std::shared_ptr<const Introspector> introspector_;
  std::vector<TokenSource> sources_;
  TokenForms tokens_;
};

/// Reads the client's secret or key. Errors: `config.invalid`.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const IntrospectionConfig& config,
                                                                const config::Environment& environment,
                                                                TokenForms tokens);

config::Plug introspection_plug();

}  // namespace sallyport::auth
