#include "sallyport/gateway/rechecks.h"

#include <algorithm>

#include "sallyport/gateway/shard.h"

namespace sallyport::gateway {

Rechecks::Rechecks(Shard& shard) : shard_(shard), wake_(shard.loop()), timer_(wake_, 1) {}

void Rechecks::start() { shard_.loop().spawn(run()); }

void Rechecks::reconsider() {
  for (auto& [route, turn] : turns_) turn.due = shard_.loop().now();
  wake_.raise(1);
}

net::Task<void> Rechecks::run() {
  net::Loop& loop = shard_.loop();
  for (;;) {
    const std::shared_ptr<const Snapshot> snapshot = shard_.snapshot;
    std::erase_if(turns_, [&](const auto& turn) { return !snapshot->routes.find(turn.first); });
    Instant next = loop.now() + std::chrono::hours(1);
    for (const auto& route : snapshot->routes.all()) {
      const Duration every = route->settings().recheck.every;
      const auto [place, is_new] = turns_.try_emplace(route->name());
      Turn& turn = place->second;
      // A route that is asked more often than before need not wait for the turn it had.
      if (is_new || turn.due > loop.now() + every * 2) turn.due = loop.now() + pause(every);
      if (turn.due <= loop.now()) {
        turn.due = loop.now() + pause(every);
        if (!turn.under_way) {
          turn.under_way = true;
          loop.spawn(ask_route(route->name()));
        }
      }
      next = std::min(next, turn.due);
    }
    timer_.set(next);
    co_await wake_.next();
  }
}

// Loops and instances that were started together must not ask together.
Duration Rechecks::pause(Duration every) {
  std::array<Byte, 1> byte;
  shard_.random.fill(byte);
  return every * 9 / 10 + every / 5 * byte[0] / 256;
}

void Rechecks::add(Groups& groups, const Session& session) {
  groups[{session.route().name(), session.identity()->mechanism}].push_back({session.id(), session.identity()});
}

void Rechecks::ask(std::string_view mechanism, std::string_view watch_key) {
  Groups groups;
  if (watch_key.empty()) {
    shard_.sessions.for_each([&](const Session& session) {
      const auto by_it = [&](const auth::Identity& part) { return part->mechanism == mechanism; };
      if (by_it(session.identity()) || std::ranges::any_of(session.identity()->parts, by_it)) add(groups, session);
    });
  } else {
    for (const Session* session : shard_.sessions.watched(mechanism, watch_key)) add(groups, *session);
  }
  if (!groups.empty()) shard_.loop().spawn(ask_groups(std::move(groups)));
}

net::Task<void> Rechecks::ask_route(std::string route) {
  // Whatever becomes of this turn, the next one comes.
  struct Ending {
    Rechecks& rechecks;
    const std::string& route;
    ~Ending() {
      if (const auto turn = rechecks.turns_.find(route); turn != rechecks.turns_.end()) turn->second.under_way = false;
    }
  };
  const Ending ending{*this, route};
  Groups groups;
  shard_.sessions.for_each([&](const Session& session) {
    if (session.route().name() == route) add(groups, session);
  });
  auto asking = ask_groups(std::move(groups));
  co_await asking;
}

net::Task<void> Rechecks::ask_groups(Groups groups) {
  for (auto& [group, asked] : groups) {
    auto asking = ask_group(group.first, group.second, std::move(asked));
    co_await asking;
  }
}

net::Task<void> Rechecks::ask_group(std::string name, std::string step, std::vector<Asked> asked) {
  const std::shared_ptr<const Snapshot> snapshot = shard_.snapshot;
  const std::shared_ptr<const Route> route = snapshot->routes.find(name);
  const Duration tolerate = route ? Duration(route->settings().recheck.tolerate) : Duration::zero();
  std::vector<auth::Identity> present;
  for (const Asked& one : asked) present.push_back(one.identity);
  std::vector<Result<auth::Identity>> results;
  if (route) {
    auth::Here here = shard_.here();
    const net::Deadline deadline{shard_.loop().now() + snapshot->settings.limits.auth_timeout, Reason::auth_timeout};
    auto asking = route->chain().recheck(std::move(step), std::move(present), here, deadline);
    results = co_await asking;
  } else {
    results.assign(asked.size(), Error{Reason::credential_invalid, "the route is not configured any more"});
  }
  SALLYPORT_CHECK(results.size() == asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Session* session = shard_.sessions.find(asked[i].connection);
    // Gone meanwhile, or renewed by a credential that nobody was asked about.
    if (!session || !session->identity().is(asked[i].identity)) continue;
    apply(*session, std::move(results[i]), tolerate);
  }
}

void Rechecks::apply(Session& session, Result<auth::Identity> result, Duration tolerate) {
  Metrics::Rechecks& metrics = shard_.metrics.rechecks;
  if (result.ok()) {
    session.unknown_since.reset();
    if (result->is(session.identity())) return metrics.held.add();
    metrics.changed.add();
    return session.take(std::move(*result));
  }
  const bool unknown = row(result.error().reason).http_status == 503;
  if (unknown) {
    metrics.unknown.add();
    if (!session.unknown_since) session.unknown_since = shard_.loop().now();
    if (shard_.loop().now() - *session.unknown_since < tolerate) return;
  } else {
    metrics.refused.add();
  }
  session.close(result.error());
}

}  // namespace sallyport::gateway
