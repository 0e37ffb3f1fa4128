#include "sallyport/gateway/proof.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::gateway {
namespace {

// Nobody who presents nothing is guessing.
std::optional<Lockout::Failure> failure_of(Reason reason) {
  switch (reason) {
    case Reason::credential_invalid:
    case Reason::credential_replayed:
    case Reason::credential_other_subject:
      return Lockout::Failure::guessed;
    case Reason::credential_expired:
    case Reason::credential_revoked:
      return Lockout::Failure::outlived;
    default:
      return std::nullopt;
  }
}

std::chrono::seconds whole_seconds(Duration wait) {
  return std::max(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1));
}

void report_lockout(const Arrival& arrival, const Route& route, const Lockout::Sentence& sentence) {
  Shard& shard = arrival.shard;
  const bool of_network = sentence.what == Lockout::Locked::network;
  (of_network ? shard.metrics.lockouts.network : shard.metrics.lockouts.claimant).add();
  Event(shard.shared.log, shard.loop().wall(), Level::warning, "lockout")
      .text("of", of_network ? "address" : "credential")
      .text("peer", arrival.peer.address.ip())
      .text("route", route.name())
      .number("seconds", whole_seconds(sentence.wait).count());
}

}  // namespace

std::string presented(const auth::Evidence& evidence, const http::Strip& places) {
  std::string all;
  const auto add = [&](std::string_view what) { all.append(std::to_string(what.size())).append(1, ':').append(what); };
  if (evidence.in_band) {
    add(*evidence.in_band);
    return all;
  }
  if (evidence.peer.certificate) add(text_of((*evidence.peer.certificate)->thumbprint));
  if (!evidence.request) return all;
  const http::Request& request = *evidence.request;
  for (const std::string& name : places.headers) {
    for (const std::string_view value : request.headers().find_all(name)) add(value);
  }
  if (!places.cookies.empty()) {
    const http::Cookies cookies = request.cookies();
    for (const http::Cookie& cookie : cookies.all()) {
      if (std::ranges::find(places.cookies, cookie.name) != places.cookies.end()) add(cookie.value);
    }
  }
  if (!places.parameters.empty()) {
    for (const http::Parameter& parameter : request.query().parameters()) {
      if (std::ranges::find(places.parameters, http::decode_form(parameter.name)) != places.parameters.end())
        add(parameter.value);
    }
  }
  for (const std::string& offered : evidence.subprotocols) {
    const auto starts = [&](const std::string& prefix) {
      return http::equal_ignoring_case(std::string_view(offered).substr(0, prefix.size()), prefix);
    };
    if (std::ranges::any_of(places.subprotocol_prefixes, starts)) add(offered);
  }
  return all;
}

net::Task<Result<auth::Identity>> prove(const Arrival& arrival, const Route& route, const auth::Evidence& evidence) {
  CO_TRY_OK(route.check_address(arrival.peer.address));
  Shard& shard = arrival.shard;
  const GatewayLimits& limits = arrival.snapshot->settings.limits;
  Lockout& lockout = shard.shared.limits.lockout;
  const std::string network = arrival.peer.address.network();
  const std::string credential = presented(evidence, route.strip());
  std::string claimant = route.chain().claimant(evidence);
  if (claimant.empty()) claimant = credential;
  const Lockout::Attempt attempt{network, claimant, credential};
  if (!credential.empty()) {
    if (const auto sentence = lockout.ask(attempt, limits.lockout, shard.loop().now())) {
      arrival.retry_after = static_cast<std::uint32_t>(whole_seconds(sentence->wait).count());
      co_return Error{Reason::limit_lockout, "locked out for " + std::to_string(arrival.retry_after) + " s more"};
    }
  }
  auth::Here here = shard.here();
  const net::Deadline by = arrival.deadline(limits.auth_timeout, Reason::auth_timeout);
  auto proving = route.chain().authenticate(evidence, here, by);
  Result<auth::Identity> identity = co_await proving;
  if (credential.empty()) co_return identity;
  if (identity.ok()) {
    lockout.note_success(attempt, shard.loop().now());
  } else if (const auto failure = failure_of(identity.error().reason)) {
    const auto sentence = lockout.note_failure(attempt, *failure, limits.lockout, shard.loop().now());
    if (sentence) report_lockout(arrival, route, *sentence);
  }
  co_return identity;
}

}  // namespace sallyport::gateway
