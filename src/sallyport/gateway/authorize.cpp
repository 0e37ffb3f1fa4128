#include "sallyport/gateway/authorize.h"

#include "sallyport/base/encoding.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/gateway/proof.h"
#include "sallyport/gateway/route.h"
#include "sallyport/http/upgrade.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t min_token = 16;

Result<void> check_token(const http::Request& asked, const Secret& token) {
  if (token.empty()) return {};
  const auto lines = asked.headers().find_all(authorize_field);
  if (lines.size() == 1 && crypto::equal(bytes_of(lines.front()), token.bytes())) return {};
  return Error{Reason::address_not_allowed, "asked without the listener's token"};
}

// One question.
class Question {
 public:
  Question(Arrival& arrival, Exchange& exchange, const Authorization& authorization)
      : arrival_(arrival), exchange_(exchange), authorization_(authorization), shard_(arrival.shard) {}

  // token > original request > client > route > origin > authenticate > revocations
  net::Task<Result<http::Response>> judge() {
    CO_TRY(const http::Request asked, co_await exchange_.receive());
    CO_TRY_OK(check_token(asked, authorization_.token));
    CO_TRY(original_, http::read_original(asked, authorization_.rules));
    CO_TRY_OK(enter_as_client());
    const http::Request& request = original_->request;
    CO_TRY(route_, arrival_.snapshot->routes.match(request.host(), request.path()));
    if (route_->settings().timing != Timing::handshake)
      co_return Error{Reason::request_invalid,
                      "the route proves nobody at the handshake, and only that is asked about"};
    CO_TRY(const auto subprotocols, http::parse_subprotocols(request.headers()));
    CO_TRY(const http::OriginProof origin, route_->origins().check(request.headers(), request.authority()));
    auth::Evidence evidence{&request, origin, arrival_.peer};
    evidence.subprotocols = subprotocols;
    auto proving = prove(arrival_, *route_, evidence);
    CO_TRY(const auth::Identity identity, co_await proving);
    const WallTime now = shard_.loop().wall();
    if (identity->expires_at <= now) co_return Error{Reason::credential_expired, "expired within the leeway"};
    const std::string id = base64url_encode(bytes_of(shard_.random.bytes(16)));
    CO_TRY_OK(shard_.shared.revocations.check(identity, id));
    if (shard_.shared.draining) co_return Error{Reason::server_draining, "asked while draining"};
    report(identity, id);
    co_return allow(identity, id, now);
  }

  const Route* route() const { return route_.get(); }
  std::optional<std::string_view> origin() const {
    return original_ ? original_->request.headers().find("origin") : std::nullopt;
  }

 private:
  // From here on the one who is judged is the client; the proxy's own connection proves nothing about it.
  Result<void> enter_as_client() {
    const auto client = net::Endpoint::parse_ip(original_->client_address, 0);
    if (!client.ok())
      return Error{Reason::http_malformed, authorization_.rules.client_field + " does not end in an address"};
    arrival_.peer = {*client, {}, {}};
    const GatewayLimits& limits = arrival_.snapshot->settings.limits;
    const std::string network = client->network();
    const auto rate = shard_.shared.limits.handshakes.ask(network, limits.handshakes_per_ip, shard_.loop().now());
    if (rate != HandshakeRates::Answer::allowed)
      return Error{Reason::limit_handshake_rate, "handshakes from " + network};
    TRY(arrival_.pending->among_its_network,
        shard_.shared.limits.pending_by_network.enter(network, limits.pending_per_ip, Reason::limit_pending));
    return {};
  }

  http::Response allow(const auth::Identity& identity, const std::string& id, WallTime now) const {
    return {200,
            {{"X-Sallyport-Subject", identity->subject},
             {"X-Sallyport-Identity", arrival_.snapshot->assertion->sign(identity, id, route_->name(), now)},
             {"X-Sallyport-Expires-At", std::to_string(to_unix_seconds(identity->expires_at))},
             {"X-Sallyport-Connection", id},
             {"Cache-Control", "no-store"}},
            {}};
  }

