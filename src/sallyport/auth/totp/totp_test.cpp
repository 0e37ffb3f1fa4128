#include "sallyport/auth/totp/totp.h"

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/chain.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/opaque/opaque.h"
#include "sallyport/auth/opaque/opaque_token.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::name_of;
using testing::Scene;
using testing::TemporaryFile;

// "12345678901234567890" in base32, the secret of RFC 4226 and RFC 6238.
constexpr const char* rfc_secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
constexpr const char* other_secret = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";

std::string usual_file() {
  return std::string(R"({"secrets":[{"subject":"alice","secret":")") + rfc_secret +
         R"("},{"subject":"bob","secret":")" + other_secret + R"("}]})";
}

CodeSecrets secrets_of(const std::string& text) {
  auto secrets = CodeSecrets::parse(text);
  REQUIRE_MESSAGE(secrets.ok(), secrets.error().detail);
  return std::move(*secrets);
}

std::string code_at(WallTime at, const char* subject = "alice") {
  const CodeSecrets secrets = secrets_of(usual_file());
  const CodeSecret& secret = secrets.find(subject)->front();
  return secret.code(secret.step_at(at));
}

Handshake with_code(std::string_view code) { return {"X-Sallyport-OTP: " + std::string(code) + "\r\n"}; }

// Stands where `all_of` stands: somebody was proved before.
class Behind final : public Authenticator {
 public:
  Behind(std::shared_ptr<const Authenticator> second, std::string subject)
      : second_(std::move(second)), proven_(identity_of(std::move(subject))) {}
  std::string_view mechanism() const override { return second_->mechanism(); }
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override {
    Evidence behind = evidence;
    behind.proven = &proven_;
    co_return co_await second_->authenticate(behind, here, deadline);
  }
  void add_to(http::Strip& strip) const override { second_->add_to(strip); }

 private:
  static Identity identity_of(std::string subject) {
    Proven proven;
    proven.mechanism = "opaque";
    proven.subject = std::move(subject);
    proven.issuer = "issuer-1";
    proven.expires_at = from_unix_seconds(1'900'000'000);
    return *Verdict::accept(std::move(proven)).identity();
  }
  std::shared_ptr<const Authenticator> second_;
  Identity proven_;
};

std::shared_ptr<const Authenticator> make(TotpConfig config = {}, const std::string& text = usual_file()) {
  const TemporaryFile file(text);
  config.secrets_file.path = file.path();
  auto made = make_authenticator(config);
  REQUIRE_MESSAGE(made.ok(), made.error().detail);
  return *made;
}

std::shared_ptr<const Authenticator> behind_alice(TotpConfig config = {}) {
  return std::make_shared<Behind>(make(std::move(config)), "alice");
}

TotpConfig both_places() {
  TotpConfig config;
  config.from = {CodePlace::header, CodePlace::query};
  return config;
}

TEST_CASE("one-time passwords: RFC 6238 appendix B") {
  const auto code = [](const char* algorithm, const char* secret, std::int64_t time) {
    const CodeSecrets secrets = secrets_of(std::string(R"({"secrets":[{"subject":"a","digits":8,"algorithm":")") +
                                           algorithm + R"(","secret":")" + secret + R"("}]})");
    const CodeSecret& one = secrets.find("a")->front();
    return one.code(one.step_at(from_unix_seconds(time)));
  };
  const char* sha256 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA====";
  const char* sha512 =
      "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA=";
  const std::pair<std::int64_t, std::array<const char*, 3>> rows[] = {
      {59, {"94287082", "46119246", "90693936"}},         {1111111109, {"07081804", "68084774", "25091201"}},
      {1111111111, {"14050471", "67062674", "99943326"}}, {1234567890, {"89005924", "91819424", "93441116"}},
      {2000000000, {"69279037", "90698825", "38618901"}}, {20000000000, {"65353130", "77737706", "47863826"}},
  };
  for (const auto& [time, wanted] : rows) {
    INFO(time);
    CHECK(code("SHA1", rfc_secret, time) == wanted[0]);
    CHECK(code("SHA256", sha256, time) == wanted[1]);
    CHECK(code("SHA512", sha512, time) == wanted[2]);
  }
}

