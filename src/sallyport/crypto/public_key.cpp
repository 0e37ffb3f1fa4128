#include "sallyport/crypto/public_key.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <vector>

#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/hmac.h"
#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

constexpr int min_rsa_bits = 2048;
constexpr int max_rsa_bits = 8192;

Error invalid(std::string detail) { return Error{Reason::config_invalid, "public key: " + std::move(detail)}; }

// The modulus of a ROCA key is a power of 65537 modulo each small prime; of any other key it is so for all of them with a
// probability far below 2^-100.
bool is_roca(const BIGNUM* modulus) {
  constexpr unsigned primes[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                 47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
  for (const unsigned prime : primes) {
    const auto rest = static_cast<unsigned>(BN_mod_word(modulus, prime));
    const unsigned generator = 65537 % prime;
    unsigned power = 1;
    bool found = false;
    do {
      found = found || power == rest;
      power = power * generator % prime;
    } while (power != 1);
    if (!found) return false;
  }
  return true;
}

Result<OwnedKey> make_rsa(const RsaPublic& parts) {
  if (parts.n.empty() || parts.n[0] == '\0') return invalid("RSA modulus is empty or starts with a zero byte");
  if (parts.e.empty() || parts.e[0] == '\0') return invalid("RSA exponent is empty or starts with a zero byte");
  if (parts.n.size() > max_rsa_bits / 8) return invalid("RSA modulus beyond 8192 bits");
  if (parts.e.size() > 4) return invalid("RSA exponent beyond 32 bits");
  const Bytes n = bytes_of(parts.n);
  const OwnedNumber modulus(BN_bin2bn(n.data(), static_cast<int>(n.size()), nullptr));
  SALLYPORT_CHECK(modulus != nullptr);
  const int bits = BN_num_bits(modulus.get());
  if (bits < min_rsa_bits) return invalid("RSA modulus of " + std::to_string(bits) + " bits, at least 2048 are needed");
  if (!BN_is_odd(modulus.get())) return invalid("RSA modulus is even");
  std::uint32_t exponent = 0;
  for (const Byte byte : bytes_of(parts.e)) exponent = exponent << 8 | byte;
  if (exponent < 3 || exponent % 2 == 0) return invalid("RSA exponent is even or below 3");
  if (is_roca(modulus.get())) return invalid("RSA modulus made by the ROCA generator (CVE-2017-15361)");
  KeyParams params;
  params.add_number(OSSL_PKEY_PARAM_RSA_N, parts.n);
  params.add_number(OSSL_PKEY_PARAM_RSA_E, parts.e);
  OwnedKey key = params.make_key("RSA", EVP_PKEY_PUBLIC_KEY);
  if (!key) return invalid("RSA key refused by OpenSSL");
  return key;
}

Result<OwnedKey> make_ec(const EcPublic& parts) {
  const std::size_t size = coordinate_size(parts.curve);
  if (parts.x.size() != size || parts.y.size() != size)
    return invalid("EC coordinate not as long as the curve's field");
  const std::string point = '\4' + parts.x + parts.y;
  const std::string group(name(parts.curve));
  KeyParams params;
  params.add_text(OSSL_PKEY_PARAM_GROUP_NAME, group.c_str());
  params.add_bytes(OSSL_PKEY_PARAM_PUB_KEY, point);
  OwnedKey key = params.make_key("EC", EVP_PKEY_PUBLIC_KEY);
  if (!key) return invalid("EC point is not on the curve");
  return key;
}

// y of the points whose order divides 8, little-endian, the sign bit cleared; the last two are the unreduced spellings of 0 and 1.
bool has_small_order(std::string_view x) {
  constexpr std::array<std::array<Byte, 32>, 7> points = [] {
    std::array<std::array<Byte, 32>, 7> all{};
    all[1][0] = 1;
    all[2] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
              0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
    all[3] = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
              0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
    for (std::size_t i = 4; i < all.size(); ++i) {
      all[i].fill(0xff);
      all[i][0] = static_cast<Byte>(0xec + i - 4);
      all[i][31] = 0x7f;
    }
    return all;
  }();
  return std::any_of(points.begin(), points.end(), [&](const auto& point) {
    return std::equal(point.begin(), point.end() - 1, bytes_of(x).begin()) && point[31] == (bytes_of(x)[31] & 0x7f);
  });
}

Result<OwnedKey> make_ed25519(const Ed25519Public& parts) {
  if (parts.x.size() != 32) return invalid("Ed25519 key is not 32 bytes");
  if (has_small_order(parts.x)) return invalid("Ed25519 point of small order");
  OwnedKey key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes_of(parts.x).data(), parts.x.size()));
  if (!key) return invalid("Ed25519 key refused by OpenSSL");
  return key;
}

