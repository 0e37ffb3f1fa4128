#include "sallyport/auth/signed_request/signed_request.h"

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/signed_request/signing.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::name_of;
using testing::Scene;
using testing::TemporaryFile;

const WallTime start = from_unix_seconds(1'800'000'000);

jose::SigningKey make_key(crypto::Algorithm algorithm, std::string kid) {
  if (crypto::is_symmetric(algorithm)) {
    crypto::FakeRandom random(static_cast<std::uint64_t>(kid.size()) + 7);
    const std::string secret = random.bytes(32);
    return jose::SigningKey::make_secret(bytes_of(secret), std::move(kid), algorithm).value();
  }
  json::Value jwk = json::parse(jose::SigningKey::generate(algorithm).to_private_jwk().reveal()).value();
  json::Object renamed;
  for (auto& [name, value] : *jwk.object()) renamed.emplace_back(name, name == "kid" ? json::Value(kid) : value);
  return jose::SigningKey::parse(json::Value(std::move(renamed))).value();
}

// What stands of `key` in the file of clients.
json::Object entry_of(const jose::SigningKey& key) {
  if (!crypto::is_symmetric(key.algorithm())) return key.to_public_jwk();
  crypto::FakeRandom random(static_cast<std::uint64_t>(key.kid().size()) + 7);
  return {{"kty", "oct"},
          {"k", base64url_encode(bytes_of(random.bytes(32)))},
          {"kid", key.kid()},
          {"alg", crypto::name(key.algorithm())}};
}

json::Object with(json::Object object, std::string name, json::Value value) {
  object.emplace_back(std::move(name), std::move(value));
  return object;
}

std::string file_of(json::Array keys, json::Object more = {}) {
  json::Object client{{"name", "sensor-17"}, {"keys", std::move(keys)}};
  client.insert(client.end(), more.begin(), more.end());
  return json::dump(json::Object{{"clients", json::Array{std::move(client)}}});
}

// What a client says about a signature; each test changes something of it.
struct Draft {
  std::string target = "/ws?room=7";
  std::string fields;
  std::vector<std::string> components = {"@method", "@authority", "@path", "@query"};
  http::SignatureParameters parameters{1'800'000'000, std::nullopt, "nonce-0001",
                                       std::nullopt,  std::nullopt, "sallyport"};
};

RequestSignature signature_of(const Draft& draft, const jose::SigningKey& key) {
  const auto upgrade = http::testing::read_upgrade(http::testing::upgrade_text(draft.target, draft.fields));
  REQUIRE(upgrade.ok());
  const auto made = sign_request(http::signable(upgrade.value->request()), draft.components, draft.parameters, key);
  REQUIRE_MESSAGE(made.ok(), made.error().detail);
  return *made;
}

std::string fields_of(const RequestSignature& made) {
  return "Signature-Input: " + made.signature_input_field() + "\r\nSignature: " + made.signature_field() + "\r\n";
}

Handshake in_fields(const Draft& draft, const jose::SigningKey& key) {
  Handshake handshake;
  handshake.target = draft.target;
  handshake.fields = draft.fields + fields_of(signature_of(draft, key));
  return handshake;
}

Handshake in_url(const Draft& draft, const jose::SigningKey& key) {
  Handshake handshake;
  const char* joint = draft.target.find('?') == std::string::npos ? "?" : "&";
  handshake.target = draft.target + joint + signature_of(draft, key).parameters();
  handshake.fields = draft.fields;
  return handshake;
}

Draft with_nonce(std::string nonce) {
  Draft draft;
  draft.parameters.nonce = std::move(nonce);
  return draft;
}

const jose::SigningKey& device() {
  static const jose::SigningKey key = make_key(crypto::Algorithm::EdDSA, "device-1");
  return key;
}

std::string usual_file() {
  return file_of({entry_of(device())}, {{"tenant", "acme"},
                                        {"scopes", json::Array{"telemetry.write"}},
                                        {"roles", json::Array{"sensor"}},
                                        {"labels", json::Object{{"device", "t-1000"}, {"site", "north"}}}});
}

std::shared_ptr<const Authenticator> make(const TemporaryFile& file, SignedRequestConfig config = {}) {
  config.keys_file.path = file.path();
  auto made = make_authenticator(config);
  REQUIRE_MESSAGE(made.ok(), made.error().detail);
  return *made;
}

SignedRequestConfig both_places() {
  SignedRequestConfig config;
  config.from = {SignaturePlace::header, SignaturePlace::query};
  return config;
}

TEST_CASE("signed request: the contract") {
  FakeClock clock;
  const TemporaryFile file(usual_file());
  AuthenticatorContract contract;
  contract.authenticator = make(file, both_places());
  contract.good = in_fields({}, device());
  contract.uses = AuthenticatorContract::Uses::once;
  contract.store = AuthenticatorContract::Store::needed;
  Draft old;
  old.parameters.created = 1'700'000'000;
  Draft nothing_covered;
  nothing_covered.components = {};
  Handshake half;
  half.fields = "Signature: sallyport=:AA==:\r\n";
  contract.bad = {in_fields(old, device()), in_fields(nothing_covered, device()), half,
                  in_fields({}, make_key(crypto::Algorithm::EdDSA, "stranger")), in_url(old, device())};
  contract.present = [](std::string_view garbage) {
    Handshake handshake;
    handshake.fields = "Signature-Input: sallyport=" + std::string(garbage) + "\r\nSignature: sallyport=:AA==:\r\n";
    return handshake;
  };
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("signed request: the client becomes the identity") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file);
  const Verdict verdict = scene.judge(*authenticator, in_fields({}, device()));
  REQUIRE(name_of(verdict) == "accept");
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "signed_request");
  CHECK(proven.subject == "sensor-17");
  CHECK(proven.issuer.empty());
  CHECK(proven.tenant == "acme");
  CHECK(proven.scopes == std::vector<std::string>{"telemetry.write"});
  CHECK(proven.roles == std::vector<std::string>{"sensor"});
  CHECK(proven.amr == std::vector<std::string>{"pop"});
  CHECK(proven.watch_key == "device-1");
  CHECK(proven.token_id == "device-1");
  CHECK(proven.issued_at == start);
  CHECK(proven.authenticated_at == start);
  CHECK(proven.expires_at == start + 12h);
  CHECK(proven.token_hash.size() == 64);
  CHECK(*proven.claims.find_string("client") == "sensor-17");
  CHECK(*proven.claims.find_string("kid") == "device-1");
  CHECK(*proven.claims.find_string("device") == "t-1000");
  CHECK(*proven.claims.find_string("site") == "north");
}

