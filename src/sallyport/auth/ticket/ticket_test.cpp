#include "sallyport/auth/ticket/ticket.h"

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::name_of;
using testing::Scene;
using testing::with_bearer;
using testing::with_in_band;

const WallTime start = from_unix_seconds(1'800'000'000);
const std::string page = "https://app.example:443";

Proven alice() {
  Proven proven;
  proven.mechanism = "jwt";
  proven.subject = "alice";
  proven.issuer = "https://id.example";
  proven.session_id = "session-1";
  proven.token_id = "token-1";
  proven.scopes = {"chat.read"};
  proven.expires_at = start + 600s;
  return proven;
}

Identity identity_of(Proven proven) { return Verdict::accept(std::move(proven)).take().value(); }

struct SomeGrounds final : Grounds {};

std::shared_ptr<const TicketAuthenticator> make(TicketConfig config = {}, const std::string& route = "chat") {
  if (config.from.size() == 2) config.from.push_back("cookie:ticket");
  return std::dynamic_pointer_cast<const TicketAuthenticator>(make_authenticator(config, route).value());
}

IssuedTicket issue(Scene& scene, const TicketAuthenticator& tickets, Proven proven = alice(),
                   TicketBounds bounds = {}) {
  Here here{scene.loop, *scene.store, scene.http, scene.random};
  return scene.run(tickets.issue(identity_of(std::move(proven)), std::move(bounds), here, scene.deadline())).value();
}

Handshake with_query(std::string_view ticket, std::string fields = {}) {
  Handshake handshake;
  handshake.target = "/ws?ticket=" + std::string(ticket);
  handshake.fields = std::move(fields);
  if (!handshake.fields.empty()) handshake.origin = http::OriginProof::allowed;
  return handshake;
}
Handshake from_page(const IssuedTicket& issued, const std::string& origin = "https://app.example") {
  return with_query(issued.ticket.reveal(), "Origin: " + origin + "\r\n");
}

TEST_CASE("ticket: the contract") {
  FakeClock clock;
  const auto tickets = make();
  Proven proven = alice();
  proven.mechanism = "ticket";
  // What a ticket's text will be: the scene's random bytes are the same each time.
  std::string good;
  {
    Scene scene(clock);
    good = issue(scene, *tickets, proven).ticket.reveal();
  }
  AuthenticatorContract contract;
  contract.authenticator = tickets;
  contract.prepare = [&](Scene& scene) { (void)issue(scene, *tickets, proven); };
  contract.good = with_query(good);
  contract.bad = {with_query("spk_"), with_query("spk_" + std::string(43, 'A')), with_query("eyJhbGciOiJub25lIn0.e30."),
                  with_query(good.substr(0, good.size() - 1)), with_in_band("spk_x")};
  contract.store = AuthenticatorContract::Store::needed;
  contract.uses = AuthenticatorContract::Uses::once;
  contract.present = [](std::string_view garbage) { return with_bearer("spk_" + std::string(garbage)); };
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("ticket: its identity is the one that it was given for") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const IssuedTicket issued = issue(scene, *tickets);
  CHECK(issued.ticket.size() == ticket_size);
  CHECK(issued.expires_at == start + 30s);
  CHECK(issued.ticket.reveal().find(issued.id) == std::string::npos);
  const Verdict verdict = scene.judge(*tickets, with_query(issued.ticket.reveal()));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "jwt");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "https://id.example");
  CHECK(proven.session_id == "session-1");
  CHECK(proven.token_id == "token-1");
  CHECK(proven.scopes == std::vector<std::string>{"chat.read"});
  CHECK(proven.expires_at == start + 600s);
}

TEST_CASE("ticket: once, in whatever place it comes") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const IssuedTicket issued = issue(scene, *tickets);
  const std::string text(issued.ticket.reveal());
  SUBCASE("query") { CHECK(name_of(scene.judge(*tickets, with_query(text))) == "accept"); }
  SUBCASE("subprotocol") {
    CHECK(name_of(scene.judge(*tickets, {"Sec-WebSocket-Protocol: chat, bearer." + text + "\r\n"})) == "accept");
  }
  SUBCASE("in band") { CHECK(name_of(scene.judge(*tickets, with_in_band(text))) == "accept"); }
  CHECK(name_of(scene.judge(*tickets, with_query(text))) == "credential.replayed");
  CHECK(name_of(scene.judge(*tickets, with_in_band(text))) == "credential.replayed");
}

