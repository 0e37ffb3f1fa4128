#include "sallyport/crypto/client_authorities.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/test_authority.h"

namespace sallyport::crypto {
namespace {

using testing::CertificateSpec;
using testing::IssuedCertificate;
using testing::TestAuthority;

constexpr std::int64_t start = 1'800'000'000;
const WallTime now = from_unix_seconds(start);

// Files of one test, which go with it.
class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "sallyport-ca-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()));
    path_ = made;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  // As a careful operator does: the new file takes the old one's place at once.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name + ".new")) << text;
    std::filesystem::rename(path(name + ".new"), path(name));
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

struct Scene {
  std::shared_ptr<ClientAuthorities> trusting(const std::string& pem, ClientTrust trust = {}) {
    trust.ca_file = folder.write("ca.pem", pem);
    auto loaded = ClientAuthorities::load(trust);
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().detail);
    return std::move(*loaded);
  }
  Folder folder;
  TestAuthority root{start};
};

// `accept`, or the reason and OpenSSL's words.
std::string verdict(const ClientAuthorities& authorities, std::vector<std::string> chain, WallTime at = now) {
  const auto result = authorities.verify(std::move(chain), at);
  if (result.ok()) return "accept";
  return std::string(row(result.error().reason).name) + ": " + result.error().detail;
}
bool says(const std::string& text, std::string_view reason, std::string_view words) {
  INFO(text);
  const bool both = text.starts_with(reason) && text.find(words) != std::string::npos;
  CHECK(both);
  return both;
}

TEST_CASE("certificate: what it says is read") {
  TestAuthority root(start);
  CertificateSpec spec;
  spec.unit = "Pumps";
  spec.names =
      "URI:spiffe://example.com/pump/7,DNS:Pump.example.com,email:pump@example.com,IP:192.0.2.7,IP:2001:db8::7";
  const auto read = parse_certificate(bytes_of(root.issue(spec).der));
  REQUIRE(read.ok());
  CHECK(read->subject == "CN=device-1,OU=Pumps,O=Example");
  CHECK(read->issuer == "CN=Test Clients,O=Example");
  CHECK(read->common_names == std::vector<std::string>{"device-1"});
  CHECK(read->organizations == std::vector<std::string>{"Example"});
  CHECK(read->units == std::vector<std::string>{"Pumps"});
  CHECK(read->uris == std::vector<std::string>{"spiffe://example.com/pump/7"});
  CHECK(read->dns_names == std::vector<std::string>{"pump.example.com"});
  CHECK(read->emails == std::vector<std::string>{"pump@example.com"});
  CHECK(read->addresses == std::vector<std::string>{"192.0.2.7", "2001:db8::7"});
  CHECK(read->not_before == now - std::chrono::hours(1));
  CHECK(read->not_after == now + std::chrono::hours(24));
  CHECK(!read->serial.empty());
  CHECK(read->serial.front() != '0');
}

TEST_CASE("certificate: thumbprint and pin are those of everybody else") {
  const IssuedCertificate issued = TestAuthority(start).issue();
  const auto read = parse_certificate(bytes_of(issued.der));
  REQUIRE(read.ok());
  CHECK(read->thumbprint == sha256(bytes_of(issued.der)));
  const OwnedX509 certificate = parse_x509(bytes_of(issued.der));
  unsigned char digest[32];
  unsigned size = 0;
  REQUIRE(X509_digest(certificate.get(), EVP_sha256(), digest, &size) == 1);
  CHECK(hex_encode(read->thumbprint) == hex_encode({digest, size}));
}

TEST_CASE("certificate: hostile ones") {
  TestAuthority root(start);
  const std::string der = root.issue().der;
  CHECK(!parse_certificate({}).ok());
  CHECK(!parse_certificate(bytes_of("garbage")).ok());
  CHECK(!parse_certificate(bytes_of(der + "x")).ok());
  CHECK(!parse_certificate(bytes_of(der).first(der.size() - 1)).ok());
  CertificateSpec spec;
  SUBCASE("a NUL, behind which some readers see nothing") { spec.common_name = std::string("alice\0.evil", 11); }
  SUBCASE("a line end") { spec.common_name = "alice\r\nX-Admin: 1"; }
  SUBCASE("DEL") { spec.common_name = "al\x7fice"; }
  CHECK(!parse_certificate(bytes_of(root.issue(spec).der)).ok());
}

TEST_CASE("client authorities: a good chain, and each bad one beside it") {
  Scene scene;
  const auto authorities = scene.trusting(scene.root.pem());
  CHECK(verdict(*authorities, {scene.root.issue().der}) == "accept");
  CertificateSpec spec;

  SUBCASE("expired") {
    spec.until = -1;
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.expired", "has expired");
  }
  SUBCASE("until its last second") {
    spec.until = 10;
    const std::string der = scene.root.issue(spec).der;
    CHECK(verdict(*authorities, {der}, now + std::chrono::seconds(9)) == "accept");
    says(verdict(*authorities, {der}, now + std::chrono::seconds(10)), "credential.expired", "has expired");
  }
  SUBCASE("not yet valid") {
    spec.from = 60;
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.invalid", "not yet valid");
  }
  SUBCASE("of another authority, even one of the same name") {
    TestAuthority stranger(start);
    says(verdict(*authorities, {stranger.issue().der}), "credential.invalid", "signature failure");
    TestAuthority other(start, TestAuthority::root_spec("Other Clients"));
    says(verdict(*authorities, {other.issue().der}), "credential.invalid", "unable to get local issuer certificate");
    // Nor when it brings its own root.
    says(verdict(*authorities, {other.issue().der, other.der()}), "credential.invalid", "self-signed certificate");
  }
  SUBCASE("for servers") {
    spec.extended_usage = "serverAuth";
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.invalid", "unsuitable certificate purpose");
    spec.extended_usage = "serverAuth,clientAuth";
    CHECK(verdict(*authorities, {scene.root.issue(spec).der}) == "accept");
  }
  SUBCASE("for nothing said") {
    spec.extended_usage = "";
    const std::string der = scene.root.issue(spec).der;
    says(verdict(*authorities, {der}), "credential.invalid", "no extended key usage");
    ClientTrust trust;
    trust.purpose = ClientTrust::Purpose::client_or_unsaid;
    CHECK(verdict(*scene.trusting(scene.root.pem(), trust), {der}) == "accept");
  }
  SUBCASE("a key that must not sign") {
    spec.usage = "critical,keyEncipherment";
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.invalid", "unsuitable certificate purpose");
  }
  SUBCASE("self-signed") {
    says(verdict(*authorities, {TestAuthority::self_signed(spec, start).der}), "credential.invalid",
         "self-signed certificate");
  }
  SUBCASE("the authority itself") {
    says(verdict(*authorities, {scene.root.der()}), "credential.invalid", "");
    CertificateSpec below = TestAuthority::root_spec("Below");
    below.usage = "critical,keyCertSign,digitalSignature";
    below.extended_usage = "clientAuth";
    TestAuthority intermediate(scene.root, below);
    says(verdict(*authorities, {intermediate.der()}), "credential.invalid", "an authority is no client");
  }
  SUBCASE("issued by a client") {
    CertificateSpec no_authority;
    no_authority.common_name = "device-0";
    TestAuthority client(scene.root, no_authority);
    says(verdict(*authorities, {client.issue(spec).der, client.der()}), "credential.invalid", "invalid CA certificate");
  }
  SUBCASE("signed with SHA-1") {
    spec.digest = "SHA1";
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.invalid",
         "CA signature digest algorithm too weak");
  }
  SUBCASE("a short RSA key") {
    spec.rsa_bits = 1024;
    says(verdict(*authorities, {scene.root.issue(spec).der}), "credential.invalid", "EE certificate key too weak");
    spec.rsa_bits = 2048;
    CHECK(verdict(*authorities, {scene.root.issue(spec).der}) == "accept");
  }
  SUBCASE("garbage, nothing, too many") {
    says(verdict(*authorities, {"garbage"}), "credential.invalid", "DER");
    says(verdict(*authorities, {scene.root.issue().der, "garbage"}), "credential.invalid", "DER");
    says(verdict(*authorities, {}), "credential.invalid", "a chain of 0");
    says(verdict(*authorities, std::vector<std::string>(17, scene.root.issue().der)), "credential.invalid",
         "a chain of 17");
  }
}

