#pragma once

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/opaque/config.h"
#include "sallyport/auth/token.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

/// Accepts tokens that were issued here and are found, unexpired and unrevoked, in the store. Mechanism `opaque`.
class OpaqueAuthenticator final : public Authenticator {
 public:
  /// `route`: where it stands; a token that was given for another is refused.
  explicit OpaqueAuthenticator(std::vector<TokenSource> sources, std::string route = {})
      : sources_(std::move(sources)), route_(std::move(route)) {}

  std::string_view mechanism() const override { return "opaque"; }
  /// Errors: `credential.invalid`, `credential.expired`, `credential.revoked`; those of find_token(); `store.unavailable`;
  ///         `deadline.late`. The first three are for the log: they take the same look-up, so neither words nor time tell them apart.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Reads each row again.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override { auth::add_to(strip, sources_); }

 private:
  Result<Proven> judge(const store::TokenHash& hash, std::optional<store::TokenRow> row, WallTime now) const;

  std::vector<TokenSource> sources_;
  std::string route_;
};

/// Errors: `config.invalid` for places that the schema would have refused.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const OpaqueConfig& config, std::string route);

config::Plug opaque_plug();

}  // namespace sallyport::auth
