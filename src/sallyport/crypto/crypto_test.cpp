#include <openssl/err.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/derive.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/hmac.h"
#include "sallyport/crypto/private_key.h"
#include "sallyport/crypto/public_key.h"
#include "sallyport/crypto/random.h"

using namespace sallyport;
using namespace sallyport::crypto;

namespace {

json::Value wycheproof(const std::string& name) {
  std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/jose/wycheproof/" + name);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto parsed = json::parse(text);
  REQUIRE_MESSAGE(parsed.ok(), name);
  return std::move(parsed).value();
}

std::string unhex(const std::string* text) { return hex_decode(*text).value(); }
std::string member(const json::Value& jwk, std::string_view name) {
  return base64url_decode(*jwk.find_string(name)).value();
}

template <class Judge>
int for_each_test(const json::Value& file, const Judge& judge) {
  int judged = 0;
  for (const json::Value& group : *file.find("testGroups")->array()) {
    for (const json::Value& test : *group.find("tests")->array()) {
      CAPTURE(*test.find("tcId")->integer());
      CAPTURE(*test.find_string("comment"));
      const std::string& result = *test.find_string("result");
      // "acceptable": an RSA signature whose DigestInfo lacks the NULL; here as invalid as any other second spelling.
      CHECK(judge(group, test) == (result == "valid"));
      ++judged;
    }
  }
  return judged;
}

void check_signatures(const std::string& file, Algorithm algorithm, int at_least,
                      PublicParts (*parts)(const json::Value&)) {
  const int judged = for_each_test(wycheproof(file), [&](const json::Value& group, const json::Value& test) {
    const auto key = PublicKey::make(parts(group));
    REQUIRE(key.ok());
    return key->verify(algorithm, bytes_of(unhex(test.find_string("msg"))), bytes_of(unhex(test.find_string("sig"))));
  });
  CHECK(judged >= at_least);
  CHECK(ERR_peek_error() == 0);
}

PublicParts rsa_parts(const json::Value& group) {
  const json::Value* key = group.find("publicKey");
  std::string n = unhex(key->find_string("modulus"));
  std::string e = unhex(key->find_string("publicExponent"));
  while (n[0] == '\0') n.erase(0, 1);
  while (e[0] == '\0') e.erase(0, 1);
  return RsaPublic{std::move(n), std::move(e)};
}

template <Curve curve>
PublicParts ec_parts(const json::Value& group) {
  std::string point = unhex(group.find("publicKey")->find_string("uncompressed"));
  const std::size_t size = coordinate_size(curve);
  return EcPublic{curve, point.substr(1, size), point.substr(1 + size)};
}

PublicParts ed25519_parts(const json::Value& group) {
  return Ed25519Public{unhex(group.find("publicKey")->find_string("pk"))};
}

std::string refusal(PublicParts parts) {
  const auto key = PublicKey::make(std::move(parts));
  REQUIRE(!key.ok());
  CHECK(key.error().reason == Reason::config_invalid);
  return key.error().detail;
}

}  // namespace

