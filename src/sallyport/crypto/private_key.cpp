#include "sallyport/crypto/private_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include <array>
#include <utility>

#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

Error invalid(std::string detail) { return Error{Reason::config_invalid, "private key: " + std::move(detail)}; }

constexpr std::pair<const char*, Secret RsaPrivate::*> rsa_secrets[] = {
    {OSSL_PKEY_PARAM_RSA_D, &RsaPrivate::d},          {OSSL_PKEY_PARAM_RSA_FACTOR1, &RsaPrivate::p},
    {OSSL_PKEY_PARAM_RSA_FACTOR2, &RsaPrivate::q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, &RsaPrivate::dp},
    {OSSL_PKEY_PARAM_RSA_EXPONENT2, &RsaPrivate::dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &RsaPrivate::qi},
};

PublicParts public_parts_of(const PrivateParts& parts) {
  return std::visit([](const auto& kind) { return PublicParts(kind.public_parts); }, parts);
}

Result<OwnedKey> make_rsa(const RsaPrivate& parts) {
  KeyParams params;
  params.add_number(OSSL_PKEY_PARAM_RSA_N, parts.public_parts.n);
  params.add_number(OSSL_PKEY_PARAM_RSA_E, parts.public_parts.e);
  for (const auto& [name, member] : rsa_secrets) {
    const Secret& secret = parts.*member;
    if (secret.empty() || secret.size() > parts.public_parts.n.size()) return invalid("RSA member empty or too long");
    params.add_number(name, secret.reveal());
  }
  OwnedKey key = params.make_key("RSA", EVP_PKEY_KEYPAIR);
  if (!key) return invalid("RSA key refused by OpenSSL");
  return key;
}

Result<OwnedKey> make_ec(const EcPrivate& parts) {
  if (parts.d.size() != coordinate_size(parts.public_parts.curve))
    return invalid("EC member not as long as the curve's field");
  const std::string group(name(parts.public_parts.curve));
  const std::string point = '\4' + parts.public_parts.x + parts.public_parts.y;
  KeyParams params;
  params.add_text(OSSL_PKEY_PARAM_GROUP_NAME, group.c_str());
  params.add_bytes(OSSL_PKEY_PARAM_PUB_KEY, point);
  params.add_number(OSSL_PKEY_PARAM_PRIV_KEY, parts.d.reveal());
  OwnedKey key = params.make_key("EC", EVP_PKEY_KEYPAIR);
  if (!key) return invalid("EC key refused by OpenSSL");
  return key;
}

Result<OwnedKey> make_ed25519(const Ed25519Private& parts) {
  if (parts.d.size() != 32) return invalid("Ed25519 member is not 32 bytes");
  OwnedKey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, parts.d.bytes().data(), parts.d.size()));
  if (!key) return invalid("Ed25519 key refused by OpenSSL");
  return key;
}

Result<OwnedKey> make_any(const PrivateParts& parts) {
  if (const auto* rsa = std::get_if<RsaPrivate>(&parts)) return make_rsa(*rsa);
  if (const auto* ec = std::get_if<EcPrivate>(&parts)) return make_ec(*ec);
  return make_ed25519(std::get<Ed25519Private>(parts));
}

// OpenSSL's DER as r || s.
std::string raw_of_der(std::string_view der, std::size_t size) {
  const unsigned char* at = bytes_of(der).data();
  const Owned<ECDSA_SIG, ECDSA_SIG_free> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  SALLYPORT_CHECK(signature != nullptr);
  std::string raw(2 * size, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  SALLYPORT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, static_cast<int>(size)) >= 0);
  SALLYPORT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + size, static_cast<int>(size)) >= 0);
  return raw;
}

}  // namespace

struct PrivateKey::State {
  State(OwnedKey private_key, PublicKey its_public_key)
      : key(std::move(private_key)), public_key(std::move(its_public_key)) {
    for (const Algorithm algorithm : all_algorithms) {
      if (!public_key.fits(algorithm)) continue;
      if (algorithm == Algorithm::EdDSA) {
        eddsa.reset(EVP_MD_CTX_new());
        SALLYPORT_CHECK(eddsa && EVP_DigestSignInit(eddsa.get(), nullptr, nullptr, nullptr, key.get()) == 1);
      } else {
        contexts[static_cast<std::size_t>(algorithm)] = make_key_context(key.get(), algorithm, EVP_PKEY_sign_init);
      }
    }
  }
  OwnedKey key;
  PublicKey public_key;
  std::array<OwnedKeyContext, algorithm_count> contexts;  // of the algorithms that fit; only ever copied
  OwnedDigestContext eddsa;                               // likewise
};

