#include "sallyport/gateway/route.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

using gateway::testing::make_route;

std::shared_ptr<const Route> route(std::string name, std::string host, std::string path, std::string prefix = {}) {
  RouteSettings settings = gateway::testing::route_settings(std::move(name));
  settings.match = {std::move(host), std::move(path), std::move(prefix)};
  return make_route(std::move(settings));
}

// The name of the route for an upgrade, or the reason why there is none.
std::string match(const Routes& routes, std::string_view target, std::string_view host = "a.example") {
  const auto upgrade = http::testing::read_upgrade(http::testing::upgrade_text(target, "", host));
  if (!upgrade.ok()) return std::string(upgrade.verdict());
  const auto found = routes.match(*upgrade.value);
  return found.ok() ? (*found)->name() : std::string(row(found.error().reason).name);
}

}  // namespace

TEST_SUITE("routes") {
  TEST_CASE("an exact path goes before a prefix, a longer prefix before a shorter, in any order") {
    std::vector<std::shared_ptr<const Route>> all = {
        route("root", "a.example", "", "/"), route("chat", "a.example", "", "/chat/"),
        route("room", "a.example", "", "/chat/room/"), route("exact", "a.example", "/chat/room/1")};
    std::ranges::sort(all, {}, [](const auto& each) { return each->name(); });
    do {
      const Routes routes(all);
      CHECK(match(routes, "/chat/room/1") == "exact");
      CHECK(match(routes, "/chat/room/2") == "room");
      CHECK(match(routes, "/chat/room/1/") == "room");
      CHECK(match(routes, "/chat/room/") == "room");
      CHECK(match(routes, "/chat/room") == "chat");
      CHECK(match(routes, "/chat/") == "chat");
      CHECK(match(routes, "/chat") == "root");
      CHECK(match(routes, "/") == "root");
    } while (std::ranges::next_permutation(all, {}, [](const auto& each) { return each->name(); }).found);
  }

  TEST_CASE("what is not named exactly is found nowhere else") {
    const Routes routes({route("admin", "a.example", "/admin"), route("chat", "a.example", "/chat")});
    CHECK(match(routes, "/admin") == "admin");
    CHECK(match(routes, "/admin?chat=/chat") == "admin");
    for (const std::string_view target :
         {"/ADMIN", "/Admin", "/admin/", "/admin/x", "/adm", "/", "/chat/admin", "/admin-x"}) {
      CAPTURE(target);
      CHECK(match(routes, target) == "route.not_found");
    }
  }

  TEST_CASE("another spelling of a path never gets past its route to a looser one") {
    const Routes routes({route("admin", "a.example", "/admin"), route("secret", "a.example", "", "/secret/"),
                         route("open", "a.example", "", "/")});
    CHECK(match(routes, "/secret/x") == "secret");
    // Each of these a backend might take for the stricter path: it gets that route, or none at all.
    for (const std::string_view target :
         {"/%61dmin", "/./admin", "/x/../admin", "/open/%2e%2e/admin", "//admin", "/admin%2f", "/admin%00",
          "/secret//x", "/%73ecret/x", "/x/../secret/x", "/secret%2fx", "/.\\admin", "/admin\\"}) {
      CAPTURE(target);
      CHECK(match(routes, target) != "open");
    }
  }

  TEST_CASE("each host has its own routes") {
    const Routes routes({route("a", "a.example", "/ws"), route("b", "b.example", "/ws")});
    CHECK(match(routes, "/ws", "a.example") == "a");
    CHECK(match(routes, "/ws", "b.example") == "b");
    CHECK(match(routes, "/ws", "A.EXAMPLE") == "a");
    CHECK(match(routes, "/ws", "a.example:8443") == "a");
    CHECK(match(routes, "/ws", "c.example") == "route.not_found");
    CHECK(match(routes, "/ws", "x.a.example") == "route.not_found");
    CHECK(match(routes, "/ws", "127.0.0.1") == "route.not_found");
    CHECK(routes.has_host("a.example"));
    CHECK(!routes.has_host("example"));
  }

  TEST_CASE("a route is found by its name") {
    const Routes routes({route("a", "a.example", "/ws")});
    CHECK(routes.find("a") != nullptr);
    CHECK(routes.find("b") == nullptr);
    CHECK(Routes({}).find("") == nullptr);
    CHECK(match(Routes({}), "/ws") == "route.not_found");
  }

  TEST_CASE("the control channel's name is kept from the backend on every route") {
    const auto some = route("a", "a.example", "/ws");
    CHECK(some->strip().subprotocols == std::vector<std::string>{std::string(control_subprotocol)});
  }
}

}  // namespace sallyport::gateway