TEST_CASE("digests of the FIPS 180-4 examples") {
  CHECK(hex_encode(sha256(bytes_of("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex_encode(sha384(bytes_of("abc"))).substr(0, 32) == "cb00753f45a35e8bb5a03d699ac65007");
  CHECK(hex_encode(sha512(bytes_of("abc"))).substr(0, 32) == "ddaf35a193617abacc417349ae204131");
  CHECK(hex_encode(sha1(bytes_of(""))) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  // RFC 6455 §1.3
  CHECK(base64_encode(sha1(bytes_of("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))) ==
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("equal compares whole strings") {
  CHECK(equal(bytes_of("abc"), bytes_of("abc")));
  CHECK(equal({}, {}));
  CHECK(!equal(bytes_of("abc"), bytes_of("abd")));
  CHECK(!equal(bytes_of("abc"), bytes_of("ab")));
  CHECK(!equal(bytes_of("abc"), {}));
}

TEST_CASE("random bytes differ, seeded ones repeat") {
  CHECK(random_bytes(32) != random_bytes(32));
  CHECK(random_bytes(0).empty());
  FakeRandom first(7);
  FakeRandom second(7);
  FakeRandom other(8);
  const std::string bytes = first.bytes(40);
  CHECK(bytes == second.bytes(40));
  CHECK(bytes != first.bytes(40));
  CHECK(bytes != other.bytes(40));
}

TEST_CASE("Wycheproof HMAC") {
  const std::pair<const char*, Algorithm> files[] = {{"hmac_sha256_test.json", Algorithm::HS256},
                                                     {"hmac_sha384_test.json", Algorithm::HS384},
                                                     {"hmac_sha512_test.json", Algorithm::HS512}};
  for (const auto& entry : files) {
    const Algorithm algorithm = entry.second;
    const int judged = for_each_test(wycheproof(entry.first), [&](const json::Value& group, const json::Value& test) {
      const HmacKey key(algorithm, bytes_of(unhex(test.find_string("key"))));
      const std::string data = unhex(test.find_string("msg"));
      const std::string tag = unhex(test.find_string("tag"));
      // Half of the groups hold truncated MACs, which JOSE does not have: they must not verify, but their bytes are still right.
      const auto size = static_cast<std::size_t>(*group.find("tagSize")->integer() / 8);
      const std::string whole = key.sign(bytes_of(data));
      if (size == whole.size()) return key.verify(bytes_of(data), bytes_of(tag));
      CHECK(!key.verify(bytes_of(data), bytes_of(tag)));
      return whole.substr(0, size) == tag;
    });
    CHECK(judged >= 170);
  }
}

TEST_CASE("Wycheproof ECDSA P-256") {
  check_signatures("ecdsa_secp256r1_sha256_p1363_test.json", Algorithm::ES256, 250, ec_parts<Curve::p256>);
}
TEST_CASE("Wycheproof ECDSA P-384") {
  check_signatures("ecdsa_secp384r1_sha384_p1363_test.json", Algorithm::ES384, 250, ec_parts<Curve::p384>);
}
TEST_CASE("Wycheproof Ed25519") { check_signatures("ed25519_test.json", Algorithm::EdDSA, 150, ed25519_parts); }
TEST_CASE("Wycheproof RSASSA-PKCS1") {
  check_signatures("rsa_signature_2048_sha256_test.json", Algorithm::RS256, 250, rsa_parts);
}
TEST_CASE("Wycheproof RSASSA-PSS") {
  check_signatures("rsa_pss_2048_sha256_mgf1_32_test.json", Algorithm::PS256, 100, rsa_parts);
}

TEST_CASE("each algorithm signs what only it verifies, and keys survive storage") {
  const PrivateKey rsa = PrivateKey::generate(Algorithm::RS256);
  for (const Algorithm algorithm : all_algorithms) {
    if (is_symmetric(algorithm)) continue;
    CAPTURE(name(algorithm));
    const PrivateKey key = rsa.public_key().fits(algorithm) ? rsa : PrivateKey::generate(algorithm);
    std::string signature = key.sign(algorithm, bytes_of("data"));
    for (const Algorithm other : all_algorithms) {
      CHECK(key.public_key().verify(other, bytes_of("data"), bytes_of(signature)) == (other == algorithm));
    }
    CHECK(!key.public_key().verify(algorithm, bytes_of("date"), bytes_of(signature)));
    CHECK(!key.public_key().verify(algorithm, bytes_of("data"), bytes_of(signature + '\0')));
    CHECK(!key.public_key().verify(algorithm, bytes_of("data"), {}));
    for (const std::size_t at : {std::size_t{0}, signature.size() / 2, signature.size() - 1}) {
      signature[at] = static_cast<char>(signature[at] ^ 1);
      CHECK(!key.public_key().verify(algorithm, bytes_of("data"), bytes_of(signature)));
      signature[at] = static_cast<char>(signature[at] ^ 1);
    }
    const auto again = PrivateKey::make(key.parts());
    REQUIRE(again.ok());
    CHECK(again->public_key().parts() == key.public_key().parts());
    CHECK(key.public_key().verify(algorithm, bytes_of("data"), bytes_of(again->sign(algorithm, bytes_of("data")))));
    spend_verification(algorithm, bytes_of("data"), bytes_of(signature));
    spend_verification(algorithm, bytes_of("data"), {});
    CHECK(ERR_peek_error() == 0);
  }
  spend_verification(Algorithm::HS384, bytes_of("data"), {});
}

TEST_CASE("a private part that belongs to another key is refused") {
  for (const Algorithm algorithm : {Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256}) {
    CAPTURE(name(algorithm));
    PrivateParts mine = PrivateKey::generate(algorithm).parts();
    const PrivateParts theirs = PrivateKey::generate(algorithm).parts();
    if (auto* rsa = std::get_if<RsaPrivate>(&mine)) rsa->public_parts = std::get<RsaPrivate>(theirs).public_parts;
    if (auto* ec = std::get_if<EcPrivate>(&mine)) ec->public_parts = std::get<EcPrivate>(theirs).public_parts;
    if (auto* ed = std::get_if<Ed25519Private>(&mine)) ed->public_parts = std::get<Ed25519Private>(theirs).public_parts;
    const auto key = PrivateKey::make(std::move(mine));
    REQUIRE(!key.ok());
    CHECK(key.error().reason == Reason::config_invalid);
  }
  PrivateParts shortened = PrivateKey::generate(Algorithm::ES256).parts();
  std::get<EcPrivate>(shortened).d = Secret(std::string(31, '\1'));
  CHECK(!PrivateKey::make(std::move(shortened)).ok());
}

TEST_CASE("RSA keys that prove nothing are refused") {
  const RsaPublic good = std::get<RsaPublic>(PrivateKey::generate(Algorithm::RS256).public_key().parts());
  const std::string e = good.e;
  CHECK(PublicKey::make(good).ok());
  CHECK(PublicKey::make(RsaPublic{good.n, "\3"}).ok());
  CHECK(refusal(RsaPublic{good.n.substr(0, 255), e}).find("2048") != std::string::npos);
  CHECK(refusal(RsaPublic{'\0' + good.n, e}).find("zero byte") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n + std::string(1024, '\1'), e}).find("8192") != std::string::npos);
  std::string even = good.n;
  even.back() = static_cast<char>(even.back() & ~1);
  CHECK(refusal(RsaPublic{even, e}).find("even") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n, "\1"}).find("exponent") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n, "\2"}).find("exponent") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n, ""}).find("exponent") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n, std::string("\0\1\0\1", 4)}).find("exponent") != std::string::npos);
  CHECK(refusal(RsaPublic{good.n, std::string("\1\0\0\0\1", 5)}).find("exponent") != std::string::npos);
  CHECK(refusal(RsaPublic{"", e}).find("empty") != std::string::npos);
}

