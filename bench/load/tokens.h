#pragma once

#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::bench {

/// What a connection shows as its credential.
class Tokens {
 public:
  virtual ~Tokens() = default;
  /// For one more connection; nullopt when there are no more.
  virtual std::optional<std::string> next() = 0;
};

/// The lines of a file. One line is shown again and again, several are shown once each.
class ListedTokens final : public Tokens {
 public:
  explicit ListedTokens(const char* path);
  std::optional<std::string> next() override;

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

/// A JWT signed anew for each connection, so that no verdict on an earlier one helps.
class FreshTokens final : public Tokens {
 public:
  /// `algorithm` is ES256, EdDSA, RS256 or HS256; `path` names a private key in PEM, or the secret.
  FreshTokens(std::string_view algorithm, const char* path);
  std::optional<std::string> next() override;

 private:
  std::string sign(std::string_view text) const;

  std::string algorithm_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
  std::string nonce_;
  std::uint64_t made_ = 0;
};

}  // namespace sallyport::bench
