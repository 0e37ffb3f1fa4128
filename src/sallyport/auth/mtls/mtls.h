#pragma once

#include <memory>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/mtls/config.h"
#include "sallyport/auth/mtls/names.h"
#include "sallyport/config/plug.h"
#include "sallyport/crypto/client_authorities.h"

namespace sallyport::auth {

/// Those who may vouch for clients, of all listeners and proxies.
using Authorities = std::vector<std::shared_ptr<const crypto::ClientAuthorities>>;

/// Accepts certificates that were verified in a TLS handshake. Mechanism `mtls`.
class MtlsAuthenticator final : public Authenticator {
 public:
  MtlsAuthenticator(std::vector<NameRule> names, std::vector<crypto::Sha256> pins, std::chrono::seconds max_lifetime,
                    Authorities authorities);

  std::string_view mechanism() const override { return "mtls"; }
  /// Errors: `credential.invalid`, `credential.expired`, `credential.revoked`; `keys.unavailable`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Holds each certificate against authorities and lists as they are now. Errors: as authenticate(); `deadline.late` for those that
  /// time did not suffice for.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  /// Looks whether a file of the authorities was replaced by other content.
  std::unique_ptr<Watch> watch(net::Loop& control, Changed changed) const override;
  /// Nothing: what a proxy says of a certificate never reaches a backend anyway.
  void add_to(http::Strip&) const override {}

 private:
  Result<void> verify_now(const crypto::ClientCertificate& certificate, WallTime now) const;
  Result<Proven> judge(const crypto::ClientCertificate& certificate, WallTime now) const;

  std::vector<NameRule> names_;
  std::vector<crypto::Sha256> pins_;
  std::chrono::seconds max_lifetime_;
  Authorities authorities_;
};

/// Errors: `config.invalid` for settings that the schema would have refused.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const MtlsConfig& config, Authorities authorities);

config::Plug mtls_plug();

}  // namespace sallyport::auth