TEST_CASE("signed request: every algorithm, by the key alone") {
  FakeClock clock;
  for (const auto algorithm : {crypto::Algorithm::HS256, crypto::Algorithm::EdDSA, crypto::Algorithm::ES256,
                               crypto::Algorithm::ES384, crypto::Algorithm::PS512}) {
    INFO(crypto::name(algorithm));
    Scene scene(clock);
    const jose::SigningKey key = make_key(algorithm, "k-" + std::string(crypto::name(algorithm)));
    const TemporaryFile file(file_of({entry_of(key), entry_of(device())}));
    const auto authenticator = make(file, both_places());
    CHECK(name_of(scene.judge(*authenticator, in_fields(with_nonce("nonce-a1"), key))) == "accept");
    CHECK(name_of(scene.judge(*authenticator, in_url(with_nonce("nonce-a2"), key))) == "accept");

    // Without `alg` the key's counts; with another the signature is refused, whoever made it.
    const std::string with_alg = in_fields(with_nonce("nonce-a3"), key).fields;
    Handshake confused = in_fields(with_nonce("nonce-a4"), key);
    const auto at = confused.fields.find(";alg=\"") + 6;
    confused.fields.replace(at, confused.fields.find('"', at) - at, "hmac-sha512");
    CHECK(name_of(scene.judge(*authenticator, confused)) == "credential.invalid");
  }
}