TEST_CASE("client authorities: a name outside its authority's constraints") {
  Scene scene;
  CertificateSpec spec = TestAuthority::root_spec("Constrained");
  spec.constraints = "critical,permitted;DNS:good.test";
  TestAuthority constrained(scene.root, spec);
  const auto authorities = scene.trusting(scene.root.pem());
  CertificateSpec leaf;
  leaf.common_name = "device-1";
  leaf.names = "DNS:a.good.test";
  CHECK(verdict(*authorities, {constrained.issue(leaf).der, constrained.der()}) == "accept");
  leaf.names = "DNS:a.bad.test";
  says(verdict(*authorities, {constrained.issue(leaf).der, constrained.der()}), "credential.invalid",
       "permitted subtree violation");
}

TEST_CASE("client authorities: depth") {
  Scene scene;
  TestAuthority first(scene.root, TestAuthority::root_spec("First"));
  TestAuthority second(first, TestAuthority::root_spec("Second"));
  const std::vector<std::string> chain = {second.issue().der, second.der(), first.der()};
  ClientTrust trust;
  trust.depth = 2;
  CHECK(verdict(*scene.trusting(scene.root.pem(), trust), chain) == "accept");
  trust.depth = 1;
  says(verdict(*scene.trusting(scene.root.pem(), trust), chain), "credential.invalid", "certificate chain too long");
  // Each certificate of the file is an anchor: nothing above it counts, and no root is needed.
  CHECK(verdict(*scene.trusting(second.pem(), trust), {chain.front()}) == "accept");
}

