#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/callout/config.h"
#include "sallyport/auth/callout/dialect.h"
#include "sallyport/auth/callout/request_part.h"
#include "sallyport/auth/service.h"
#include "sallyport/config/plug.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth {

/// Accepts whom a service of the operator's own lets in, and asks it again. Mechanism `callout`.
class CalloutAuthenticator final : public Authenticator {
 public:
  CalloutAuthenticator(const CalloutConfig& config, std::string route, std::vector<RequestPart> credentials,
                       std::vector<RequestPart> shows, std::optional<crypto::HmacKey> signing_key);

  std::string_view mechanism() const override { return "callout"; }
  /// Errors: those of find_credentials() and read_decision(); `auth.unavailable` when the service gives no answer; `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Errors: as authenticate(), but `credential.revoked` in place of every other refusal.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override;

 private:
  net::Task<Result<Proven>> ask(const Facts& facts, Occasion occasion, const Identity* present, Here& here,
                                net::Deadline deadline) const;
  net::Task<Verdict> ask_again(Identity present, Here& here, net::Deadline deadline) const;

  Dialect dialect_;
  Ask ask_;
  std::string route_;
  std::vector<RequestPart> credentials_;
  std::vector<RequestPart> shows_;
  std::optional<crypto::HmacKey> signing_key_;
  AnswerDefaults defaults_;
  Service service_;
};

/// The value of X-Sallyport-Signature: `t=<unix seconds>,v1=<HMAC-SHA-256 of "<t>.<body>", in hex>`.
std::string signature_text(const crypto::HmacKey& key, WallTime now, std::string_view body);

/// `route` is told to the service. Errors: `config.invalid`.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const CalloutConfig& config, const std::string& route,
                                                                const config::Environment& environment);

config::Plug callout_plug();

}  // namespace sallyport::auth
