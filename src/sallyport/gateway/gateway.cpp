#include "sallyport/gateway/gateway.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <thread>

#include "sallyport/auth/telling_watch.h"
#include "sallyport/gateway/http2.h"
#include "sallyport/gateway/plugs.h"
#include "sallyport/net/call.h"

namespace sallyport::gateway {
namespace {

constexpr int listen_backlog = 4096;
constexpr auto authorities_interval = std::chrono::milliseconds(500);
constexpr auto watch_interval = std::chrono::milliseconds(200);
constexpr auto flush_interval = std::chrono::seconds(1);
constexpr auto purge_interval = std::chrono::minutes(10);
constexpr auto shard_timeout = std::chrono::seconds(10);
constexpr auto drain_poll = std::chrono::milliseconds(20);
// The longest life of an opaque token; what is revoked by subject must be remembered as long.
constexpr auto longest_opaque_token = std::chrono::hours(24 * 90);

net::Task<Result<std::size_t>> close_covered_on(Shard& shard, store::Revocation revocation) {
  const Error error{Reason::credential_revoked, "revocation " + std::to_string(revocation.id)};
  const std::size_t closed = shard.sessions.close_covered(revocation, error);
  shard.metrics.revocation_closes.add(closed);
  co_return closed;
}

net::Task<Result<std::size_t>> close_all_on(Shard& shard, Error error) {
  shard.stop_accepting();
  for (Http2Connection* connection : shard.http2) connection->drain();
  co_return shard.sessions.close_all(error);
}

net::Task<Result<std::size_t>> count_on(Shard& shard) { co_return shard.sessions.size() + shard.http2.size(); }

net::Task<Result<bool>> close_one_on(Shard& shard, std::string id, Error error) {
  co_return shard.sessions.close(id, error);
}

net::Task<Result<std::vector<SessionInfo>>> list_on(Shard& shard) { co_return shard.sessions.list(); }

// What `question` finds out on the shard's own loop. Its callers name the task before they await it, and what they pass in a request
// too: GCC 12 destroys twice what a co_await expression holds as a temporary.
template <class T>
net::Task<Result<T>> ask(Shard& shard, net::Loop& control, std::function<net::Task<Result<T>>()> question) {
  return net::call_on<T>(shard.loop(), control, std::move(question),
                         {control.now() + shard_timeout, Reason::server_overloaded});
}

net::Task<void> keep(net::Task<Result<std::vector<store::Revocation>>> task,
                     std::optional<Result<std::vector<store::Revocation>>>& result) {
  result.emplace(co_await task);
}

// A watch, if it can say so, and what it said last of why it does not tell.
struct KnownWatch {
  const auth::TellingWatch* watch = nullptr;
  std::string trouble;
};

void report_trouble(Shared& shared, const std::string& mechanism, KnownWatch& known) {
  if (!known.watch) return;
  std::string trouble = known.watch->trouble();
  if (trouble == known.trouble) return;
  Event(shared.log, shared.clock.wall(), trouble.empty() ? Level::info : Level::warning,
        trouble.empty() ? "watch.restored" : "watch.interrupted")
      .text("mechanism", mechanism)
      .text("detail", trouble);
  known.trouble = std::move(trouble);
}

bool same_place(const Settings& left, const Settings& right) {
  const auto same_listen = [](const ListenSettings& a, const ListenSettings& b) { return a.address == b.address; };
  const bool same_admin =
      left.admin.has_value() == right.admin.has_value() && (!left.admin || left.admin->address == right.admin->address);
  return std::ranges::equal(left.listen, right.listen, same_listen) && same_admin && left.threads == right.threads &&
         same_store(left.store, right.store);
}

}  // namespace

Gateway::Gateway(config::Environment environment, Log& log, const Clock& clock)
    : environment_(std::move(environment)), shared_{clock, log, {}, {}, {}}, control_(clock), http_(control_) {
  control_.on_escaped_exception([this](std::exception_ptr bug) { report_bug(shared_, bug); });
}

Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::open(Settings settings, config::Environment environment, Log& log,
                                               const Clock& clock) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(environment), log, clock));
  TRY(gateway->snapshot_, make_snapshot(std::move(settings), gateway->environment_, gateway->control_, nullptr));
  TRY(gateway->backend_, make_store(gateway->snapshot_->settings.store));
  gateway->store_ = gateway->backend_->open(gateway->control_);
  TRY_OK(gateway->load_revocations());
  TRY_OK(gateway->bind_listeners());
  return gateway;
}

