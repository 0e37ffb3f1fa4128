#include "sallyport/crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

using OwnedMacContext = Owned<EVP_MAC_CTX, EVP_MAC_CTX_free>;

EVP_MAC* fetched_hmac() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  SALLYPORT_CHECK(mac != nullptr);
  return mac;
}

}  // namespace

struct HmacKey::State {
  OwnedMacContext keyed;  // never used itself, only copied
};

HmacKey::HmacKey(Algorithm algorithm, Bytes key) : algorithm_(algorithm) {
  SALLYPORT_CHECK(is_symmetric(algorithm));
  const ErrorQueueGuard guard;
  auto state = std::make_shared<State>();
  state->keyed.reset(EVP_MAC_CTX_new(fetched_hmac()));
  SALLYPORT_CHECK(state->keyed != nullptr);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                       const_cast<char*>(EVP_MD_get0_name(fetched_hash(algorithm))), 0),
      OSSL_PARAM_construct_end()};
  // A null pointer would mean "keep the key", not "an empty key".
  constexpr Byte nothing = 0;
  const Byte* bytes = key.empty() ? &nothing : key.data();
  SALLYPORT_CHECK(EVP_MAC_init(state->keyed.get(), bytes, key.size(), params) == 1);
  state_ = std::move(state);
}

std::string HmacKey::sign(Bytes data) const {
  const ErrorQueueGuard guard;
  const OwnedMacContext context(EVP_MAC_CTX_dup(state_->keyed.get()));
  SALLYPORT_CHECK(context != nullptr);
  std::string out(EVP_MAX_MD_SIZE, '\0');
  std::size_t length = 0;
  SALLYPORT_CHECK(EVP_MAC_update(context.get(), data.data(), data.size()) == 1);
  SALLYPORT_CHECK(EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length, out.size()) == 1);
  out.resize(length);
  return out;
}

bool HmacKey::verify(Bytes data, Bytes mac) const { return equal(bytes_of(sign(data)), mac); }

Sha256 hmac_sha256(Bytes key, Bytes data) {
  const std::string mac = HmacKey(Algorithm::HS256, key).sign(data);
  Sha256 out{};
  SALLYPORT_CHECK(mac.size() == out.size());
  std::copy(mac.begin(), mac.end(), out.begin());
  return out;
}

std::array<Byte, 20> hmac_sha1(Bytes key, Bytes data) {
  const ErrorQueueGuard guard;
  std::array<Byte, 20> out{};
  constexpr Byte nothing = 0;
  std::size_t length = 0;
  SALLYPORT_CHECK(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA1", nullptr, key.empty() ? &nothing : key.data(), key.size(),
                            data.data(), data.size(), out.data(), out.size(), &length) != nullptr);
  SALLYPORT_CHECK(length == out.size());
  return out;
}

}  // namespace sallyport::crypto
