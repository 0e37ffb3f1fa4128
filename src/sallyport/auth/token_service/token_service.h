#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/token_service/config.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::auth {

/// The start of a refresh token.
inline constexpr std::string_view refresh_token_prefix = "spr_";

/// An application that has proved its secret.
struct TokenClient {
  std::string id;
  std::vector<std::string> scopes;
  bool names_users;
};

/// What a login has established, for as long as its tokens are refreshed: a family.
struct TokenFamily {
  std::string id;
  std::string client_id;  ///< who alone may refresh; empty: whoever has the refresh token
  Proven proven;          ///< `subject`, `scopes` and the like of its tokens; `session_id` is their `sid`
  WallTime ends_at{};
  /// The identity of the credential that stood for the login; nothing when an application named the user. Its revocation ends the
  /// family.
  std::optional<Proven> credential;
  std::string
      origin;  ///< of the page whose refresh token is in a cookie, which no other page may use; empty: it is in none
  bool refreshed = true;  ///< false: there is an access token and nothing after it
};

/// What is handed out.
struct IssuedTokens {
  std::string access_token;
  std::string access_id;  ///< its `jti`, safe to log
  std::chrono::seconds expires_in{};
  std::optional<Secret> refresh_token;
  std::string session_id;
  std::vector<std::string> scopes;
};

/// Why a refresh token was not taken.
struct RefusedRefresh {
  Error error;
  /// The family that has to be revoked, because one of its tokens was used a second time.
  std::optional<TokenFamily> reused;
};

/// Issues tokens and knows what it has issued. What it keeps lies in the store, under hashes: `family:`, `refresh:` and `spent:`.
/// Threads: any; immutable.
class TokenService {
 public:
  /// `keys_text` is a set of private keys; `kept_claims` as for make_issuer(). Errors: `config.invalid` also for a client's secret under 32 bytes.
  static Result<std::shared_ptr<const TokenService>> make(const TokenServiceConfig& config, std::string_view keys_text,
                                                          const config::Environment& environment, WallTime now,
                                                          std::vector<std::string> kept_claims = {});

  const TokenServiceConfig& config() const { return config_; }
  /// The public keys as a JWK set.
  const std::string& jwks() const { return jwks_; }
  /// Who accepts its tokens.
  const std::shared_ptr<const Issuer>& issuer() const { return issuer_; }

  /// The client of this id and secret. Trust: both are hostile. Errors: `credential.invalid`; it takes as long as the truth.
  Result<TokenClient> verify_client(std::string_view id, std::string_view secret) const;
  /// Those of `wanted` that `may` has; all that it has when nothing is wanted. Errors: `request.invalid` for one that it has not.
  static Result<std::vector<std::string>> check_scopes(std::string_view wanted, const std::vector<std::string>& may);

  /// An access token for the application itself, which asks again instead of refreshing.
  IssuedTokens issue_to(const TokenClient& client, std::vector<std::string> scopes, Here& here) const;
  /// Begins a family with its first tokens; `family.id` is given here, and where `sid` is missing, too. Without a refresh token when the
  /// family is not refreshed, or ends before the access token does.
  /// Errors: `credential.expired` when it has ended; `store.unavailable`, `deadline.late`.
  net::Task<Result<IssuedTokens>> begin(TokenFamily family, Here& here, net::Deadline deadline) const;
  /// Asked about the credential that stood for a login.
  using Check = std::function<Result<void>(const Proven&)>;
  /// Fresh tokens for a refresh token, which is used up by that.
  /// Trust:  `token` is hostile; `client` is who has proved to ask, empty for nobody.
  /// Errors: in RefusedRefresh: `credential.invalid`, `credential.expired`, `credential.revoked`, `credential.replayed`; those of `check`
  ///         and check_scopes(); `store.unavailable`, `deadline.late`.
  struct Refreshed {
    std::optional<IssuedTokens> tokens;
    std::optional<RefusedRefresh> refused;
  };
  net::Task<Refreshed> refresh(std::string token, std::string client, std::string scope, Check check, Here& here,
                               net::Deadline deadline) const;
  /// The family of a refresh token that is good, or was; nothing for any other text.
  net::Task<Result<std::optional<TokenFamily>>> find_family(std::string token, Here& here,
                                                            net::Deadline deadline) const;
  /// Whether the refresh token would be taken now.
  net::Task<Result<bool>> is_current(std::string token, Here& here, net::Deadline deadline) const;
  /// No token of the family is refreshed from now on. What was issued is the caller's to revoke.
  net::Task<Result<void>> end(std::string family_id, Here& here, net::Deadline deadline) const;

 private:
  struct Client {
    TokenClient client;
    std::array<Byte, 32> secret_hash;
  };
  TokenService(TokenServiceConfig config, std::vector<jose::SigningKey> keys, std::vector<Client> clients);

  IssuedTokens sign(const Proven& proven, const std::string& client_id, std::vector<std::string> scopes,
                    WallTime ends_at, Here& here) const;
  net::Task<Result<void>> add_refresh_token(IssuedTokens& tokens, const TokenFamily& family, Here& here,
                                            net::Deadline deadline) const;
  net::Task<Result<std::optional<TokenFamily>>> read_family(std::string id, Here& here, net::Deadline deadline) const;
  net::Task<RefusedRefresh> refuse_spent(std::string hash, Here& here, net::Deadline deadline) const;

  TokenServiceConfig config_;
  std::vector<jose::SigningKey> keys_;
  std::vector<Client> clients_;
  std::string jwks_;
  std::shared_ptr<const Issuer> issuer_;
};

}  // namespace sallyport::auth
