#include "sallyport/jose/jws.h"

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"

using namespace sallyport;
using namespace sallyport::jose;

namespace {

const SigningKey& ec_key() {
  static const SigningKey key = SigningKey::generate(Algorithm::ES256);
  return key;
}
const JwkSet& keys() {
  static const JwkSet set({Jwk::parse(json::Value(ec_key().to_public_jwk())).value()});
  return set;
}

// A token with that very header, properly signed.
std::string token_with(std::string_view header, const SigningKey& key = ec_key()) {
  std::string out = base64url_encode(bytes_of(header)) + "." + base64url_encode(bytes_of("payload"));
  return out + "." + base64url_encode(bytes_of(key.sign(bytes_of(out))));
}

JwsVerdict verify(const std::string& token, AlgorithmSet allowed = {Algorithm::ES256}) {
  return verify_jws(token, keys(), allowed);
}

std::string refusal(const std::string& token) {
  const JwsVerdict verdict = verify(token);
  REQUIRE_MESSAGE(!verdict.jws.ok(), token);
  CHECK(verdict.jws.error().reason == Reason::credential_invalid);
  return verdict.jws.error().detail;
}

bool mentions(const std::string& detail, std::string_view what) { return detail.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("a signed text comes back") {
  const std::string token = sign_jws({{"typ", "JWT"}}, "payload", ec_key());
  const JwsVerdict verdict = verify(token);
  REQUIRE(verdict.jws.ok());
  CHECK(verdict.lookup == KeyLookup::found);
  CHECK(verdict.jws->payload == "payload");
  CHECK(verdict.jws->kid == ec_key().kid());
  CHECK(*verdict.jws->header.find_string("typ") == "JWT");
  CHECK(verify(sign_jws({}, "", ec_key())).jws.ok());
  CHECK(verify(token_with(R"({"alg":"ES256"})")).jws.ok());
}

TEST_CASE("a text that is not three canonical parts is refused") {
  const std::string token = sign_jws({}, "payload", ec_key());
  CHECK(mentions(refusal(""), "fewer"));
  CHECK(mentions(refusal("a"), "fewer"));
  CHECK(mentions(refusal("a.b"), "fewer"));
  CHECK(mentions(refusal(token + ".x"), "more"));
  CHECK(mentions(refusal(token + "."), "more"));
  CHECK(mentions(refusal(token + "="), "signature"));
  CHECK(mentions(refusal(token + " "), "signature"));
  CHECK(mentions(refusal(" " + token), "header"));
  CHECK(!refusal(token.substr(0, token.rfind('.') + 1)).empty());
  std::string padded = token;
  padded.insert(padded.rfind('.'), "=");
  CHECK(mentions(refusal(padded), "payload"));
  std::string padded_header = token;
  padded_header.insert(padded_header.find('.'), "==");
  CHECK(mentions(refusal(padded_header), "header"));
}

TEST_CASE("a text beyond the limit is refused unread") {
  const std::string token = sign_jws({}, std::string(9000, 'x'), ec_key());
  CHECK(mentions(refusal(token), "allowed"));
  CHECK(verify_jws(token, keys(), {Algorithm::ES256}, 20000).jws.ok());
  CHECK(verify_jws(token, keys(), {Algorithm::ES256}, token.size()).jws.ok());
  CHECK(!verify_jws(token, keys(), {Algorithm::ES256}, token.size() - 1).jws.ok());
}

TEST_CASE("a header with more than one reading is refused") {
  for (const std::string_view header :
       {"", "null", "[]", "\"ES256\"", R"({"alg":"ES256"}x)", R"({"alg":"none","alg":"ES256"})",
        R"({"alg":"ES256","a\u006cg":"none"})", R"({"alg":["ES256"]})", R"({"alg":null})", R"({})",
        R"({"ALG":"ES256"})", R"({"alg":"es256"})", R"({"alg":"none"})", R"({"alg":"ES256","kid":1})",
        R"({"alg":"ES256","kid":null})", R"({"alg":"ES256","typ":[]})"}) {
    CAPTURE(header);
    refusal(token_with(header));
  }
  refusal(token_with(R"({"alg":"ES256","x":)" + std::string(20, '[') + std::string(20, ']') + "}"));
}

TEST_CASE("extensions are refused, hints about keys ignored") {
  for (const std::string_view header :
       {R"({"alg":"ES256","crit":["exp"],"exp":1})", R"({"alg":"ES256","crit":[]})", R"({"alg":"ES256","crit":null})",
        R"({"alg":"ES256","b64":false,"crit":["b64"]})", R"({"alg":"ES256","b64":true})"}) {
    CAPTURE(header);
    CHECK(mentions(refusal(token_with(header)), "not understood"));
  }
  const std::string hints =
      R"("jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/","x5c":["AA"],"x5t":"AA","cty":"JWT")";
  CHECK(verify(token_with(R"({"alg":"ES256",)" + hints + "}")).jws.ok());
  const SigningKey stranger = SigningKey::generate(Algorithm::ES256);
  const std::string own_key = json::dump(json::Value(stranger.to_public_jwk()));
  refusal(token_with(R"({"alg":"ES256","jwk":)" + own_key + "}", stranger));
}

TEST_CASE("the allowed algorithms and the key's own decide together") {
  const std::string token = sign_jws({}, "payload", ec_key());
  CHECK(verify(token, {Algorithm::ES256, Algorithm::RS256}).jws.ok());
  const JwsVerdict unlisted = verify(token, {Algorithm::RS256});
  CHECK(mentions(unlisted.jws.error().detail, "allowed"));
  CHECK(unlisted.lookup == KeyLookup::not_tried);
  CHECK(!verify(token, {}).jws.ok());
  const JwsVerdict other_type =
      verify(token_with(R"({"alg":"HS256","kid":")" + ec_key().kid() + "\"}"), {Algorithm::HS256});
  CHECK(!other_type.jws.ok());
  CHECK(other_type.lookup == KeyLookup::no_fitting_key);
}

TEST_CASE("a signature by another key or over another text is refused") {
  const SigningKey stranger = SigningKey::generate(Algorithm::ES256);
  CHECK(mentions(refusal(token_with(R"({"alg":"ES256","kid":")" + ec_key().kid() + "\"}", stranger)), "wrong"));
  const std::string token = sign_jws({}, "payload", ec_key());
  const std::string other = sign_jws({}, "other payload", ec_key());
  refusal(token.substr(0, token.rfind('.')) + other.substr(other.rfind('.')));
}

TEST_CASE("the verdict tells whether newer keys might help") {
  const SigningKey stranger = SigningKey::generate(Algorithm::ES256);
  const JwsVerdict unknown = verify(sign_jws({}, "payload", stranger));
  CHECK(!unknown.jws.ok());
  CHECK(unknown.lookup == KeyLookup::unknown_kid);
  CHECK(mentions(unknown.jws.error().detail, "kid"));
  const JwkSet two({Jwk::parse(json::Value(ec_key().to_public_jwk())).value(),
                    Jwk::parse(json::Value(stranger.to_public_jwk())).value()});
  CHECK(verify_jws(token_with(R"({"alg":"ES256"})"), two, {Algorithm::ES256}).lookup == KeyLookup::ambiguous);
  CHECK(verify("x").lookup == KeyLookup::not_tried);
}

TEST_CASE("every bit of a token counts") {
  const std::string token = sign_jws({}, "payload", ec_key());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CAPTURE(i);
    CHECK(!verify(changed).jws.ok());
  }
}
