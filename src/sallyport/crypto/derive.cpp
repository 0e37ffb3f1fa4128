#include "sallyport/crypto/derive.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

using OwnedKdf = Owned<EVP_KDF, EVP_KDF_free>;
using OwnedKdfContext = Owned<EVP_KDF_CTX, EVP_KDF_CTX_free>;

constexpr std::size_t largest = 512;
constexpr Byte nothing = 0;

OSSL_PARAM bytes_param(const char* name, Bytes bytes) {
  const Byte* data = bytes.empty() ? &nothing : bytes.data();
  return OSSL_PARAM_construct_octet_string(name, const_cast<Byte*>(data), bytes.size());
}
OSSL_PARAM text_param(const char* name, const char* text) {
  return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(text), 0);
}

Secret derive(const char* name, std::vector<OSSL_PARAM> params, std::size_t size) {
  SALLYPORT_CHECK(size > 0 && size <= largest);
  const ErrorQueueGuard guard;
  const OwnedKdf kdf(EVP_KDF_fetch(nullptr, name, nullptr));
  SALLYPORT_CHECK(kdf != nullptr);
  const OwnedKdfContext context(EVP_KDF_CTX_new(kdf.get()));
  SALLYPORT_CHECK(context != nullptr);
  params.push_back(OSSL_PARAM_construct_end());
  std::string out(size, '\0');
  SALLYPORT_CHECK(
      EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(), params.data()) == 1);
  return Secret(std::move(out));
}

}  // namespace

Secret derive_pbkdf2(DerivationHash hash, Bytes password, Bytes salt, unsigned iterations, std::size_t size) {
  SALLYPORT_CHECK(iterations > 0);
  // Without this, lengths and counts that NIST advises against are refused; an application's are what they are.
  int lenient = 1;
  return derive("PBKDF2",
                {bytes_param(OSSL_KDF_PARAM_PASSWORD, password), bytes_param(OSSL_KDF_PARAM_SALT, salt),
                 OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &iterations),
                 OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &lenient),
                 text_param(OSSL_KDF_PARAM_DIGEST, hash == DerivationHash::sha1 ? "SHA1" : "SHA256")},
                size);
}

Secret derive_hkdf_sha256(Bytes secret, Bytes salt, Bytes info, std::size_t size) {
  return derive("HKDF",
                {bytes_param(OSSL_KDF_PARAM_KEY, secret), bytes_param(OSSL_KDF_PARAM_SALT, salt),
                 bytes_param(OSSL_KDF_PARAM_INFO, info), text_param(OSSL_KDF_PARAM_DIGEST, "SHA256")},
                size);
}

}  // namespace sallyport::crypto
