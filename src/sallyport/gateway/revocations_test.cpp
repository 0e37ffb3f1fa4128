#include "sallyport/gateway/revocations.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using gateway::testing::identity;
using gateway::testing::proven;
using store::Handle;

const WallTime now = from_unix_seconds(1'800'000'000);

auth::Proven everything() {
  auth::Proven all = proven("alice", now);
  all.session_id = "sid-1";
  all.token_id = "jti-1";
  all.token_hash = "hash-1";
  return all;
}

store::Revocation revocation(std::uint64_t id, Handle handle, std::string value) {
  store::Revocation made;
  made.id = id;
  made.handle = handle;
  made.value = std::move(value);
  made.created_at = now;
  made.keep_until = now + 1h;
  return made;
}

bool refuses(const store::Revocation& revoked, const auth::Proven& who = everything()) {
  Revocations revocations;
  revocations.add(revoked);
  const Result<void> checked = revocations.check(identity(who), "connection-1");
  if (!checked.ok()) CHECK(checked.error().reason == Reason::credential_revoked);
  return !checked.ok();
}

}  // namespace

TEST_SUITE("revocations") {
  TEST_CASE("each handle reaches what it names and nothing else") {
    CHECK(refuses(revocation(1, Handle::subject, "alice")));
    CHECK(refuses(revocation(1, Handle::session_id, "sid-1")));
    CHECK(refuses(revocation(1, Handle::token_id, "jti-1")));
    CHECK(refuses(revocation(1, Handle::token_hash, "hash-1")));
    CHECK(refuses(revocation(1, Handle::connection, "connection-1")));
    for (const Handle handle :
         {Handle::subject, Handle::session_id, Handle::token_id, Handle::token_hash, Handle::connection}) {
      for (const std::string value : {"", "Alice", "alice2", "alic", "sid-2", "another"})
        CHECK(!refuses(revocation(1, handle, value)));
    }
    // The right value under another handle is another's.
    CHECK(!refuses(revocation(1, Handle::session_id, "alice")));
    CHECK(!refuses(revocation(1, Handle::token_id, "sid-1")));
    CHECK(!refuses(revocation(1, Handle::subject, std::string("alice\0x", 7))));
  }

  TEST_CASE("an identity is not reached by what it does not have") {
    auth::Proven bare = proven("alice", now);
    for (const Handle handle : {Handle::session_id, Handle::token_id, Handle::token_hash})
      CHECK(!refuses(revocation(1, handle, ""), bare));
    CHECK(handles_of(identity(bare), "connection-1").size() == 2);
    CHECK(handles_of(identity(everything()), "connection-1").size() == 5);
  }

  TEST_CASE("what one of several mechanisms proved can be revoked like the whole") {
    auth::Proven device = proven("device-7", now);
    device.issuer = "https://devices.example.com";
    device.token_hash = "thumbprint";
    device.issued_at = now - 1h;
    auth::Proven both = everything();
    both.issued_at = now + 1s;
    both.parts = {identity(everything()), identity(device)};
    CHECK(refuses(revocation(1, Handle::subject, "alice"), both));
    CHECK(refuses(revocation(1, Handle::subject, "device-7"), both));
    CHECK(refuses(revocation(1, Handle::token_hash, "thumbprint"), both));
    CHECK(!refuses(revocation(1, Handle::subject, "device-8"), both));
    // The issuer and the time are those of the part that is named.
    store::Revocation narrowed = revocation(1, Handle::subject, "device-7");
    narrowed.issuer = "https://devices.example.com";
    narrowed.issued_before = now;
    CHECK(refuses(narrowed, both));
    narrowed.issuer = "https://id.example.com";
    CHECK(!refuses(narrowed, both));
    CHECK(handles_of(identity(both), "connection-1").size() == 7);
  }

  TEST_CASE("an issuer narrows it") {
    store::Revocation narrowed = revocation(1, Handle::subject, "alice");
    narrowed.issuer = "https://id.example.com";
    CHECK(refuses(narrowed));
    narrowed.issuer = "https://id.example.com/";
    CHECK(!refuses(narrowed));
    narrowed.issuer = "";
    CHECK(!refuses(narrowed));
    auth::Proven opaque = everything();
    opaque.issuer = "";
    CHECK(refuses(narrowed, opaque));
    narrowed.issuer.reset();
    CHECK(refuses(narrowed, opaque));
  }

  TEST_CASE("issued_before spares what came later") {
    store::Revocation bounded = revocation(1, Handle::subject, "alice");
    bounded.issued_before = now;
    auth::Proven who = everything();
    who.issued_at = now - 1s;
    CHECK(refuses(bounded, who));
    who.issued_at = now;  // the same second: it may have been before
    CHECK(refuses(bounded, who));
    who.issued_at = now + 1s;
    CHECK(!refuses(bounded, who));
    who.issued_at.reset();  // it does not say: it counts as old
    CHECK(refuses(bounded, who));
    bounded.issued_before = now + 500ms;
    who.issued_at = now;
    CHECK(refuses(bounded, who));
  }

  TEST_CASE("one of several is enough") {
    Revocations revocations;
    store::Revocation old = revocation(1, Handle::subject, "alice");
    old.issued_before = now - 1h;
    store::Revocation foreign = revocation(2, Handle::subject, "alice");
    foreign.issuer = "https://elsewhere.example.com";
    revocations.add(old);
    revocations.add(foreign);
    CHECK(revocations.check(identity(everything()), "c").ok());
    revocations.add(revocation(3, Handle::token_id, "jti-1"));
    const Result<void> checked = revocations.check(identity(everything()), "c");
    REQUIRE(!checked.ok());
    CHECK(checked.error().detail == "revocation 3 by jti");
  }

  TEST_CASE("one that is known is not entered twice") {
    Revocations revocations;
    CHECK(revocations.add(revocation(5, Handle::subject, "alice")));
    CHECK(!revocations.add(revocation(5, Handle::subject, "alice")));
    CHECK(revocations.add(revocation(6, Handle::subject, "alice")));
    CHECK(revocations.size() == 2);
  }

  TEST_CASE("the last id is the highest, whatever the order") {
    Revocations revocations;
    CHECK(revocations.last_id() == 0);
    revocations.add(revocation(7, Handle::subject, "alice"));
    revocations.add(revocation(3, Handle::subject, "bob"));
    CHECK(revocations.last_id() == 7);
    revocations.purge(now + 2h);
    CHECK(revocations.last_id() == 7);
  }

  TEST_CASE("what is over is forgotten, and nothing before") {
    Revocations revocations;
    store::Revocation longer = revocation(2, Handle::subject, "bob");
    longer.keep_until = now + 2h;
    revocations.add(revocation(1, Handle::subject, "alice"));
    revocations.add(longer);
    revocations.purge(now + 1h - 1ms);
    CHECK(revocations.size() == 2);
    revocations.purge(now + 1h + 1ms);
    CHECK(revocations.size() == 1);
    CHECK(revocations.check(identity(everything()), "c").ok());
    CHECK(!revocations.check(identity(proven("bob", now)), "c").ok());
  }
}

}  // namespace sallyport::gateway
