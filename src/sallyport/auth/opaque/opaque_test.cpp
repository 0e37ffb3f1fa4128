#include "sallyport/auth/opaque/opaque.h"

#include <set>

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::name_of;
using testing::Scene;
using testing::with_bearer;
using testing::with_in_band;

const WallTime start = from_unix_seconds(1'800'000'000);

struct Issued {
  MintedToken minted;
  store::TokenRow row;
  std::string text() const { return std::string(minted.token.reveal()); }
};

Issued issue(std::uint64_t seed, std::string id) {
  crypto::FakeRandom random(seed);
  Issued issued{mint_token(random), {}};
  issued.row.hash = issued.minted.hash;
  issued.row.id = std::move(id);
  issued.row.subject = "alice";
  issued.row.session_id = "session-1";
  issued.row.tenant = "acme";
  issued.row.scopes = {"chat.read", "chat.write"};
  issued.row.roles = {"member"};
  issued.row.issued_at = start - 60s;
  issued.row.expires_at = start + 600s;
  return issued;
}

void put(Scene& scene, const store::TokenRow& row) { REQUIRE(scene.run(scene.store->put_token(row)).ok()); }

std::shared_ptr<const Authenticator> make(std::vector<std::string> from = {"header", "subprotocol", "cookie:token",
                                                                           "query:token"}) {
  return make_authenticator(OpaqueConfig{std::move(from)}, "chat").value();
}

TEST_CASE("opaque: the contract") {
  FakeClock clock;
  const Issued good = issue(1, "good");
  Issued revoked = issue(2, "revoked");
  revoked.row.revoked_at = start - 1s;
  Issued expired = issue(3, "expired");
  expired.row.expires_at = start;
  AuthenticatorContract contract;
  contract.authenticator = make();
  contract.prepare = [&](Scene& scene) {
    for (const Issued* token : {&good, static_cast<const Issued*>(&revoked), static_cast<const Issued*>(&expired)}) {
      put(scene, token->row);
    }
  };
  contract.good = with_bearer(good.text());
  contract.bad = {with_bearer(revoked.text()), with_bearer(expired.text()), with_bearer(issue(4, "unknown").text()),
                  with_bearer("spt_"), with_in_band("spt_x")};
  contract.store = AuthenticatorContract::Store::needed;
  contract.present = [](std::string_view garbage) { return with_bearer("spt_" + std::string(garbage)); };
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("opaque: the row becomes the identity") {
  FakeClock clock;
  Scene scene(clock);
  const Issued token = issue(1, "token-1");
  put(scene, token.row);
  const Verdict verdict = scene.judge(*make(), with_bearer(token.text()));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "opaque");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer.empty());
  CHECK(proven.tenant == "acme");
  CHECK(proven.session_id == "session-1");
  CHECK(proven.token_id == "token-1");
  CHECK(proven.token_hash == hex_encode(token.minted.hash));
  CHECK(proven.scopes == token.row.scopes);
  CHECK(proven.roles == token.row.roles);
  CHECK(proven.issued_at == token.row.issued_at);
  CHECK(proven.expires_at == token.row.expires_at);
}

TEST_CASE("opaque: each reason and its neighbour") {
  FakeClock clock;
  Scene scene(clock);
  const auto authenticator = make();
  Issued token = issue(1, "token-1");

  SUBCASE("credential.expired from the very moment on") {
    put(scene, token.row);
    clock.advance(600s - 1ms);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "accept");
    clock.advance(1ms);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.expired");
  }
  SUBCASE("credential.expired for a row without an end") {
    token.row.expires_at = {};
    put(scene, token.row);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.expired");
  }
  SUBCASE("credential.revoked") {
    put(scene, token.row);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "accept");
    REQUIRE(scene.run(scene.store->revoke_token("token-1", clock.wall())).ok());
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.revoked");
  }
  SUBCASE("credential.invalid when unknown") {
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.invalid");
  }
  SUBCASE("credential.invalid when the checksum is wrong, even if the store knew it") {
    std::string text = token.text();
    text.back() = text.back() == '0' ? '1' : '0';
    token.row.hash = hash_of_token(text);
    put(scene, token.row);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(text))) == "credential.invalid");
  }
  SUBCASE("credential.invalid for a row that cannot be an identity") {
    SUBCASE("no subject") { token.row.subject.clear(); }
    SUBCASE("a line end in the subject") { token.row.subject = "alice\r\nX-Admin: 1"; }
    SUBCASE("a line end in a role") { token.row.roles = {"a\nb"}; }
    SUBCASE("a control byte in a scope") { token.row.scopes = {std::string("\x7f")}; }
    SUBCASE("a control byte in the tenant") { token.row.tenant = "\x01"; }
    put(scene, token.row);
    CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.invalid");
  }
  SUBCASE("credential.ambiguous for two, though both are good") {
    put(scene, token.row);
    testing::Handshake handshake = with_bearer(token.text());
    handshake.target = "/ws?token=" + token.text();
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "credential.ambiguous");
  }
  SUBCASE("origin.missing for a cookie without an Origin") {
    put(scene, token.row);
    testing::Handshake handshake{"Cookie: token=" + token.text() + "\r\n"};
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "origin.missing");
    handshake.origin = http::OriginProof::allowed;
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "accept");
  }
  SUBCASE("not_mine for a token of another kind") {
    CHECK(name_of(scene.judge(*authenticator, with_bearer("eyJhbGciOiJub25lIn0.e30."))) == "not_mine");
    CHECK(name_of(scene.judge(*authenticator, with_in_band("eyJhbGciOiJub25lIn0.e30."))) == "not_mine");
  }
}

