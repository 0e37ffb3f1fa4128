#include "sallyport/crypto/digest.h"

#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

const EVP_MD* fetch(const char* name) {
  const EVP_MD* digest = EVP_MD_fetch(nullptr, name, nullptr);
  SALLYPORT_CHECK(digest != nullptr);
  return digest;
}

template <std::size_t size>
std::array<Byte, size> digest_of(const EVP_MD* digest, Bytes data) {
  std::array<Byte, size> out{};
  unsigned length = 0;
  SALLYPORT_CHECK(EVP_Digest(data.data(), data.size(), out.data(), &length, digest, nullptr) == 1 && length == size);
  return out;
}

}  // namespace

const EVP_MD* fetched_sha1() {
  static const EVP_MD* const digest = fetch("SHA1");
  return digest;
}
const EVP_MD* fetched_sha256() {
  static const EVP_MD* const digest = fetch("SHA256");
  return digest;
}
const EVP_MD* fetched_sha384() {
  static const EVP_MD* const digest = fetch("SHA384");
  return digest;
}
const EVP_MD* fetched_sha512() {
  static const EVP_MD* const digest = fetch("SHA512");
  return digest;
}

const EVP_MD* fetched_hash(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::HS256:
    case Algorithm::RS256:
    case Algorithm::PS256:
    case Algorithm::ES256:
      return fetched_sha256();
    case Algorithm::HS384:
    case Algorithm::RS384:
    case Algorithm::PS384:
    case Algorithm::ES384:
      return fetched_sha384();
    case Algorithm::HS512:
    case Algorithm::RS512:
    case Algorithm::PS512:
    case Algorithm::ES512:
      return fetched_sha512();
    case Algorithm::EdDSA:
      return nullptr;
  }
  return nullptr;
}

Sha256 sha256(Bytes data) { return digest_of<32>(fetched_sha256(), data); }
Sha384 sha384(Bytes data) { return digest_of<48>(fetched_sha384(), data); }
Sha512 sha512(Bytes data) { return digest_of<64>(fetched_sha512(), data); }
std::array<Byte, 20> sha1(Bytes data) { return digest_of<20>(fetched_sha1(), data); }

}  // namespace sallyport::crypto