TEST_CASE("signed request: a public key is no secret") {
  // Whoever has the public key signs with it as if it were the secret of hmac-sha256.
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file);
  const std::string x = base64url_decode(*json::Value(device().to_public_jwk()).find_string("x")).value();
  const auto forged = jose::SigningKey::make_secret(bytes_of(x), "device-1", crypto::Algorithm::HS256);
  REQUIRE(forged.ok());
  CHECK(name_of(scene.judge(*authenticator, in_fields({}, *forged))) == "credential.invalid");
}

TEST_CASE("signed request: what must be covered") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file);
  const auto judge = [&](const Draft& draft) {
    return name_of(scene.judge(*authenticator, in_fields(draft, device())));
  };
  int nonce = 0;
  const auto covering = [&](std::vector<std::string> components, std::string fields = "") {
    Draft draft = with_nonce("nonce-" + std::to_string(100 + nonce++));
    draft.components = std::move(components);
    draft.fields = std::move(fields);
    return draft;
  };
  CHECK(judge(covering({"@method", "@authority", "@path", "@query"})) == "accept");
  CHECK(judge(covering({"@query", "@path", "@authority", "@method"})) == "accept");
  CHECK(judge(covering({"@method", "@target-uri"})) == "accept");
  CHECK(judge(covering({"@method", "@authority", "@request-target"})) == "accept");
  CHECK(judge(covering({"@method", "@authority", "@path", "@query", "host"})) == "accept");
  CHECK(judge(covering({})) == "credential.invalid");
  CHECK(judge(covering({"@authority", "@path", "@query"})) == "credential.invalid");
  CHECK(judge(covering({"@method", "@path", "@query"})) == "credential.invalid");
  CHECK(judge(covering({"@method", "@authority", "@query"})) == "credential.invalid");
  CHECK(judge(covering({"@method", "@authority", "@path"})) == "credential.invalid");

  const std::string origin = "Origin: https://app.example.com\r\n";
  CHECK(judge(covering({"@method", "@authority", "@path", "@query"}, origin)) == "credential.invalid");
  CHECK(judge(covering({"@method", "@authority", "@path", "@query", "origin"}, origin)) == "accept");

  SignedRequestConfig more;
  more.components.push_back("x-device");
  const auto stricter = make(file, more);
  Draft named = covering({"@method", "@authority", "@path", "@query", "x-device"}, "X-Device: 7\r\n");
  CHECK(name_of(scene.judge(*stricter, in_fields(named, device()))) == "accept");
  named = covering({"@method", "@authority", "@path", "@query"}, "X-Device: 7\r\n");
  CHECK(name_of(scene.judge(*stricter, in_fields(named, device()))) == "credential.invalid");
}

TEST_CASE("signed request: what was changed on the way") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  Handshake changed = in_fields({}, device());
  SUBCASE("the query") { changed.target = "/ws?room=8"; }
  SUBCASE("a query that was added to") { changed.target = "/ws?room=7&admin=1"; }
  SUBCASE("the path") { changed.target = "/wt?room=7"; }
  SUBCASE("the nonce") { changed.fields.replace(changed.fields.find("nonce-0001"), 10, "nonce-0002"); }
  SUBCASE("the time") { changed.fields.replace(changed.fields.find("1800000000"), 10, "1800000001"); }
  SUBCASE("an Origin that was added") { changed.fields += "Origin: https://evil.example\r\n"; }
  SUBCASE("the URL of one that is signed in it") {
    changed = in_url({}, device());
    changed.target += "&admin=1";
  }
  CHECK(name_of(scene.judge(*authenticator, changed)) == "credential.invalid");
  CHECK(name_of(scene.judge(*authenticator, in_fields({}, device()))) == "accept");
}

