#include "sallyport/auth/mtls/mtls.h"

#include <filesystem>
#include <fstream>

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/test_authority.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using crypto::testing::CertificateSpec;
using crypto::testing::TestAuthority;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::name_of;
using testing::Scene;

constexpr std::int64_t start = 1'800'000'000;
const WallTime now = from_unix_seconds(start);

// An authority with its files, and certificates of it that were verified.
class Vouching {
 public:
  Vouching() {
    std::string made = (std::filesystem::temp_directory_path() / "sallyport-mtls-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()));
    folder_ = made;
    trust_.ca_file = write("ca.pem", root.pem());
    trust_.crl_file = write("crl.pem", root.revoke({}));
    authorities = crypto::ClientAuthorities::load(trust_).value();
  }
  ~Vouching() { std::filesystem::remove_all(folder_); }
  Vouching(const Vouching&) = delete;
  Vouching& operator=(const Vouching&) = delete;

  std::shared_ptr<const crypto::ClientCertificate> verified(const std::string& der) {
    return authorities->verify({der}, now).value();
  }
  Handshake with(const CertificateSpec& spec) {
    Handshake handshake;
    handshake.certificate = verified(root.issue(spec).der);
    return handshake;
  }
  void revoke(const std::vector<std::string>& ders) {
    write("crl.pem", root.revoke(ders));
    REQUIRE(authorities->refresh().value());
  }
  std::shared_ptr<const Authenticator> make(MtlsConfig config = {}) const {
    return make_authenticator(config, {authorities}).value();
  }

  TestAuthority root{start};
  std::shared_ptr<crypto::ClientAuthorities> authorities;

 private:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
    return path;
  }
  std::filesystem::path folder_;
  crypto::ClientTrust trust_;
};

CertificateSpec device(std::string names = "URI:spiffe://example.com/pump/7") {
  CertificateSpec spec;
  spec.names = std::move(names);
  return spec;
}

TEST_CASE("mtls: the contract") {
  FakeClock clock(start);
  Vouching vouching;
  CertificateSpec nameless;
  nameless.common_name = "";
  CertificateSpec eternal = device();
  eternal.until = 3000L * 24 * 3600;
  AuthenticatorContract contract;
  contract.authenticator = vouching.make();
  contract.good = vouching.with(device());
  contract.bad = {vouching.with(nameless), vouching.with(eternal), vouching.with(device("DNS:a.test,DNS:b.test"))};
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("mtls: the certificate becomes the identity") {
  FakeClock clock(start);
  Scene scene(clock);
  Vouching vouching;
  CertificateSpec spec = device();
  spec.unit = "Pumps";
  const Handshake handshake = vouching.with(spec);
  const Verdict verdict = scene.judge(*vouching.make(), handshake);
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "mtls");
  CHECK(proven.subject == "spiffe://example.com/pump/7");
  CHECK(proven.issuer == "CN=Test Clients,O=Example");
  CHECK(proven.token_id == (*handshake.certificate)->serial);
  CHECK(proven.token_hash == hex_encode((*handshake.certificate)->thumbprint));
  CHECK(proven.issued_at == now - 1h);
  CHECK(proven.expires_at == now + 24h);
  CHECK(proven.authenticated_at == now);
  CHECK(json::dump(proven.claims) == "{\"dn\":\"CN=device-1,OU=Pumps,O=Example\",\"serial\":\"" + proven.token_id +
                                         "\",\"thumbprint\":\"" + proven.token_hash +
                                         "\",\"cn\":[\"device-1\"],\"o\":[\"Example\"],\"ou\":[\"Pumps\"],"
                                         "\"uri\":[\"spiffe://example.com/pump/7\"]}");
}

TEST_CASE("mtls: which name is the subject") {
  FakeClock clock(start);
  Scene scene(clock);
  Vouching vouching;
  const auto subject = [&](std::vector<std::string> rules, const CertificateSpec& spec) {
    MtlsConfig config;
    config.subject = std::move(rules);
    const Verdict verdict = scene.judge(*vouching.make(config), vouching.with(spec));
    return verdict.identity() ? (*verdict.identity())->subject : std::string(name_of(verdict));
  };
  const CertificateSpec all =
      device("URI:spiffe://example.com/a,URI:urn:b,DNS:A.example.com,email:a@example.com,IP:192.0.2.7");
  CHECK(subject({"cn"}, all) == "device-1");
  CHECK(subject({"dns"}, all) == "a.example.com");
  CHECK(subject({"email", "cn"}, all) == "a@example.com");
  CHECK(subject({"ip"}, all) == "192.0.2.7");
  CHECK(subject({"dn"}, all) == "CN=device-1,O=Example");
  CHECK(subject({"uri"}, all) == "credential.invalid");
  CHECK(subject({"uri", "cn"}, all) == "credential.invalid");
  CHECK(subject({"uri:spiffe://example.com/*"}, all) == "spiffe://example.com/a");
  CHECK(subject({"uri:urn:*"}, all) == "urn:b");
  CHECK(subject({"uri:spiffe://other.example/*", "dns:*.example.com"}, all) == "a.example.com");
  CHECK(subject({"dns:*.example.com"}, device("DNS:example.com")) == "credential.invalid");
  CHECK(subject({"dns:.example.com*"}, device("DNS:a.example.com")) == "credential.invalid");
  CHECK(subject({"email"}, device()) == "credential.invalid");
  CHECK(subject({"uri"}, device("URI:urn:b,URI:urn:b")) == "urn:b");
  CertificateSpec padded;
  padded.common_name = " device";
  CHECK(subject({"cn"}, padded) == "credential.invalid");
}

