#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"

namespace sallyport::jose {

/// What a proof of possession says (RFC 9449 §4.2). Its signature is proved, by the key in it; that this is the right key, the right request
/// and the right time is for the caller to see.
struct DpopProof {
  std::string thumbprint;  ///< of the key that signed it (RFC 7638), in base64url: what `cnf.jkt` of a token names
  std::string id;          ///< `jti`
  std::string method;      ///< `htm`
  std::string url;         ///< `htu`
  WallTime issued_at;      ///< `iat`
  std::string token_hash;  ///< `ath`; empty: none
};

/// Units: bytes of a whole proof, and of its `jti`.
inline constexpr std::size_t max_dpop_size = 4096;
inline constexpr std::size_t max_dpop_id_size = 256;

/// Proves that `compact` was signed by the key that it holds.
/// Trust:  `compact` is hostile, and so is all that comes out, but for `thumbprint`.
/// Errors: `credential.invalid` when it is no JWS in compact form of at most `max_dpop_size` bytes, is not of the type `dpop+jwt`, is signed
///         with a secret or a key that PublicKey::make refuses, holds a private key, lacks one of `jti`, `htm`, `htu`, `iat` or has them in
///         another type, or the signature is wrong.
/// Spec:   RFC 9449 §4.3, steps 2 to 7.
/// Threads: any.
Result<DpopProof> verify_dpop(std::string_view compact);

}  // namespace sallyport::jose
