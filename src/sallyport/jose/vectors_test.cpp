#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/jose/jws.h"
#include "sallyport/jose/jwt.h"

using namespace sallyport;
using namespace sallyport::jose;

namespace {

const std::string vectors = SALLYPORT_SOURCE_DIR "/tests/vectors/jose/";

std::string read(const std::string& path) {
  std::ifstream file(vectors + path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  return {std::istreambuf_iterator<char>(file), {}};
}

json::Value read_json(const std::string& path) {
  auto parsed = json::parse(read(path));
  REQUIRE_MESSAGE(parsed.ok(), path);
  return std::move(parsed).value();
}

AlgorithmSet every_algorithm() {
  AlgorithmSet set;
  for (const Algorithm algorithm : crypto::all_algorithms) set.add(algorithm);
  return set;
}

// Keys in published vectors are as well known as a key can be.
JwkRules vector_rules(KeyKinds kinds) { return {kinds, WeakSecrets::dangerous_allowed}; }

// The members of a JWK that may be public, or all of a secret.
json::Value public_part(const json::Value& jwk) {
  if (*jwk.find_string("kty") == "oct") return jwk;
  json::Object kept;
  for (const auto& [name, value] : *jwk.object()) {
    if (name != "d" && name != "p" && name != "q" && name != "dp" && name != "dq" && name != "qi")
      kept.emplace_back(name, value);
  }
  return kept;
}

JwkSet set_of(const json::Value& jwk) {
  auto key = Jwk::parse(public_part(jwk), vector_rules(KeyKinds::any));
  REQUIRE_MESSAGE(key.ok(), key.error().detail);
  return JwkSet({std::move(key).value()});
}

// What a gateway would do with the key or the key set of a Wycheproof group: a set holds public keys or secrets, not both.
bool verifies(const json::Value& group, const std::string& jws) {
  const json::Value* shared = group.find("private");
  const json::Value* keys = group.find("public") ? group.find("public") : shared;
  const json::Value set = keys->find("keys") ? *keys : json::Value(json::Object{{"keys", json::Array{*keys}}});
  bool all_secrets = true;
  for (const json::Value& key : *set.find("keys")->array())
    all_secrets = all_secrets && *key.find_string("kty") == "oct";
  const auto parsed =
      JwkSet::parse(json::dump(set), vector_rules(all_secrets ? KeyKinds::symmetric_only : KeyKinds::public_only));
  return parsed.ok() && verify_jws(jws, *parsed, every_algorithm()).jws.ok();
}

using Cases = std::set<std::int64_t>;

void judge_wycheproof(const std::string& path, int at_least, const Cases& refused_though_valid,
                      const Cases& accepted_though_invalid) {
  const json::Value file = read_json(path);
  int judged = 0;
  for (const json::Value& group : *file.find("testGroups")->array()) {
    for (const json::Value& test : *group.find("tests")->array()) {
      const std::int64_t id = *test.find("tcId")->integer();
      CAPTURE(id);
      CAPTURE(*test.find_string("comment"));
      bool wanted = *test.find_string("result") == "valid";
      if (refused_though_valid.contains(id) || accepted_though_invalid.contains(id)) wanted = !wanted;
      CHECK(verifies(group, *test.find_string("jws")) == wanted);
      ++judged;
    }
  }
  CHECK(judged >= at_least);
}

}  // namespace

TEST_CASE("Wycheproof: JSON Web Signatures") {
  judge_wycheproof(
      "wycheproof/json_web_signature_test.json", 401,
      {
          346, 350,  // the header says PS384, the key's own alg PS256: the key decides what it is for
          347, 351,  // the key's alg is "ES521", which does not exist
          372, 373,  // a '?' inside the base64url, which only a decoder that skips strangers can read
      },
      {
          367, 370,  // meant to be padded, but the file's text is byte for byte that of 357, which is valid
      });
}

// Case 1 mixes a secret into a set of public keys: the secret is left out. Case 4: two keys with one kid, one of them broken.
TEST_CASE("Wycheproof: JSON Web Keys") { judge_wycheproof("wycheproof/json_web_key_test.json", 26, {}, {}); }

TEST_CASE("RFC 7520 and RFC 8037: signing again gives the published token, verifying accepts it") {
  int verified = 0;
  for (const char* path : {"cookbook/jws/4_1.rsa_v15_signature.json", "cookbook/jws/4_2.rsa-pss_signature.json",
                           "cookbook/jws/4_3.ecdsa_signature.json",
                           "cookbook/jws/4_4.hmac-sha2_integrity_protection.json", "cookbook/curve25519/jws.json"}) {
    CAPTURE(path);
    const json::Value example = read_json(path);
    const json::Value& jwk = *example.find("input")->find("key");
    const std::string& compact = *example.find("output")->find_string("compact");
    const JwkSet keys = set_of(jwk);
    const JwsVerdict verdict = verify_jws(compact, keys, every_algorithm());
    REQUIRE_MESSAGE(verdict.jws.ok(), verdict.jws.error().detail);
    CHECK(verdict.jws->payload == *example.find("input")->find_string("payload"));
    CHECK(verdict.lookup == KeyLookup::found);

    json::Object with_algorithm = *jwk.object();
    if (!jwk.find("alg")) with_algorithm.emplace_back("alg", *example.find("input")->find_string("alg"));
    const auto signer = SigningKey::parse(json::Value(with_algorithm), WeakSecrets::dangerous_allowed);
    REQUIRE_MESSAGE(signer.ok(), signer.error().detail);
    const std::string& input = *example.find("signing")->find_string("sig-input");
    const std::string signature = base64url_encode(bytes_of(signer->sign(bytes_of(input))));
    // RSASSA-PSS and ECDSA sign differently each time; the file says so by silence.
    if (example.find("reproducible")) CHECK(signature == *example.find("signing")->find_string("sig"));
    CHECK(verify_jws(input + "." + signature, keys, every_algorithm()).jws.ok());
    ++verified;
  }
  CHECK(verified == 5);
}

TEST_CASE("RFC 7520: the JSON serializations verify part by part, and are refused as tokens") {
  int verified = 0;
  for (const char* path :
       {"cookbook/jws/4_5.signature_with_detached_content.json",
        "cookbook/jws/4_6.protecting_specific_header_fields.json", "cookbook/jws/4_8.multiple_signatures.json"}) {
    CAPTURE(path);
    const json::Value example = read_json(path);
    const json::Value& serialized = *example.find("output")->find("json");
    const json::Value* keys = example.find("input")->find("key");
    CHECK(!parse_jws(json::dump(serialized), 65536).ok());
    const std::string payload = base64url_encode(bytes_of(*example.find("input")->find_string("payload")));
    const json::Array& signatures = *serialized.find("signatures")->array();
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      const std::string* header = signatures[i].find_string("protected");
      if (!header) continue;  // an unprotected header alone proves nothing, and compact form has none
      const std::string compact = *header + "." + payload + "." + *signatures[i].find_string("signature");
      const JwsVerdict verdict =
          verify_jws(compact, set_of(keys->array() ? (*keys->array())[i] : *keys), every_algorithm());
      CHECK_MESSAGE(verdict.jws.ok(), path);
      ++verified;
    }
  }
  CHECK(verified == 4);
  const json::Value unprotected = read_json("cookbook/jws/4_7.protecting_content_only.json");
  CHECK(!parse_jws(json::dump(*unprotected.find("output")->find("json")), 65536).ok());
  const std::string detached =
      *read_json("cookbook/jws/4_5.signature_with_detached_content.json").find("output")->find_string("compact");
  CHECK(!verify_jws(
             detached,
             set_of(*read_json("cookbook/jws/4_5.signature_with_detached_content.json").find("input")->find("key")),
             every_algorithm())
             .jws.ok());
}

