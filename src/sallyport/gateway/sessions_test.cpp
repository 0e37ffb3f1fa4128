#include "sallyport/gateway/sessions.h"

#include <doctest/doctest.h>

#include <chrono>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using gateway::testing::identity;
using gateway::testing::proven;
using store::Handle;

struct Table {
  FakeClock clock;
  net::Loop loop{clock};
  Revocations revocations;
  SharedLimits limits;
  Sessions sessions{revocations, limits};
  std::shared_ptr<const Route> route = testing::make_route(testing::route_settings());
  net::Waiter waiter{loop};

  Result<std::unique_ptr<Session>> admit(std::string id, auth::Proven who) {
    return sessions.admit(std::move(id), identity(std::move(who)), route, "192.0.2.1", clock.wall(), waiter, {});
  }
  auth::Proven alice() { return proven("alice", clock.wall()); }
  store::Revocation revocation(Handle handle, std::string value) {
    store::Revocation made;
    made.id = ++last_id;
    made.handle = handle;
    made.value = std::move(value);
    made.keep_until = clock.wall() + 1h;
    return made;
  }
  std::size_t close(Handle handle, std::string value) {
    return sessions.close_covered(revocation(handle, std::move(value)), Error{Reason::credential_revoked, ""});
  }
  std::uint64_t last_id = 0;
};

}  // namespace

