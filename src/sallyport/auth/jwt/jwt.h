#pragma once

#include <span>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/jwt/config.h"
#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/sender_constraint.h"
#include "sallyport/auth/token.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

/// Accepts the JSON Web Tokens of one issuer. Mechanism `jwt`.
class JwtAuthenticator final : public Authenticator {
 public:
  /// `tokens`: those that are its own; every other is another mechanism's concern.
  JwtAuthenticator(std::shared_ptr<const Issuer> issuer, std::vector<TokenSource> sources,
                   TokenForms tokens = TokenForms::any, SenderConstraint sender_constraint = SenderConstraint::optional,
                   DpopConfig dpop = {})
      : issuer_(std::move(issuer)),
        sources_(std::move(sources)),
        tokens_(tokens),
        sender_constraint_(sender_constraint),
        dpop_(dpop) {}

  std::string_view mechanism() const override { return "jwt"; }
  /// Errors: `credential.invalid`, `credential.expired`; those of find_token() and prove_sender(); `keys.unavailable` while no key
  ///         set was ever loaded; `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Whether the key that signed the token is still one of the issuer's. What was fetched last decides; the issuer is not asked.
  /// Errors: `credential.revoked`; `keys.unavailable`.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override {
    auth::add_to(strip, sources_);
    add_proofs_to(strip, sources_);
  }

 private:
  net::Task<Verdict> judge(const PresentedToken& token, Here& here, net::Deadline deadline, Confirmation& out) const;

  std::shared_ptr<const Issuer> issuer_;
  std::vector<TokenSource> sources_;
  TokenForms tokens_;
  SenderConstraint sender_constraint_;
  DpopConfig dpop_;
};

/// What the verified `claims` prove, read by the issuer's claim names.
/// Trust:  `claims` come from verify_jwt(); what they say is as true as the issuer, their form is not.
/// Errors: `credential.invalid` when a renamed claim has another type than it needs, holds what is_clean() refuses, or leaves no
///         subject.
Result<Proven> make_proven(jose::Claims claims, const ClaimNames& names);

/// Errors: `config.invalid` when none of `issuers` has the name, and for places that the schema would have refused.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const JwtConfig& config,
                                                                std::span<const std::shared_ptr<const Issuer>> issuers,
                                                                TokenForms tokens = TokenForms::any);

config::Plug jwt_plug();

}  // namespace sallyport::auth