TEST_CASE("client authorities: revocation lists") {
  Scene scene;
  const IssuedCertificate good = scene.root.issue();
  const IssuedCertificate bad = scene.root.issue();
  ClientTrust trust;
  trust.crl_file = scene.folder.write("crl.pem", scene.root.revoke({bad.der}));
  const auto authorities = scene.trusting(scene.root.pem(), trust);
  CHECK(verdict(*authorities, {good.der}) == "accept");
  says(verdict(*authorities, {bad.der}), "credential.revoked", "certificate revoked");
  CHECK(authorities->crl_next_update() == now + std::chrono::hours(24));

  SUBCASE("past its nextUpdate nobody is known to be good") {
    const WallTime later = now + std::chrono::hours(23);
    CHECK(verdict(*authorities, {good.der}, later) == "accept");
    scene.folder.write("crl.pem", scene.root.revoke({}, -60, 3600));
    REQUIRE(authorities->refresh().value());
    says(verdict(*authorities, {good.der}, later), "keys.unavailable", "CRL has expired");
  }
  SUBCASE("each intermediate needs one too") {
    TestAuthority below(scene.root, TestAuthority::root_spec("Below"));
    const std::vector<std::string> chain = {below.issue().der, below.der()};
    says(verdict(*authorities, chain), "keys.unavailable", "unable to get certificate CRL");
    scene.folder.write("crl.pem", scene.root.revoke({}) + below.revoke({}));
    REQUIRE(authorities->refresh().value());
    CHECK(verdict(*authorities, chain) == "accept");
    scene.folder.write("crl.pem", scene.root.revoke({below.der()}) + below.revoke({}));
    REQUIRE(authorities->refresh().value());
    says(verdict(*authorities, chain), "credential.revoked", "certificate revoked");
    // An anchor is not asked about.
    CHECK(verdict(*scene.trusting(below.pem(), trust), {chain.front()}) == "accept");
  }
  SUBCASE("of somebody else who uses the name") {
    TestAuthority stranger(start);
    scene.folder.write("crl.pem", stranger.revoke({}));
    REQUIRE(authorities->refresh().value());
    says(verdict(*authorities, {bad.der}), "keys.unavailable", "CRL signature failure");
  }
}