TEST_CASE("RFC 7520 §6: the token that is encrypted there verifies before it is") {
  const json::Value example = *read_json("cookbook/6.nesting_signatures_and_encryption.json").find("sign");
  const JwkSet keys = set_of(*example.find("input")->find("key"));
  const JwsVerdict verdict = verify_jws(*example.find("output")->find_string("compact"), keys, {Algorithm::PS256});
  REQUIRE_MESSAGE(verdict.jws.ok(), verdict.jws.error().detail);
  CHECK(verdict.jws->payload == *example.find("input")->find_string("payload"));
}

TEST_CASE("RFC 7797: an unencoded payload is refused") {
  const json::Value example = read_json("cookbook/rfc7797/hmac-sha2_b64_false.json");
  const JwsVerdict verdict = verify_jws(*example.find("output")->find_string("compact"),
                                        set_of(*example.find("input")->find("key")), every_algorithm());
  CHECK(!verdict.jws.ok());
}

TEST_CASE("RFC 7520 §3: the example keys are read, the encryption key is not") {
  for (const char* path :
       {"3_1.ec_public_key.json", "3_3.rsa_public_key.json", "3_5.symmetric_key_mac_computation.json"}) {
    CAPTURE(path);
    const auto key = Jwk::parse(read_json(std::string("cookbook/jwk/") + path), vector_rules(KeyKinds::any));
    CHECK_MESSAGE(key.ok(), key.error().detail);
  }
  for (const char* path : {"3_2.ec_private_key.json", "3_4.rsa_private_key.json"}) {
    CAPTURE(path);
    const json::Value jwk = read_json(std::string("cookbook/jwk/") + path);
    CHECK(!Jwk::parse(jwk, vector_rules(KeyKinds::any)).ok());
    json::Object named = *jwk.object();
    named.emplace_back("alg", std::string(path).find("rsa") == std::string::npos ? "ES512" : "RS256");
    CHECK(SigningKey::parse(json::Value(named)).ok());
  }
  CHECK(!Jwk::parse(read_json("cookbook/jwk/3_6.symmetric_key_encryption.json"), vector_rules(KeyKinds::any)).ok());
}

