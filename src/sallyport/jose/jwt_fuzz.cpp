#include <cstdint>

#include "sallyport/base/encoding.h"
#include "sallyport/jose/jwt.h"
#include "sallyport/jose/weak_secret.h"

using namespace sallyport;
using namespace sallyport::jose;

namespace {

// A secret, so that the fuzzer's own signing is cheap enough to reach the claims.
constexpr std::string_view secret = "fuzz 8Jq2#v]9Zk!pX4w~Tn6&yR1$bM7";

JwtPolicy make_policy() {
  JwtPolicy policy;
  policy.issuers = {"https://idp.example/"};
  policy.audiences = {"wss-gateway"};
  for (const Algorithm algorithm : crypto::all_algorithms) policy.algorithms.add(algorithm);
  return policy;
}

}  // namespace

// The input as a whole token; as the header of a signed one; as the claims of a signed one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const SigningKey key = SigningKey::make_secret(bytes_of(secret), "fuzz", Algorithm::HS256).value();
  static const JwkSet keys({Jwk::make_secret(bytes_of(secret), "fuzz", Algorithm::HS256).value()});
  static const JwtPolicy policy = make_policy();
  constexpr std::int64_t now = 1'800'000'000;
  const Bytes input(data, size);

  const auto verify = [&](const std::string& token) {
    const auto verdict = verify_jwt(token, keys, policy, from_unix_seconds(now));
    if (!verdict.claims.ok()) return;
    SALLYPORT_CHECK(verdict.lookup == KeyLookup::found);
    SALLYPORT_CHECK(!verdict.claims->subject.empty());
    SALLYPORT_CHECK(verdict.claims->issuer == "https://idp.example/");
    SALLYPORT_CHECK(to_unix_seconds(verdict.claims->expires_at) > now - 31);
    for (const char character : verdict.claims->subject) SALLYPORT_CHECK(static_cast<unsigned char>(character) >= 0x20);
    // What was read can be written and read again.
    SALLYPORT_CHECK(json::parse(json::dump(verdict.claims->payload)).ok());
  };
  verify(std::string(text_of(input)));
  std::string token = base64url_encode(input) + "." + base64url_encode(bytes_of("{}"));
  verify(token + "." + base64url_encode(bytes_of(key.sign(bytes_of(token)))));
  verify(sign_jws({}, text_of(input), key));
  static_cast<void>(check_secret(input));
  return 0;
}