TEST_CASE("signed request: each once") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  const Handshake first = in_fields({}, device());
  CHECK(name_of(scene.judge(*authenticator, first)) == "accept");
  CHECK(name_of(scene.judge(*authenticator, first)) == "credential.replayed");
  // A nonce is spent whatever else was signed, and wherever it travels.
  Draft other;
  other.target = "/ws?room=9";
  CHECK(name_of(scene.judge(*authenticator, in_fields(other, device()))) == "credential.replayed");
  CHECK(name_of(scene.judge(*authenticator, in_url(other, device()))) == "credential.replayed");
  CHECK(name_of(scene.judge(*authenticator, in_fields(with_nonce("nonce-0002"), device()))) == "accept");
  // It stays spent for as long as the signature would be accepted.
  clock.advance(69s);
  CHECK(name_of(scene.judge(*authenticator, first)) == "credential.replayed");
  clock.advance(1s);
  CHECK(name_of(scene.judge(*authenticator, first)) == "credential.expired");

  SUBCASE("another key has nonces of its own") {
    const jose::SigningKey second = make_key(crypto::Algorithm::EdDSA, "device-2");
    const TemporaryFile two(file_of({entry_of(device()), entry_of(second)}));
    const auto both = make(two);
    Draft draft = with_nonce("nonce-0007");
    draft.parameters.created = 1'800'000'070;
    CHECK(name_of(scene.judge(*both, in_fields(draft, device()))) == "accept");
    CHECK(name_of(scene.judge(*both, in_fields(draft, second))) == "accept");
  }
  SUBCASE("a refused one spends nothing") {
    Draft draft = with_nonce("nonce-0008");
    draft.parameters.created = 1'800'000'070;
    Handshake forged = in_fields(draft, device());
    forged.target = "/other";
    CHECK(name_of(scene.judge(*authenticator, forged)) == "credential.invalid");
    CHECK(name_of(scene.judge(*authenticator, in_fields(draft, device()))) == "accept");
  }
}

TEST_CASE("signed request: replay at another instance of the same store") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto here = make(file);
  const auto there = make(file);
  const Handshake handshake = in_fields({}, device());
  CHECK(name_of(scene.judge(*here, handshake)) == "accept");
  CHECK(name_of(scene.judge(*there, handshake)) == "credential.replayed");
}

TEST_CASE("signed request: time") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file);
  int nonce = 0;
  const auto judge = [&](std::int64_t created, std::optional<std::int64_t> expires) {
    Draft draft = with_nonce("nonce-" + std::to_string(1000 + nonce++));
    draft.parameters.created = 1'800'000'000 + created;
    if (expires) draft.parameters.expires = 1'800'000'000 + *expires;
    return name_of(scene.judge(*authenticator, in_fields(draft, device())));
  };
  CHECK(judge(0, std::nullopt) == "accept");
  CHECK(judge(10, std::nullopt) == "accept");
  CHECK(judge(11, std::nullopt) == "credential.invalid");
  CHECK(judge(-69, std::nullopt) == "accept");
  CHECK(judge(-70, std::nullopt) == "credential.expired");
  CHECK(judge(-30, -9) == "accept");
  CHECK(judge(-30, -10) == "credential.expired");
  CHECK(judge(-80, 600) == "credential.expired");
  CHECK(judge(0, 0) == "credential.invalid");
  CHECK(judge(253'402'300'800 - 1'800'000'000, std::nullopt) == "credential.invalid");
}

TEST_CASE("signed request: parameters that must be there") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file);
  Draft draft;
  SUBCASE("created") { draft.parameters.created.reset(); }
  SUBCASE("nonce") { draft.parameters.nonce.reset(); }
  SUBCASE("a nonce of some length") { draft.parameters.nonce = "1234567"; }
  SUBCASE("a nonce that is not endless") { draft.parameters.nonce = std::string(129, 'n'); }
  CHECK(name_of(scene.judge(*authenticator, in_fields(draft, device()))) == "credential.invalid");
  Draft whole;
  whole.parameters.nonce = std::string(128, 'n');
  CHECK(name_of(scene.judge(*authenticator, in_fields(whole, device()))) == "accept");
  Handshake nameless = in_fields({}, device());
  const auto at = nameless.fields.find(";keyid=");
  nameless.fields.erase(at, std::string(";keyid=\"device-1\"").size());
  CHECK(name_of(scene.judge(*authenticator, nameless)) == "credential.invalid");
}

