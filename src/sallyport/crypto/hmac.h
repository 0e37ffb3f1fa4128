#pragma once

#include <array>
#include <memory>
#include <string>

#include "sallyport/base/bytes.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::crypto {

/// HMAC (RFC 2104) with one SHA-2 hash and one key, keyed once and used often. Copies share the key.
/// Threads: any, at the same time.
class HmacKey {
 public:
  /// `algorithm` is one of HS256, HS384, HS512; anything else is a bug. Any length of key: who takes keys in judges them.
  HmacKey(Algorithm algorithm, Bytes key);

  Algorithm algorithm() const { return algorithm_; }
  /// 32, 48 or 64 bytes.
  std::string sign(Bytes data) const;
  /// Whether `mac` is the whole MAC of `data`, compared in constant time.
  bool verify(Bytes data, Bytes mac) const;

 private:
  struct State;
  Algorithm algorithm_;
  std::shared_ptr<const State> state_;
};

Sha256 hmac_sha256(Bytes key, Bytes data);

/// For applications whose cookies are signed so, and for the codes of authenticator apps (RFC 6238): HMAC asks less of its hash than a
/// signature does. For nothing of our own.
std::array<Byte, 20> hmac_sha1(Bytes key, Bytes data);

}  // namespace sallyport::crypto