TEST_CASE("opaque: use is noted only when it was accepted") {
  FakeClock clock;
  Scene scene(clock);
  const auto authenticator = make();
  const Issued token = issue(1, "token-1");
  put(scene, token.row);
  const auto last_use = [&] { return scene.run(scene.store->find_token(token.minted.hash)).value()->last_used_at; };
  clock.advance(5s);
  CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "accept");
  CHECK(last_use() == start + 5s);
  clock.advance(3600s);
  CHECK(name_of(scene.judge(*authenticator, with_bearer(token.text()))) == "credential.expired");
  CHECK(last_use() == start + 5s);
}

TEST_CASE("opaque: no detail holds the token") {
  FakeClock clock;
  Scene scene(clock);
  const Issued token = issue(1, "token-1");
  const Verdict unknown = scene.judge(*make(), with_bearer(token.text()));
  REQUIRE(unknown.error());
  CHECK(unknown.error()->detail.find(token.text()) == std::string::npos);
}

TEST_CASE("opaque token: form") {
  crypto::FakeRandom random(1);
  const MintedToken minted = mint_token(random);
  const std::string text(minted.token.reveal());
  CHECK(text.size() == opaque_token_size);
  CHECK(text.starts_with("spt_"));
  CHECK(is_opaque_token(text));
  CHECK(minted.hash == hash_of_token(text));

  // Known answer, so that scanners elsewhere can be written from the description.
  CHECK(is_opaque_token("spt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1eokvj"));

  SUBCASE("every change of one character is noticed") {
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      INFO(changed);
      CHECK(!is_opaque_token(changed));
    }
  }
  SUBCASE("and of length") {
    CHECK(!is_opaque_token(""));
    CHECK(!is_opaque_token("spt_"));
    CHECK(!is_opaque_token(text.substr(0, text.size() - 1)));
    CHECK(!is_opaque_token(text + "0"));
  }
}

TEST_CASE("opaque token: all different") {
  crypto::SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) CHECK(seen.insert(std::string(mint_token(random).token.reveal())).second);
}

TEST_CASE("opaque: a token that was given for one route, by whom it says") {
  FakeClock clock;
  Scene scene(clock);
  Issued issued = issue(3, "bound");
  issued.row.route = "chat";
  issued.row.issuer = "https://partner.example.com";
  REQUIRE(scene.run(scene.store->put_token(issued.row)).ok());
  const std::vector<TokenSource> in_header = {{TokenPlace::header, {}}};
  const Verdict there = scene.judge(OpaqueAuthenticator(in_header, "chat"), with_bearer(issued.text()));
  REQUIRE(there.identity());
  CHECK((*there.identity())->issuer == "https://partner.example.com");
  CHECK(name_of(scene.judge(OpaqueAuthenticator(in_header, "admin"), with_bearer(issued.text()))) ==
        "credential.invalid");
  CHECK(name_of(scene.judge(OpaqueAuthenticator(in_header), with_bearer(issued.text()))) == "credential.invalid");
}

TEST_CASE("opaque: asked again, the row decides") {
  FakeClock clock;
  Scene scene(clock);
  crypto::FakeRandom random;
  const MintedToken minted = mint_token(random);
  store::TokenRow row;
  row.hash = minted.hash;
  row.id = "1";
  row.subject = "alice";
  row.issued_at = clock.wall();
  row.expires_at = clock.wall() + 1h;
  REQUIRE(scene.run(scene.store->put_token(row)).ok());
  const OpaqueAuthenticator authenticator({{TokenPlace::header, {}}});
  const Identity present = *scene.judge(authenticator, with_bearer(minted.token.reveal())).identity();
  const auto again = [&] { return std::string(name_of(scene.recheck(authenticator, {present}).front())); };
  CHECK(again() == "accept");
  SUBCASE("revoked") {
    REQUIRE(scene.run(scene.store->revoke_token("1", clock.wall())).ok());
    CHECK(again() == "credential.revoked");
  }
  SUBCASE("expired") {
    clock.advance(1h);
    CHECK(again() == "credential.expired");
  }
  SUBCASE("gone") {
    REQUIRE(scene.run(scene.store->purge(clock.wall() + 2h)).ok());
    CHECK(again() == "credential.invalid");
  }
  SUBCASE("not known now") {
    scene.store = std::make_unique<testing::BrokenStore>(scene.loop, testing::BrokenStore::Way::down);
    CHECK(again() == "store.unavailable");
  }
}

TEST_CASE("opaque: configuration") {
  const auto read = [](std::string_view text) { return config::read(opaque_schema(), text, "test.yaml", {}); };
  CHECK(read("{}").ok());
  CHECK(read("{}").config.from == std::vector<std::string>{"header", "subprotocol"});
  CHECK(read("from: [cookie:token]").ok());
  CHECK(!read("from: []").ok());
  CHECK(!read("from: [cookie]").ok());
  CHECK(!read("from: [header, header]").ok());
  CHECK(!read("form: [header]").ok());
  CHECK(!make_authenticator(OpaqueConfig{{}}, "chat").ok());
  CHECK(opaque_plug().name == "opaque");
}

}  // namespace
}  // namespace sallyport::auth