Result<void> Gateway::load_revocations() {
  std::optional<Result<std::vector<store::Revocation>>> loaded;
  control_.spawn(keep(store_->revocations(0, shared_.clock.wall()), loaded));
  while (!loaded) control_.turn(std::chrono::seconds(1));
  TRY(const auto revocations, *std::move(loaded));
  for (const store::Revocation& revocation : revocations) shared_.revocations.add(revocation);
  watched_id_ = shared_.revocations.last_id();
  return {};
}

Result<void> Gateway::bind_listeners() {
  const std::uint32_t asked = snapshot_->settings.threads;
  const std::uint32_t count = asked != 0 ? asked : std::max(1U, std::thread::hardware_concurrency());
  listeners_.resize(count);
  for (const ListenSettings& listen : snapshot_->settings.listen) {
    TRY(net::Endpoint at, net::Endpoint::parse_ip(listen.address.host, listen.address.port));
    for (auto& of_shard : listeners_) {
      TRY(net::Fd fd, net::listen_on(at, listen_backlog));
      // Port 0: what the first socket was given is where the others go as well.
      sockaddr_storage bound{};
      socklen_t length = sizeof bound;
      SALLYPORT_CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0);
      at = net::Endpoint::from(reinterpret_cast<sockaddr*>(&bound), length);
      of_shard.push_back(std::move(fd));
    }
    addresses_.push_back(at);
  }
  return {};
}

void Gateway::run() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    shards_.push_back(std::make_unique<Shard>(shared_, *backend_, snapshot_));
    shared_.shards.push_back(shards_.back().get());
  }
  for (std::size_t i = 0; i < listeners_.size(); ++i) shards_[i]->start(std::move(listeners_[i]));
  listeners_.clear();
  start_upkeep();
  control_.spawn(watch_revocations());
  control_.spawn(look_after_authorities());
  control_.spawn(look_after_store());
  control_.run();
  watches_.clear();
  // All stand still before the first is gone: they call on each other.
  for (const auto& shard : shards_) shard->stop();
  shards_.clear();
  control_.cancel_tasks();
}

void Gateway::start_upkeep() {
  if (upkeep_stopped_) *upkeep_stopped_ = true;
  upkeep_stopped_ = std::make_shared<std::atomic<bool>>(false);
  key_upkeeps_.clear();
  for (const auto& issuer : snapshot_->issuers) {
    if (auto keys = std::dynamic_pointer_cast<auth::UrlKeys>(issuer->keys)) {
      key_upkeeps_.push_back(std::make_unique<auth::KeyUpkeep>(std::move(keys), http_, random_));
    }
  }
  watches_ = start_watches();
  for (const auto& route : snapshot_->routes.all()) {
    control_.spawn(UpstreamPool::watch(route->upstream_pool(), control_, resolver_, upkeep_stopped_));
  }
}

std::vector<std::unique_ptr<auth::Watch>> Gateway::start_watches() {
  std::vector<std::unique_ptr<auth::Watch>> watches;
  for (const auto& route : snapshot_->routes.all()) {
    for (const auth::Step& step : route->chain().steps()) {
      for (const auto& authenticator : step.authenticators()) {
        const auto known = std::make_shared<KnownWatch>();
        const auto changed = [this, known, mechanism = std::string(authenticator->mechanism())](std::string_view key) {
          if (key.empty()) report_trouble(shared_, mechanism, *known);
          for (const auto& shard : shards_) {
            shard->loop().post([&shard = *shard, mechanism, watch_key = std::string(key)] {
              shard.rechecks().ask(mechanism, watch_key);
            });
          }
        };
        auto watch = authenticator->watch(control_, changed);
        if (!watch) continue;
        known->watch = dynamic_cast<const auth::TellingWatch*>(watch.get());
        watches.push_back(std::move(watch));
      }
    }
  }
  return watches;
}