  void report(const auth::Identity& identity, const std::string& id) const {
    shard_.metrics.authorized.add();
    Event event(shard_.shared.log, shard_.loop().wall(), Level::info, "connection.authorized");
    event.text("connection", id).text("route", route_->name()).text("subject", identity->subject);
    event.text("issuer", identity->issuer).text("mechanism", identity->mechanism);
    event.number("expires_at", to_unix_seconds(identity->expires_at)).text("peer", arrival_.peer.address.ip());
    if (origin()) event.text("origin", *origin());
  }

  Arrival& arrival_;
  Exchange& exchange_;
  const Authorization& authorization_;
  Shard& shard_;
  std::optional<http::Original> original_;
  std::shared_ptr<const Route> route_;
};

http::Response refuse(const Error& error, const Arrival& arrival) {
  http::RefusalOptions options;
  options.retry_after = std::chrono::seconds(arrival.retry_after);
  http::Response answer = http::make_refusal(told_reason(error.reason), options);
  const bool understood = answer.status == 401 || answer.status == 403 || answer.status == 429 || answer.status >= 500;
  if (!understood) answer.status = 403;
  answer.fields.add("Cache-Control", "no-store");
  return answer;
}

}  // namespace

Result<std::shared_ptr<const Authorization>> make_authorization(const AuthorizeSettings& settings,
                                                                const config::Environment& environment) {
  auto authorization = std::make_shared<Authorization>();
  authorization->rules = {settings.form, settings.prefix, settings.client_field, std::string(authorize_field)};
  TRY(authorization->trusted, net::AddressRanges::parse(settings.trusted));
  if (!settings.token.empty()) {
    TRY(authorization->token, config::load_secret(settings.token, environment));
    if (authorization->token.size() < min_token) {
      return Error{Reason::config_invalid, "listen.authorize.token: at least " + std::to_string(min_token) +
                                               " bytes are needed; make one with `openssl rand -hex 32`"};
    }
  }
  return std::shared_ptr<const Authorization>(std::move(authorization));
}

Result<Arrival> arrive_to_ask(Shard& shard, net::Endpoint proxy, const Authorization& authorization) {
  const auto none = [&](Reason reason, const char* why) {
    const Error error{reason, why};
    shard.metrics.refused[static_cast<std::size_t>(reason)].add();
    Event event(shard.shared.log, shard.loop().wall(), Level::warning, "connection.refused");
    event.reason(reason).text("detail", why).text("peer", proxy.ip());
    return error;
  };
  if (!authorization.trusted.contains(proxy)) return none(Reason::address_not_allowed, "not trusted to ask");
  PendingPlaces places{shard.shared.limits.pending.enter(shard.snapshot->settings.limits.pending), {}};
  if (!places.among_all) return none(Reason::limit_pending, "asked while too many wait");
  return Arrival{.shard = shard,
                 .snapshot = shard.snapshot,
                 .peer = {std::move(proxy), {}, {}},
                 .pending = std::move(places),
                 .rate = Arrival::Rate::within,
                 .at = shard.loop().now()};
}

net::Task<void> answer_asker(Arrival& arrival, Exchange& exchange, const Authorization& authorization) {
  Question question(arrival, exchange, authorization);
  Result<http::Response> answer = Error{Reason::internal_bug, ""};
  try {
    auto judging = question.judge();
    answer = co_await judging;
  } catch (const std::exception& bug) {
    arrival.shard.metrics.bugs.add();
    Event(arrival.shard.shared.log, arrival.shard.loop().wall(), Level::error, "internal.bug")
        .text("detail", bug.what());
  }
  if (!answer.ok()) {
    if (answer.error().reason == Reason::peer_gone) co_return;
    report_refusal(arrival, answer.error(), question.route(), question.origin());
    answer = refuse(answer.error(), arrival);
  }
  co_await exchange.answer(*answer, exchange.waiter());
}

}  // namespace sallyport::gateway