TEST_CASE("ticket: not a moment longer than its lifetime, nor than the credential behind it") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const IssuedTicket issued = issue(scene, *tickets);
  SUBCASE("in time") {
    clock.advance(30s - 1ms);
    CHECK(name_of(scene.judge(*tickets, with_query(issued.ticket.reveal()))) == "accept");
  }
  SUBCASE("late") {
    clock.advance(30s);
    CHECK(name_of(scene.judge(*tickets, with_query(issued.ticket.reveal()))) == "credential.invalid");
  }
  SUBCASE("of a credential that is about to end") {
    Proven proven = alice();
    proven.expires_at = start + 5s;
    const IssuedTicket brief = issue(scene, *tickets, proven);
    CHECK(brief.expires_at == start + 5s);
    clock.advance(5s);
    CHECK(name_of(scene.judge(*tickets, with_query(brief.ticket.reveal()))) == "credential.invalid");
  }
}

TEST_CASE("ticket: in another place than it was given for it is refused, and used up") {
  FakeClock clock;
  Scene scene(clock);
  TicketConfig config;
  config.bind_address = true;
  const auto tickets = make(config);
  const net::Endpoint nobody{};
  const IssuedTicket issued = issue(scene, *tickets, alice(), {page, nobody.network()});
  SUBCASE("the right one") {
    CHECK(name_of(scene.judge(*tickets, from_page(issued))) == "accept");
    return;
  }
  SUBCASE("the right Origin in another spelling") {
    CHECK(name_of(scene.judge(*tickets, from_page(issued, "https://APP.example:443"))) == "accept");
    return;
  }
  SUBCASE("in band, an allowed Origin") {
    Handshake handshake = with_in_band(issued.ticket.reveal());
    handshake.fields = "Origin: https://app.example\r\n";
    handshake.origin = http::OriginProof::allowed;
    CHECK(name_of(scene.judge(*tickets, handshake)) == "accept");
    return;
  }
  SUBCASE("another Origin") {
    CHECK(name_of(scene.judge(*tickets, from_page(issued, "https://evil.example"))) == "credential.invalid");
  }
  SUBCASE("another port of it") {
    CHECK(name_of(scene.judge(*tickets, from_page(issued, "https://app.example:8443"))) == "credential.invalid");
  }
  SUBCASE("the null Origin") {
    CHECK(name_of(scene.judge(*tickets, from_page(issued, "null"))) == "credential.invalid");
  }
  SUBCASE("no Origin") {
    CHECK(name_of(scene.judge(*tickets, with_query(issued.ticket.reveal()))) == "credential.invalid");
  }
  SUBCASE("another route") {
    const auto other = make(config, "admin");
    CHECK(name_of(scene.judge(*other, from_page(issued))) == "credential.invalid");
  }
  SUBCASE("another address") {
    const IssuedTicket far = issue(scene, *tickets, alice(), {page, "192.0.2.1"});
    CHECK(name_of(scene.judge(*tickets, from_page(far))) == "credential.invalid");
    CHECK(name_of(scene.judge(*tickets, from_page(far))) == "credential.replayed");
    return;
  }
  CHECK(name_of(scene.judge(*tickets, from_page(issued))) == "credential.replayed");
}

TEST_CASE("ticket: the address counts only where it is asked for") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const IssuedTicket far = issue(scene, *tickets, alice(), {page, "192.0.2.1"});
  CHECK(name_of(scene.judge(*tickets, from_page(far))) == "accept");
}