Result<void> Gateway::reload(Settings settings) {
  if (!same_place(snapshot_->settings, settings)) {
    return Error{Reason::config_invalid, "listen, admin.address, store and threads only change with a restart"};
  }
  TRY(auto snapshot, make_snapshot(std::move(settings), environment_, control_, snapshot_.get()));
  snapshot_ = std::move(snapshot);
  start_upkeep();
  for (const auto& shard : shards_) {
    shard->loop().post([&shard = *shard, next = snapshot_] {
      shard.snapshot = next;
      shard.rechecks().reconsider();
    });
  }
  return {};
}

net::Task<void> Gateway::drain() {
  if (shared_.draining.exchange(true)) co_return;
  Event(shared_.log, control_.wall(), Level::info, "draining");
  const Instant until = control_.now() + snapshot_->settings.drain_timeout;
  const Error error{Reason::server_draining, "the gateway is shutting down"};
  for (const auto& shard : shards_) {
    auto closing = ask<std::size_t>(*shard, control_, [&shard = *shard, error] { return close_all_on(shard, error); });
    (void)(co_await closing);
  }
  for (;;) {
    std::size_t open = 0;
    for (const auto& shard : shards_) {
      auto counting = ask<std::size_t>(*shard, control_, [&shard = *shard] { return count_on(shard); });
      const Result<std::size_t> count = co_await counting;
      if (count.ok()) open += *count;
    }
    if (open == 0 || control_.now() >= until) break;
    co_await control_.sleep_until(control_.now() + drain_poll);
  }
  (void)(co_await store_->flush());
  control_.stop();
}

net::Task<Result<Revoked>> Gateway::revoke(RevocationRequest request) {
  store::Revocation revocation;
  revocation.handle = request.handle;
  revocation.value = std::move(request.value);
  revocation.issuer = std::move(request.issuer);
  revocation.issued_before = request.issued_before;
  revocation.created_at = control_.wall();
  revocation.keep_until = keep_until(revocation.handle);
  revocation.reason = std::move(request.reason);
  CO_TRY(revocation, co_await store_->add_revocation(std::move(revocation)));
  shared_.revocations.add(revocation);
  CO_TRY(const std::size_t closed, co_await close_covered(revocation));
  co_return Revoked{std::move(revocation), closed};
}

net::Task<Result<std::optional<Revoked>>> Gateway::revoke_token(std::string id, std::string reason) {
  CO_TRY(const auto row, co_await store_->revoke_token(id, control_.wall()));
  if (!row) co_return std::optional<Revoked>();
  // The row refuses future handshakes by itself; the revocation is what reaches live connections, here and elsewhere.
  RevocationRequest request{store::Handle::token_id, row->id, std::nullopt, std::nullopt, std::move(reason)};
  CO_TRY(Revoked revoked, co_await revoke(std::move(request)));
  co_return std::optional<Revoked>(std::move(revoked));
}

WallTime Gateway::keep_until(store::Handle handle) const {
  const WallTime now = shared_.clock.wall();
  // A connection id is never given twice: the entry only has to outlive a handshake that is under way.
  if (handle == store::Handle::connection) return now + std::chrono::hours(1);
  std::chrono::seconds longest =
      std::max<std::chrono::seconds>(longest_opaque_token, longest_credential(snapshot_->settings));
  for (const auto& issuer : snapshot_->settings.issuers)
    longest = std::max(longest, issuer.max_lifetime + issuer.leeway);
  for (const auto& route : snapshot_->settings.routes) {
    for (const config::Choice& way : route.authenticate) {
      for (const config::Choice& part : parts_of(way))
        longest = std::max(longest, longest_life_of(part).value_or(std::chrono::seconds(0)));
    }
  }
  return now + longest;
}

net::Task<Result<std::size_t>> Gateway::close_covered(store::Revocation revocation) {
  std::size_t closed = 0;
  std::optional<Error> late;
  for (const auto& shard : shards_) {
    auto closing = ask<std::size_t>(*shard, control_,
                                    [&shard = *shard, revocation] { return close_covered_on(shard, revocation); });
    const Result<std::size_t> here = co_await closing;
    // One that is late will still do it, and must not keep the others from it.
    if (here.ok()) {
      closed += *here;
    } else {
      late = here.error();
    }
  }
  Event event(shared_.log, control_.wall(), Level::info, "revocation.applied");
  event.number("id", static_cast<std::int64_t>(revocation.id)).text("handle", store::name_of(revocation.handle));
  // What names a token is as good as the token to someone who collects them.
  if (revocation.handle != store::Handle::token_hash) event.text("value", revocation.value);
  event.number("closed", static_cast<std::int64_t>(closed)).text("why", revocation.reason);
  if (late) co_return *late;
  co_return closed;
}

