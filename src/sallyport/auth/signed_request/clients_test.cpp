#include "sallyport/auth/signed_request/clients.h"

#include <doctest/doctest.h>

#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/signed_request/clients_file.h"

namespace sallyport::auth {
namespace {

// A public key that means nothing to anybody (RFC 8037 appendix A.2).
constexpr const char* jwk = R"("kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")";
constexpr const char* rsa_without_alg =
    R"({"kid":"r","kty":"RSA","e":"AQAB","n":"r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"})";

std::string client(std::string_view members) { return R"({"clients":[{)" + std::string(members) + "}]}"; }
std::string with_key(std::string_view key) { return client(R"("name":"a","keys":[)" + std::string(key) + "]"); }
std::string key(std::string_view more = "") { return R"({"kid":"k",)" + std::string(jwk) + std::string(more) + "}"; }

bool good(const std::string& text) { return Clients::parse(text).ok(); }

TEST_CASE("clients: what a file may say") {
  const auto clients = Clients::parse(
      R"({"clients":[{"name":"a","subject":"alice","tenant":"acme","scopes":["s"],"roles":["r"],"labels":{"device":"7"},"keys":[)" +
      key(R"(,"not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z")") +
      R"(]},{"name":"b","keys":[]}]})");
  REQUIRE(clients.ok());
  const ClientKey* found = clients->find("k");
  REQUIRE(found);
  CHECK(found->algorithm == crypto::Algorithm::EdDSA);
  CHECK(found->client->name == "a");
  CHECK(found->client->subject == "alice");
  CHECK(found->client->tenant == "acme");
  CHECK(found->not_before == from_unix_seconds(1'767'225'600));
  CHECK(found->not_after == from_unix_seconds(1'798'761'600));
  CHECK(!clients->find("other"));
  CHECK(Clients::parse(with_key(key()))->find("k")->client->subject == "a");
  CHECK(good(R"({"clients":[]})"));
}

TEST_CASE("clients: what a file may not say") {
  CHECK(good(with_key(key())));
  for (const std::string& text : {std::string("nonsense"),
                                  std::string("[]"),
                                  std::string("{}"),
                                  std::string(R"({"clients":{}})"),
                                  std::string(R"({"clients":[],"more":1})"),
                                  std::string(R"({"clients":[1]})"),
                                  client(R"("keys":[])"),
                                  client(R"("name":"a")"),
                                  client(R"("name":"","keys":[])"),
                                  client(R"("name":"a\n","keys":[])"),
                                  client(R"("name":"a","keys":{})"),
                                  client(R"("name":"a","keys":[],"kyes":[])"),
                                  client(R"("name":"a","keys":[],"subject":1)"),
                                  client(R"("name":"a","keys":[],"tenant":"x ")"),
                                  client(R"("name":"a","keys":[],"scopes":"s")"),
                                  client(R"("name":"a","keys":[],"roles":[1])"),
                                  client(R"("name":"a","keys":[],"labels":[])"),
                                  client(R"("name":"a","keys":[],"labels":{"x":1})"),
                                  client(R"("name":"a","keys":[],"labels":{"kid":"x"})"),
                                  client(R"("name":"a","keys":[],"labels":{"client":"x"})"),
                                  std::string(R"({"clients":[{"name":"a","keys":[]},{"name":"a","keys":[]}]})")}) {
    INFO(text);
    CHECK(!good(text));
  }
  for (const std::string& bad :
       {std::string("1"), "{" + std::string(jwk) + "}", R"({"kid":"",)" + std::string(jwk) + "}",
        R"({"kid":"k\u00e9",)" + std::string(jwk) + "}", key() + "," + key(), key(R"(,"d":"AA")"),
        key(R"(,"use":"enc")"), key(R"(,"alg":"ES256")"), key(R"(,"not_before":1)"),
        key(R"(,"not_before":"2026-01-01")"),
        key(R"(,"not_before":"2026-01-01T00:00:00Z","not_after":"2026-01-01T00:00:00Z")"),
        std::string(R"({"kid":"k","kty":"oct","alg":"HS256","k":"c2hvcnQ"})"),
        std::string(R"({"kid":"k","kty":"oct","k":"9Zk2Xv1q8Lw3Rt6Yb0Nc5Md7Hj4Gf1Ks2Qa8Pz6Ox0U"})"),
        std::string(rsa_without_alg)}) {
    INFO(bad);
    CHECK(!good(with_key(bad)));
  }
  CHECK(good(with_key(R"({"kid":"k","kty":"oct","alg":"HS256","k":"9Zk2Xv1q8Lw3Rt6Yb0Nc5Md7Hj4Gf1Ks2Qa8Pz6Ox0U"})")));
  CHECK(!good(with_key(R"({"kid":"k","kty":"oct","alg":"HS384","k":"9Zk2Xv1q8Lw3Rt6Yb0Nc5Md7Hj4Gf1Ks2Qa8Pz6Ox0U"})")));
}

TEST_CASE("clients: errors say whose key it is, and never what it is") {
  const auto refused = Clients::parse(with_key(R"({"kid":"k","kty":"oct","alg":"HS256","k":"c2VjcmV0LXdvcmQ"})"));
  REQUIRE(!refused.ok());
  CHECK(refused.error().detail.find("client \"a\", key 1") != std::string::npos);
  CHECK(refused.error().detail.find("c2VjcmV0") == std::string::npos);
}

TEST_CASE("clients: times") {
  CHECK(parse_key_time("1970-01-01T00:00:00Z").value() == WallTime{});
  CHECK(parse_key_time("2028-02-29T23:59:59Z").ok());
  for (const char* bad :
       {"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01 00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-1-01T00:00:00Z", "2026-01-01T00:00:00Zx"}) {
    INFO(bad);
    CHECK(!parse_key_time(bad).ok());
  }
}

TEST_CASE("clients: a file that others may read is refused") {
  testing::TemporaryFile file(with_key(key()));
  CHECK(ClientsFile::open(file.path()).ok());
  file.open_to_everybody();
  CHECK(!ClientsFile::open(file.path()).ok());
  CHECK(!ClientsFile::open("/nowhere/keys.json").ok());
  const testing::TemporaryFile bad("{}");
  const auto refused = ClientsFile::open(bad.path());
  REQUIRE(!refused.ok());
  CHECK(refused.error().detail.find(bad.path()) != std::string::npos);
}

}  // namespace
}  // namespace sallyport::auth
