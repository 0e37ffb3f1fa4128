#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::jose {

/// A JWS in compact form, taken apart. Proves nothing by itself.
/// Lifetime: `signing_input` is a view into the text that was parsed.
struct Jws {
  json::Value header;  ///< an object
  Algorithm algorithm;
  std::optional<std::string> kid;
  std::string payload;
  std::string signature;
  std::string_view signing_input;
};

/// Takes `compact` apart.
/// Trust:  `compact` is hostile, and so is all that comes out.
/// Units:  `max_bytes` of the whole text.
/// Errors: `credential.invalid` when it is longer, not three parts of canonical base64url, its header no JSON object with an `alg`
///         known here ("none" is not), or holds `crit`, `b64`, or a `kid` or `typ` that is no string.
/// Spec:   RFC 7515 §5.2, §7.1; stricter: no extension is understood, so any `crit` is refused, and `b64` with or without it
///         (RFC 7797 §7). `jwk`, `jku`, `x5u`, `x5c`, `x5t` are ignored, never followed: keys come from the configuration alone,
///         and some issuers send them as a matter of course.
Result<Jws> parse_jws(std::string_view compact, std::size_t max_bytes);

/// What became of a signature. `jws` is proved when it is there; `lookup` tells a source of keys whether to look for newer ones.
/// Lifetime: `key` is one of the set that was asked; nullptr unless `jws` is proved.
struct JwsVerdict {
  Result<Jws> jws;
  KeyLookup lookup;
  const Jwk* key = nullptr;
};

/// Proves that `compact` was signed by a key of `keys` under one of the `allowed` algorithms, which the key's own type and `alg`
/// must permit as well.
/// A token whose key is not found costs a verification all the same (with a key that nobody holds), so that time does not tell a
/// forged token from one of an unknown key.
/// Trust:  `compact` is hostile; `keys` and `allowed` are configuration.
/// Errors: `credential.invalid` as for parse_jws, or when the algorithm is not allowed, no single key is found, or the signature
///         is wrong.
/// Spec:   RFC 7515 §5.2, RFC 8725 §3.1, §3.2, §3.5.
/// Threads: any.
JwsVerdict verify_jws(std::string_view compact, const JwkSet& keys, AlgorithmSet allowed, std::size_t max_bytes = 8192);

/// `payload` signed by `key`, in compact form. `extra` header members follow `alg` and `kid`, which they must not repeat.
std::string sign_jws(const json::Object& extra, std::string_view payload, const SigningKey& key);

}  // namespace sallyport::jose