net::Task<Result<std::vector<SessionInfo>>> Gateway::connections() {
  std::vector<SessionInfo> all;
  for (const auto& shard : shards_) {
    auto listing = ask<std::vector<SessionInfo>>(*shard, control_, [&shard = *shard] { return list_on(shard); });
    CO_TRY(auto some, co_await listing);
    std::ranges::move(some, std::back_inserter(all));
  }
  co_return all;
}

net::Task<Result<bool>> Gateway::close_connection(std::string id, std::string reason) {
  const Error error{Reason::closed_by_operator, std::move(reason)};
  for (const auto& shard : shards_) {
    auto closing = ask<bool>(*shard, control_, [&shard = *shard, id, error] { return close_one_on(shard, id, error); });
    CO_TRY(const bool closed, co_await closing);
    if (closed) co_return true;
  }
  co_return false;
}

// Files of authorities and revocation lists that were replaced.
net::Task<void> Gateway::look_after_authorities() {
  std::map<std::string, std::string> told;
  for (;;) {
    auto pause = control_.sleep_until(control_.now() + authorities_interval);
    co_await pause;
    const std::shared_ptr<const Snapshot> snapshot = snapshot_;
    for (const auto& authorities : snapshot->authorities) {
      const Result<bool> fresh = authorities->refresh();
      const std::string& file = authorities->trust().ca_file;
      // Once for each trouble: the file may stay as it is for days.
      std::string& last = told[file + '\0' + authorities->trust().crl_file];
      const std::string trouble = fresh.ok() ? std::string() : fresh.error().detail;
      if (!trouble.empty() && trouble != last)
        Event(shared_.log, control_.wall(), Level::error, "client_authorities.failed").text("detail", trouble);
      last = trouble;
      if (fresh.ok() && *fresh) {
        Event event(shared_.log, control_.wall(), Level::info, "client_authorities.loaded");
        event.text("file", file);
        if (const auto next = authorities->crl_next_update()) event.number("crl_next_update", to_unix_seconds(*next));
      }
    }
  }
}

// Revocations that came into the store by another process. The place reached is the watch's own: one of ours may have a higher id than
// one of theirs that was not seen yet.
net::Task<void> Gateway::watch_revocations() {
  for (;;) {
    co_await control_.sleep_until(control_.now() + watch_interval);
    const auto fresh = co_await store_->revocations(watched_id_, control_.wall());
    if (store_answers_ != fresh.ok()) {
      Event event(shared_.log, control_.wall(), fresh.ok() ? Level::info : Level::error,
                  fresh.ok() ? "store.back" : "store.down");
      if (!fresh.ok()) event.text("detail", fresh.error().detail);
    }
    store_answers_ = fresh.ok();
    if (!fresh.ok()) continue;
    for (const store::Revocation& revocation : *fresh) {
      watched_id_ = std::max(watched_id_, revocation.id);
      if (shared_.revocations.add(revocation)) (void)(co_await close_covered(revocation));
    }
  }
}

net::Task<void> Gateway::look_after_store() {
  Instant purge_at = control_.now();
  for (;;) {
    co_await control_.sleep_until(control_.now() + flush_interval);
    (void)(co_await store_->flush());
    if (control_.now() < purge_at) continue;
    purge_at = control_.now() + purge_interval;
    shared_.revocations.purge(control_.wall());
    (void)(co_await store_->purge(control_.wall()));
  }
}

std::string Gateway::not_ready() const {
  if (draining()) return "draining";
  if (!store_answers_) return "the store does not answer";
  for (const auto& issuer : snapshot_->issuers) {
    if (!issuer->keys->snapshot()) return "no keys of issuer '" + issuer->name + "' yet";
  }
  return {};
}