TEST_SUITE("sessions") {
  TEST_CASE("a session is in the table for as long as it lives") {
    Table table;
    {
      const auto session = table.admit("c1", table.alice());
      REQUIRE(session.ok());
      CHECK((*session)->id() == "c1");
      CHECK((*session)->route().name() == "chat");
      const std::vector<SessionInfo> list = table.sessions.list();
      REQUIRE(list.size() == 1);
      CHECK(list[0].id == "c1");
      CHECK(list[0].route == "chat");
      CHECK(list[0].subject == "alice");
      CHECK(list[0].issuer == "https://id.example.com");
      CHECK(list[0].mechanism == "scripted");
      CHECK(list[0].peer == "192.0.2.1");
      CHECK(list[0].admitted_at == table.clock.wall());
      CHECK(list[0].expires_at == table.clock.wall() + 10min);
      CHECK(table.limits.by_identity.keys() == 1);
    }
    CHECK(table.sessions.size() == 0);
    CHECK(table.close(Handle::subject, "alice") == 0);
    CHECK(table.limits.by_identity.keys() == 0);
  }

  TEST_CASE("an identity has so many connections and no more") {
    Table table;
    std::vector<std::unique_ptr<Session>> held;
    for (int i = 0; i < 20; ++i) held.push_back(table.admit("c" + std::to_string(i), table.alice()).value());
    const auto refused = table.admit("more", table.alice());
    REQUIRE(!refused.ok());
    CHECK(refused.error().reason == Reason::limit_connections_identity);
    CHECK(table.sessions.size() == 20);
    CHECK(table.admit("other", proven("bob", table.clock.wall())).ok());
    auth::Proven elsewhere = table.alice();
    elsewhere.issuer = "https://elsewhere.example.com";
    CHECK(table.admit("other", elsewhere).ok());
    held.pop_back();
    CHECK(table.admit("more", table.alice()).ok());
  }

  TEST_CASE("a revocation between the proof and the entry is found at the entry") {
    Table table;
    auth::Proven proof = table.alice();  // proved, and then:
    table.revocations.add(table.revocation(Handle::subject, "alice"));
    const auto refused = table.admit("c1", std::move(proof));
    REQUIRE(!refused.ok());
    CHECK(refused.error().reason == Reason::credential_revoked);
    CHECK(table.sessions.size() == 0);
    CHECK(table.limits.by_identity.keys() == 0);
    CHECK(table.admit("c2", proven("bob", table.clock.wall())).ok());
  }

  TEST_CASE("a revocation after the entry finds the session there") {
    Table table;
    const auto session = table.admit("c1", table.alice()).value();
    CHECK(table.close(Handle::subject, "alice") == 1);
    REQUIRE(table.waiter.interruption().has_value());
    CHECK(table.waiter.interruption()->reason == Reason::credential_revoked);
  }

  TEST_CASE("close_covered closes what is covered and counts it") {
    Table table;
    auth::Proven one = table.alice();
    one.session_id = "sid-1";
    one.token_id = "jti-1";
    one.token_hash = "hash-1";
    auth::Proven two = table.alice();
    two.session_id = "sid-1";
    two.issued_at = table.clock.wall() + 10s;
    auth::Proven three = table.alice();
    three.issuer = "https://elsewhere.example.com";
    const auto a = table.admit("c1", one).value();
    const auto b = table.admit("c2", two).value();
    const auto c = table.admit("c3", three).value();
    CHECK(table.close(Handle::subject, "bob") == 0);
    CHECK(!table.waiter.interruption().has_value());
    CHECK(table.close(Handle::subject, "alice") == 3);
    CHECK(table.close(Handle::session_id, "sid-1") == 2);
    CHECK(table.close(Handle::token_id, "jti-1") == 1);
    CHECK(table.close(Handle::token_hash, "hash-1") == 1);
    CHECK(table.close(Handle::connection, "c3") == 1);
    CHECK(table.close(Handle::connection, "alice") == 0);
    store::Revocation bounded = table.revocation(Handle::subject, "alice");
    bounded.issued_before = table.clock.wall();
    CHECK(table.sessions.close_covered(bounded, Error{Reason::credential_revoked, ""}) == 2);
    bounded.issuer = "https://id.example.com";
    CHECK(table.sessions.close_covered(bounded, Error{Reason::credential_revoked, ""}) == 1);
  }

  TEST_CASE("one is closed by its id, all by none") {
    Table table;
    const auto a = table.admit("c1", table.alice()).value();
    const auto b = table.admit("c2", table.alice()).value();
    CHECK(!table.sessions.close("c3", Error{Reason::closed_by_operator, ""}));
    CHECK(!table.waiter.interruption().has_value());
    CHECK(table.sessions.close("c1", Error{Reason::closed_by_operator, ""}));
    CHECK(table.waiter.interruption()->reason == Reason::closed_by_operator);
    CHECK(table.sessions.close_all(Error{Reason::server_draining, ""}) == 2);
  }

  TEST_CASE("a renewed session is found by its new handles only") {
    Table table;
    auth::Proven before = table.alice();
    before.token_id = "jti-1";
    auth::Proven after = table.alice();
    after.token_id = "jti-2";
    after.expires_at += 1h;
    const auto session = table.admit("c1", before).value();
    CHECK(session->renew(identity(after)).ok());
    CHECK(session->identity()->expires_at == after.expires_at);
    CHECK(table.sessions.size() == 1);
    CHECK(table.close(Handle::token_id, "jti-1") == 0);
    CHECK(table.close(Handle::token_id, "jti-2") == 1);
    CHECK(table.close(Handle::subject, "alice") == 1);
    CHECK(table.close(Handle::connection, "c1") == 1);
  }

  TEST_CASE("a renewal by a credential that is revoked is refused") {
    Table table;
    auth::Proven after = table.alice();
    after.token_id = "jti-2";
    const auto session = table.admit("c1", table.alice()).value();
    table.revocations.add(table.revocation(Handle::token_id, "jti-2"));
    const Result<void> renewed = session->renew(identity(after));
    REQUIRE(!renewed.ok());
    CHECK(renewed.error().reason == Reason::credential_revoked);
  }

  TEST_CASE("ten thousand sessions of one subject come, are closed and leave without a search") {
    Table table;
    RouteSettings settings = testing::route_settings();
    settings.limits.connections_per_identity = 1'000'000;
    table.route = testing::make_route(settings);
    std::vector<std::unique_ptr<Session>> held;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 10'000; ++i) {
      auth::Proven who = table.alice();
      who.session_id = "the same";
      held.push_back(table.admit("c" + std::to_string(i), std::move(who)).value());
    }
    CHECK(table.close(Handle::subject, "alice") == 10'000);
    for (auto& session : held) session.reset();
    CHECK(table.sessions.size() == 0);
    // A search through all for each that leaves takes minutes here; this takes well under a second.
    CHECK(std::chrono::steady_clock::now() - began < 5s);
  }
}

}  // namespace sallyport::gateway
