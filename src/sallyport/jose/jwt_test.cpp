#include "sallyport/jose/jwt.h"

#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"

using namespace sallyport;
using namespace sallyport::jose;

namespace {

constexpr std::int64_t now = 1'800'000'000;

const SigningKey& key() {
  static const SigningKey signer = SigningKey::generate(Algorithm::EdDSA);
  return signer;
}
const JwkSet& keys() {
  static const JwkSet set({Jwk::parse(json::Value(key().to_public_jwk())).value()});
  return set;
}

JwtPolicy policy() {
  JwtPolicy out;
  out.issuers = {"https://idp.example", "https://other.example/"};
  out.audiences = {"chat", "game"};
  out.algorithms = {Algorithm::EdDSA};
  return out;
}

json::Object claims() {
  return {{"iss", "https://idp.example"}, {"sub", "alice"}, {"aud", "chat"}, {"iat", now - 10}, {"exp", now + 300}};
}

json::Object with(json::Object object, std::string_view name, json::Value value) {
  std::erase_if(object, [&](const auto& member) { return member.first == name; });
  object.emplace_back(std::string(name), std::move(value));
  return object;
}

json::Object without(json::Object object, std::string_view name) {
  std::erase_if(object, [&](const auto& member) { return member.first == name; });
  return object;
}

Result<Claims> verify_text(std::string_view payload, const JwtPolicy& rules = policy(),
                           const json::Object& extra = {{"typ", "JWT"}}) {
  return verify_jwt(sign_jws(extra, payload, key()), keys(), rules, from_unix_seconds(now)).claims;
}

Result<Claims> verify(const json::Object& object, const JwtPolicy& rules = policy(),
                      const json::Object& extra = {{"typ", "JWT"}}) {
  return verify_text(json::dump(json::Value(object)), rules, extra);
}

std::string refusal(const Result<Claims>& result, Reason reason = Reason::credential_invalid) {
  REQUIRE(!result.ok());
  CHECK(row(result.error().reason).name == row(reason).name);
  return result.error().detail;
}

bool mentions(const std::string& detail, std::string_view what) { return detail.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("a good token gives its claims") {
  json::Object all = claims();
  all = with(all, "aud", json::Array{"mail", "game"});
  all = with(all, "nbf", now - 5);
  all = with(all, "jti", "id-1");
  all = with(all, "sid", "session-1");
  all = with(all, "scope", "chat:read  chat:write");
  all = with(all, "roles", json::Array{"admin", "Team Lead"});
  all = with(all, "tid", "acme");
  all = with(all, "acr", "urn:high");
  all = with(all, "amr", json::Array{"pwd", "otp"});
  all = with(all, "auth_time", now - 60);
  all = with(all, "client_id", "web");
  all = with(all, "azp", "other");
  all = with(all, "cnf", json::Object{{"jkt", "x"}});
  const auto result = verify(all);
  REQUIRE_MESSAGE(result.ok(), result.error().detail);
  CHECK(result->issuer == "https://idp.example");
  CHECK(result->subject == "alice");
  CHECK(result->audiences == std::vector<std::string>{"mail", "game"});
  CHECK(result->expires_at == from_unix_seconds(now + 300));
  CHECK(result->not_before == from_unix_seconds(now - 5));
  CHECK(result->issued_at == from_unix_seconds(now - 10));
  CHECK(result->token_id == "id-1");
  CHECK(result->session_id == "session-1");
  CHECK(result->scopes == std::vector<std::string>{"chat:read", "chat:write"});
  CHECK(result->roles == std::vector<std::string>{"admin", "Team Lead"});
  CHECK(result->tenant == "acme");
  CHECK(result->acr == "urn:high");
  CHECK(result->amr == std::vector<std::string>{"pwd", "otp"});
  CHECK(result->auth_time == from_unix_seconds(now - 60));
  CHECK(result->client_id == "web");
  CHECK(*result->payload.find("cnf")->find_string("jkt") == "x");
}

TEST_CASE("what a token does not say stays empty") {
  const auto result = verify(claims());
  REQUIRE(result.ok());
  CHECK(!result->not_before);
  CHECK(!result->auth_time);
  CHECK(result->scopes.empty());
  CHECK(result->roles.empty());
  CHECK(result->tenant.empty());
  CHECK(result->client_id.empty());
  CHECK(verify(with(claims(), "azp", "app"))->client_id == "app");
  CHECK(verify(with(claims(), "scope", ""))->scopes.empty());
  CHECK(verify(with(claims(), "scp", "a b"))->scopes.size() == 2);
  CHECK(verify(with(claims(), "scp", json::Array{"a", "b"}))->scopes.size() == 2);
}

TEST_CASE("typ is one of the allowed types") {
  for (const char* typ : {"JWT", "jwt", "at+jwt", "application/at+jwt", "Application/AT+JWT"}) {
    CHECK(verify(claims(), policy(), {{"typ", typ}}).ok());
  }
  CHECK(verify(claims(), policy(), {}).ok());
  for (const char* typ :
       {"", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/", "text/at+jwt", "JWT ", "JOSE"}) {
    CAPTURE(typ);
    CHECK(mentions(refusal(verify(claims(), policy(), {{"typ", typ}})), "typ"));
  }
  JwtPolicy strict = policy();
  strict.types = {"at+jwt"};
  CHECK(verify(claims(), strict, {{"typ", "at+jwt"}}).ok());
  CHECK(mentions(refusal(verify(claims(), strict, {})), "missing"));
  refusal(verify(claims(), strict, {{"typ", "JWT"}}));
}

TEST_CASE("iss is one of the issuers, byte for byte") {
  CHECK(verify(with(claims(), "iss", "https://other.example/")).ok());
  for (const char* iss :
       {"https://idp.example/", "https://IDP.example", "https://idp.exampl", "https://idp.example.evil"}) {
    CHECK(mentions(refusal(verify(with(claims(), "iss", iss))), "iss"));
  }
  CHECK(mentions(refusal(verify(without(claims(), "iss"))), "iss"));
  CHECK(mentions(refusal(verify(with(claims(), "iss", json::Array{"https://idp.example"}))), "iss"));
  JwtPolicy nobody = policy();
  nobody.issuers.clear();
  refusal(verify(claims(), nobody));
}

TEST_CASE("aud names us") {
  CHECK(verify(with(claims(), "aud", "game")).ok());
  for (const json::Value& aud :
       {json::Value("mail"), json::Value("Chat"), json::Value(""), json::Value(json::Array{}), json::Value(1),
        json::Value(json::Array{"chat", 1}), json::Value(json::Object{{"chat", 1}}), json::Value(nullptr)}) {
    CHECK(mentions(refusal(verify(with(claims(), "aud", aud))), "aud"));
  }
  CHECK(mentions(refusal(verify(without(claims(), "aud"))), "aud"));
  JwtPolicy nobody = policy();
  nobody.audiences.clear();
  refusal(verify(claims(), nobody));
}

TEST_CASE("exp ends a token, leeway later") {
  CHECK(verify(with(claims(), "exp", now - 29)).ok());
  CHECK(mentions(refusal(verify(with(claims(), "exp", now - 30)), Reason::credential_expired), "expired 30 s ago"));
  CHECK(verify(with(claims(), "exp", static_cast<double>(now) - 29.5)).ok());
  CHECK(mentions(refusal(verify(without(claims(), "exp"))), "exp"));
  JwtPolicy exact = policy();
  exact.leeway = std::chrono::seconds(0);
  CHECK(verify(with(claims(), "exp", now + 1), exact).ok());
  refusal(verify(with(claims(), "exp", now), exact), Reason::credential_expired);
}

TEST_CASE("only a token that is good but for the time is expired") {
  const json::Object expired = with(claims(), "exp", now - 100);
  refusal(verify(expired), Reason::credential_expired);
  refusal(verify(with(expired, "aud", "mail")));
  refusal(verify(with(expired, "iss", "https://evil.example")));
  refusal(verify(expired, policy(), {{"typ", "dpop+jwt"}}));
  std::string forged = sign_jwt({}, expired, key());
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  refusal(verify_jwt(forged, keys(), policy(), from_unix_seconds(now)).claims);
}

TEST_CASE("nbf and iat lie not in the future") {
  CHECK(verify(with(claims(), "nbf", now + 30)).ok());
  CHECK(mentions(refusal(verify(with(claims(), "nbf", now + 31))), "not valid before"));
  CHECK(verify(with(claims(), "iat", now + 30)).ok());
  CHECK(mentions(refusal(verify(with(claims(), "iat", now + 31))), "future"));
}

TEST_CASE("a lifetime beyond the policy is refused") {
  CHECK(verify(with(claims(), "exp", now - 10 + 86400)).ok());
  CHECK(mentions(refusal(verify(with(claims(), "exp", now - 10 + 86401))), "lifetime"));
  CHECK(verify(with(without(claims(), "iat"), "exp", now + 86400)).ok());
  CHECK(mentions(refusal(verify(with(without(claims(), "iat"), "exp", now + 86500))), "lifetime"));
}

TEST_CASE("times are numbers in range") {
  CHECK(verify(with(claims(), "exp", static_cast<double>(now) + 10.75))->expires_at ==
        WallTime(std::chrono::milliseconds(now * 1000 + 10750)));
  for (const char* claim : {"exp", "nbf", "iat", "auth_time"}) {
    CAPTURE(claim);
    for (const json::Value& time :
         {json::Value("1800000300"), json::Value(-1), json::Value(-0.5), json::Value(std::int64_t{253402300800}),
          json::Value(1e300), json::Value(std::int64_t{9223372036854775807}), json::Value(true), json::Value(nullptr),
          json::Value(json::Array{})}) {
      CHECK(mentions(refusal(verify(with(claims(), claim, time))), claim));
    }
  }
}

TEST_CASE("required claims are there") {
  CHECK(mentions(refusal(verify(without(claims(), "sub"))), "sub"));
  CHECK(mentions(refusal(verify(with(claims(), "sub", nullptr))), "sub"));
  CHECK(mentions(refusal(verify(with(claims(), "sub", ""))), "sub"));
  CHECK(mentions(refusal(verify(with(claims(), "sub", 7))), "sub"));
  JwtPolicy relaxed = policy();
  relaxed.required.clear();
  CHECK(verify(without(claims(), "sub"), relaxed).ok());
  for (const char* name : {"iss", "aud", "exp"}) refusal(verify(without(claims(), name), relaxed));
  JwtPolicy more = policy();
  more.required.push_back("sid");
  CHECK(mentions(refusal(verify(claims(), more)), "sid"));
  CHECK(verify(with(claims(), "sid", "s"), more).ok());
}

TEST_CASE("texts that would reach a header are harmless there") {
  for (const char* claim : {"sub", "iss", "jti", "sid", "tenant", "tid", "acr", "client_id", "azp"}) {
    for (const std::string_view text : {"a\r\nX-Admin: 1", "a\nb", "a\tb", "a\x7f", "a\xc2\x85", " alice", "alice "}) {
      CAPTURE(claim);
      CAPTURE(text);
      CHECK(mentions(refusal(verify(with(claims(), claim, text))), claim));
    }
  }
  CHECK(!verify(with(claims(), "sub", std::string("a\0b", 3))).ok());
  CHECK(verify(with(claims(), "sub", "Zo\xc3\xab O'Neil <z@example>")).ok());
  for (const char* claim : {"roles", "amr", "scp"}) refusal(verify(with(claims(), claim, json::Array{"a\r\nb"})));
  refusal(verify(with(claims(), "scope", "a\r\nb")));
  refusal(verify(with(claims(), "scp", json::Array{"a b"})));
}

TEST_CASE("claims of another shape or with two meanings are refused") {
  refusal(verify(with(claims(), "roles", "admin")));
  refusal(verify(with(claims(), "roles", json::Array{1})));
  refusal(verify(with(claims(), "amr", "pwd")));
  refusal(verify(with(claims(), "scope", json::Array{"a"})));
  refusal(verify(with(with(claims(), "scope", "a"), "scp", "a")));
  refusal(verify(with(with(claims(), "tenant", "a"), "tid", "b")));
  CHECK(verify(with(with(claims(), "tenant", "a"), "tid", "a"))->tenant == "a");
  for (const std::string_view payload : {"", "null", "[]", "x", R"({"sub":"a","sub":"b"})", "\xff"})
    refusal(verify_text(payload));
}

TEST_CASE("an unknown key is told apart from a wrong one only by the lookup") {
  const SigningKey stranger = SigningKey::generate(Algorithm::EdDSA);
  const JwtVerdict verdict = verify_jwt(sign_jwt({}, claims(), stranger), keys(), policy(), from_unix_seconds(now));
  CHECK(verdict.lookup == KeyLookup::unknown_kid);
  refusal(verdict.claims);
}