TEST_CASE("the ROCA key is recognised") {
  const json::Value file = wycheproof("json_web_key_test.json");
  bool seen = false;
  for (const json::Value& group : *file.find("testGroups")->array()) {
    if (*group.find_string("comment") != "jws_rsa_roca_key") continue;
    const json::Value& jwk = (*group.find("public")->find("keys")->array())[0];
    CHECK(refusal(RsaPublic{member(jwk, "n"), member(jwk, "e")}).find("ROCA") != std::string::npos);
    seen = true;
  }
  CHECK(seen);
}

TEST_CASE("EC points off the curve or of another length are refused") {
  for (const Algorithm algorithm : {Algorithm::ES256, Algorithm::ES384, Algorithm::ES512}) {
    const EcPublic good = std::get<EcPublic>(PrivateKey::generate(algorithm).public_key().parts());
    CHECK(PublicKey::make(good).ok());
    EcPublic off = good;
    off.y.back() = static_cast<char>(off.y.back() ^ 1);
    CHECK(refusal(off).find("curve") != std::string::npos);
    CHECK(refusal(EcPublic{good.curve, '\0' + good.x, good.y}).find("long") != std::string::npos);
    CHECK(refusal(EcPublic{good.curve, good.x.substr(1), good.y}).find("long") != std::string::npos);
    CHECK(refusal(EcPublic{good.curve, std::string(good.x.size(), '\0'), std::string(good.x.size(), '\0')})
              .find("curve") != std::string::npos);
    CHECK(refusal(EcPublic{good.curve, std::string(good.x.size(), '\xff'), good.y}).find("curve") != std::string::npos);
  }
}