TEST_CASE("ticket: whoever can be asked about again stays so in this process, and lives a bounded time elsewhere") {
  FakeClock clock;
  Scene scene(clock);
  const auto here = make();
  const auto elsewhere = make();
  Proven watched = alice();
  watched.mechanism = "session";
  watched.watch_key = "key";
  watched.grounds = std::make_shared<SomeGrounds>();
  const IssuedTicket issued = issue(scene, *here, watched);
  SUBCASE("here") {
    const Verdict verdict = scene.judge(*here, with_query(issued.ticket.reveal()));
    REQUIRE(verdict.identity());
    CHECK((*verdict.identity())->grounds == watched.grounds);
    CHECK((*verdict.identity())->mechanism == "session");
    CHECK((*verdict.identity())->expires_at == start + 600s);
  }
  SUBCASE("elsewhere") {
    const Verdict verdict = scene.judge(*elsewhere, with_query(issued.ticket.reveal()));
    REQUIRE(verdict.identity());
    CHECK((*verdict.identity())->mechanism == "ticket");
    CHECK((*verdict.identity())->watch_key.empty());
    CHECK((*verdict.identity())->expires_at == start + 300s);
    // Though it is still kept here.
    CHECK(name_of(scene.judge(*here, with_query(issued.ticket.reveal()))) == "credential.replayed");
  }
}

TEST_CASE("ticket: not_mine for what is another mechanism's") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  CHECK(name_of(scene.judge(*tickets, {"Sec-WebSocket-Protocol: bearer.eyJh.e30.x\r\n"})) == "not_mine");
  CHECK(name_of(scene.judge(*tickets, {"Sec-WebSocket-Protocol: bearer.spt_x\r\n"})) == "not_mine");
  CHECK(name_of(scene.judge(*tickets, with_in_band("eyJh.e30.x"))) == "not_mine");
  CHECK(name_of(scene.judge(*tickets, with_bearer("spk_x"))) == "not_mine");
}

TEST_CASE("ticket: the other reasons") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const std::string text(issue(scene, *tickets).ticket.reveal());
  SUBCASE("credential.ambiguous for two, though both are good") {
    const std::string other(issue(scene, *tickets).ticket.reveal());
    CHECK(name_of(scene.judge(*tickets, with_query(text + "&ticket=" + other))) == "credential.ambiguous");
  }
  SUBCASE("origin.missing in a cookie without an Origin") {
    CHECK(name_of(scene.judge(*tickets, {"Cookie: ticket=" + text + "\r\n"})) == "origin.missing");
  }
  SUBCASE("credential.invalid for a row that somebody else has written") {
    for (
        const char* row :
        {"", "{}", R"({"route":"chat","origin":"","whole":true,"proven":"{}"})",
         R"({"route":"chat","origin":"","proven":"{\"mechanism\":\"jwt\",\"subject\":\"a\",\"expires_at\":9999999999999}"})",
         R"({"route":"chat","origin":"","whole":true,"network":1,"proven":"{\"mechanism\":\"jwt\",\"subject\":\"a\",\"expires_at\":9999999999999}"})"}) {
      const auto hash = crypto::sha256(bytes_of(std::string_view("spk_planted")));
      REQUIRE(scene.run(scene.store->take_once("ticket:" + std::string(text_of(hash)), clock.wall())).ok());
      REQUIRE(scene.run(scene.store->put_once("ticket:" + std::string(text_of(hash)), row, start + 30s)).ok());
      CHECK(name_of(scene.judge(*tickets, with_query("spk_planted"))) == "credential.invalid");
    }
  }
}

TEST_CASE("ticket: no detail holds the ticket") {
  FakeClock clock;
  Scene scene(clock);
  const auto tickets = make();
  const std::string text(issue(scene, *tickets, alice(), {page, {}}).ticket.reveal());
  for (int i = 0; i < 2; ++i) {
    const Verdict refused = scene.judge(*tickets, with_query(text));
    REQUIRE(refused.error());
    CHECK(refused.error()->detail.find(text) == std::string::npos);
    CHECK(refused.error()->detail.find(text.substr(4, 10)) == std::string::npos);
  }
}

TEST_CASE("ticket: configuration") {
  const auto read = [](std::string_view text) { return config::read(ticket_schema(), text, "test.yaml", {}); };
  CHECK(read("{}").ok());
  CHECK(read("{}").config.from == std::vector<std::string>{"query:ticket", "subprotocol"});
  CHECK(read("{lifetime: 10s, bind_address: true}").ok());
  CHECK(!read("lifetime: 10m").ok());
  CHECK(!read("from: []").ok());
  CHECK(!read("from: [query]").ok());
  CHECK(!read("form: [header]").ok());
  CHECK(ticket_plug().name == "ticket");
}

}  // namespace
}  // namespace sallyport::auth
