#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/totp/config.h"
#include "sallyport/auth/totp/one_time.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

inline constexpr std::string_view code_field = "X-Sallyport-OTP";
inline constexpr std::string_view code_parameter = "otp";

/// Accepts the one-time password of the subject that the mechanism before it has proved, each once. Proves nothing alone. Mechanism `totp`.
class TotpAuthenticator final : public Authenticator {
 public:
  TotpAuthenticator(TotpConfig config, std::shared_ptr<const CodeSecrets> secrets)
      : config_(std::move(config)), secrets_(std::move(secrets)) {}

  std::string_view mechanism() const override { return "totp"; }
  /// Errors: `credential.invalid`, `credential.replayed`, `credential.ambiguous`; `credential.missing` when nobody was proved before it;
  ///         `limit.lockout`; `store.unavailable`; `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Errors: `credential.revoked` for a subject that has no secret any more.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override;

 private:
  Result<std::optional<std::string>> find_code(const Evidence& evidence) const;
  net::Task<Result<void>> judge(std::string issuer, std::string subject, std::string code, Here& here,
                                net::Deadline deadline) const;
  net::Task<Result<std::string>> enter_attempt(std::string subject, Here& here, net::Deadline deadline) const;

  const TotpConfig config_;
  const std::shared_ptr<const CodeSecrets> secrets_;
};

/// Errors: `config.invalid` when the file cannot be used.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const TotpConfig& config);

config::Plug totp_plug();

}  // namespace sallyport::auth
