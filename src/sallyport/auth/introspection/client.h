#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/auth/introspection/config.h"
#include "sallyport/base/secret.h"
#include "sallyport/crypto/random.h"
#include "sallyport/jose/jwk.h"
#include "sallyport/net/http_client.h"

namespace sallyport::auth {

/// `text` as it stands in a form (`application/x-www-form-urlencoded`): everything but letters, digits and `-._` escaped.
std::string form_encode(std::string_view text);

/// The gateway as a client of an authorization server.
/// Threads: any. Immutable.
class IntrospectionClient {
 public:
  /// Reads secret or key. `url` is what is asked.
  /// Errors: `config.invalid`.
  static Result<std::shared_ptr<const IntrospectionClient>> make(const ClientConfig& config, const std::string& url,
                                                                 const config::Environment& environment);

  /// The question about `token`: a form, with the client's proof in it or beside it.
  /// Spec: RFC 7662 §2.1, RFC 6749 §2.3.1, RFC 7523 §2.2 and §3.
  net::HttpRequest ask_about(const Secret& token, WallTime now, crypto::Random& random) const;

 private:
  IntrospectionClient(ClientConfig config, std::string url, Secret secret, std::optional<jose::SigningKey> key)
      : config_(std::move(config)), url_(std::move(url)), secret_(std::move(secret)), key_(std::move(key)) {}
  std::string assertion(WallTime now, crypto::Random& random) const;

  ClientConfig config_;
  std::string url_;
  Secret secret_;
  std::optional<jose::SigningKey> key_;
};

}  // namespace sallyport::auth