Result<OwnedKey> make_any(const PublicParts& parts) {
  if (const auto* rsa = std::get_if<RsaPublic>(&parts)) return make_rsa(*rsa);
  if (const auto* ec = std::get_if<EcPublic>(&parts)) return make_ec(*ec);
  return make_ed25519(std::get<Ed25519Public>(parts));
}

void append_der_integer(std::string& out, std::string_view big_endian) {
  while (big_endian.size() > 1 && big_endian[0] == '\0') big_endian.remove_prefix(1);
  const bool needs_zero = (static_cast<Byte>(big_endian[0]) & 0x80) != 0;
  out += '\2';
  out += static_cast<char>(big_endian.size() + (needs_zero ? 1 : 0));
  if (needs_zero) out += '\0';
  out += big_endian;
}

// r || s as the DER SEQUENCE that OpenSSL wants. At most 2 * 68 bytes inside, so one or two length bytes.
std::string der_of_raw(std::string_view raw) {
  std::string inside;
  append_der_integer(inside, raw.substr(0, raw.size() / 2));
  append_der_integer(inside, raw.substr(raw.size() / 2));
  std::string out = "\x30";
  if (inside.size() >= 0x80) out += '\x81';
  out += static_cast<char>(inside.size());
  return out + inside;
}

}  // namespace

std::string_view name(Curve curve) {
  constexpr std::string_view names[] = {"P-256", "P-384", "P-521"};
  return names[static_cast<std::size_t>(curve)];
}

std::size_t coordinate_size(Curve curve) {
  constexpr std::size_t sizes[] = {32, 48, 66};
  return sizes[static_cast<std::size_t>(curve)];
}

struct PublicKey::State {
  PublicParts parts;
  OwnedKey key;
  std::array<OwnedKeyContext, algorithm_count> contexts;  // of the algorithms that fit; only ever copied
  OwnedDigestContext eddsa;                               // likewise
};

Result<PublicKey> PublicKey::make(PublicParts parts) {
  const ErrorQueueGuard guard;
  TRY(OwnedKey key, make_any(parts));
  auto state = std::make_shared<State>();
  for (const Algorithm algorithm : all_algorithms) {
    if (!parts_fit(parts, algorithm)) continue;
    if (algorithm == Algorithm::EdDSA) {
      state->eddsa.reset(EVP_MD_CTX_new());
      SALLYPORT_CHECK(state->eddsa &&
                      EVP_DigestVerifyInit(state->eddsa.get(), nullptr, nullptr, nullptr, key.get()) == 1);
    } else {
      state->contexts[static_cast<std::size_t>(algorithm)] =
          make_key_context(key.get(), algorithm, EVP_PKEY_verify_init);
    }
  }
  state->parts = std::move(parts);
  state->key = std::move(key);
  return PublicKey(std::move(state));
}

Result<PublicKey> PublicKey::parse_pem(std::string_view pem) {
  const ErrorQueueGuard guard;
  const Owned<BIO, BIO_free_all> source(
      BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 65536))));
  SALLYPORT_CHECK(source != nullptr);
  const OwnedKey key(PEM_read_bio_PUBKEY(source.get(), nullptr, nullptr, nullptr));
  if (!key) return invalid("no PEM \"PUBLIC KEY\" block");
  const int type = EVP_PKEY_get_base_id(key.get());
  if (type == EVP_PKEY_RSA) return make(public_parts_of(key.get(), Algorithm::RS256));
  if (type == EVP_PKEY_ED25519) return make(public_parts_of(key.get(), Algorithm::EdDSA));
  if (type == EVP_PKEY_EC) {
    char group[32] = {};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(key.get(), group, sizeof group, &length) == 1) {
      const std::string_view curve(group, length);
      if (curve == "prime256v1") return make(public_parts_of(key.get(), Algorithm::ES256));
      if (curve == "secp384r1") return make(public_parts_of(key.get(), Algorithm::ES384));
      if (curve == "secp521r1") return make(public_parts_of(key.get(), Algorithm::ES512));
    }
    return invalid("EC curve other than P-256, P-384, P-521");
  }
  return invalid("neither RSA nor EC nor Ed25519");
}

