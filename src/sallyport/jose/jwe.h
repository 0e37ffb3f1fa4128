#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

namespace sallyport::jose {

/// How the content of a JWE is encrypted (RFC 7518 §5.1).
enum class ContentEncryption : std::uint8_t { A256CBC_HS512, A256GCM };

/// Units: bytes. RFC 7518 §5.2.5, §5.3.
constexpr std::size_t key_size(ContentEncryption encryption) {
  return encryption == ContentEncryption::A256CBC_HS512 ? 64 : 32;
}

/// A JWE in compact form that is encrypted with a key that both sides have, `alg: dir`.
class Jwe {
 public:
  /// Trust:  `text` is hostile.
  /// Errors: `credential.invalid` for anything but five parts in their only spelling, a header with `alg` `dir` and an `enc` from
  ///         above, no encrypted key; with `crit` or `zip`.
  /// Spec:   RFC 7516 §7.1; stricter: nothing but `dir`, no compression, so that nobody else's key and no bomb comes in.
  static Result<Jwe> parse(std::string_view text);

  ContentEncryption encryption() const { return encryption_; }
  /// The plain text when `key` proves it, nothing otherwise. `key` has key_size(encryption()) bytes; another length is a bug.
  /// Spec: RFC 7516 §5.2; RFC 7518 §5.2.2.2, §5.3.
  std::optional<std::string> open(Bytes key) const;

 private:
  Jwe() = default;
  ContentEncryption encryption_ = ContentEncryption::A256GCM;
  std::string aad_;
  std::string iv_;
  std::string sealed_;
  std::string tag_;
};

}  // namespace sallyport::jose