PrivateKey PrivateKey::generate(Algorithm algorithm) {
  const ErrorQueueGuard guard;
  OwnedKey key = generate_key(algorithm);
  PublicKey public_key = PublicKey::make(crypto::public_parts_of(key.get(), algorithm)).value();
  return PrivateKey(std::make_shared<State>(std::move(key), std::move(public_key)));
}

Result<PrivateKey> PrivateKey::make(PrivateParts parts) {
  const ErrorQueueGuard guard;
  TRY(PublicKey public_key, PublicKey::make(public_parts_of(parts)));
  TRY(OwnedKey key, make_any(parts));
  if (const auto* ed25519 = std::get_if<Ed25519Private>(&parts)) {
    const PublicParts own = crypto::public_parts_of(key.get(), Algorithm::EdDSA);
    if (own != PublicParts(ed25519->public_parts)) return invalid("the private part belongs to another public part");
  } else {
    const OwnedKeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    SALLYPORT_CHECK(check != nullptr);
    if (EVP_PKEY_check(check.get()) != 1) return invalid("the private part belongs to another public part");
  }
  return PrivateKey(std::make_shared<State>(std::move(key), std::move(public_key)));
}

PrivateParts PrivateKey::parts() const {
  const EVP_PKEY* key = state_->key.get();
  const PublicParts& public_parts = state_->public_key.parts();
  if (const auto* rsa = std::get_if<RsaPublic>(&public_parts)) {
    RsaPrivate out{*rsa, {}, {}, {}, {}, {}, {}};
    for (const auto& [name, member] : rsa_secrets) out.*member = Secret(number_of(key, name, 0));
    return out;
  }
  if (const auto* ec = std::get_if<EcPublic>(&public_parts)) {
    return EcPrivate{*ec, Secret(number_of(key, OSSL_PKEY_PARAM_PRIV_KEY, coordinate_size(ec->curve)))};
  }
  std::string d(32, '\0');
  std::size_t length = d.size();
  SALLYPORT_CHECK(EVP_PKEY_get_raw_private_key(key, reinterpret_cast<unsigned char*>(d.data()), &length) == 1 &&
                  length == 32);
  return Ed25519Private{std::get<Ed25519Public>(public_parts), Secret(std::move(d))};
}

const PublicKey& PrivateKey::public_key() const { return state_->public_key; }

std::string PrivateKey::sign(Algorithm algorithm, Bytes data) const {
  SALLYPORT_CHECK(state_->public_key.fits(algorithm));
  const ErrorQueueGuard guard;
  std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  std::size_t length = out.size();
  if (algorithm == Algorithm::EdDSA) {
    const OwnedDigestContext context(EVP_MD_CTX_new());
    SALLYPORT_CHECK(context != nullptr && EVP_MD_CTX_copy_ex(context.get(), state_->eddsa.get()) == 1);
    SALLYPORT_CHECK(EVP_DigestSign(context.get(), at, &length, data.data(), data.size()) == 1);
    out.resize(length);
    return out;
  }
  const OwnedKeyContext context(EVP_PKEY_CTX_dup(state_->contexts[static_cast<std::size_t>(algorithm)].get()));
  SALLYPORT_CHECK(context != nullptr);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned hash_length = 0;
  SALLYPORT_CHECK(EVP_Digest(data.data(), data.size(), hash, &hash_length, fetched_hash(algorithm), nullptr) == 1);
  SALLYPORT_CHECK(EVP_PKEY_sign(context.get(), at, &length, hash, hash_length) == 1);
  out.resize(length);
  if (const auto curve = curve_of(algorithm)) return raw_of_der(out, coordinate_size(*curve));
  return out;
}

}  // namespace sallyport::crypto