TEST_CASE("mtls: pins") {
  FakeClock clock(start);
  Scene scene(clock);
  Vouching vouching;
  const Handshake good = vouching.with(device());
  MtlsConfig config;
  config.pins = {"sha256/" + base64_encode((*good.certificate)->key_pin)};
  const auto pinned = vouching.make(config);
  CHECK(name_of(scene.judge(*pinned, good)) == "accept");
  CHECK(name_of(scene.judge(*pinned, vouching.with(device()))) == "credential.invalid");
}

TEST_CASE("mtls: a certificate is held against the lists of the moment, at the handshake and again") {
  FakeClock clock(start);
  Scene scene(clock);
  Vouching vouching;
  const auto authenticator = vouching.make();
  const std::string der = vouching.root.issue(device()).der;
  Handshake first;
  first.certificate = vouching.verified(der);
  const Handshake second = vouching.with(device());
  const Identity one = *scene.judge(*authenticator, first).identity();
  const Identity two = *scene.judge(*authenticator, second).identity();
  std::vector<Verdict> verdicts = scene.recheck(*authenticator, {one, two});
  CHECK(name_of(verdicts[0]) == "accept");
  CHECK(verdicts[0].identity()->is(one));

  vouching.revoke({der});
  verdicts = scene.recheck(*authenticator, {one, two});
  CHECK(name_of(verdicts[0]) == "credential.revoked");
  CHECK(name_of(verdicts[1]) == "accept");
  CHECK(name_of(scene.judge(*authenticator, first)) == "credential.revoked");
  CHECK(name_of(scene.judge(*authenticator, second)) == "accept");

  SUBCASE("a list that is out of date says nothing, which is not a no") {
    clock.advance(24h - 1s);
    CHECK(name_of(scene.recheck(*authenticator, {two}).front()) == "accept");
    clock.advance(1s);
    CHECK(name_of(scene.recheck(*authenticator, {two}).front()) == "keys.unavailable");
  }
  SUBCASE("after a reload, by whoever is asked then") {
    Vouching others;
    CHECK(name_of(scene.recheck(*others.make(), {two}).front()) == "credential.invalid");
    // A connection that began before the reload may bring new requests, by HTTP/2.
    CHECK(name_of(scene.judge(*others.make(), second)) == "credential.invalid");
    const auto renewed = make_authenticator(MtlsConfig{}, {others.authorities, vouching.authorities}).value();
    CHECK(name_of(scene.recheck(*renewed, {two}).front()) == "accept");
    CHECK(name_of(scene.judge(*renewed, second)) == "accept");
    const auto same_files = crypto::ClientAuthorities::load(vouching.authorities->trust()).value();
    CHECK(name_of(scene.recheck(*make_authenticator(MtlsConfig{}, {same_files}).value(), {two}).front()) == "accept");
    CHECK(name_of(scene.recheck(*make_authenticator(MtlsConfig{}, {same_files}).value(), {one}).front()) ==
          "credential.invalid");
  }
  SUBCASE("many at once") {
    const std::vector<Identity> crowd(200, two);
    CHECK(scene.recheck(*authenticator, crowd).size() == 200);
  }
}

TEST_CASE("mtls: the watch tells of a list that was replaced, once") {
  FakeClock clock(start);
  Scene scene(clock);
  Vouching vouching;
  int told = 0;
  auto watch = vouching.make()->watch(scene.loop, [&](std::string_view key) {
    CHECK(key.empty());
    ++told;
  });
  const auto look = [&] {
    clock.advance(1s);
    scene.loop.turn(Duration::zero());
    scene.loop.turn(Duration::zero());
  };
  look();
  CHECK(told == 0);
  vouching.revoke({vouching.root.issue(device()).der});
  look();
  look();
  CHECK(told == 1);
  watch.reset();
  vouching.revoke({});
  look();
  CHECK(told == 1);
  CHECK(scene.loop.live_tasks() == 0);
}

TEST_CASE("mtls: configuration") {
  const auto read = [](std::string_view text) { return config::read(mtls_schema(), text, "test.yaml", {}); };
  CHECK(read("{}").ok());
  CHECK(read("{}").config.subject == std::vector<std::string>{"uri", "dns", "email", "cn"});
  CHECK(read("subject: [\"uri:spiffe://a/*\", cn]").ok());
  CHECK(read("pins: [sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=]").ok());
  for (const char* bad : {"subject: []", "subject: [name]", "subject: [\"cn:\"]", "subject: [\"dns:*.*\"]",
                          "subject: [CN]", "pins: [47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=]",
                          "pins: [sha256/47DE]", "max_lifetime: 0s", "from: [header]"}) {
    CAPTURE(bad);
    CHECK(!read(bad).ok());
  }
  CHECK(mtls_plug().name == "mtls");
}

}  // namespace
}  // namespace sallyport::auth