TEST_CASE("signed request: which signature is meant") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  Draft proxys;
  proxys.parameters.tag = "some-proxy";
  const RequestSignature foreign = signature_of(proxys, device());
  const RequestSignature ours = signature_of(with_nonce("nonce-0009"), device());
  const auto lines = [](const std::string& inputs, const std::string& signatures) {
    Handshake handshake;
    handshake.target = Draft().target;
    handshake.fields = "Signature-Input: " + inputs + "\r\nSignature: " + signatures + "\r\n";
    return handshake;
  };
  const std::string bytes = ours.signature_field().substr(ours.signature_field().find(':'));
  const std::string foreign_bytes = foreign.signature_field().substr(foreign.signature_field().find(':'));
  SUBCASE("nobody's of ours") {
    CHECK(name_of(scene.judge(*authenticator, lines("p=" + foreign.input, "p=" + foreign_bytes))) == "not_mine");
  }
  SUBCASE("ours among others") {
    CHECK(name_of(scene.judge(*authenticator, lines("p=" + foreign.input + ", s=" + ours.input,
                                                    "s=" + bytes + ", p=" + foreign_bytes))) == "accept");
  }
  SUBCASE("two of ours") {
    CHECK(name_of(scene.judge(*authenticator, lines("a=" + ours.input + ", b=" + ours.input,
                                                    "a=" + bytes + ", b=" + bytes))) == "credential.ambiguous");
  }
  SUBCASE("one in the fields and one in the URL") {
    Handshake handshake = in_url({}, device());
    handshake.fields = lines("a=" + ours.input, "a=" + bytes).fields;
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "credential.ambiguous");
  }
  SUBCASE("one in the URL that is tagged for somebody else") {
    CHECK(name_of(scene.judge(*authenticator, in_url(proxys, device()))) == "credential.invalid");
  }
  SUBCASE("half of one in the URL, or twice") {
    Handshake handshake = in_url({}, device());
    handshake.target += "&sp-signature=AA";
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "credential.ambiguous");
    handshake.target = "/ws?sp-signature=AA";
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "credential.invalid");
    handshake.target = "/ws?sp-signature-input=()&sp-signature=A";
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "credential.invalid");
  }
  SUBCASE("a URL where only fields are looked at") {
    const auto fields_only = make(file);
    CHECK(name_of(scene.judge(*fields_only, in_url({}, device()))) == "not_mine");
  }
  SUBCASE("nothing inside the socket") {
    Handshake handshake = in_fields({}, device());
    handshake.in_band = "sallyport=()";
    CHECK(name_of(scene.judge(*authenticator, handshake)) == "not_mine");
  }
}

TEST_CASE("signed request: the URL may be signed without a query of its own") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  Draft draft;
  draft.target = "/ws";
  CHECK(name_of(scene.judge(*authenticator, in_url(draft, device()))) == "accept");
}

TEST_CASE("signed request: keys have their time") {
  FakeClock clock;
  Scene scene(clock);
  const jose::SigningKey next = make_key(crypto::Algorithm::ES256, "device-next");
  // 1800000000 is 2027-01-15T08:00:00Z. The old key ends ten minutes after the new one begins.
  const TemporaryFile file(file_of({with(entry_of(device()), "not_after", "2027-01-15T08:15:00Z"),
                                    with(entry_of(next), "not_before", "2027-01-15T08:05:00Z")}));
  const auto authenticator = make(file);
  int nonce = 0;
  const auto judge = [&](const jose::SigningKey& key) {
    Draft draft = with_nonce("nonce-" + std::to_string(1000 + nonce++));
    draft.parameters.created = to_unix_seconds(clock.wall());
    return scene.judge(*authenticator, in_fields(draft, key));
  };
  const Verdict early = judge(device());
  REQUIRE(early.identity());
  CHECK((*early.identity())->expires_at == start + 15min);
  CHECK(name_of(judge(next)) == "credential.invalid");
  clock.advance(5min);
  CHECK(name_of(judge(device())) == "accept");
  CHECK(name_of(judge(next)) == "accept");
  clock.advance(10min);
  CHECK(name_of(judge(device())) == "credential.expired");
  CHECK(name_of(judge(next)) == "accept");
}

