#pragma once

#include <memory>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/signed_request/clients_file.h"
#include "sallyport/auth/signed_request/config.h"
#include "sallyport/config/plug.h"
#include "sallyport/http/message_signature.h"

namespace sallyport::auth {

/// The parameters of a URL that carry its signature: the one the text of a member of Signature-Input, the other the signature in
/// base64url.
inline constexpr std::string_view signature_input_parameter = "sp-signature-input";
inline constexpr std::string_view signature_parameter = "sp-signature";

/// Units: bytes, both included.
inline constexpr std::size_t min_nonce_size = 8;
inline constexpr std::size_t max_nonce_size = 128;

/// Accepts requests that carry one signature of a known client over what `components` names, made lately and never seen before.
/// Mechanism `signed_request`.
class SignedRequestAuthenticator final : public Authenticator {
 public:
  SignedRequestAuthenticator(SignedRequestConfig config, std::shared_ptr<ClientsFile> clients)
      : config_(std::move(config)), clients_(std::move(clients)) {}

  std::string_view mechanism() const override { return "signed_request"; }
  /// Errors: `credential.invalid`, `credential.expired`, `credential.replayed`, `credential.ambiguous`; `store.unavailable`;
  ///         `deadline.late`. Only what was signed by a key of the file can be anything but invalid or ambiguous.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Errors: `credential.revoked` for a key that is gone or is another now, `credential.expired` for one whose time is over.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  /// Looks at the file every second. Its key of an identity is the `kid`.
  std::unique_ptr<Watch> watch(net::Loop& control, Changed changed) const override;
  /// The `keyid`: each signature is another, and failures are to be counted all the same.
  std::string claimant(const Evidence& evidence) const override;
  void add_to(http::Strip& strip) const override;

 private:
  Result<std::optional<http::MessageSignature>> find(const http::Request& request, SignaturePlace place) const;

  const SignedRequestConfig config_;
  const std::shared_ptr<ClientsFile> clients_;
};

/// Errors: `config.invalid` when the file cannot be used.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const SignedRequestConfig& config);

config::Plug signed_request_plug();

}  // namespace sallyport::auth
