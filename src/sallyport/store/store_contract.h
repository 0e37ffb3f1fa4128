#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/net/loop.h"
#include "sallyport/net/turning.h"
#include "sallyport/store/backend.h"

/// What every store must do, as a test to call from a TEST_CASE of the plug.
namespace sallyport::store::contract {

using net::testing::keep;
using net::testing::wait_for;

/// The value, or a failed test that names the Error.
template <class T>
T must(Result<T> result) {
  if (!result.ok()) FAIL(row(result.error().reason).name << ": " << result.error().detail);
  return std::move(result).value();
}
inline void must(const Result<void>& result) {
  if (!result.ok()) FAIL(row(result.error().reason).name << ": " << result.error().detail);
}

template <class T>
bool refused(const Result<T>& result, Reason reason) {
  return !result.ok() && result.error().reason == reason;
}

/// A hash of which `seed` is the first and the last byte.
inline TokenHash hash_of(std::uint8_t seed) {
  TokenHash hash{};
  hash.front() = hash.back() = seed;
  return hash;
}

inline WallTime at(std::int64_t seconds) { return from_unix_seconds(1'800'000'000 + seconds); }

/// A token good from 0 to 600 s.
inline TokenRow token(std::uint8_t seed) {
  TokenRow row;
  row.hash = hash_of(seed);
  row.id = "token-" + std::to_string(seed);
  row.subject = "alice";
  row.session_id = "session-1";
  row.tenant = "acme";
  row.issuer = "https://id.example.com";
  row.route = "chat";
  row.scopes = {"chat:read", "chat:write"};
  row.roles = {"member"};
  row.issued_at = at(0);
  row.expires_at = at(600);
  return row;
}

/// A revocation kept for 600 s.
inline Revocation revocation(std::string value) {
  Revocation wanted;
  wanted.handle = Handle::subject;
  wanted.value = std::move(value);
  wanted.created_at = at(0);
  wanted.keep_until = at(600);
  wanted.reason = "left the company";
  return wanted;
}

/// Strings that have been trouble somewhere.
inline std::vector<std::string> odd_strings() {
  using namespace std::string_literals;
  return {""s,
          "'"s,
          "\"; DROP TABLE token; --"s,
          "%"s,
          "nul\0inside"s,
          "nul\0outside"s,
          "\0"s,
          "\xff\xfe"s,
          "\xc3("s,
          "5:comma,"s,
          ","s,
          "\n"s,
          "NULL"s,
          "1"s,
          "1.0"s,
          "caf\xc3\xa9"s,
          "cafe\xcc\x81"s,
          "CASE"s,
          "case"s,
          " case"s,
          std::string(1 << 20, 'x')};
}

/// Runs the contract. `open` yields a Backend on one and the same set of rows each time, empty at first.
inline void check(const std::function<std::unique_ptr<Backend>()>& open) {
  const FakeClock clock;
  net::Loop loop(clock);
  const std::unique_ptr<Backend> backend = open();
  const std::unique_ptr<Store> store = backend->open(loop);
  const auto find = [&](std::uint8_t seed) { return must(wait_for(loop, store->find_token(hash_of(seed)))); };
  const auto put = [&](TokenRow row) { return wait_for(loop, store->put_token(std::move(row))); };
  const auto revoke = [&](Revocation wanted) { return must(wait_for(loop, store->add_revocation(std::move(wanted)))); };
  const auto since = [&](std::uint64_t after, WallTime now) {
    return must(wait_for(loop, store->revocations(after, now)));
  };
  const auto purge = [&](WallTime now) { return must(wait_for(loop, store->purge(now))); };

  SUBCASE("an empty store has nothing") {
    CHECK(find(1) == std::nullopt);
    CHECK(must(wait_for(loop, store->revoke_token("token-1", at(1)))) == std::nullopt);
    CHECK(since(0, at(0)).empty());
    CHECK(purge(at(1'000'000)) == 0);
    must(wait_for(loop, store->flush()));
  }

  SUBCASE("a token comes back as it was put, and only under its own hash") {
    must(put(token(1)));
    CHECK(find(1) == token(1));
    TokenHash near = hash_of(1);
    near.back() ^= 1;
    CHECK(must(wait_for(loop, store->find_token(near))) == std::nullopt);
  }

  SUBCASE("every member of a token is kept") {
    TokenRow row = token(1);
    row.last_used_at = at(5);
    row.revoked_at = at(6);
    row.issued_at = WallTime(std::chrono::milliseconds(-1));
    row.expires_at = WallTime::max();
    row.scopes = odd_strings();
    row.roles = {};
    must(put(row));
    CHECK(find(1) == row);
  }

  SUBCASE("a taken hash is refused and the first row stays") {
    must(put(token(1)));
    TokenRow second = token(2);
    second.hash = hash_of(1);
    CHECK(refused(put(second), Reason::request_invalid));
    CHECK(find(1) == token(1));
    must(put(token(2)));
  }

  SUBCASE("a taken id is refused and nothing of the second row stays") {
    must(put(token(1)));
    TokenRow second = token(2);
    second.id = token(1).id;
    CHECK(refused(put(second), Reason::request_invalid));
    CHECK(find(2) == std::nullopt);
    must(put(token(2)));
  }

  SUBCASE("an expired token is still a row") {
    TokenRow row = token(1);
    row.expires_at = at(-1'000'000);
    must(put(row));
    CHECK(find(1) == row);
  }

  SUBCASE("a revoked token is still a row, and its first mark stays") {
    must(put(token(1)));
    must(put(token(2)));
    TokenRow marked = token(1);
    marked.revoked_at = at(10);
    CHECK(must(wait_for(loop, store->revoke_token("token-1", at(10)))) == marked);
    CHECK(must(wait_for(loop, store->revoke_token("token-1", at(20)))) == marked);
    CHECK(find(1) == marked);
    CHECK(find(2) == token(2));
  }

  SUBCASE("any bytes are kept and told apart") {
    const std::vector<std::string> odd = odd_strings();
    for (std::size_t i = 0; i < odd.size(); ++i) {
      TokenRow row = token(static_cast<std::uint8_t>(i));
      row.id = row.subject = row.session_id = row.tenant = row.issuer = row.route = odd[i];
      must(put(row));
      Revocation wanted = revocation(odd[i]);
      wanted.issuer = wanted.reason = odd[i];
      revoke(wanted);
    }
    const std::vector<Revocation> kept = since(0, at(0));
    REQUIRE(kept.size() == odd.size());
    for (std::size_t i = 0; i < odd.size(); ++i) {
      CHECK(find(static_cast<std::uint8_t>(i)).value().subject == odd[i]);
      const auto marked = must(wait_for(loop, store->revoke_token(odd[i], at(1))));
      CHECK(marked.value().hash == hash_of(static_cast<std::uint8_t>(i)));
      CHECK(kept[i].value == odd[i]);
      CHECK(kept[i].issuer == odd[i]);
      CHECK(kept[i].reason == odd[i]);
    }
  }

  SUBCASE("every byte may stand in a hash") {
    for (int byte = 0; byte < 256; ++byte) must(put(token(static_cast<std::uint8_t>(byte))));
    for (int byte = 0; byte < 256; ++byte) {
      CHECK(find(static_cast<std::uint8_t>(byte)).value().id == "token-" + std::to_string(byte));
    }
  }

  SUBCASE("notes of use are there after flush(), the latest per token") {
    must(put(token(1)));
    must(put(token(2)));
    store->note_use(hash_of(1), at(7));
    store->note_use(hash_of(1), at(9));
    store->note_use(hash_of(1), at(8));
    store->note_use(hash_of(3), at(8));
    must(wait_for(loop, store->flush()));
    CHECK(find(1).value().last_used_at == at(9));
    CHECK(find(2).value().last_used_at == std::nullopt);
    CHECK(find(3) == std::nullopt);
    store->note_use(hash_of(1), at(3));
    must(wait_for(loop, store->flush()));
    CHECK(find(1).value().last_used_at == at(9));
  }

  SUBCASE("a revocation comes back with its id, every member kept") {
    Revocation wanted = revocation("alice");
    for (const Handle handle :
         {Handle::subject, Handle::session_id, Handle::token_id, Handle::token_hash, Handle::connection}) {
      wanted.handle = handle;
      Revocation given = revoke(wanted);
      CHECK(given.id != 0);
      CHECK(since(given.id - 1, at(0)) == std::vector{given});
      given.id = wanted.id;
      CHECK(given == wanted);
    }
    wanted.issuer = "https://issuer.example";
    wanted.issued_before = at(-1);
    const Revocation given = revoke(wanted);
    CHECK(since(given.id - 1, at(0)) == std::vector{given});
    CHECK(given.issued_before == at(-1));
    CHECK(given.issuer == "https://issuer.example");
  }

  SUBCASE("an absent issuer is not an empty one") {
    Revocation wanted = revocation("alice");
    revoke(wanted);
    wanted.issuer = "";
    revoke(wanted);
    const auto kept = since(0, at(0));
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].issuer == std::nullopt);
    CHECK(kept[1].issuer == "");
  }

  SUBCASE("ids rise, whatever id is passed in, and are not given again after a purge") {
    std::uint64_t last = 0;
    for (int i = 0; i < 5; ++i) {
      Revocation wanted = revocation("alice");
      wanted.id = 1;
      const Revocation given = revoke(wanted);
      CHECK(given.id > last);
      last = given.id;
    }
    CHECK(purge(at(600)) == 5);
    CHECK(revoke(revocation("alice")).id > last);
  }

  SUBCASE("revocations(): greater than `after`, in order, and in force") {
    std::vector<Revocation> given;
    for (int i = 0; i < 6; ++i) {
      Revocation wanted = revocation("user-" + std::to_string(i));
      wanted.keep_until = at(i % 2 == 0 ? 600 : 100);
      given.push_back(revoke(wanted));
    }
    CHECK(since(0, at(0)) == given);
    CHECK(since(given[3].id, at(0)) == std::vector{given[4], given[5]});
    CHECK(since(given[5].id, at(0)).empty());
    CHECK(since(0, at(99)).size() == 6);
    CHECK(since(0, at(100)) == std::vector{given[0], given[2], given[4]});
    CHECK(since(0, at(600)).empty());
    CHECK(since(~std::uint64_t{0}, at(0)).empty());
  }

  const auto claim = [&](std::string key, WallTime until = at(600)) {
    return must(wait_for(loop, store->claim(std::move(key), until)));
  };
  const auto put_once = [&](std::string key, std::string value, WallTime until = at(600)) {
    return wait_for(loop, store->put_once(std::move(key), std::move(value), until));
  };
  const auto take_once = [&](std::string key, WallTime now = at(0)) {
    return must(wait_for(loop, store->take_once(std::move(key), now)));
  };
  const auto find_once = [&](std::string key, WallTime now = at(0)) {
    return must(wait_for(loop, store->find_once(std::move(key), now)));
  };

  SUBCASE("a claim is the first one's, each key by itself") {
    CHECK(claim("nonce:1"));
    CHECK_FALSE(claim("nonce:1"));
    CHECK_FALSE(claim("nonce:1", at(1'000'000)));
    CHECK(claim("nonce:2"));
  }

  SUBCASE("a claim holds until it is purged at its end or later, and a second one does not lengthen it") {
    CHECK(claim("nonce:1", at(100)));
    CHECK_FALSE(claim("nonce:1", at(600)));
    CHECK(purge(at(99)) == 0);
    CHECK_FALSE(claim("nonce:1"));
    CHECK(purge(at(100)) == 1);
    CHECK(claim("nonce:1"));
  }

  SUBCASE("a kept value is given once") {
    must(put_once("ticket:1", "alice"));
    must(put_once("ticket:2", "bob"));
    CHECK(find_once("ticket:1") == "alice");
    CHECK(find_once("ticket:1") == "alice");
    CHECK(take_once("ticket:1") == "alice");
    CHECK(take_once("ticket:1") == std::nullopt);
    CHECK(find_once("ticket:1") == std::nullopt);
    CHECK(take_once("ticket:3") == std::nullopt);
    CHECK(find_once("ticket:3") == std::nullopt);
    CHECK(take_once("ticket:2") == "bob");
  }

  SUBCASE("a taken key is refused and the first value stays") {
    must(put_once("ticket:1", "alice"));
    CHECK(refused(put_once("ticket:1", "mallory", at(1'000'000)), Reason::request_invalid));
    CHECK(take_once("ticket:1", at(599)) == "alice");
    must(put_once("ticket:1", "bob"));
    CHECK(take_once("ticket:1") == "bob");
  }

  SUBCASE("a kept value is not given at its end or later") {
    must(put_once("ticket:1", "alice"));
    must(put_once("ticket:2", "bob"));
    CHECK(find_once("ticket:1", at(599)) == "alice");
    CHECK(find_once("ticket:1", at(600)) == std::nullopt);
    CHECK(take_once("ticket:1", at(600)) == std::nullopt);
    CHECK(take_once("ticket:1", at(0)) == std::nullopt);
    CHECK(take_once("ticket:2", at(599)) == "bob");
  }

  SUBCASE("a claim and a kept value of the same key are apart") {
    CHECK(claim("same"));
    must(put_once("same", "alice"));
    CHECK(take_once("same") == "alice");
    CHECK_FALSE(claim("same"));
  }

  SUBCASE("keys and values hold any bytes") {
    const std::vector<std::string> odd = odd_strings();
    for (const std::string& text : odd) {
      CHECK(claim(text));
      must(put_once(text, text));
    }
    for (const std::string& text : odd) {
      CHECK_FALSE(claim(text));
      CHECK(find_once(text) == text);
      CHECK(take_once(text) == text);
    }
  }

  SUBCASE("of many who come at the same time one is the first, and one gets the value") {
    constexpr std::size_t loops = 4;
    constexpr int rounds = 20;
    for (int round = 0; round < rounds; ++round) must(put_once("ticket:" + std::to_string(round), "alice"));
    std::array<std::vector<int>, loops> first;
    std::array<std::vector<int>, loops> taken;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < loops; ++i) {
      threads.emplace_back([&, i] {
        const SystemClock own_clock;
        net::Loop own_loop(own_clock);
        const auto own = backend->open(own_loop);
        for (int round = 0; round < rounds; ++round) {
          const auto claimed = wait_for(own_loop, own->claim("nonce:" + std::to_string(round), at(600)));
          if (claimed.ok() && *claimed) first[i].push_back(round);
          const auto value = wait_for(own_loop, own->take_once("ticket:" + std::to_string(round), at(0)));
          if (value.ok() && *value == "alice") taken[i].push_back(round);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& winners : {first, taken}) {
      std::vector<int> all;
      for (const auto& own : winners) all.insert(all.end(), own.begin(), own.end());
      std::sort(all.begin(), all.end());
      std::vector<int> each;
      for (int round = 0; round < rounds; ++round) each.push_back(round);
      CHECK(all == each);
    }
  }

  SUBCASE("purge() forgets what has ended and nothing else") {
    must(put(token(1)));
    TokenRow lasting = token(2);
    lasting.expires_at = at(601);
    must(put(lasting));
    revoke(revocation("alice"));
    Revocation wanted = revocation("bob");
    wanted.keep_until = at(601);
    const Revocation kept = revoke(wanted);
    CHECK(claim("nonce:1"));
    CHECK(claim("nonce:2", at(601)));
    must(put_once("ticket:1", "alice"));
    must(put_once("ticket:2", "bob", at(601)));
    CHECK(purge(at(599)) == 0);
    CHECK(purge(at(600)) == 4);
    CHECK(find(1) == std::nullopt);
    CHECK(find(2) == lasting);
    CHECK(since(0, at(0)) == std::vector{kept});
    CHECK(claim("nonce:1"));
    CHECK_FALSE(claim("nonce:2"));
    must(put_once("ticket:1", "carol"));
    CHECK(find_once("ticket:2") == "bob");
    CHECK(purge(at(600)) == 2);
    TokenRow again = token(1);
    must(put(again));
    CHECK(find(1) == again);
  }

  SUBCASE("a second Store of the backend sees the same rows") {
    net::Loop other_loop(clock);
    const auto other = backend->open(other_loop);
    must(put(token(1)));
    CHECK(must(wait_for(other_loop, other->find_token(hash_of(1)))) == token(1));
    const Revocation given = must(wait_for(other_loop, other->add_revocation(revocation("alice"))));
    CHECK(since(0, at(0)) == std::vector{given});
  }

  SUBCASE("loops in threads of their own use it at the same time") {
    constexpr int loops = 4;
    constexpr int rounds = 25;
    std::vector<std::vector<std::uint64_t>> ids(loops);
    std::vector<int> troubles(loops, 0);
    std::vector<std::thread> threads;
    for (int i = 0; i < loops; ++i) {
      threads.emplace_back([&, i] {
        const auto index = static_cast<std::size_t>(i);
        const SystemClock own_clock;
        net::Loop own_loop(own_clock);
        const auto own = backend->open(own_loop);
        for (int round = 0; round < rounds; ++round) {
          const auto seed = static_cast<std::uint8_t>(i * rounds + round);
          if (!wait_for(own_loop, own->put_token(token(seed))).ok()) ++troubles[index];
          own->note_use(hash_of(seed), at(1));
          const auto found = wait_for(own_loop, own->find_token(hash_of(seed)));
          if (!found.ok() || !found->has_value() || (*found)->id != token(seed).id) ++troubles[index];
          const auto given = wait_for(own_loop, own->add_revocation(revocation("user-" + std::to_string(seed))));
          if (given.ok()) ids[index].push_back(given->id);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i < loops; ++i) {
      CHECK(troubles[i] == 0);
      CHECK(ids[i].size() == rounds);
      CHECK(std::is_sorted(ids[i].begin(), ids[i].end()));
      all.insert(all.end(), ids[i].begin(), ids[i].end());
    }
    std::sort(all.begin(), all.end());
    std::vector<std::uint64_t> stored;
    for (const Revocation& kept : since(0, at(0))) stored.push_back(kept.id);
    CHECK(stored == all);
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
  }

  SUBCASE("a Store may go while it is being waited for, and before its Backend or after") {
    net::Loop other_loop(clock);
    auto other_backend = open();
    auto other = other_backend->open(other_loop);
    for (int i = 0; i < 3; ++i) {
      std::optional<Result<Revocation>> ignored;
      other_loop.spawn(keep(other->add_revocation(revocation("alice")), ignored));
    }
    other_backend.reset();
    other.reset();
  }
}

/// Runs the part of the contract that is about `open` yielding the rows of before, once nothing of the earlier Backend
/// is left.
inline void check_kept(const std::function<std::unique_ptr<Backend>()>& open) {
  const FakeClock clock;
  net::Loop loop(clock);
  auto backend = open();
  auto store = backend->open(loop);
  const auto reopen = [&] {
    store.reset();
    backend.reset();
    backend = open();
    store = backend->open(loop);
  };

  SUBCASE("tokens, marks, notes, revocations, claims and kept values outlive the process") {
    must(wait_for(loop, store->put_token(token(1))));
    must(wait_for(loop, store->revoke_token("token-1", at(1))));
    store->note_use(hash_of(1), at(2));
    store->note_use(hash_of(1), at(3));
    const Revocation given = must(wait_for(loop, store->add_revocation(revocation("alice"))));
    CHECK(must(wait_for(loop, store->claim("nonce:1", at(600)))));
    must(wait_for(loop, store->put_once("ticket:1", "alice", at(600))));
    reopen();
    CHECK_FALSE(must(wait_for(loop, store->claim("nonce:1", at(600)))));
    CHECK(must(wait_for(loop, store->take_once("ticket:1", at(0)))) == "alice");
    reopen();
    CHECK(must(wait_for(loop, store->take_once("ticket:1", at(0)))) == std::nullopt);
    TokenRow expected = token(1);
    expected.revoked_at = at(1);
    expected.last_used_at = at(3);
    CHECK(must(wait_for(loop, store->find_token(hash_of(1)))) == expected);
    CHECK(must(wait_for(loop, store->revocations(0, at(0)))) == std::vector{given});
    CHECK(refused(wait_for(loop, store->put_token(token(1))), Reason::request_invalid));
  }

  SUBCASE("ids go on rising, even when everything was purged before the restart") {
    const Revocation given = must(wait_for(loop, store->add_revocation(revocation("alice"))));
    CHECK(must(wait_for(loop, store->purge(at(600)))) == 1);
    reopen();
    CHECK(must(wait_for(loop, store->add_revocation(revocation("alice")))).id > given.id);
  }

  SUBCASE("two backends at once see each other's rows") {
    const auto other_backend = open();
    net::Loop other_loop(clock);
    const auto other = other_backend->open(other_loop);
    const Revocation first = must(wait_for(loop, store->add_revocation(revocation("alice"))));
    CHECK(must(wait_for(other_loop, other->revocations(0, at(0)))) == std::vector{first});
    const Revocation second = must(wait_for(other_loop, other->add_revocation(revocation("bob"))));
    CHECK(second.id > first.id);
    CHECK(must(wait_for(loop, store->revocations(first.id, at(0)))) == std::vector{second});
    must(wait_for(other_loop, other->put_token(token(1))));
    CHECK(refused(wait_for(loop, store->put_token(token(1))), Reason::request_invalid));
    must(wait_for(other_loop, other->revoke_token("token-1", at(1))));
    CHECK(must(wait_for(loop, store->find_token(hash_of(1)))).value().revoked_at == at(1));
    CHECK(must(wait_for(other_loop, other->claim("nonce:1", at(600)))));
    CHECK_FALSE(must(wait_for(loop, store->claim("nonce:1", at(600)))));
    must(wait_for(other_loop, other->put_once("ticket:1", "alice", at(600))));
    CHECK(must(wait_for(loop, store->take_once("ticket:1", at(0)))) == "alice");
    CHECK(must(wait_for(other_loop, other->take_once("ticket:1", at(0)))) == std::nullopt);
  }
}

}  // namespace sallyport::store::contract