std::string Gateway::metrics_text() const {
  metric::Exposition page;
  const auto total = [&](auto&& number_of) {
    decltype(number_of(shards_.front()->metrics)) sum{};
    for (const auto& shard : shards_) sum += number_of(shard->metrics);
    return sum;
  };
  const auto counter = [&](std::string_view name, std::string_view help, metric::Counter Metrics::* member) {
    page.family(name, "counter", help);
    page.sample("", total([&](const Metrics& metrics) { return (metrics.*member).value(); }));
  };
  const auto by_reason = [&](std::string_view name, std::string_view help,
                             std::array<metric::Counter, reason_count> Metrics::* member) {
    page.family(name, "counter", help);
    for (std::size_t i = 0; i < reason_count; ++i) {
      const std::uint64_t value = total([&](const Metrics& metrics) { return (metrics.*member)[i].value(); });
      page.sample("reason=\"" + std::string(reason_table[i].name) + "\"", value);
    }
  };
  const auto by_direction = [&](std::string_view name, std::string_view help,
                                metric::Counter Metrics::Direction::* member) {
    page.family(name, "counter", help);
    page.sample("from=\"client\"",
                total([&](const Metrics& metrics) { return (metrics.from_client.*member).value(); }));
    page.sample("from=\"backend\"",
                total([&](const Metrics& metrics) { return (metrics.from_backend.*member).value(); }));
  };

  counter("sallyport_sockets_accepted_total", "Sockets taken from the listeners.", &Metrics::sockets_accepted);
  counter("sallyport_tls_handshakes_total", "TLS handshakes completed.", &Metrics::tls_handshakes);
  counter("sallyport_tls_resumed_total", "TLS handshakes that resumed a session.", &Metrics::tls_resumed);
  counter("sallyport_connections_accepted_total", "Connections admitted and joined to a backend.",
          &Metrics::connections_accepted);
  counter("sallyport_connections_authorized_total", "Handshakes that a proxy asked about and that may pass.",
          &Metrics::authorized);
  page.family("sallyport_connections_open", "gauge", "Connections relayed now.");
  page.sample("", total([](const Metrics& metrics) { return metrics.connections_open.value(); }));
  page.family("sallyport_connections_pending", "gauge", "Sockets that have not been admitted yet.");
  page.sample("", std::uint64_t{shared_.limits.pending.count()});
  by_reason("sallyport_connections_refused_total", "Peers turned away before the 101.", &Metrics::refused);
  by_reason("sallyport_connections_closed_total", "Relayed connections that ended.", &Metrics::closed);
  counter("sallyport_credentials_refreshed_total", "Credentials refreshed inside the socket.", &Metrics::refreshed);
  counter("sallyport_revocation_closes_total", "Live connections closed by a revocation.", &Metrics::revocation_closes);
  page.family("sallyport_rechecks_total", "counter", "Identities of live connections that were asked about again.");
  const auto rechecked = [&](const char* outcome, metric::Counter Metrics::Rechecks::* member) {
    page.sample("outcome=\"" + std::string(outcome) + "\"",
                total([&](const Metrics& metrics) { return (metrics.rechecks.*member).value(); }));
  };
  rechecked("held", &Metrics::Rechecks::held);
  rechecked("changed", &Metrics::Rechecks::changed);
  rechecked("refused", &Metrics::Rechecks::refused);
  rechecked("unknown", &Metrics::Rechecks::unknown);
  page.family("sallyport_lockouts_total", "counter",
              "Times that somebody who failed again and again was made to wait.");
  page.sample("of=\"credential\"", total([](const Metrics& metrics) { return metrics.lockouts.claimant.value(); }));
  page.sample("of=\"address\"", total([](const Metrics& metrics) { return metrics.lockouts.network.value(); }));
  counter("sallyport_control_spoofed_total", "Backend messages dropped because they posed as the gateway's.",
          &Metrics::control_spoofed);
  by_direction("sallyport_messages_total", "Messages relayed.", &Metrics::Direction::messages);
  by_direction("sallyport_message_bytes_total", "Payload bytes of the messages relayed.", &Metrics::Direction::bytes);
  page.family("sallyport_connections_accepted_by_transport_total", "counter",
              "Connections admitted and joined to a backend, by what the client speaks.");
  const std::uint64_t by_http2 = total([](const Metrics& metrics) { return metrics.http2_accepted.value(); });
  const std::uint64_t by_any = total([](const Metrics& metrics) { return metrics.connections_accepted.value(); });
  page.sample("transport=\"http/1.1\"", by_any - std::min(by_any, by_http2));
  page.sample("transport=\"h2\"", by_http2);
  counter("sallyport_http2_connections_total", "HTTP/2 connections begun.", &Metrics::http2_connections);
  page.family("sallyport_http2_connections_open", "gauge", "HTTP/2 connections now.");
  page.sample("", total([](const Metrics& metrics) { return metrics.http2_open.value(); }));
  counter("sallyport_http2_streams_total", "Requests that came on HTTP/2 connections.", &Metrics::http2_streams);
  counter("sallyport_http2_resets_total", "Streams given up by their clients, or reset for breaking the protocol.",
          &Metrics::http2_resets);
  by_reason("sallyport_http2_connections_closed_total", "HTTP/2 connections that ended.", &Metrics::http2_closed);
  counter("sallyport_bugs_total", "Connections lost to a bug of the gateway.", &Metrics::bugs);

  page.family("sallyport_handshake_seconds", "histogram",
              "From the accepted socket to the 101, authentication and backend included.");
  std::array<std::uint64_t, metric::Histogram::bounds.size() + 1> buckets{};
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] = total([&](const Metrics& metrics) { return metrics.handshake_seconds.bucket(i); });
  }
  page.histogram(buckets, total([](const Metrics& metrics) { return metrics.handshake_seconds.sum(); }));

  page.family("sallyport_revocations_in_force", "gauge", "Revocations that handshakes are held against.");
  page.sample("", std::uint64_t{shared_.revocations.size()});
  counter("sallyport_store_calls_total", "Questions to the store by the loops that serve clients.",
          &Metrics::store_calls);
  page.family(
      "sallyport_client_crl_next_update_seconds", "gauge",
      "When the first of the client revocation lists must have been replaced, in Unix time; past it nobody gets in.");
  for (const auto& authorities : snapshot_->authorities) {
    const auto next = authorities->crl_next_update();
    if (next)
      page.sample("file=\"" + authorities->trust().crl_file + "\"", static_cast<double>(to_unix_seconds(*next)));
  }
  page.family("sallyport_store_up", "gauge", "1 when the store answered last time.");
  page.sample("", std::uint64_t{store_answers_});
  page.family("sallyport_issuer_keys", "gauge", "Keys in use per issuer.");
  for (const auto& issuer : snapshot_->issuers)
    page.sample("issuer=\"" + issuer->name + "\"", std::uint64_t{issuer->keys->status().keys});
  page.family("sallyport_issuer_keys_age_seconds", "gauge", "Since the keys in use were last read or confirmed.");
  for (const auto& issuer : snapshot_->issuers) {
    const auto loaded_at = issuer->keys->status().loaded_at;
    if (!loaded_at) continue;
    page.sample("issuer=\"" + issuer->name + "\"", std::chrono::duration<double>(control_.wall() - *loaded_at).count());
  }
  page.family("sallyport_issuer_key_fetches_total", "counter", "Fetches of a key set by outcome.");
  for (const auto& issuer : snapshot_->issuers) {
    const auth::KeyStatus status = issuer->keys->status();
    page.sample("issuer=\"" + issuer->name + "\",outcome=\"ok\"", status.fetches_ok);
    page.sample("issuer=\"" + issuer->name + "\",outcome=\"failed\"", status.fetches_failed);
  }
  page.family("sallyport_issuer_verified_tokens", "gauge", "Tokens remembered as proved.");
  for (const auto& issuer : snapshot_->issuers)
    page.sample("issuer=\"" + issuer->name + "\"", std::uint64_t{issuer->verified->counts().kept});
  page.family("sallyport_issuer_verified_token_lookups_total", "counter",
              "Tokens presented, by whether they were found among those proved before.");
  for (const auto& issuer : snapshot_->issuers) {
    const auth::VerifiedTokens::Counts counts = issuer->verified->counts();
    page.sample("issuer=\"" + issuer->name + "\",outcome=\"found\"", counts.found);
    page.sample("issuer=\"" + issuer->name + "\",outcome=\"not_found\"", counts.not_found);
  }
  page.family("sallyport_backend_up", "gauge", "1 when the backend could be reached last time.");
  for (const auto& route : snapshot_->routes.all()) {
    const auto& backends = route->upstream().backends();
    for (std::size_t i = 0; i < backends.size(); ++i) {
      page.sample("route=\"" + route->name() + "\",backend=\"" + std::to_string(i) + "\"",
                  std::uint64_t{backends[i]->healthy()});
    }
  }
  return page.text();
}

}  // namespace sallyport::gateway
