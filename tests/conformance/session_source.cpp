// Puts questions to a store of sessions for tests/conformance/session_sources.py. Takes the name of a framework and the YAML of a store
// (`store: {redis: …}`), then lines of JSON: {"find": [key, …], "within_ms": n} is answered with {"found": [null or {"data", "fields",
// "expires_at"}, …], "took_ms"} or {"error", "detail", "took_ms"}, texts in hexadecimal, times in ms since 1970; {"watch": true} from then on
// with a line {"changed": key, "trouble": text} for each change.

#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include "sallyport/auth/session/source.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"

namespace {

using namespace sallyport;
using namespace sallyport::auth;

struct Holder {
  std::optional<SessionStoreConfig> store;
};

SessionLayout layout_called(std::string_view name) {
  if (name == "express") return express_layout();
  if (name == "php") return php_layout();
  if (name == "spring") return spring_layout();
  return django_layout();
}

json::Value shown(const std::optional<StoredSession>& session) {
  if (!session) return {};
  json::Object out = {{"data", hex_encode(bytes_of(session->data))}};
  json::Object fields;
  for (const auto& [name, value] : session->fields) fields.emplace_back(name, hex_encode(bytes_of(value)));
  out.emplace_back("fields", std::move(fields));
  if (session->expires_at) out.emplace_back("expires_at", to_unix_ms(*session->expires_at));
  return out;
}

void print(json::Object line) { std::cout << json::dump(json::Value(std::move(line))) << std::endl; }

net::Task<void> find(SessionSource& source, net::Loop& loop, std::vector<std::string> keys, Duration within) {
  const Instant begun = loop.clock().now();
  Result<std::vector<std::optional<StoredSession>>> found = Error{Reason::internal_bug, ""};
  const net::Deadline deadline{begun + within, Reason::auth_timeout};
  if (keys.size() == 1) {
    auto asking = source.find(keys.front(), loop, deadline);
    auto one = co_await asking;
    if (one.ok()) {
      found = std::vector<std::optional<StoredSession>>{*one};
    } else {
      found = one.error();
    }
  } else {
    auto asking = source.find_many(std::move(keys), loop, deadline);
    found = co_await asking;
  }
  const std::int64_t took = std::chrono::ceil<std::chrono::milliseconds>(loop.clock().now() - begun).count();
  if (!found.ok()) {
    print({{"error", row(found.error().reason).name}, {"detail", found.error().detail}, {"took_ms", took}});
    co_return;
  }
  json::Array list;
  for (const auto& session : *found) list.push_back(shown(session));
  print({{"found", std::move(list)}, {"took_ms", took}});
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const auto schema = config::schema(
      "store", "A store.", config::field(&Holder::store, "store", "The store.", config::one_of(session_stores())));
  const auto reading =
      config::read(schema, arguments[2], "the test's", {.folder = "", .environment = config::process_environment()});
  if (!reading.ok() || !reading.config.store) {
    std::cerr << reading.problems.text();
    return 2;
  }
  auto made = make_session_source(*reading.config.store, layout_called(arguments[1]), config::process_environment());
  if (!made.ok()) {
    std::cerr << made.error().detail << '\n';
    return 2;
  }
  std::shared_ptr<SessionSource> source = *std::move(made);
  const SystemClock clock;
  net::Loop loop(clock);
  std::unique_ptr<SourceWatch> watch;
  std::thread thread([&] { loop.run(); });
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = json::parse(line);
    if (!request.ok()) return 2;
    if (request->find("watch")) {
      loop.post([&] {
        watch = source->watch(loop, [&](std::string_view key) {
          print({{"changed", key}, {"trouble", watch ? watch->trouble() : std::string()}});
        });
        print({{"watches", watch != nullptr}});
      });
      continue;
    }
    std::vector<std::string> keys;
    for (const json::Value& key : *request->find("find")->array()) keys.push_back(*key.string());
    const auto within = std::chrono::milliseconds(*request->find("within_ms")->integer());
    loop.post([&, keys, within] { loop.spawn(find(*source, loop, keys, within)); });
  }
  loop.stop();
  thread.join();
  // The source goes first now and then: whoever still waits must not mind.
  source.reset();
  loop.cancel_tasks();
  watch.reset();
}