TEST_CASE("client authorities: a list that is replaced reaches who was verified before") {
  Scene scene;
  const IssuedCertificate first = scene.root.issue();
  const IssuedCertificate second = scene.root.issue();
  ClientTrust trust;
  trust.crl_file = scene.folder.write("crl.pem", scene.root.revoke({}));
  const auto authorities = scene.trusting(scene.root.pem(), trust);
  const auto one = authorities->verify({first.der}, now).value();
  const auto two = authorities->verify({second.der}, now).value();
  CHECK((*one)->subject == (*two)->subject);
  CHECK(one->verify_again(now).ok());
  CHECK(!authorities->refresh().value());

  scene.folder.write("crl.pem", scene.root.revoke({first.der}));
  CHECK(authorities->refresh().value());
  CHECK(!authorities->refresh().value());
  REQUIRE(!one->verify_again(now).ok());
  CHECK(one->verify_again(now).error().reason == Reason::credential_revoked);
  CHECK(two->verify_again(now).ok());

  SUBCASE("a broken file changes nothing") {
    for (const std::string text : {"", "garbage", "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"}) {
      scene.folder.write("crl.pem", text);
      const auto refreshed = authorities->refresh();
      REQUIRE(!refreshed.ok());
      CHECK(refreshed.error().detail.find("crl.pem") != std::string::npos);
      CHECK(!one->verify_again(now).ok());
      CHECK(two->verify_again(now).ok());
    }
    std::filesystem::remove(scene.folder.path("crl.pem"));
    CHECK(!authorities->refresh().ok());
    CHECK(two->verify_again(now).ok());
  }
  SUBCASE("an authority that is taken out of the file takes its clients along") {
    scene.folder.write("ca.pem", TestAuthority(start, TestAuthority::root_spec("Next")).pem());
    CHECK(authorities->refresh().value());
    CHECK(!two->verify_again(now).ok());
  }
  SUBCASE("and so do time and an outdated list") {
    scene.folder.write("crl.pem", scene.root.revoke({}, -60, 48L * 3600));
    CHECK(authorities->refresh().value());
    CHECK(two->verify_again(now + std::chrono::hours(23)).ok());
    CHECK(two->verify_again(now + std::chrono::hours(24)).error().reason == Reason::credential_expired);
    scene.folder.write("crl.pem", scene.root.revoke({}, -60, 3600));
    CHECK(authorities->refresh().value());
    CHECK(two->verify_again(now).ok());
    CHECK(two->verify_again(now + std::chrono::hours(1)).error().reason == Reason::keys_unavailable);
  }
}

TEST_CASE("client authorities: files that cannot be used") {
  Scene scene;
  const auto problem = [&](const std::string& ca, const std::string& crl = {}) {
    ClientTrust trust{ca, crl};
    const auto loaded = ClientAuthorities::load(trust);
    REQUIRE(!loaded.ok());
    CHECK(loaded.error().reason == Reason::config_invalid);
    return loaded.error().detail;
  };
  const std::string good = scene.folder.write("ca.pem", scene.root.pem());
  CHECK(problem(scene.folder.path("absent.pem")).find("No such file") != std::string::npos);
  CHECK(problem(scene.folder.write("empty.pem", "")).find("no certificate") != std::string::npos);
  CHECK(problem(scene.folder.write("text.pem", "hello")).find("no certificate") != std::string::npos);
  CHECK(problem(good, scene.folder.path("absent.crl")).find("No such file") != std::string::npos);
  CHECK(problem(good, good).find("no revocation list") != std::string::npos);
  // In DER it is one list.
  const std::string pem = scene.root.revoke({});
  const OwnedBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const OwnedCrl list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_X509_CRL(list.get(), &der);
  const std::string file =
      scene.folder.write("list.crl", std::string(reinterpret_cast<char*>(der), static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  CHECK(ClientAuthorities::load({good, file}).ok());
}

}  // namespace
}  // namespace sallyport::crypto