const PublicParts& PublicKey::parts() const { return state_->parts; }
bool PublicKey::fits(Algorithm algorithm) const { return parts_fit(state_->parts, algorithm); }

bool PublicKey::verify(Algorithm algorithm, Bytes data, Bytes signature) const {
  if (!fits(algorithm)) return false;
  const ErrorQueueGuard guard;
  if (algorithm == Algorithm::EdDSA) {
    if (signature.size() != 64) return false;
    const OwnedDigestContext context(EVP_MD_CTX_new());
    SALLYPORT_CHECK(context != nullptr && EVP_MD_CTX_copy_ex(context.get(), state_->eddsa.get()) == 1);
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
  }
  std::string der;
  if (const auto curve = curve_of(algorithm)) {
    if (signature.size() != 2 * coordinate_size(*curve)) return false;
    der = der_of_raw(text_of(signature));
    signature = bytes_of(der);
  } else if (signature.size() != std::get<RsaPublic>(state_->parts).n.size()) {
    return false;
  }
  const OwnedKeyContext context(EVP_PKEY_CTX_dup(state_->contexts[static_cast<std::size_t>(algorithm)].get()));
  SALLYPORT_CHECK(context != nullptr);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  SALLYPORT_CHECK(EVP_Digest(data.data(), data.size(), hash, &length, fetched_hash(algorithm), nullptr) == 1);
  return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), hash, length) == 1;
}

namespace {

// An RSA modulus that nobody can factor, since nobody made it from primes.
PublicKey make_rsa_decoy(std::size_t size) {
  RsaPublic parts{{}, std::string("\1\0\1", 3)};
  for (char counter = 0; parts.n.size() < size; ++counter) {
    const Sha512 block = sha512(bytes_of(std::string("sallyport decoy modulus ") + counter));
    parts.n += text_of(block);
  }
  parts.n.front() = static_cast<char>(parts.n.front() | '\x80');
  parts.n.back() = static_cast<char>(parts.n.back() | 1);
  return PublicKey::make(std::move(parts)).value();
}

PublicKey make_decoy(Algorithm algorithm) {
  return PublicKey::make(public_parts_of(generate_key(algorithm).get(), algorithm)).value();
}

const PublicKey& decoy(Algorithm algorithm) {
  static const PublicKey p256 = make_decoy(Algorithm::ES256);
  static const PublicKey p384 = make_decoy(Algorithm::ES384);
  static const PublicKey p521 = make_decoy(Algorithm::ES512);
  static const PublicKey ed25519 = make_decoy(Algorithm::EdDSA);
  switch (algorithm) {
    case Algorithm::ES256:
      return p256;
    case Algorithm::ES384:
      return p384;
    case Algorithm::ES512:
      return p521;
    default:
      return ed25519;
  }
}

// The decoy of the modulus that `signature` was made for, of the usual ones.
const PublicKey& rsa_decoy(Bytes signature) {
  static const PublicKey bits_2048 = make_rsa_decoy(256);
  static const PublicKey bits_3072 = make_rsa_decoy(384);
  static const PublicKey bits_4096 = make_rsa_decoy(512);
  return signature.size() <= 256 ? bits_2048 : signature.size() <= 384 ? bits_3072 : bits_4096;
}

}  // namespace

void spend_verification(Algorithm algorithm, Bytes data, Bytes signature) {
  if (is_symmetric(algorithm)) {
    static const HmacKey keys[] = {{Algorithm::HS256, {}}, {Algorithm::HS384, {}}, {Algorithm::HS512, {}}};
    static_cast<void>(keys[static_cast<std::size_t>(algorithm)].verify(data, signature));
  } else if (is_rsa(algorithm)) {
    const PublicKey& key = rsa_decoy(signature);
    const std::size_t size = std::get<RsaPublic>(key.parts()).n.size();
    // Brought to the length and below the value of the modulus, where OpenSSL would give up early.
    std::string fitted(text_of(signature).substr(0, size));
    fitted.resize(size);
    fitted[0] = 0;
    static_cast<void>(key.verify(algorithm, data, bytes_of(fitted)));
  } else {
    static_cast<void>(decoy(algorithm).verify(algorithm, data, signature));
  }
}

}  // namespace sallyport::crypto