TEST_CASE("totp: the contract, behind another mechanism") {
  FakeClock clock;
  AuthenticatorContract contract;
  contract.authenticator = behind_alice(both_places());
  contract.good = with_code(code_at(clock.wall()));
  contract.uses = AuthenticatorContract::Uses::once;
  contract.store = AuthenticatorContract::Store::needed;
  Handshake two = with_code(code_at(clock.wall()));
  two.target = "/ws?otp=123456";
  contract.bad = {with_code("000000"),
                  with_code(""),
                  with_code("12345"),
                  with_code("123456789"),
                  with_code("12345a"),
                  with_code(code_at(clock.wall(), "bob")),
                  with_code(code_at(clock.wall() - 60s)),
                  two};
  contract.present = with_code;
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("totp: alone it proves nothing") {
  FakeClock clock;
  Scene scene(clock);
  CHECK(name_of(scene.judge(*make(), with_code(code_at(clock.wall())))) == "credential.missing");
  CHECK(name_of(scene.judge(*make(), {})) == "not_mine");
  const Behind stranger(make(), "mallory");
  CHECK(name_of(scene.judge(stranger, with_code(code_at(clock.wall())))) == "credential.invalid");
}

TEST_CASE("totp: what it adds") {
  FakeClock clock;
  Scene scene(clock);
  const Verdict verdict = scene.judge(*behind_alice(), with_code(code_at(clock.wall())));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "totp");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "issuer-1");
  CHECK(proven.amr == std::vector<std::string>{"otp"});
  CHECK(proven.authenticated_at == clock.wall());
  CHECK(proven.expires_at == clock.wall() + 12h);
}

TEST_CASE("totp: steps before and behind, each once") {
  FakeClock clock;
  Scene scene(clock);
  const auto second = behind_alice(both_places());
  const auto judge = [&](std::chrono::seconds away) {
    return name_of(scene.judge(*second, with_code(code_at(clock.wall() + away))));
  };
  CHECK(judge(-60s) == "credential.invalid");
  CHECK(judge(60s) == "credential.invalid");
  CHECK(judge(-30s) == "accept");
  CHECK(judge(30s) == "accept");
  CHECK(judge(0s) == "accept");
  CHECK(judge(0s) == "credential.replayed");
  CHECK(judge(30s) == "credential.replayed");
  Handshake in_url;
  in_url.target = "/ws?otp=" + code_at(clock.wall());
  CHECK(name_of(scene.judge(*second, in_url)) == "credential.replayed");
  clock.advance(60s);
  in_url.target = "/ws?otp=" + code_at(clock.wall());
  CHECK(name_of(scene.judge(*second, in_url)) == "accept");

  TotpConfig exact;
  exact.drift = 0;
  const auto strict = behind_alice(exact);
  clock.advance(300s);
  CHECK(name_of(scene.judge(*strict, with_code(code_at(clock.wall() - 30s)))) == "credential.invalid");
  CHECK(name_of(scene.judge(*strict, with_code(code_at(clock.wall())))) == "accept");
}

TEST_CASE("totp: attempts are limited, right codes are none") {
  FakeClock clock;
  Scene scene(clock);
  TotpConfig config;
  config.attempts = {3, 1h};
  const auto here = behind_alice(config);
  const auto there = behind_alice(config);
  for (int i = 0; i < 5; ++i) {
    CHECK(name_of(scene.judge(*here, with_code(code_at(clock.wall())))) == "accept");
    clock.advance(30s);
  }
  CHECK(name_of(scene.judge(*here, with_code("000000"))) == "credential.invalid");
  CHECK(name_of(scene.judge(*there, with_code("000001"))) == "credential.invalid");
  CHECK(name_of(scene.judge(*here, with_code("000002"))) == "credential.invalid");
  CHECK(name_of(scene.judge(*here, with_code("000003"))) == "limit.lockout");
  // Even the right one, wherever; and nobody else is touched.
  CHECK(name_of(scene.judge(*there, with_code(code_at(clock.wall())))) == "limit.lockout");
  const Behind bob(make(config), "bob");
  CHECK(name_of(scene.judge(bob, with_code(code_at(clock.wall(), "bob")))) == "accept");
  clock.advance(1h);
  CHECK(name_of(scene.judge(*here, with_code(code_at(clock.wall())))) == "accept");
}

TEST_CASE("totp: guesses at the same time count like any others") {
  FakeClock clock;
  Scene scene(clock);
  TotpConfig config;
  config.attempts = {3, 1h};
  const auto second = behind_alice(config);
  std::vector<testing::Pending<Verdict>> guesses;
  for (int i = 0; i < 8; ++i) guesses.push_back(scene.start(*second, with_code("00000" + std::to_string(i))));
  int compared = 0;
  for (auto& guess : guesses) compared += name_of(guess.wait()) == "credential.invalid" ? 1 : 0;
  CHECK(compared == 3);
}