class Rewritable {
 public:
  explicit Rewritable(const std::string& text) : file_(text) {}
  const TemporaryFile& file() const { return file_; }
  // In the place of the file, as an editor or `sallyport keys` does it.
  void put(const std::string& text) const {
    const std::string draft = file_.path() + ".new";
    const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
    REQUIRE(::rename(draft.c_str(), file_.path().c_str()) == 0);
  }

 private:
  TemporaryFile file_;
};

TEST_CASE("signed request: a key is asked for again") {
  FakeClock clock;
  Scene scene(clock);
  const Rewritable file(usual_file());
  const auto authenticator = make(file.file());
  const Verdict verdict = scene.judge(*authenticator, in_fields({}, device()));
  REQUIRE(verdict.identity());
  const auto ask = [&](const Authenticator& whom) { return scene.recheck(whom, {*verdict.identity()}).at(0); };
  CHECK(name_of(ask(*authenticator)) == "accept");

  SUBCASE("withdrawn") {
    file.put(R"({"clients":[]})");
    CHECK(name_of(ask(*authenticator)) == "credential.revoked");
    CHECK(name_of(scene.judge(*authenticator, in_fields(with_nonce("nonce-0002"), device()))) == "credential.invalid");
  }
  SUBCASE("replaced by another of the same name") {
    file.put(file_of({entry_of(make_key(crypto::Algorithm::EdDSA, "device-1"))}));
    CHECK(name_of(ask(*authenticator)) == "credential.revoked");
  }
  SUBCASE("its time is over") {
    file.put(file_of({with(entry_of(device()), "not_after", "2027-01-15T08:00:00Z")}));
    CHECK(name_of(ask(*authenticator)) == "credential.expired");
  }
  SUBCASE("its time was moved") {
    file.put(file_of({with(entry_of(device()), "not_before", "2027-02-15T08:00:00Z")}));
    CHECK(name_of(ask(*authenticator)) == "credential.revoked");
  }
  SUBCASE("the client may do other things now") {
    file.put(
        file_of({with(entry_of(device()), "not_after", "2027-01-15T09:00:00Z")}, {{"roles", json::Array{"idle"}}}));
    const Verdict fresh = ask(*authenticator);
    REQUIRE(fresh.identity());
    CHECK((*fresh.identity())->roles == std::vector<std::string>{"idle"});
    CHECK((*fresh.identity())->tenant.empty());
    CHECK((*fresh.identity())->expires_at == start + 1h);
    CHECK((*fresh.identity())->issued_at == start);
  }
  SUBCASE("a file that became unreadable changes nothing") {
    file.put("nonsense");
    CHECK(name_of(ask(*authenticator)) == "accept");
    file.put(R"({"clients":[]})");
    CHECK(name_of(ask(*authenticator)) == "credential.revoked");
  }
  SUBCASE("by an authenticator that was made later") {
    file.put(R"({"clients":[]})");
    CHECK(name_of(ask(*make(file.file()))) == "credential.revoked");
  }
}

TEST_CASE("signed request: changes of the file are noticed") {
  FakeClock clock;
  Scene scene(clock);
  const jose::SigningKey second = make_key(crypto::Algorithm::EdDSA, "device-2");
  const Rewritable file(file_of({entry_of(device()), entry_of(second)}));
  const auto authenticator = make(file.file());
  std::vector<std::string> told;
  const auto watch = authenticator->watch(scene.loop, [&](std::string_view kid) { told.emplace_back(kid); });
  REQUIRE(watch);
  const auto pass = [&] {
    clock.advance(1s);
    for (int turn = 0; turn < 3; ++turn) scene.loop.turn(Duration::zero());
  };
  pass();
  CHECK(told.empty());
  file.put(file_of({entry_of(device())}));
  pass();
  CHECK(told == std::vector<std::string>{"device-2"});
  // A new key concerns nobody who is there.
  file.put(file_of({entry_of(device()), entry_of(second)}));
  pass();
  CHECK(told.size() == 1);
  file.put(file_of({entry_of(device()), entry_of(second)}, {{"tenant", "other"}}));
  pass();
  CHECK(told == std::vector<std::string>{"device-2", "device-1", "device-2"});
  file.put("nonsense");
  pass();
  CHECK(told.size() == 3);
}

