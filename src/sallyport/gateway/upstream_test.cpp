#include "sallyport/gateway/upstream.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <memory>

#include "sallyport/net/loopback.h"

namespace sallyport::gateway {
namespace {

UpstreamSettings settings_of(std::vector<std::string> urls) {
  UpstreamSettings settings;
  settings.urls = std::move(urls);
  return settings;
}

}  // namespace

TEST_SUITE("upstream") {
  TEST_CASE("addresses that need no look-up are there at once") {
    const auto pool =
        UpstreamPool::make(settings_of({"ws://127.0.0.1:9000/", "ws://[::1]:9001/", "unix:/run/x.sock"}), nullptr)
            .value();
    REQUIRE(pool->backends().size() == 3);
    CHECK(pool->backends()[0]->endpoints().at(0).text() == "127.0.0.1:9000");
    CHECK(pool->backends()[1]->endpoints().at(0).text() == "[::1]:9001");
    CHECK(pool->backends()[2]->endpoints().at(0).text() == "unix:/run/x.sock");
  }

  TEST_CASE("names wait for a look-up") {
    const auto pool = UpstreamPool::make(settings_of({"ws://localhost:9000/"}), nullptr).value();
    CHECK(pool->backends()[0]->endpoints().empty());
    pool->resolve_now();
    CHECK(!pool->backends()[0]->endpoints().empty());
  }

  TEST_CASE("a reload keeps what is known of a backend, and forgets those that are gone") {
    const auto before = UpstreamPool::make(settings_of({"ws://127.0.0.1:1/", "ws://127.0.0.1:2/"}), nullptr).value();
    const BackendPlace place(before->backends()[1]);
    before->backends()[1]->set_healthy(false);
    const auto after =
        UpstreamPool::make(settings_of({"ws://127.0.0.1:2/", "ws://127.0.0.1:3/"}), before.get()).value();
    CHECK(after->backends()[0] == before->backends()[1]);
    CHECK(after->backends()[0]->connections() == 1);
    CHECK(!after->backends()[0]->healthy());
    CHECK(after->backends()[1]->connections() == 0);
    CHECK(after->backends()[1]->healthy());
  }

  TEST_CASE("a backend is not blamed for the descriptors that the gateway lacks, but for refusing a connection") {
    SystemClock clock;
    net::Loop loop(clock);
    net::Waiter waiter(loop);
    auto listener = std::make_unique<net::testing::Loopback>(loop);
    const auto pool = UpstreamPool::make(settings_of({"ws://" + listener->endpoint().text() + "/"}), nullptr).value();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto refused = net::testing::wait_for(loop, pool->dial(waiter));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(refused.error().reason == Reason::server_overloaded);
    CHECK(pool->backends()[0]->healthy());
    CHECK(net::testing::wait_for(loop, pool->dial(waiter)).ok());

    listener.reset();
    CHECK(net::testing::wait_for(loop, pool->dial(waiter)).error().reason == Reason::upstream_unavailable);
    CHECK(!pool->backends()[0]->healthy());
  }

  TEST_CASE("a route without a backend is refused") {
    CHECK(UpstreamPool::make(UpstreamSettings(), nullptr).error().reason == Reason::config_invalid);
    CHECK(UpstreamPool::make(settings_of({"http://127.0.0.1/"}), nullptr).error().reason == Reason::config_invalid);
  }
}

}  // namespace sallyport::gateway
