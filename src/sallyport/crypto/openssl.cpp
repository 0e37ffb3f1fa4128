#include "sallyport/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

namespace sallyport::crypto {

void KeyParams::add_text(const char* name, const char* text) {
  SALLYPORT_CHECK(OSSL_PARAM_BLD_push_utf8_string(builder_.get(), name, text, 0) == 1);
}

void KeyParams::add_bytes(const char* name, std::string_view bytes) {
  SALLYPORT_CHECK(OSSL_PARAM_BLD_push_octet_string(builder_.get(), name, bytes.data(), bytes.size()) == 1);
}

void KeyParams::add_number(const char* name, std::string_view big_endian) {
  OwnedNumber number(BN_secure_new());
  SALLYPORT_CHECK(number != nullptr);
  const Bytes bytes = bytes_of(big_endian);
  SALLYPORT_CHECK(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), number.get()) != nullptr);
  SALLYPORT_CHECK(OSSL_PARAM_BLD_push_BN(builder_.get(), name, number.get()) == 1);
  numbers_.push_back(std::move(number));
}

OwnedKey KeyParams::make_key(const char* type, int selection) {
  const OwnedParams params(OSSL_PARAM_BLD_to_param(builder_.get()));
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  SALLYPORT_CHECK(params != nullptr && context != nullptr);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) != 1) return nullptr;
  return OwnedKey(key);
}

OwnedKeyContext make_key_context(EVP_PKEY* key, Algorithm algorithm, int (*init)(EVP_PKEY_CTX*)) {
  OwnedKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  SALLYPORT_CHECK(context != nullptr && init(context.get()) == 1);
  const EVP_MD* hash = fetched_hash(algorithm);
  if (is_rsa(algorithm)) {
    const int padding = is_pss(algorithm) ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    SALLYPORT_CHECK(EVP_PKEY_CTX_set_rsa_padding(context.get(), padding) == 1);
  }
  SALLYPORT_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), hash) == 1);
  if (is_pss(algorithm)) {
    SALLYPORT_CHECK(EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), hash) == 1);
    SALLYPORT_CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  return context;
}

std::optional<Curve> curve_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::ES256:
      return Curve::p256;
    case Algorithm::ES384:
      return Curve::p384;
    case Algorithm::ES512:
      return Curve::p521;
    default:
      return std::nullopt;
  }
}

bool is_rsa(Algorithm algorithm) { return algorithm >= Algorithm::RS256 && algorithm <= Algorithm::PS512; }
bool is_pss(Algorithm algorithm) { return algorithm >= Algorithm::PS256 && algorithm <= Algorithm::PS512; }

bool parts_fit(const PublicParts& parts, Algorithm algorithm) {
  if (std::holds_alternative<RsaPublic>(parts)) return is_rsa(algorithm);
  if (const auto* ec = std::get_if<EcPublic>(&parts)) return curve_of(algorithm) == ec->curve;
  return algorithm == Algorithm::EdDSA;
}

std::string number_of(const EVP_PKEY* key, const char* name, std::size_t size) {
  BIGNUM* raw = nullptr;
  SALLYPORT_CHECK(EVP_PKEY_get_bn_param(key, name, &raw) == 1);
  const OwnedNumber number(raw);
  const std::size_t needed = static_cast<std::size_t>(BN_num_bytes(number.get()));
  std::string out(size == 0 ? needed : size, '\0');
  SALLYPORT_CHECK(
      BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) >= 0);
  return out;
}

PublicParts public_parts_of(EVP_PKEY* key, Algorithm algorithm) {
  if (is_rsa(algorithm))
    return RsaPublic{number_of(key, OSSL_PKEY_PARAM_RSA_N, 0), number_of(key, OSSL_PKEY_PARAM_RSA_E, 0)};
  if (const auto curve = curve_of(algorithm)) {
    const std::size_t size = coordinate_size(*curve);
    return EcPublic{*curve, number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size),
                    number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size)};
  }
  std::string x(32, '\0');
  std::size_t length = x.size();
  SALLYPORT_CHECK(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(x.data()), &length) == 1 &&
                  length == 32);
  return Ed25519Public{std::move(x)};
}

OwnedKey generate_key(Algorithm algorithm) {
  SALLYPORT_CHECK(!is_symmetric(algorithm));
  const auto curve = curve_of(algorithm);
  OwnedKey key(is_rsa(algorithm) ? EVP_RSA_gen(3072U)
               : curve           ? EVP_EC_gen(std::string(name(*curve)).c_str())
                                 : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  SALLYPORT_CHECK(key != nullptr);
  return key;
}

}  // namespace sallyport::crypto