TEST_CASE("totp: in all_of behind a token") {
  FakeClock clock;
  Scene scene(clock);
  crypto::FakeRandom random(1);
  const MintedToken minted = mint_token(random);
  store::TokenRow row;
  row.hash = minted.hash;
  row.id = "t-1";
  row.subject = "alice";
  row.issued_at = clock.wall();
  row.expires_at = clock.wall() + 24h;
  REQUIRE(scene.run(scene.store->put_token(row)).ok());
  std::vector<Step> steps;
  steps.emplace_back(
      std::vector<std::shared_ptr<const Authenticator>>{make_authenticator(OpaqueConfig{}, "chat").value(), make()});
  const Chain chain(std::move(steps), {});
  const std::string token = "Authorization: Bearer " + std::string(minted.token.reveal()) + "\r\n";
  const auto judge = [&](const std::string& more) { return scene.judge(chain, Handshake{token + more}); };
  CHECK(name_of(judge("")) == "credential.missing");
  CHECK(name_of(judge("X-Sallyport-OTP: 000000\r\n")) == "credential.invalid");
  CHECK(name_of(scene.judge(chain, with_code(code_at(clock.wall())))) == "credential.missing");
  const auto both = judge("X-Sallyport-OTP: " + code_at(clock.wall()) + "\r\n");
  REQUIRE(both.ok());
  CHECK((*both)->mechanism == "opaque+totp");
  CHECK((*both)->subject == "alice");
  CHECK((*both)->amr == std::vector<std::string>{"otp"});
  CHECK((*both)->expires_at == clock.wall() + 12h);
  CHECK(name_of(scene.recheck(chain, "opaque+totp", {*both}).at(0)) == "accept");
}

TEST_CASE("totp: a subject whose secret is gone") {
  FakeClock clock;
  Scene scene(clock);
  const Verdict verdict = scene.judge(*behind_alice(), with_code(code_at(clock.wall())));
  REQUIRE(verdict.identity());
  const auto later = make({}, R"({"secrets":[]})");
  CHECK(name_of(scene.recheck(*later, {*verdict.identity()}).at(0)) == "credential.revoked");
  CHECK(name_of(scene.recheck(*make(), {*verdict.identity()}).at(0)) == "accept");
}

TEST_CASE("totp: two devices of one subject") {
  FakeClock clock;
  Scene scene(clock);
  const std::string two = std::string(R"({"secrets":[{"subject":"alice","secret":")") + rfc_secret +
                          R"("},{"subject":"alice","secret":")" + other_secret + R"("}]})";
  const Behind second(make({}, two), "alice");
  CHECK(name_of(scene.judge(second, with_code(code_at(clock.wall())))) == "accept");
  CHECK(name_of(scene.judge(second, with_code(code_at(clock.wall(), "bob")))) == "accept");
}

TEST_CASE("totp: secrets that are none") {
  const auto good = [](const std::string& members) {
    return CodeSecrets::parse(R"({"secrets":[{)" + members + "}]}").ok();
  };
  const std::string secret = std::string(R"("secret":")") + rfc_secret + '"';
  CHECK(good(R"("subject":"a",)" + secret));
  CHECK(good(R"("subject":"a","digits":7,"period":60,"algorithm":"SHA512",)" + secret));
  for (const std::string& bad :
       {std::string(R"("subject":"a")"), secret, R"("subject":"",)" + secret, R"("subject":"a\n",)" + secret,
        std::string(R"("subject":"a","secret":"GEZDGNBVGY3TQOJQ")"),
        std::string(R"("subject":"a","secret":"gezdgnbvgy3tqojqgezdgnbvgy3tqojq")"),
        std::string(R"("subject":"a","secret":"1EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")"),
        R"("subject":"a","digits":5,)" + secret, R"("subject":"a","digits":9,)" + secret,
        R"("subject":"a","period":5,)" + secret, R"("subject":"a","algorithm":"MD5",)" + secret,
        R"("subject":"a","issuer":"x",)" + secret}) {
    INFO(bad);
    CHECK(!good(bad));
  }
  CHECK(!CodeSecrets::parse("[]").ok());
  CHECK(!CodeSecrets::parse(R"({"secrets":{}})").ok());
  CHECK(!CodeSecrets::parse(R"({"secrets":[1]})").ok());
  CHECK(!CodeSecrets::parse(R"({"secrets":[],"more":1})").ok());
  testing::TemporaryFile open_file(usual_file());
  open_file.open_to_everybody();
  TotpConfig config;
  config.secrets_file.path = open_file.path();
  CHECK(!make_authenticator(config).ok());
}

TEST_CASE("totp: configuration, and what the backend does not see") {
  const auto read = [](std::string_view text) { return config::read(totp_schema(), text, "test.yaml", {}); };
  CHECK(read("secrets_file: otp.json").ok());
  CHECK(read("{secrets_file: otp.json, from: [header, query], drift: 0, attempts: 5/h}").ok());
  CHECK(!read("{}").ok());
  CHECK(!read("{secrets_file: otp.json, from: []}").ok());
  CHECK(!read("{secrets_file: otp.json, drift: 3}").ok());
  CHECK(!read("{secrets_file: otp.json, attempts: 101/h}").ok());
  http::Strip strip;
  make(both_places())->add_to(strip);
  CHECK(strip.headers == std::vector<std::string>{"X-Sallyport-OTP"});
  CHECK(strip.parameters == std::vector<std::string>{"otp"});
  CHECK(totp_plug().name == "totp");
}

}  // namespace
}  // namespace sallyport::auth
