#include "sallyport/gateway/relay.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sallyport/base/counting_new.h"
#include "sallyport/gateway/testing.h"
#include "sallyport/ws/close.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using namespace gateway::testing;
using ws::Opcode;
using ws::Role;
using Channel = Relay::ControlChannel;
using Frames = std::vector<Written>;

Written text(std::string_view payload) { return {Opcode::text, std::string(payload)}; }

// The only frame, a close with this code.
void check_closed(const Frames& frames, std::uint16_t code) {
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].opcode == Opcode::close);
  CHECK(frames[0].code() == code);
}

void check_ending(const RelayScene& scene, Reason reason, By by, std::uint16_t code) {
  REQUIRE(scene.ending.has_value());
  CHECK(row(scene.ending->reason).name == row(reason).name);
  CHECK(name_of(scene.ending->by) == name_of(by));
  CHECK(scene.ending->code == code);
  CHECK(scene.client.finished());
  CHECK(scene.backend.finished());
}

RouteSettings inspecting_settings() {
  RouteSettings settings = route_settings();
  settings.messages = MessagesSettings{Protocol::json, {"/type", "/room", {"ping"}}};
  return settings;
}

}  // namespace

TEST_SUITE("relay") {
  TEST_CASE("messages go on as they came, in both directions") {
    RelayScene scene;
    scene.start();
    const std::string from_client = client_text("hello") +
                                    frame(Role::client, Opcode::binary, std::string("\0\xff", 2)) +
                                    client_text(std::string(60'000, 'x')) + client_text("");
    scene.from_client(from_client);
    CHECK(scene.backend.take_written() == from_client);  // masks and all
    const std::string from_backend =
        backend_text("hi") + frame(Role::server, Opcode::binary, std::string(70'000, '\1'));
    scene.from_backend(from_backend);
    CHECK(scene.client.take_written() == from_backend);
    CHECK(scene.relay->from_client().messages == 4);
    CHECK(scene.relay->from_client().bytes == 60'007);
    CHECK(scene.relay->from_backend().messages == 2);
    CHECK(scene.metrics.from_client.messages.value() == 4);
    CHECK(scene.metrics.from_backend.bytes.value() == 70'002);
    CHECK(!scene.ending);
  }

  TEST_CASE("a message is whole before its first byte goes on; a control frame does not wait for it") {
    RelayScene scene;
    scene.start();
    const std::string first = frame(Role::client, Opcode::text, "one ", false);
    const std::string ping = frame(Role::client, Opcode::ping, "p");
    const std::string last = frame(Role::client, Opcode::continuation, "two");
    scene.from_client(first);
    CHECK(scene.backend.take_written().empty());
    scene.from_client(ping);
    CHECK(scene.backend.take_written() == ping);
    scene.from_client(last);
    CHECK(scene.backend.take_written() == first + last);
  }

  TEST_CASE("nothing depends on how the bytes are split") {
    const std::string sent = client_text("hello") + frame(Role::client, Opcode::text, "gr\xc3", false) +
                             frame(Role::client, Opcode::ping, "ping") +
                             frame(Role::client, Opcode::continuation, "\xbc\xc3\x9f") +
                             frame(Role::client, Opcode::binary, std::string(200, 'b')) + client_close(1000);
    const std::string expected = client_text("hello") + frame(Role::client, Opcode::ping, "ping") +
                                 frame(Role::client, Opcode::text, "gr\xc3", false) +
                                 frame(Role::client, Opcode::continuation, "\xbc\xc3\x9f") +
                                 frame(Role::client, Opcode::binary, std::string(200, 'b')) + client_close(1000);
    for (std::size_t at = 1; at < sent.size(); ++at) {
      CAPTURE(at);
      RelayScene scene;
      scene.start();
      scene.from_client(sent.substr(0, at));
      scene.from_client(sent.substr(at));
      CHECK(scene.backend.take_written() == expected);
      scene.from_backend(backend_close(1000));
      check_ending(scene, Reason::peer_closed, By::client, 1000);
    }
    RelayScene scene;
    scene.client.split_reads(1);
    scene.backend.split_writes(1);
    scene.start();
    scene.from_client(sent);
    CHECK(scene.backend.take_written() == expected);
  }

  TEST_CASE("bytes that came behind the heads come first") {
    RelayScene scene;
    scene.client.yield(client_text("second"));
    scene.backend.yield(backend_text("zwei"));
    // Cut inside a frame: the rest comes from the stream.
    const std::string early = client_text("first") + client_text("middle");
    scene.client.yield("");
    RelayScene cut;
    cut.client.yield(early.substr(early.size() - 3));
    cut.start(cut.client, cut.backend, early.substr(0, early.size() - 3));
    CHECK(cut.to_backend() == Frames{text("first"), text("middle")});
    scene.start(scene.client, scene.backend, client_text("first"), backend_text("eins"));
    CHECK(scene.to_backend() == Frames{text("first"), text("second")});
    CHECK(scene.to_client() == Frames{text("eins"), text("zwei")});
  }

  TEST_CASE("a paused stream is read again") {
    RelayScene scene;
    scene.client.pause_reading();
    scene.backend.pause_reading();
    scene.start();
    CHECK(!scene.client.reading_paused());
    CHECK(!scene.backend.reading_paused());
  }

  TEST_CASE("a side that takes nothing holds the other back") {
    for (const bool to_client : {true, false}) {
      CAPTURE(to_client);
      RelayScene scene;
      net::ScriptedStream& slow = to_client ? scene.client : scene.backend;
      net::ScriptedStream& fast = to_client ? scene.backend : scene.client;
      const Role role = to_client ? Role::server : Role::client;
      slow.limit_room(1000);
      scene.start();
      std::string sent;
      for (int i = 0; i < 40; ++i) {
        const std::string message = frame(role, Opcode::binary, std::string(10'000, static_cast<char>('a' + i % 26)));
        fast.yield(message);
        sent += message;
      }
      scene.turn();
      CHECK(fast.reading_paused());
      CHECK(!fast.exhausted());
      CHECK(slow.written().size() == 1000);
      // The other direction is not concerned.
      const std::string back = to_client ? client_text("back") : backend_text("back");
      slow.yield(back);
      scene.turn();
      CHECK(fast.take_written() == back);
      // What is kept is what one read brought: the rest stays with the one who sends.
      const std::size_t operations = fast.operations();
      scene.turn();
      CHECK(fast.operations() == operations);
      for (int i = 0; i < 1000 && slow.written().size() < sent.size(); ++i) {
        slow.make_room(1000);
        scene.turn();
      }
      CHECK(slow.written() == sent);
      CHECK(!fast.reading_paused());
      CHECK(!scene.ending);
    }
  }

  TEST_CASE("what is kept for a slow side is bounded by one read") {
    RelayScene scene;
    scene.client.limit_room(0);
    scene.start();
    // One huge chunk: a single read takes 128 KiB of it at most.
    std::string flood;
    while (flood.size() < 4'000'000) flood += backend_text(std::string(1000, 'x'));
    scene.from_backend(flood);
    scene.from_backend(flood);
    CHECK(scene.backend.reading_paused());
    CHECK(scene.backend.operations() <= 2);
    scene.client.make_room(200'000);
    scene.turn();
    CHECK(scene.client.written().size() == 200'000);
    CHECK(scene.backend.operations() <= 4);
  }

  TEST_CASE("the client closes, the backend answers") {
    RelayScene scene;
    scene.start();
    scene.from_client(client_text("last") + client_close(1001) + client_text("behind"));
    CHECK(scene.backend.take_written() == client_text("last") + client_close(1001));
    CHECK(!scene.ending);
    scene.from_backend(backend_close(1001));
    check_closed(scene.to_client(), 1001);
    check_ending(scene, Reason::peer_closed, By::client, 1001);
  }

  TEST_CASE("a client that ends its stream behind its close frame is still answered") {
    RelayScene scene;
    scene.start();
    scene.client.yield(client_close(1001)).end();
    scene.turn();
    check_closed(scene.to_backend(), 1001);
    CHECK(!scene.ending);
    scene.from_backend(backend_close(1001));
    check_closed(scene.to_client(), 1001);
    check_ending(scene, Reason::peer_closed, By::client, 1001);
  }

  TEST_CASE("the backend closes, the client answers") {
    RelayScene scene;
    scene.start();
    scene.from_backend(backend_close(4000) + backend_text("behind"));
    check_closed(scene.to_client(), 4000);
    CHECK(!scene.ending);
    scene.from_client(client_close(4000));
    check_closed(scene.to_backend(), 4000);
    check_ending(scene, Reason::upstream_closed, By::backend, 4000);
  }

  TEST_CASE("both close at once") {
    RelayScene scene;
    scene.start();
    scene.client.yield(client_close(1000));
    scene.backend.yield(backend_close(1001));
    scene.turn();
    check_closed(scene.to_backend(), 1000);
    check_closed(scene.to_client(), 1001);
    check_ending(scene, Reason::peer_closed, By::client, 1000);
  }

  TEST_CASE("an empty close stays empty") {
    RelayScene scene;
    scene.start();
    scene.from_client(frame(Role::client, Opcode::close, ""));
    check_closed(scene.to_backend(), 1005);
    scene.backend.end();
    scene.turn();
    check_closed(scene.to_client(), 1005);
    check_ending(scene, Reason::peer_closed, By::client, 1005);
  }

  TEST_CASE("who closed and gets no answer from the other side gets one from the gateway") {
    SUBCASE("the backend is gone") {
      RelayScene scene;
      scene.start();
      scene.from_client(client_close(1000));
      scene.backend.fail();
      scene.turn();
      check_closed(scene.to_client(), 1000);
      check_ending(scene, Reason::peer_closed, By::client, 1000);
    }
    SUBCASE("the backend says nothing") {
      RelayScene scene;
      scene.start();
      scene.from_client(client_close(1000));
      scene.pass(scene.limits.close_timeout - 1ms);
      CHECK(!scene.ending);
      scene.pass(1ms);
      check_closed(scene.to_client(), 1000);
      check_ending(scene, Reason::peer_closed, By::client, 1000);
    }
    SUBCASE("the backend breaks the protocol instead") {
      RelayScene scene;
      scene.start();
      scene.from_client(client_close(1000));
      scene.from_backend("\xff\xff");
      check_closed(scene.to_client(), 1000);
      check_ending(scene, Reason::peer_closed, By::client, 1000);
    }
    SUBCASE("the client is gone") {
      RelayScene scene;
      scene.start();
      scene.from_backend(backend_close(1000));
      scene.client.end();
      scene.turn();
      check_closed(scene.to_backend(), 1000);
      check_ending(scene, Reason::upstream_closed, By::backend, 1000);
    }
    SUBCASE("the client says nothing") {
      RelayScene scene;
      scene.start();
      scene.from_backend(backend_close(1000));
      scene.pass(scene.limits.close_timeout);
      check_closed(scene.to_backend(), 1000);
      check_ending(scene, Reason::upstream_closed, By::backend, 1000);
    }
  }

  TEST_CASE("messages that cross a close go no further") {
    RelayScene scene;
    scene.start();
    scene.from_client(client_close(1000));
    (void)scene.to_backend();
    scene.from_backend(backend_text("late") + backend_close(1000));
    check_closed(scene.to_client(), 1000);
  }

  TEST_CASE("a revocation closes both sides, behind what was under way") {
    RelayScene scene;
    scene.client.limit_room(3);
    scene.start();
    scene.from_backend(backend_text("under way"));
    store::Revocation revocation;
    revocation.id = 1;
    revocation.value = "alice";
    CHECK(scene.sessions.close_covered(revocation, Error{Reason::credential_revoked, "revocation 1"}) == 1);
    scene.turn();
    check_closed(scene.to_backend(), 4401);
    scene.client.make_room(1000);
    scene.turn();
    const Frames frames = scene.to_client();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0] == text("under way"));
    CHECK(frames[1].code() == 4401);
    CHECK(frames[1].payload.substr(2) == row(Reason::credential_revoked).told);
    CHECK(!scene.ending);
    scene.from_client(client_text("I go on") + client_close(4401));
    CHECK(scene.to_backend().empty());
    check_ending(scene, Reason::credential_revoked, By::gateway, 4401);
    CHECK(scene.ending->detail == "revocation 1");
  }

  TEST_CASE("a client that does not answer a close is left at the deadline") {
    RelayScene scene;
    scene.start();
    scene.session->close(Error{Reason::closed_by_operator, ""});
    scene.turn();
    check_closed(scene.to_client(), 4403);
    scene.from_client(client_text("no"));
    scene.pass(scene.limits.close_timeout - 1ms);
    CHECK(!scene.ending);
    scene.pass(1ms);
    check_ending(scene, Reason::closed_by_operator, By::gateway, 4403);
  }

  TEST_CASE("an interruption from before the relay began closes at once") {
    RelayScene scene;
    scene.session->close(Error{Reason::server_draining, ""});
    scene.start();
    check_closed(scene.to_client(), 1012);
  }

  TEST_CASE("the credential's end is the connection's") {
    RelayScene scene(route_settings(), Channel::off, 60s);
    scene.start();
    scene.pass(60s - 1ms);
    CHECK(scene.to_client().empty());  // without a control channel there is no notice either
    scene.pass(1ms);
    check_closed(scene.to_client(), 4401);
    check_closed(scene.to_backend(), 4401);
    scene.from_client(client_close(4401));
    check_ending(scene, Reason::credential_expired, By::gateway, 4401);
  }

  TEST_CASE("a calendar that is set forward ends what has expired by it, at the next look") {
    RouteSettings settings = route_settings();
    settings.ping.every = 30s;
    RelayScene scene(settings, Channel::off, 1h);
    scene.start();
    scene.clock.step_wall(2h);
    scene.pass(30s);
    check_closed(scene.to_client(), 4401);
  }

  TEST_CASE("a calendar that is set back does not end what has not expired by it") {
    RelayScene scene(route_settings(), Channel::off, 60s);
    scene.start();
    scene.clock.step_wall(-30s);
    scene.pass(60s);
    CHECK(scene.to_client().empty());
    scene.pass(30s);
    check_closed(scene.to_client(), 4401);
  }

  TEST_CASE("a credential that ended while the backend was dialled carries no message") {
    RelayScene scene(route_settings(), Channel::off, 60s);
    scene.clock.advance(61s);
    scene.start(scene.client, scene.backend, client_text("early"), backend_text("early"));
    scene.from_client(client_text("late"));
    const Frames told = scene.to_backend();
    REQUIRE(told.size() == 1);
    CHECK(told[0].code());
    check_closed(scene.to_client(), 4401);
  }

  TEST_CASE("max_session ends even what was refreshed") {
    RouteSettings settings = route_settings();
    settings.max_session = 100s;
    RelayScene scene(settings, Channel::on, 60s);
    scene.start();
    scene.pass(59s);
    scene.from_client(client_control("refresh", "good.alice.600"));
    (void)scene.to_client();
    scene.pass(41s - 1ms);
    CHECK(!scene.client.written().size());
    scene.pass(1ms);
    check_closed(scene.to_client(), 4401);
    scene.from_client(client_close(4401));
    check_ending(scene, Reason::session_expired, By::gateway, 4401);
  }

  TEST_CASE("the control channel tells the beginning and the end") {
    RelayScene scene(route_settings(), Channel::on, 60s);
    scene.start();
    const std::string expires_at = std::to_string(to_unix_seconds(scene.clock.wall()) + 60);
    const std::string ready =
        "{\"$sallyport\":{\"op\":\"ready\",\"connection\":\"connection-1\",\"subject\":\"alice\",\"expires_at\":" +
        expires_at + "}}";
    CHECK(scene.to_client() == Frames{text(ready)});
    scene.pass(30s - 1ms);
    CHECK(scene.to_client().empty());
    scene.pass(1ms);
    CHECK(scene.to_client() ==
          Frames{text("{\"$sallyport\":{\"op\":\"expiring\",\"expires_at\":" + expires_at + "}}")});
    scene.pass(39s);  // beyond the end, within the grace of 10 s
    CHECK(scene.to_client().empty());
    scene.from_client(client_text("still here"));
    CHECK(scene.to_backend() == Frames{text("still here")});
    scene.pass(1s);
    check_closed(scene.to_client(), 4401);
  }

  TEST_CASE("a fresh credential keeps the connection") {
    RelayScene scene(route_settings(), Channel::on, 60s);
    scene.start();
    scene.pass(45s);
    (void)scene.to_client();
    scene.from_client(client_control("refresh", "good.alice.600") + client_text("behind it"));
    const std::string expires_at = std::to_string(to_unix_seconds(scene.clock.wall()) + 600);
    CHECK(scene.to_client() ==
          Frames{text("{\"$sallyport\":{\"op\":\"refreshed\",\"expires_at\":" + expires_at + "}}")});
    CHECK(scene.to_backend() == Frames{text("behind it")});  // and nothing of the token
    CHECK(scene.metrics.refreshed.value() == 1);
    CHECK(scene.log.text.find("connection.refreshed") != std::string::npos);
    CHECK(scene.log.text.find("good.alice") == std::string::npos);
    scene.pass(500s);
    CHECK(scene.client.written().empty());
    scene.pass(70s);  // the notice comes again
    REQUIRE(scene.to_client().size() == 1);
    scene.pass(40s);
    check_closed(scene.to_client(), 4401);
  }

  TEST_CASE("a credential shorter than the notice does not chase its own end") {
    RelayScene scene(route_settings(), Channel::on, 20s);
    scene.start();
    CHECK(scene.to_client().size() == 1);
    scene.pass(10s);
    CHECK(scene.to_client().size() == 1);
    scene.from_client(client_control("refresh", "good.alice.20"));
    CHECK(scene.to_client().size() == 1);
  }

  TEST_CASE("while a fresh credential is judged the client waits and the backend does not") {
    RelayScene scene(route_settings(), Channel::on, 60s);
    scene.start();
    (void)scene.to_client();
    scene.from_client(client_control("refresh", "wait") + client_text("one"));
    scene.from_client(client_text("two"));
    REQUIRE(scene.authenticator->waiting != nullptr);
    CHECK(scene.client.reading_paused());
    CHECK(scene.to_backend().empty());
    scene.from_backend(backend_text("goes on"));
    CHECK(scene.to_client() == Frames{text("goes on")});
    scene.authenticator->answer = "good.alice.600";
    scene.authenticator->waiting->raise(1);
    scene.turn();
    CHECK(scene.to_backend() == Frames{text("one"), text("two")});
    CHECK(scene.to_client().size() == 1);
    CHECK(!scene.client.reading_paused());
  }

  TEST_CASE("room at the backend does not let a waiting client through") {
    RelayScene scene(route_settings(), Channel::on);
    scene.start();
    scene.from_client(client_control("refresh", "wait"));
    scene.backend.limit_room(0);
    scene.from_client(client_text("held"));
    scene.backend.make_room(1000);
    scene.turn();
    CHECK(scene.to_backend().empty());
    CHECK(scene.client.reading_paused());
  }

  TEST_CASE("a connection that ends while a credential is judged ends") {
    RelayScene scene(route_settings(), Channel::on, 60s);
    scene.start();
    (void)scene.to_client();
    scene.from_client(client_control("refresh", "wait"));
    scene.pass(70s);
    check_closed(scene.to_client(), 4401);
    SUBCASE("and the verdict comes too late") {
      scene.authenticator->answer = "good.alice.600";
      scene.authenticator->waiting->raise(1);
      scene.turn();
      CHECK(scene.to_client().empty());
      CHECK(scene.metrics.refreshed.value() == 0);
      scene.from_client(client_close(4401));
    }
    SUBCASE("and no verdict comes") { scene.pass(scene.limits.close_timeout); }
    check_ending(scene, Reason::credential_expired, By::gateway, 4401);
  }

  TEST_CASE("a bad credential closes") {
    const auto refuse = [](std::string_view token, Reason reason, std::uint16_t code) {
      CAPTURE(token);
      RelayScene scene(route_settings(), Channel::on);
      scene.start();
      (void)scene.to_client();
      scene.from_client(client_control("refresh", token) + client_text("behind it"));
      check_closed(scene.to_client(), code);
      check_closed(scene.to_backend(), code);
      scene.from_client(client_close(code));
      check_ending(scene, reason, By::client, code);
    };
    refuse("good.bob.600", Reason::credential_other_subject, 4401);
    refuse("garbage", Reason::credential_invalid, 4401);
    refuse("bug", Reason::internal_bug, 1011);
  }

  TEST_CASE("a credential that is revoked closes, whenever that came") {
    RelayScene scene(route_settings(), Channel::on);
    scene.start();
    (void)scene.to_client();
    store::Revocation revocation;
    revocation.id = 7;
    revocation.value = "alice";
    scene.from_client(client_control("refresh", "wait"));
    scene.revocations.add(revocation);  // no one has looked through the table yet
    scene.authenticator->answer = "good.alice.600";
    scene.authenticator->waiting->raise(1);
    scene.turn();
    check_closed(scene.to_client(), 4401);
    scene.from_client(client_close(4401));
    check_ending(scene, Reason::credential_revoked, By::gateway, 4401);
  }

  TEST_CASE("a credential that cannot be judged now leaves the present one in force") {
    RelayScene scene(route_settings(), Channel::on, 60s);
    scene.start();
    (void)scene.to_client();
    scene.from_client(client_control("refresh", "down") + client_text("behind it"));
    CHECK(scene.to_client() == Frames{text(R"({"$sallyport":{"op":"denied","reason":"keys.unavailable"}})")});
    CHECK(scene.to_backend() == Frames{text("behind it")});
    scene.from_client(client_control("refresh", "late"));
    CHECK(scene.to_client() == Frames{text(R"({"$sallyport":{"op":"denied","reason":"auth.timeout"}})")});
    scene.from_client(client_control("refresh", "good.alice.600"));
    CHECK(scene.to_client().size() == 1);
    CHECK(scene.metrics.refreshed.value() == 1);
  }

  TEST_CASE("what only looks like a word of the control channel closes") {
    const auto refuse = [](const std::string& sent, RouteSettings settings = route_settings()) {
      CAPTURE(sent);
      RelayScene scene(settings, Channel::on);
      scene.start();
      (void)scene.to_client();
      scene.from_client(client_text(sent));
      check_closed(scene.to_client(), 4400);
      check_closed(scene.to_backend(), 4400);
    };
    refuse(R"({"$sallyport":1})");
    refuse(R"({"$sallyport":{"op":"refresh"}})");
    refuse(R"({"$sallyport":{"op":"authenticate","token":"x"}})");
    refuse(R"({"$sallyport":{"op":"refresh","token":"good.alice.60"},"more":1})");
    refuse(R"({ "\u0024sallyport" : )");
    RouteSettings no_refresh = route_settings();
    no_refresh.refresh.in_band = false;
    refuse(R"({"$sallyport":{"op":"refresh","token":"good.alice.60"}})", no_refresh);
  }

  TEST_CASE("a control text in fragments is one all the same") {
    RelayScene scene(route_settings(), Channel::on);
    scene.start();
    (void)scene.to_client();
    scene.from_client(frame(Role::client, Opcode::text, R"({"$sallyport":{"op":"refresh",)", false) +
                      frame(Role::client, Opcode::continuation, R"("token":"good.alice.600"}})"));
    CHECK(scene.to_client().size() == 1);
    CHECK(scene.to_backend().empty());
  }

  TEST_CASE("without the control channel its words are the application's") {
    RelayScene scene;
    scene.start();
    const std::string sent = client_control("refresh", "good.alice.600");
    scene.from_client(sent);
    CHECK(scene.backend.take_written() == sent);
    scene.from_backend(backend_text(R"({"$sallyport":{}})"));
    CHECK(scene.to_client() == Frames{text(R"({"$sallyport":{}})")});
  }

  TEST_CASE("a backend cannot pass for the gateway") {
    RelayScene scene(route_settings(), Channel::on);
    scene.start();
    (void)scene.to_client();
    const std::string spoof = R"({"$sallyport":{"op":"expiring","expires_at":1}})";
    scene.from_backend(backend_text("before") + backend_text(spoof) + backend_text("after"));
    scene.from_backend(frame(Role::server, Opcode::text, spoof.substr(0, 5), false) +
                       frame(Role::server, Opcode::continuation, spoof.substr(5)));
    scene.from_backend(frame(Role::server, Opcode::binary, spoof));
    CHECK(scene.to_client() == Frames{text("before"), text("after"), {Opcode::binary, spoof}});
    CHECK(scene.metrics.control_spoofed.value() == 2);
    CHECK(std::ranges::count(scene.log.text, '\n') == 1);  // one line, however often
    CHECK(scene.log.text.find("control.spoofed") != std::string::npos);
  }

  TEST_CASE("a silent side is pinged, and its answer goes no further") {
    RouteSettings settings = route_settings();
    settings.ping = {30s, 20s};
    RelayScene scene(settings);
    scene.start();
    scene.pass(30s);
    const Frames pings = scene.to_client();
    const Frames backend_pings = scene.to_backend();
    REQUIRE(pings.size() == 1);
    REQUIRE(backend_pings.size() == 1);
    CHECK(pings[0].opcode == Opcode::ping);
    CHECK(pings[0].payload != backend_pings[0].payload);
    // An answer with the wrong payload is nobody's; it counts as a sign of life only.
    scene.from_client(frame(Role::client, Opcode::pong, pings[0].payload));
    scene.from_backend(frame(Role::server, Opcode::pong, backend_pings[0].payload));
    CHECK(scene.to_backend().empty());
    CHECK(scene.to_client().empty());
    scene.from_client(frame(Role::client, Opcode::pong, pings[0].payload));
    CHECK(scene.to_backend().size() == 1);  // once answered, the next is the application's
    scene.pass(29s);
    CHECK(!scene.ending);
    CHECK(scene.to_client().empty());
  }

  TEST_CASE("an answer that comes after other bytes goes no further either") {
    RouteSettings settings = route_settings();
    settings.ping = {30s, 20s};
    RelayScene scene(settings);
    scene.start();
    scene.pass(30s);
    const Frames pings = scene.to_client();
    REQUIRE(pings.size() == 1);
    scene.clock.advance(1s);
    scene.from_client(client_text("busy"));
    scene.from_backend(backend_text("busy"));
    scene.pass(19s);
    scene.from_client(frame(Role::client, Opcode::pong, pings[0].payload));
    for (const Written& frame : scene.to_backend()) CHECK(frame.opcode != Opcode::pong);
  }

  TEST_CASE("a side that answers no ping is cut") {
    RouteSettings settings = route_settings();
    settings.ping = {30s, 20s};
    SUBCASE("the client") {
      RelayScene scene(settings);
      scene.start();
      scene.pass(30s);
      scene.from_backend(backend_text("alive"));
      scene.pass(20s - 1ms);
      CHECK(!scene.to_client().empty());
      scene.from_backend(backend_text("alive"));
      (void)scene.to_client();
      scene.pass(1ms);
      check_closed(scene.to_client(), 1001);
      scene.pass(scene.limits.close_timeout);
      check_ending(scene, Reason::peer_unresponsive, By::client, 1001);
    }
    SUBCASE("the backend") {
      RelayScene scene(settings);
      scene.start();
      scene.pass(30s);
      scene.clock.advance(1s);
      scene.from_client(client_text("alive"));
      (void)scene.to_client();
      scene.pass(19s);
      check_closed(scene.to_client(), 1014);
      scene.from_client(client_close(1014));
      check_ending(scene, Reason::upstream_closed, By::backend, 1014);
    }
  }

  TEST_CASE("who is not read is not blamed for its silence") {
    RouteSettings settings = route_settings();
    settings.ping = {1s, 1s};
    SUBCASE("because the other side is slow") {
      RelayScene scene(settings);
      scene.start();
      scene.backend.limit_room(0);
      scene.from_client(client_text("held"));
      for (int i = 0; i < 20; ++i) {
        scene.pass(900ms);
        scene.from_backend(frame(Role::server, Opcode::pong, ""));
      }
      CHECK(!scene.ending);
      for (const Written& frame : scene.to_client()) CHECK(frame.opcode != Opcode::close);
    }
    SUBCASE("because its credential is judged") {
      RelayScene scene(settings, Channel::on);
      scene.start();
      scene.from_client(client_control("refresh", "wait"));
      for (int i = 0; i < 8; ++i) {
        scene.pass(900ms);
        scene.from_backend(frame(Role::server, Opcode::pong, ""));
      }
      CHECK(!scene.ending);
      for (const Written& frame : scene.to_client()) CHECK(frame.opcode != Opcode::close);
    }
  }

  TEST_CASE("a side that takes too little in the time given is cut") {
    SUBCASE("the client") {
      RelayScene scene;
      scene.client.limit_room(0);
      scene.start();
      scene.from_backend(backend_text("nobody reads this"));
      scene.pass(30s - 1ms);
      CHECK(!scene.ending);
      scene.pass(1ms);
      check_ending(scene, Reason::peer_too_slow, By::client, 1008);
      check_closed(scene.to_backend(), 1008);
    }
    SUBCASE("the backend") {
      RelayScene scene;
      scene.backend.limit_room(0);
      scene.start();
      scene.from_client(client_text("nobody reads this"));
      scene.pass(30s);
      check_closed(scene.to_client(), 1014);
      scene.from_client(client_close(1014));
      check_ending(scene, Reason::upstream_closed, By::backend, 1014);
    }
    SUBCASE("a byte at a time is too little, 64 KiB are enough") {
      RelayScene scene;
      scene.client.limit_room(0);
      scene.start();
      scene.from_backend(frame(Role::server, Opcode::binary, std::string(200'000, 'x')));
      scene.client.make_room(65'536);
      scene.pass(30s);
      CHECK(!scene.ending);
      scene.client.make_room(1);
      scene.pass(30s);
      check_ending(scene, Reason::peer_too_slow, By::client, 1008);
    }
    SUBCASE("also while it is closing") {
      RelayScene scene;
      scene.limits.close_timeout = 60s;
      scene.client.limit_room(0);
      scene.start();
      scene.from_backend(backend_text("x"));
      scene.pass(10s);
      scene.session->close(Error{Reason::server_draining, ""});
      scene.pass(20s);
      check_ending(scene, Reason::server_draining, By::gateway, 1012);
    }
  }

  TEST_CASE("more messages than allowed close") {
    RouteSettings settings = route_settings();
    settings.limits.messages = {3, 1s};
    RelayScene scene(settings);
    scene.start();
    scene.from_client(client_text("1") + frame(Role::client, Opcode::ping, "") + client_text("3"));
    scene.pass(1s);
    CHECK(scene.to_backend().size() == 3);
    for (int i = 0; i < 10; ++i) scene.from_backend(backend_text("as many as it likes"));
    CHECK(scene.to_client().size() == 10);
    scene.from_client(client_text("1") + client_text("2") + client_text("3") + client_text("4") + client_text("5"));
    const Frames frames = scene.to_backend();
    REQUIRE(frames.size() == 4);
    CHECK(frames[2] == text("3"));
    CHECK(frames[3].code() == 4429);
    check_closed(scene.to_client(), 4429);
    scene.from_client(client_close(4429));
    check_ending(scene, Reason::limit_message_rate, By::client, 4429);
  }

  TEST_CASE("pongs count unless the backend asked for them") {
    RouteSettings settings = route_settings();
    settings.limits.messages = {1, std::chrono::hours(1)};
    RelayScene scene(settings);
    scene.start();
    const std::string pong = frame(Role::client, Opcode::pong, "p");
    for (int i = 0; i < 10; ++i) {
      scene.from_backend(frame(Role::server, Opcode::ping, "p"));
      scene.from_client(pong);
    }
    CHECK(scene.to_backend().size() == 10);
    (void)scene.to_client();
    scene.from_client(pong);
    CHECK(scene.to_backend().size() == 1);
    scene.from_client(pong);
    check_closed(scene.to_client(), 4429);
  }

  TEST_CASE("a word of the gateway's that closes does not overtake what came before it") {
    RelayScene scene(route_settings(), Channel::on);
    scene.start();
    scene.from_client(client_text("before") + client_text(R"({"$sallyport":1})") + client_text("behind"));
    const Frames frames = scene.to_backend();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0] == text("before"));
    CHECK(frames[1].code() == 4400);
  }

  TEST_CASE("what breaks the protocol goes no further") {
    RouteSettings settings = route_settings();
    settings.limits.message_size = {100};
    settings.limits.backend_message_size = {100};
    struct Bad {
      std::string bytes;
      std::uint16_t code;
      Reason reason;
    };
    const auto all = [](Role role) {
      const Role other_role = role == Role::client ? Role::server : Role::client;
      return std::vector<Bad>{
          {frame(role, Opcode::binary, std::string(101, 'x')), 1009, Reason::message_too_big},
          {frame(role, Opcode::binary, std::string(60, 'x'), false) +
               frame(role, Opcode::continuation, std::string(41, 'x')),
           1009, Reason::message_too_big},
          {frame(other_role, Opcode::text, "mask the wrong way round"), 1002, Reason::frame_malformed},
          {frame(role, Opcode::continuation, "of nothing"), 1002, Reason::frame_malformed},
          {frame(role, Opcode::close, close_payload(1005)), 1002, Reason::frame_malformed},
          {frame(role, Opcode::close, "1"), 1002, Reason::frame_malformed},
          {"\xf1", 1002, Reason::frame_malformed},
          {"\x83", 1002, Reason::frame_malformed},
      };
    };
    for (const Bad& bad : all(Role::client)) {
      CAPTURE(bad.code);
      RelayScene scene(settings);
      scene.start();
      scene.from_client(client_text("good") + bad.bytes + client_text("behind"));
      const Frames frames = scene.to_backend();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("good"));
      CHECK(frames[1].code() == bad.code);
      scene.from_backend(backend_close(1000));
      check_closed(scene.to_client(), bad.code);
      CHECK(scene.client.finished());  // nothing it says can be read any more; that asks it for its end
      CHECK(!scene.ending);
      scene.from_client(client_close(1000));
      CHECK(!scene.ending);
      scene.client.end();
      scene.turn();
      check_ending(scene, bad.reason, By::client, bad.code);
    }
    for (const Bad& bad : all(Role::server)) {
      CAPTURE(bad.code);
      RelayScene scene(settings);
      scene.start();
      scene.from_backend(backend_text("good") + bad.bytes + backend_text("behind"));
      const Frames frames = scene.to_client();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("good"));
      CHECK(frames[1].code() == 1011);
      scene.from_client(client_close(1011));
      check_closed(scene.to_backend(), bad.code);
      check_ending(scene, bad.reason, By::backend, 1011);
    }
  }

  TEST_CASE("who breaks the protocol still gets the answers to what it said before") {
    SUBCASE("the client") {
      RelayScene scene;
      scene.start();
      scene.from_client(client_text("good") + "\xf1");
      CHECK(scene.to_client().empty());
      scene.from_backend(backend_text("answer") + frame(Role::server, Opcode::ping, "p") + backend_close(1002) +
                         backend_text("behind"));
      const Frames frames = scene.to_client();
      REQUIRE(frames.size() == 3);
      CHECK(frames[0] == text("answer"));
      CHECK(frames[1].opcode == Opcode::ping);
      CHECK(frames[2].code() == 1002);
      CHECK(frames[2].payload.substr(2) == row(Reason::frame_malformed).told);
      scene.client.end();
      scene.turn();
      check_ending(scene, Reason::frame_malformed, By::client, 1002);
    }
    SUBCASE("the backend") {
      RelayScene scene;
      scene.start();
      scene.from_backend(backend_text("good") + "\xf1");
      CHECK(scene.to_backend().empty());
      scene.from_client(client_text("answer") + client_close(1011));
      const Frames frames = scene.to_backend();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("answer"));
      CHECK(frames[1].code() == 1002);
      check_ending(scene, Reason::frame_malformed, By::backend, 1011);
    }
  }

  TEST_CASE("answers are not waited for any longer") {
    RouteSettings settings = route_settings();
    settings.limits.messages = {2, std::chrono::hours(1)};
    RelayScene scene(settings, Channel::on);
    scene.start();
    (void)scene.to_client();
    SUBCASE("than half a second") {
      scene.from_client("\xf1");
      scene.pass(500ms - 1ms);
      CHECK(scene.to_client().empty());
      scene.pass(1ms);
      check_closed(scene.to_client(), 1002);
      scene.from_backend(backend_text("late"));
      CHECK(scene.to_client().empty());
    }
    SUBCASE("than the other side is there") {
      scene.from_client("\xf1");
      scene.backend.end();
      scene.turn();
      check_closed(scene.to_client(), 1002);
    }
    SUBCASE("than the other side keeps to the protocol") {
      scene.from_client("\xf1");
      scene.from_backend("\xf1");
      check_closed(scene.to_client(), 1002);
    }
    SUBCASE("than the session holds") {
      scene.from_client("\xf1");
      scene.session->close(Error{Reason::credential_revoked, ""});
      scene.from_backend(backend_text("secret"));
      check_closed(scene.to_client(), 1002);
    }
    SUBCASE("than what is kept for a slow side is bounded") {
      scene.client.limit_room(0);
      scene.from_client("\xf1");
      for (int i = 0; i < 100; ++i) scene.backend.yield(backend_text(std::string(100'000, 'x')));
      scene.turn();
      CHECK(scene.backend.reading_paused());
      CHECK(!scene.backend.exhausted());
      scene.pass(500ms);
      CHECK(!scene.backend.reading_paused());
    }
    SUBCASE("than somebody is there to get them") {
      scene.from_backend("\xf1");
      scene.backend.fail();
      scene.turn();
      scene.from_client(client_text("answer"));
      CHECK(scene.to_backend().empty());
      scene.from_client(client_close(1011));
      check_ending(scene, Reason::frame_malformed, By::backend, 1011);
    }
    SUBCASE("and they are judged as ever") {
      scene.from_backend("\xf1");
      scene.from_client(client_text("1") + client_text(R"({"$sallyport":{"op":"refresh","token":"wait"}})") +
                        client_text("over the rate") + client_text("behind"));
      const Frames frames = scene.to_backend();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("1"));
      CHECK(frames[1].code() == 1002);
      CHECK(!scene.authenticator->waiting);
    }
  }

  TEST_CASE("what follows a refused message is no answer") {
    RouteSettings settings = route_settings();
    settings.limits.messages = {10, 1s};
    RelayScene scene(settings);
    scene.start();
    scene.from_backend("\xf1");
    for (int i = 0; i < 11; ++i) scene.from_client(client_text("answer"));
    const Frames frames = scene.to_backend();
    REQUIRE(frames.size() == 11);
    CHECK(frames[10].code() == 1002);
    scene.pass(300ms);  // and the rate would allow it
    scene.from_client(client_text("behind"));
    CHECK(scene.to_backend().empty());
  }

  TEST_CASE("a message of the size allowed passes") {
    RouteSettings settings = route_settings();
    settings.limits.message_size = {100};
    settings.limits.backend_message_size = {100};
    RelayScene scene(settings);
    scene.start();
    scene.from_client(frame(Role::client, Opcode::binary, std::string(100, 'x')));
    scene.from_backend(frame(Role::server, Opcode::binary, std::string(100, 'x')));
    CHECK(scene.to_backend().size() == 1);
    CHECK(scene.to_client().size() == 1);
  }

  TEST_CASE("a broken peer that talks on is not listened to for longer than the deadline") {
    RelayScene scene;
    scene.start();
    scene.from_client("\xff\xff");
    for (int i = 0; i < 100; ++i) scene.from_client(std::string(10'000, 'x'));
    CHECK(scene.client.exhausted());
    scene.pass(scene.limits.close_timeout);
    check_ending(scene, Reason::frame_malformed, By::client, 1002);
    check_closed(scene.to_backend(), 1002);
  }

  TEST_CASE("a side that is gone ends the other") {
    SUBCASE("the backend, in an orderly way") {
      RelayScene scene;
      scene.start();
      scene.backend.yield(backend_text("last")).end();
      scene.turn();
      const Frames frames = scene.to_client();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("last"));
      CHECK(frames[1].code() == 1014);
      scene.from_client(client_close(1014));
      check_ending(scene, Reason::upstream_closed, By::backend, 1014);
    }
    SUBCASE("the backend, in the middle of a message") {
      RelayScene scene;
      scene.start();
      scene.backend.yield(frame(Role::server, Opcode::text, "half", false)).fail();
      scene.turn();
      check_closed(scene.to_client(), 1014);
    }
    SUBCASE("the client") {
      RelayScene scene;
      scene.start();
      scene.client.yield(client_text("last") + client_text("cut").substr(0, 7)).end();
      scene.turn();
      const Frames frames = scene.to_backend();
      REQUIRE(frames.size() == 2);
      CHECK(frames[0] == text("last"));
      CHECK(frames[1].code() == 1001);
      check_ending(scene, Reason::peer_gone, By::client, 1006);
    }
    SUBCASE("both") {
      RelayScene scene;
      scene.client.fail();
      scene.backend.fail();
      scene.start();
      check_ending(scene, Reason::peer_gone, By::client, 1006);
    }
  }

  TEST_CASE("wherever a stream fails, the relay ends and says so") {
    const auto play = [](std::size_t client_fails_at, std::size_t backend_fails_at) {
      RelayScene scene(route_settings(), Channel::on, 60s);
      scene.client.fail_at(client_fails_at).split_writes(7);
      scene.backend.fail_at(backend_fails_at).split_reads(5);
      scene.start();
      scene.from_client(client_text("one") + client_control("refresh", "good.alice.60") +
                        frame(Role::client, Opcode::ping, "p"));
      scene.from_backend(backend_text("a longer answer") + frame(Role::server, Opcode::pong, "p"));
      scene.from_client(client_text("two"));
      scene.from_client(client_close(1000));
      scene.from_backend(backend_close(1000));
      scene.pass(scene.limits.close_timeout);
      return std::pair(scene.ending, std::pair(scene.client.operations(), scene.backend.operations()));
    };
    const std::size_t never = net::ScriptedStream::unlimited;
    const auto [ending, operations] = play(never, never);
    REQUIRE(ending.has_value());
    CHECK(ending->reason == Reason::peer_closed);
    for (std::size_t nth = 1; nth <= operations.first; ++nth) {
      CAPTURE(nth);
      const auto outcome = play(nth, never).first;
      REQUIRE(outcome.has_value());
      // Once the client has closed, its stream's end is no news.
      CHECK((outcome->reason == Reason::peer_gone || outcome->reason == Reason::peer_closed));
      if (outcome->reason == Reason::peer_gone) CHECK(outcome->code == 1006);
    }
    for (std::size_t nth = 1; nth <= operations.second; ++nth) {
      CAPTURE(nth);
      const auto outcome = play(never, nth).first;
      REQUIRE(outcome.has_value());
      CHECK((outcome->reason == Reason::upstream_closed || outcome->reason == Reason::peer_closed));
    }
  }

  TEST_CASE("a message that is understood goes on as it came") {
    RelayScene scene(inspecting_settings());
    scene.start();
    const std::string whole = client_text(R"({"type":"send","room":"a","text":"gr\u00fc\u00df"})");
    const std::string begin = frame(Role::client, Opcode::text, R"( {"room":7,"ty\u00)", false);
    const std::string ping = frame(Role::client, Opcode::ping, "{}");
    const std::string rest = frame(Role::client, Opcode::continuation, R"(70e":"send"} )");
    scene.from_client(whole + begin + ping + rest);
    CHECK(scene.backend.take_written() == whole + ping + begin + rest);
    scene.from_client(client_text(R"({"type":"ping"})"));
    CHECK(scene.to_backend() == Frames{text(R"({"type":"ping"})")});
    // The backend's are its own affair.
    scene.from_backend(backend_text("no JSON") + frame(Role::server, Opcode::binary, "b"));
    CHECK(scene.to_client().size() == 2);
    CHECK(scene.metrics.from_client.messages.value() == 3);
    CHECK(!scene.ending);
  }

  TEST_CASE("a message that is not understood ends the connection, and nothing of it goes on") {
    const struct {
      Opcode opcode;
      std::string payload;
      Reason reason;
    } cases[] = {
        {Opcode::text, "hello", Reason::message_malformed},
        {Opcode::text, "", Reason::message_malformed},
        {Opcode::text, R"({"room":"a"})", Reason::message_malformed},
        {Opcode::text, R"({"type":"send"})", Reason::message_malformed},
        {Opcode::text, R"({"type":"send","room":"a","type":"send"})", Reason::message_malformed},
        {Opcode::text, R"({"type":"send","room":"a"} )" + std::string(1, '\0'), Reason::message_malformed},
        {Opcode::text, R"({"$sallyport":{"op":"refresh","token":"x"}})", Reason::message_malformed},
        {Opcode::binary, R"({"type":"send","room":"a"})", Reason::message_unsupported},
    };
    for (const auto& each : cases) {
      CAPTURE(each.payload);
      for (const bool in_pieces : {false, true}) {
        RelayScene scene(inspecting_settings());
        scene.start();
        const std::string good = client_text(R"({"type":"send","room":"a"})");
        std::string bad = frame(Role::client, each.opcode, each.payload);
        if (in_pieces) {
          const std::size_t half = each.payload.size() / 2;
          bad = frame(Role::client, each.opcode, each.payload.substr(0, half), false) +
                frame(Role::client, Opcode::continuation, each.payload.substr(half));
        }
        scene.from_client(good + bad + good);
        const Frames frames = scene.to_backend();
        REQUIRE(frames.size() == 2);
        CHECK(frames[0] == text(R"({"type":"send","room":"a"})"));
        CHECK(frames[1].code() == row(each.reason).close_code);
        check_closed(scene.to_client(), row(each.reason).close_code);
        scene.from_client(client_close(row(each.reason).close_code));
        check_ending(scene, each.reason, By::client, row(each.reason).close_code);
        CHECK(scene.relay->from_client().messages == 1);
      }
    }
  }

  TEST_CASE("a compressed message is understood by what it says") {
    const http::DeflateParameters alone{.server_no_context_takeover = true, .client_no_context_takeover = true};
    const auto packed = [](Opcode opcode, std::string_view content) {
      ws::Deflater deflater;
      std::vector<Byte> scratch;
      std::string out;
      ws::append_compressed(out, opcode, deflater.deflate(bytes_of(content), {}, scratch), ws::Mask{1, 2, 3, 4});
      return out;
    };
    const std::string good = R"({"type":"send","room":"a","text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})";
    for (const bool backend_compresses : {false, true}) {
      const struct {
        std::string frame;
        Reason reason;
      } cases[] = {
          {packed(Opcode::text, good + "x"), Reason::message_malformed},
          {packed(Opcode::text, good.substr(0, good.size() - 1) + R"(,"type":"read"})"), Reason::message_malformed},
          {packed(Opcode::binary, good), Reason::message_unsupported}};
      for (const auto& each : cases) {
        RelayScene scene(inspecting_settings());
        scene.compression.client = alone;
        if (backend_compresses) scene.compression.backend = alone;
        scene.start();
        scene.from_client(packed(Opcode::text, good));
        CHECK(!scene.backend.take_written().empty());
        CHECK(scene.relay->from_client().bytes == good.size());
        scene.from_client(each.frame);
        check_closed(scene.to_backend(), row(each.reason).close_code);
        check_closed(scene.to_client(), row(each.reason).close_code);
        CHECK(scene.relay->from_client().messages == 1);
      }
    }
  }

  TEST_CASE("the gateway's own messages are not the application's") {
    RelayScene scene(inspecting_settings(), Channel::on, 60s);
    scene.start();
    (void)scene.to_client();
    scene.from_client(client_control("refresh", "good.alice.600"));
    const Frames told = scene.to_client();
    REQUIRE(told.size() == 1);
    CHECK(told[0].payload.find("refreshed") != std::string::npos);
    const std::string good = client_text(R"({"type":"send","room":"a"})");
    scene.from_client(good);
    CHECK(scene.backend.take_written() == good);
    scene.from_client(client_text("{}"));
    check_closed(scene.to_client(), 4400);
  }

  TEST_CASE("a relay that is dropped in the middle leaves nothing") {
    for (int stage = 0; stage < 4; ++stage) {
      RelayScene scene(route_settings(), Channel::on);
      scene.client.limit_room(10);
      scene.start();
      if (stage > 0) scene.from_client(client_control("refresh", "wait"));
      if (stage > 1) scene.from_backend(frame(Role::server, Opcode::text, "half", false));
      if (stage > 2) scene.session->close(Error{Reason::server_draining, ""});
      scene.turn();
    }
  }
}

namespace {

// Yields the same bytes again and again, as often as it is told, and takes all that it is given, without an allocation of its own.
class RepeatingStream final : public net::Stream {
 public:
  explicit RepeatingStream(std::string bytes) : bytes_(std::move(bytes)) {}
  void send_again() {
    left_ = 1;
    wake_->raise(readable_);
  }
  std::size_t taken = 0;

  net::IoResult read(MutableBytes into) override {
    if (left_ == 0) return {net::IoStatus::would_block};
    --left_;
    std::memcpy(into.data(), bytes_.data(), bytes_.size());
    return {net::IoStatus::ok, bytes_.size()};
  }
  net::IoResult write(Bytes from) override {
    taken += from.size();
    return {net::IoStatus::ok, from.size()};
  }
  void finish() override {}
  void attach(net::Wake& wake, std::uint32_t readable, std::uint32_t) override {
    wake_ = &wake;
    readable_ = readable;
  }
  void pause_reading() override {}
  void resume_reading() override {}

 private:
  std::string bytes_;
  int left_ = 0;
  net::Wake* wake_ = nullptr;
  std::uint32_t readable_ = 0;
};

}  // namespace

TEST_SUITE("relay") {
  TEST_CASE("a message that is inflated or compressed without a context costs no allocation") {
    const http::DeflateParameters alone{.server_no_context_takeover = true, .client_no_context_takeover = true};
    std::string text;
    while (text.size() < 3000) text += "{\"type\":\"chat.send\",\"text\":\"" + std::to_string(text.size()) + "\"}";
    ws::Deflater deflater;
    std::vector<Byte> scratch;
    std::string packed;
    ws::append_compressed(packed, Opcode::text, deflater.deflate(bytes_of(text), {}, scratch), ws::Mask{1, 2, 3, 4});
    for (const bool client_compresses : {true, false}) {
      for (const bool backend_compresses : {true, false}) {
        RelayScene scene;
        if (client_compresses) scene.compression.client = alone;
        if (backend_compresses) scene.compression.backend = alone;
        const std::string out = client_compresses ? packed + packed : client_text(text) + client_text(text);
        RepeatingStream client(out);
        RepeatingStream backend(backend_text(text));
        scene.start(client, backend);
        const auto send = [&] {
          client.send_again();
          scene.loop.turn(Duration::zero());
          backend.send_again();
          scene.loop.turn(Duration::zero());
        };
        for (int i = 0; i < 3; ++i) send();
        const std::size_t before = allocations;
        for (int i = 0; i < 100; ++i) send();
        const std::size_t after = allocations;
        CHECK(after == before);
        CHECK(scene.relay->from_client().messages == 2 * 103);
        CHECK(scene.relay->from_client().bytes == 2 * 103 * text.size());
      }
    }
  }

  TEST_CASE("a message costs no allocation") {
    for (const Channel channel : {Channel::off, Channel::on}) {
      RelayScene scene(route_settings(), channel);
      const std::string out = client_text(std::string(512, 'x')) +
                              frame(Role::client, Opcode::binary, std::string(3000, 'y')) +
                              frame(Role::client, Opcode::ping, "p");
      const std::string in = backend_text(std::string(512, 'x')) +
                             frame(Role::server, Opcode::binary, std::string(3000, 'y')) +
                             frame(Role::server, Opcode::pong, "p");
      RepeatingStream client(out);
      RepeatingStream backend(in);
      scene.start(client, backend);
      const auto both_ways = [&] {
        client.send_again();
        backend.send_again();
        scene.loop.turn(Duration::zero());
      };
      for (int i = 0; i < 3; ++i) both_ways();
      const std::size_t taken_before = client.taken;
      const std::size_t before = allocations;
      for (int i = 0; i < 1000; ++i) both_ways();
      const std::size_t after = allocations;
      CHECK(after == before);
      CHECK(client.taken - taken_before == 1000 * in.size());
      CHECK(scene.relay->from_client().messages == 2 * 1003);
      CHECK(scene.relay->from_backend().messages == 2 * 1003);
    }
  }

  TEST_CASE("a message that is looked into costs no allocation") {
    for (const Channel channel : {Channel::off, Channel::on}) {
      RelayScene scene(inspecting_settings(), channel);
      const std::string out = client_text(R"({"type":"send","room":"lobby","text":")" + std::string(470, 'x') + "\"}") +
                              client_text(R"({"ty\u0070e":"s\u0065nd","room":"lobb\u0079","x":[{},{"y":[1,2.5e3]}]})") +
                              client_text(R"({"type":"ping"})");
      RepeatingStream client(out);
      RepeatingStream backend(backend_text("x"));
      scene.start(client, backend);
      const auto send = [&] {
        client.send_again();
        scene.loop.turn(Duration::zero());
      };
      for (int i = 0; i < 3; ++i) send();
      const std::size_t taken_before = backend.taken;
      const std::size_t before = allocations;
      for (int i = 0; i < 1000; ++i) send();
      const std::size_t after = allocations;
      CHECK(after == before);
      CHECK(backend.taken - taken_before == 1000 * out.size());
      CHECK(scene.relay->from_client().messages == 3 * 1003);
    }
  }
}

}  // namespace sallyport::gateway