TEST_CASE("RFC 7515 appendix A") {
  for (const std::string number : {"1", "2", "3", "4"}) {
    CAPTURE(number);
    const std::string compact = read("rfc7515/rfc7515_A." + number + ".jwsc");
    const JwkSet keys = set_of(read_json("rfc7515/rfc7515_A." + number + ".jwk"));
    const JwsVerdict verdict = verify_jws(compact, keys, every_algorithm());
    CHECK_MESSAGE(verdict.jws.ok(), number);
  }
  // A.5 is the unsecured JWS.
  CHECK(!parse_jws(read("rfc7515/rfc7515_A.5.jwsc"), 8192).ok());
  // A.6 and A.7 are JSON serializations; their parts are those of A.2 and A.3.
  const json::Value general = read_json("rfc7515/rfc7515_A.6.jwsg");
  const json::Array& signatures = *general.find("signatures")->array();
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const std::string compact = *signatures[i].find_string("protected") + "." + *general.find_string("payload") + "." +
                                *signatures[i].find_string("signature");
    const std::string path = "rfc7515/rfc7515_A.6." + std::to_string(i + 1) + ".jwk";
    CHECK_MESSAGE(verify_jws(compact, set_of(read_json(path)), every_algorithm()).jws.ok(), path);
  }
  const json::Value flat = read_json("rfc7515/rfc7515_A.7.jwsf");
  const std::string compact =
      *flat.find_string("protected") + "." + *flat.find_string("payload") + "." + *flat.find_string("signature");
  CHECK(verify_jws(compact, set_of(read_json("rfc7515/rfc7515_A.7.jwk")), every_algorithm()).jws.ok());
  for (const char* path : {"rfc7515/rfc7515_A.6.jwsg", "rfc7515/rfc7515_A.7.jwsf"})
    CHECK(!parse_jws(read(path), 65536).ok());
}

TEST_CASE("RFC 7517 appendix A: key sets") {
  // A.1: an encryption key beside the 2011 RSA key.
  const auto first = JwkSet::parse(read("rfc7515/rfc7517_A.1.jwkset"));
  REQUIRE(first.ok());
  CHECK(first->keys().size() == 1);
  CHECK(first->notes().size() == 1);
  CHECK(first->keys()[0].kid() == "2011-04-29");
  CHECK(thumbprint(*first->keys()[0].public_key()) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");  // RFC 7638 §3.1
  // A.2: private keys; A.6 of RFC 7515 likewise.
  for (const char* path : {"rfc7515/rfc7517_A.2.jwkset", "rfc7515/rfc7515_A.6.jwkset"})
    CHECK(!JwkSet::parse(read(path)).ok());
  // A.3: secrets, one of them for key wrapping.
  const std::string secrets = read("rfc7515/rfc7517_A.3.jwkset");
  const auto third = JwkSet::parse(secrets, vector_rules(KeyKinds::symmetric_only));
  REQUIRE(third.ok());
  CHECK(third->keys().size() == 1);
  CHECK(!JwkSet::parse(secrets).ok());
  CHECK(!JwkSet::parse(secrets, {KeyKinds::symmetric_only}).ok());  // printed in an RFC
}

TEST_CASE("jwt-attacks.json") {
  const json::Value file = read_json("jwt-attacks.json");
  const json::Value& stated = *file.find("policy");
  JwtPolicy policy;
  policy.issuers = {*stated.find_string("issuer")};
  policy.audiences = {*stated.find_string("audience")};
  policy.leeway = std::chrono::seconds(*stated.find("leeway_seconds")->integer());
  for (const json::Value& name : *stated.find("algorithms")->array())
    policy.algorithms.add(*parse_algorithm(*name.string()));
  // The operator's own file, secret included; the weak and the encryption key stay out.
  const auto keys = JwkSet::parse(json::dump(*file.find("jwks")), {KeyKinds::any});
  REQUIRE(keys.ok());
  CHECK(keys->keys().size() == 6);
  CHECK(keys->notes().size() == 2);
  int judged = 0;
  for (const json::Value& test : *file.find("cases")->array()) {
    CAPTURE(*test.find_string("id"));
    const std::string& expect = *test.find_string("expect");
    const auto verdict =
        verify_jwt(*test.find_string("token"), *keys, policy, from_unix_seconds(*stated.find("now")->integer()));
    ++judged;
    if (expect == "either") continue;
    CHECK(verdict.claims.ok() == (expect == "accept"));
    if (verdict.claims.ok()) {
      CHECK(verdict.claims->subject == "alice");
      continue;
    }
    const bool expired = *test.find_string("id") == "claim-expired";
    CHECK(verdict.claims.error().reason == (expired ? Reason::credential_expired : Reason::credential_invalid));
    CHECK(verdict.claims.error().detail.find(*test.find_string("token")) == std::string::npos);
  }
  CHECK(judged >= 53);
}