TEST_CASE("signed request: whose failures are counted") {
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  const auto claimant = [&](const Handshake& handshake) {
    const http::Upgrade upgrade =
        http::testing::read_upgrade(http::testing::upgrade_text(handshake.target, handshake.fields)).value.value();
    const Peer peer{};
    return authenticator->claimant({&upgrade.request(), http::OriginProof::absent, peer});
  };
  CHECK(claimant(in_fields(with_nonce("nonce-0001"), device())) == "device-1");
  CHECK(claimant(in_fields(with_nonce("nonce-0002"), device())) == "device-1");
  CHECK(claimant(in_url({}, device())) == "device-1");
  CHECK(claimant(in_fields({}, make_key(crypto::Algorithm::EdDSA, "stranger"))) == "stranger");
  CHECK(claimant({}).empty());
  CHECK(claimant({"Signature: sallyport=:AA==:\r\n"}).empty());
}

TEST_CASE("signed request: nothing of it reaches the backend") {
  const TemporaryFile file(usual_file());
  http::Strip strip;
  make(file, both_places())->add_to(strip);
  CHECK(strip.headers == std::vector<std::string>{"Signature-Input", "Signature"});
  CHECK(strip.parameters == std::vector<std::string>{"sp-signature-input", "sp-signature"});
}

TEST_CASE("signed request: no detail holds the signature or the nonce") {
  FakeClock clock;
  Scene scene(clock);
  const TemporaryFile file(usual_file());
  const auto authenticator = make(file, both_places());
  const Handshake handshake = in_fields(with_nonce("secret-nonce"), device());
  REQUIRE(scene.judge(*authenticator, handshake).identity());
  const Verdict again = scene.judge(*authenticator, handshake);
  REQUIRE(again.error());
  CHECK(again.error()->detail.find("secret-nonce") == std::string::npos);
  CHECK(again.error()->detail.find(handshake.fields.substr(handshake.fields.find(":AA") + 1, 20)) == std::string::npos);
}

TEST_CASE("signed request: URLs as they are typed") {
  const auto url = parse_request_url("wss://Chat.Example.com:443/a%7eb?x=1");
  REQUIRE(url.ok());
  CHECK(url->authority == "chat.example.com");
  CHECK(url->path == "/a~b");
  CHECK(url->query == "x=1");
  CHECK(url->with("p=1") == "wss://chat.example.com/a~b?x=1&p=1");
  CHECK(parse_request_url("ws://h:8080/")->with("p=1") == "ws://h:8080/?p=1");
  CHECK(parse_request_url("https://h/ws")->with("") == "https://h/ws");
  CHECK(!parse_request_url("ftp://h/").ok());
  CHECK(!parse_request_url("chat.example.com").ok());
}

TEST_CASE("signed request: configuration") {
  const auto read = [](std::string_view text) { return config::read(signed_request_schema(), text, "test.yaml", {}); };
  CHECK(read("keys_file: k.json").ok());
  CHECK(!read("{}").ok());
  CHECK(read("{keys_file: k.json, from: [query, header]}").ok());
  CHECK(!read("{keys_file: k.json, from: []}").ok());
  CHECK(!read("{keys_file: k.json, from: [cookie]}").ok());
  CHECK(read("{keys_file: k.json, components: ['@target-uri', origin]}").ok());
  CHECK(!read("{keys_file: k.json, components: []}").ok());
  CHECK(!read("{keys_file: k.json, components: ['@method', '@path']}").ok());
  CHECK(!read("{keys_file: k.json, components: ['@method', '@authority']}").ok());
  CHECK(!read("{keys_file: k.json, components: ['@authority', '@path', Origin]}").ok());
  CHECK(!read("{keys_file: k.json, components: ['@authority', '@path', '@status']}").ok());
  CHECK(!read("{keys_file: k.json, tag: ''}").ok());
  CHECK(!read("{keys_file: k.json, window: 2h}").ok());
  SignedRequestConfig config;
  config.keys_file.path = "/nowhere/keys.json";
  CHECK(!make_authenticator(config).ok());
  CHECK(signed_request_plug().name == "signed_request");
}

}  // namespace
}  // namespace sallyport::auth