TEST_CASE("Ed25519 points of another length or of small order are refused") {
  CHECK(refusal(Ed25519Public{std::string(31, '\1')}).find("32") != std::string::npos);
  CHECK(refusal(Ed25519Public{std::string(33, '\1')}).find("32") != std::string::npos);
  for (const std::string_view point : {"0000000000000000000000000000000000000000000000000000000000000000",
                                       "0100000000000000000000000000000000000000000000000000000000000080",
                                       "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                       "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                                       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                                       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"}) {
    CHECK(refusal(Ed25519Public{hex_decode(point).value()}).find("small order") != std::string::npos);
  }
}

TEST_CASE("PEM public keys are read") {
  const std::pair<const char*, Algorithm> files[] = {{"ecdsa_secp256r1_sha256_p1363_test.json", Algorithm::ES256},
                                                     {"ecdsa_secp384r1_sha384_p1363_test.json", Algorithm::ES384},
                                                     {"ed25519_test.json", Algorithm::EdDSA},
                                                     {"rsa_signature_2048_sha256_test.json", Algorithm::RS256}};
  for (const auto& [file, algorithm] : files) {
    CAPTURE(file);
    const json::Value vectors = wycheproof(file);
    const std::string& pem = *(*vectors.find("testGroups")->array())[0].find_string("publicKeyPem");
    const auto key = PublicKey::parse_pem(pem);
    REQUIRE(key.ok());
    CHECK(key->fits(algorithm));
    CHECK(!PublicKey::parse_pem(std::string_view(pem).substr(0, pem.size() / 2)).ok());
  }
  CHECK(!PublicKey::parse_pem("").ok());
  CHECK(!PublicKey::parse_pem("secret").ok());
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("one key verifies on many threads at once") {
  const PrivateKey keys[] = {PrivateKey::generate(Algorithm::ES256), PrivateKey::generate(Algorithm::EdDSA),
                             PrivateKey::generate(Algorithm::PS256)};
  const Algorithm algorithms[] = {Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256};
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 10; ++round) {
        for (std::size_t i = 0; i < 3; ++i) {
          const std::string signature = keys[i].sign(algorithms[i], bytes_of("data"));
          wrong[thread] += keys[i].public_key().verify(algorithms[i], bytes_of("data"), bytes_of(signature)) ? 0 : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) CHECK(count == 0);
}

TEST_CASE("HMAC with SHA-1 is RFC 2202's") {
  CHECK(hex_encode(hmac_sha1(bytes_of(std::string(20, '\x0b')), bytes_of("Hi There"))) ==
        "b617318655057264e28bc0b6fb378c8ef146be00");
  CHECK(hex_encode(hmac_sha1(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))) ==
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  CHECK(hex_encode(hmac_sha1({}, {})) == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

TEST_CASE("PBKDF2 is RFC 6070's and RFC 7914's") {
  CHECK(hex_encode(derive_pbkdf2(DerivationHash::sha1, bytes_of("password"), bytes_of("salt"), 4096, 20).bytes()) ==
        "4b007901b765489abead49d926f721d065a429c1");
  CHECK(hex_encode(derive_pbkdf2(DerivationHash::sha256, bytes_of("passwd"), bytes_of("salt"), 1, 64).bytes()) ==
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

TEST_CASE("HKDF is RFC 5869's") {
  const std::string secret(22, '\x0b');
  CHECK(hex_encode(derive_hkdf_sha256(bytes_of(secret), bytes_of(hex_decode("000102030405060708090a0b0c").value()),
                                      bytes_of(hex_decode("f0f1f2f3f4f5f6f7f8f9").value()), 42)
                       .bytes()) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  CHECK(hex_encode(derive_hkdf_sha256(bytes_of(secret), {}, {}, 42).bytes()) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_CASE("AES-GCM opens what was sealed and nothing else") {
  const std::string key = hex_decode("feffe9928665731c6d6a8f9467308308").value();
  const std::string nonce = hex_decode("cafebabefacedbaddecaf888").value();
  const std::string plain =
      hex_decode(
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
          "b16aedf5aa0de657ba637b39")
          .value();
  const std::string aad = hex_decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").value();
  // Test case 4 of the specification of GCM.
  const Sealed sealed = seal_aes_gcm(bytes_of(key), bytes_of(nonce), bytes_of(aad), bytes_of(plain));
  CHECK(hex_encode(bytes_of(sealed.tag)) == "5bc94fbc3221a5db94fae95ae7121a47");
  const auto open = [&](std::string_view with, std::string_view text, std::string_view tag) {
    return open_aes_gcm(bytes_of(key), bytes_of(with), bytes_of(aad), bytes_of(text), bytes_of(tag));
  };
  CHECK(open(nonce, sealed.text, sealed.tag) == plain);
  std::string other = sealed.text;
  other[0] = static_cast<char>(other[0] ^ 1);
  CHECK(!open(nonce, other, sealed.tag));
  CHECK(!open(nonce, sealed.text, std::string_view(sealed.tag).substr(0, 12)));
  CHECK(!open(nonce, sealed.text, ""));
  CHECK(!open(nonce.substr(1), sealed.text, sealed.tag));
  CHECK(!open_aes_gcm(bytes_of(key), bytes_of(nonce), {}, bytes_of(sealed.text), bytes_of(sealed.tag)));
  const Sealed nothing = seal_aes_gcm(bytes_of(key), bytes_of(nonce), bytes_of(aad), {});
  CHECK(open(nonce, nothing.text, nothing.tag) == "");
}

TEST_CASE("AES-CBC decrypts what was encrypted") {
  // NIST SP 800-38A F.2.1, the padding block added.
  const std::string key = hex_decode("2b7e151628aed2a6abf7158809cf4f3c").value();
  const std::string iv = hex_decode("000102030405060708090a0b0c0d0e0f").value();
  const std::string plain = hex_decode("6bc1bee22e409f96e93d7e117393172a").value();
  const std::string sealed = encrypt_aes_cbc(bytes_of(key), bytes_of(iv), bytes_of(plain));
  CHECK(hex_encode(bytes_of(sealed)).starts_with("7649abac8119b246cee98e9b12e9197d"));
  CHECK(decrypt_aes_cbc(bytes_of(key), bytes_of(iv), bytes_of(sealed)) == plain);
  CHECK(!decrypt_aes_cbc(bytes_of(key), bytes_of(iv), bytes_of(sealed.substr(1))));
  CHECK(!decrypt_aes_cbc(bytes_of(key), bytes_of(iv), bytes_of(sealed.substr(0, 16))));
  CHECK(!decrypt_aes_cbc(bytes_of(key), bytes_of(iv), {}));
  CHECK(!decrypt_aes_cbc(bytes_of(key), bytes_of(iv.substr(1)), bytes_of(sealed)));
  CHECK(decrypt_aes_cbc(bytes_of(key), bytes_of(iv), bytes_of(encrypt_aes_cbc(bytes_of(key), bytes_of(iv), {}))) == "");
}
