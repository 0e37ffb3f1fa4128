#pragma once

// What the files of this folder share about OpenSSL; included by their .cpp files only.

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>
#include <string>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/crypto/public_key.h"

namespace sallyport::crypto {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Freed<free>>;

using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedKeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using OwnedDigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using OwnedNumber = Owned<BIGNUM, BN_clear_free>;

using OwnedParams = Owned<OSSL_PARAM, OSSL_PARAM_free>;

/// Leaves this thread's error queue as it was found: a TLS stream on the same thread reads that queue to judge its own calls.
class ErrorQueueGuard {
 public:
  ErrorQueueGuard() { ERR_set_mark(); }
  ~ErrorQueueGuard() { ERR_pop_to_mark(); }
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
};

/// Fetched once per process: fetching by name takes a lock and a search, on each signature of each handshake.
/// Threads: any.
const EVP_MD* fetched_sha1();
const EVP_MD* fetched_sha256();
const EVP_MD* fetched_sha384();
const EVP_MD* fetched_sha512();

/// The hash inside `algorithm`; nullptr for EdDSA, which has its own.
const EVP_MD* fetched_hash(Algorithm algorithm);

/// Collects the numbers and bytes of a key for OpenSSL.
class KeyParams {
 public:
  KeyParams() : builder_(OSSL_PARAM_BLD_new()) { SALLYPORT_CHECK(builder_ != nullptr); }
  void add_text(const char* name, const char* text);
  /// `bytes` stay alive until to_params.
  void add_bytes(const char* name, std::string_view bytes);
  void add_number(const char* name, std::string_view big_endian);
  /// The key of that type, or nullptr when OpenSSL refuses it. `selection` is EVP_PKEY_PUBLIC_KEY or EVP_PKEY_KEYPAIR.
  OwnedKey make_key(const char* type, int selection);

 private:
  Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder_;
  std::vector<OwnedNumber> numbers_;
};

/// What PublicKey::verify and PrivateKey::sign need for one algorithm, set up once and copied for each use.
OwnedKeyContext make_key_context(EVP_PKEY* key, Algorithm algorithm, int (*init)(EVP_PKEY_CTX*));

/// The curve that `algorithm` is bound to.
std::optional<Curve> curve_of(Algorithm algorithm);
bool is_rsa(Algorithm algorithm);
bool is_pss(Algorithm algorithm);
/// Whether a key of these parts can be used with `algorithm`.
bool parts_fit(const PublicParts& parts, Algorithm algorithm);

/// `key`'s public parts.
PublicParts public_parts_of(EVP_PKEY* key, Algorithm algorithm);
/// The number called `name`, left-padded with zeros to `size` bytes (0: as short as it is).
std::string number_of(const EVP_PKEY* key, const char* name, std::size_t size);
OwnedKey generate_key(Algorithm algorithm);

}  // namespace sallyport::crypto
