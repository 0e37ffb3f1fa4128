#include "sallyport/auth/callout/callout.h"

#include <algorithm>

#include "sallyport/auth/together.h"
#include "sallyport/auth/token.h"
#include "sallyport/base/encoding.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t min_signing_key = 32;

// What was shown, so that it can be shown again.
struct FactGrounds final : Grounds {
  explicit FactGrounds(Facts its_facts) : facts(std::move(its_facts)) {}
  Facts facts;
};

// A name for the credentials as they were presented: the token's own hash when there is but one and it is a token.
std::string hash_of(std::span<const ShownPart> credentials) {
  constexpr std::string_view scheme = "bearer ";
  Secret all;
  if (credentials.size() == 1) {
    std::string_view value = credentials.front().value.reveal();
    if (http::equal_ignoring_case(value.substr(0, scheme.size()), scheme)) value.remove_prefix(scheme.size());
    all = Secret(std::string(value));
  } else {
    std::string joined;
    for (const ShownPart& finding : credentials) {
      joined.append(show(finding.place)).push_back('\0');
      joined.append(finding.value.reveal()).push_back('\0');
    }
    all = Secret(std::move(joined));
  }
  return hex_encode(crypto::sha256(all.bytes()));
}

}  // namespace

std::string signature_text(const crypto::HmacKey& key, WallTime now, std::string_view body) {
  const std::string time = std::to_string(to_unix_seconds(now));
  const std::string signed_text = time + "." + std::string(body);
  return "t=" + time + ",v1=" + hex_encode(bytes_of(key.sign(bytes_of(signed_text))));
}

CalloutAuthenticator::CalloutAuthenticator(const CalloutConfig& config, std::string route,
                                           std::vector<RequestPart> credentials, std::vector<RequestPart> shows,
                                           std::optional<crypto::HmacKey> signing_key)
    : dialect_(config.dialect),
      ask_(config.ask),
      route_(std::move(route)),
      credentials_(std::move(credentials)),
      shows_(std::move(shows)),
      signing_key_(std::move(signing_key)),
      defaults_{config.url, config.lifetime},
      service_({config.url, config.ca_file.path, config.timeout, config.requests, config.breaker}) {}

net::Task<Verdict> CalloutAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                      net::Deadline deadline) const {
  Result<std::vector<ShownPart>> found = find_credentials(evidence, credentials_);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (found->empty() && (ask_ == Ask::presented || evidence.in_band)) co_return Verdict::not_mine();

  std::string hash = found->empty() ? std::string() : hash_of(*found);
  auto grounds = std::make_shared<FactGrounds>(make_facts(route_, evidence, std::move(*found), shows_));
  const Occasion occasion = evidence.in_band ? Occasion::refresh : Occasion::connect;
  net::Task<Result<Proven>> asking = ask(grounds->facts, occasion, nullptr, here, deadline);
  Result<Proven> proven = co_await asking;
  if (!proven) co_return Verdict::refuse(std::move(proven).error());
  proven->token_hash = std::move(hash);
  proven->grounds = std::move(grounds);
  co_return Verdict::accept(std::move(*proven));
}

net::Task<Result<Proven>> CalloutAuthenticator::ask(const Facts& facts, Occasion occasion, const Identity* present,
                                                    Here& here, net::Deadline deadline) const {
  net::HttpRequest question = make_question(dialect_, facts, occasion, present);
  if (signing_key_)
    question.headers.emplace_back("X-Sallyport-Signature",
                                  signature_text(*signing_key_, here.loop.wall(), question.body));
  net::Task<Result<net::HttpResponse>> asking = service_.ask(std::move(question), here, deadline);
  CO_TRY(const net::HttpResponse response, co_await asking);
  co_return read_decision(dialect_, response, defaults_, here.loop.wall());
}

net::Task<Verdict> CalloutAuthenticator::ask_again(Identity present, Here& here, net::Deadline deadline) const {
  const auto* grounds = dynamic_cast<const FactGrounds*>(present->grounds.get());
  if (!grounds) co_return Verdict::refuse(Error{Reason::credential_invalid, "let in without being asked about"});
  net::Task<Result<Proven>> asking = ask(grounds->facts, Occasion::recheck, &present, here, deadline);
  Result<Proven> proven = co_await asking;
  if (!proven) {
    Error error = std::move(proven).error();
    // They were let in: what changed is the service's mind.
    if (row(error.reason).http_status != 503 && error.reason != Reason::credential_expired)
      error.reason = Reason::credential_revoked;
    co_return Verdict::refuse(std::move(error));
  }
  proven->token_hash = present->token_hash;
  proven->grounds = present->grounds;
  co_return Verdict::accept(std::move(*proven));
}

net::Task<std::vector<Verdict>> CalloutAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                              net::Deadline deadline) const {
  std::vector<net::Task<Verdict>> questions;
  questions.reserve(present.size());
  for (const Identity& identity : present) questions.push_back(ask_again(identity, here, deadline));
  net::Task<std::vector<Verdict>> asking = all_together(here.loop, std::move(questions));
  co_return co_await asking;
}

void CalloutAuthenticator::add_to(http::Strip& strip) const {
  const auto add = [](std::vector<std::string>& list, std::string_view name) {
    if (std::ranges::find(list, name) == list.end()) list.emplace_back(name);
  };
  for (const RequestPart& place : credentials_) {
    switch (place.kind) {
      case RequestPart::Kind::header:
        add(strip.headers, place.name);
        break;
      case RequestPart::Kind::cookie:
        add(strip.cookies, place.name);
        break;
      case RequestPart::Kind::parameter:
        add(strip.parameters, place.name);
        break;
      case RequestPart::Kind::subprotocol:
        add(strip.subprotocol_prefixes, token_subprotocol_prefix);
        break;
    }
  }
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const CalloutConfig& config, const std::string& route,
                                                                const config::Environment& environment) {
  TRY(auto credentials, parse_request_parts(config.credentials));
  TRY(auto shows, parse_request_parts(config.shows));
  std::optional<crypto::HmacKey> key;
  if (!config.signing_key.empty()) {
    TRY(const Secret secret, config::load_secret(config.signing_key, environment));
    if (secret.size() < min_signing_key) {
      return Error{Reason::config_invalid, "callout.signing_key: at least " + std::to_string(min_signing_key) +
                                               " bytes are needed; make one with `openssl rand -hex 32`"};
    }
    key.emplace(crypto::Algorithm::HS256, secret.bytes());
  }
  return std::shared_ptr<const Authenticator>(
      std::make_shared<CalloutAuthenticator>(config, route, std::move(credentials), std::move(shows), std::move(key)));
}

config::Plug callout_plug() {
  return {"callout", config::Maturity::preview, config::Posture::hostile_clients, {}, callout_schema()};
}

}  // namespace sallyport::auth
