#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/crypto/certificate.h"

namespace sallyport::auth {

/// Which of a certificate's names may become the subject: a kind and, where only some of them are meant, a pattern in which one `*` stands
/// for one or more characters.
struct NameRule {
  enum class Kind : std::uint8_t { uri, dns, email, ip, common_name, distinguished_name };
  Kind kind;
  std::string pattern;  ///< empty: any
};

/// Reads `uri`, `dns`, `email`, `ip`, `cn`, `dn`, each with a pattern behind a colon if wanted: `uri:spiffe://example.com/*`.
/// Errors: `config.invalid`.
Result<NameRule> parse_name_rule(std::string_view text);

/// The certificate's one name of this kind that fits; nullopt when there is none.
/// Errors: `credential.invalid` when several fit: nobody knows which is meant.
Result<std::optional<std::string>> find_name(const crypto::Certificate& certificate, const NameRule& rule);

/// The SHA-256 in a pin such as `sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=` (RFC 7469 §2.4).
/// Errors: `config.invalid`.
Result<crypto::Sha256> parse_pin(std::string_view text);

}  // namespace sallyport::auth
