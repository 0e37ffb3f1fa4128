#include "sallyport/gateway/plugs.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/settings.h"

namespace sallyport::gateway {
namespace {

config::Choice store_of(const std::string& text) {
  const auto reading = read_settings(
      "listen: [ { address: 127.0.0.1:0 } ]\nstore: " + text +
          "\nroutes:\n  - name: chat\n    match: { host: a.example, path: /ws }\n"
          "    upstream: { url: ws://127.0.0.1:9 }\n    authenticate: [ { opaque: { from: [header] } } ]\n",
      "sallyport.yaml", config::empty_environment());
  REQUIRE(reading.ok());
  return reading.config.store;
}

}  // namespace

TEST_SUITE("plugs") {
  // A reload that took another store for the open one would say it was done, and write revocations to the old place.
  TEST_CASE("two stores are one only when they keep things in the same place") {
    const auto one = store_of("{ sqlite: { path: /data/one.db } }");
    CHECK(same_store(one, store_of("{ sqlite: { path: /data/one.db } }")));
    CHECK(same_store(one, store_of("{ sqlite: { path: /data/one.db, busy_timeout: 2s } }")));
    CHECK(!same_store(one, store_of("{ sqlite: { path: /data/two.db } }")));
    CHECK(!same_store(one, store_of("{ memory: {} }")));
    CHECK(same_store(store_of("{ memory: {} }"), store_of("{ memory: {} }")));
  }
}

}  // namespace sallyport::gateway
