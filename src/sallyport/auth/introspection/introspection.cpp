#include "sallyport/auth/introspection/introspection.h"

#include <algorithm>

#include "sallyport/auth/introspection/answer.h"
#include "sallyport/auth/introspection/client.h"
#include "sallyport/auth/introspection/opinions.h"
#include "sallyport/auth/service.h"
#include "sallyport/auth/together.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

AnswerPolicy policy_of(const IntrospectionConfig& config) {
  return {config.issuer, config.audience, config.clients,  config.token_types,
          config.claims, config.url,      config.lifetime, config.leeway};
}

// The token itself: without it nobody can be asked about it again.
struct TokenGrounds final : Grounds {
  TokenGrounds(std::shared_ptr<const Secret> its_token, const crypto::Sha256& its_hash)
      : token(std::move(its_token)), hash(its_hash) {}
  std::shared_ptr<const Secret> token;
  crypto::Sha256 hash;
};

Verdict verdict_of(const Opinion& opinion, std::shared_ptr<const Secret> token, const crypto::Sha256& hash) {
  if (!opinion.proven) return Verdict::refuse(opinion.refusal);
  Proven proven = *opinion.proven;
  proven.grounds = std::make_shared<TokenGrounds>(std::move(token), hash);
  return Verdict::accept(std::move(proven));
}

}  // namespace

// One server and what it said lately.
class Introspector : public std::enable_shared_from_this<Introspector> {
 public:
  Introspector(const IntrospectionConfig& config, std::shared_ptr<const IntrospectionClient> client)
      : config_(config),
        policy_(policy_of(config)),
        client_(std::move(client)),
        service_({config.url, config.ca_file.path, config.timeout, config.requests, config.breaker}),
        opinions_(config.cached_tokens) {}

  enum class Memory : std::uint8_t { believed, passed_over };

  // Errors: `auth.unavailable`, `deadline.late`.
  net::Task<Result<std::shared_ptr<const Opinion>>> opinion(std::shared_ptr<const Secret> token, crypto::Sha256 hash,
                                                            Memory memory, Here& here, net::Deadline deadline) const {
    if (memory == Memory::believed) {
      if (auto known = opinions_.find(hash, here.loop.now())) co_return known;
    }
    std::string key(text_of(hash));
    std::function<net::Task<Result<std::shared_ptr<const Opinion>>>()> start =
        [self = shared_from_this(), token = std::move(token), hash, here] { return ask(self, token, hash, here); };
    net::Task<Result<std::shared_ptr<const Opinion>>> asking =
        questions_.get(std::move(key), here.loop, std::move(start), deadline);
    co_return co_await asking;
  }

 private:
  static net::Task<Result<std::shared_ptr<const Opinion>>> ask(std::shared_ptr<const Introspector> self,
                                                               std::shared_ptr<const Secret> token, crypto::Sha256 hash,
                                                               Here here) {
    const Instant asked_at = here.loop.now();
    net::HttpRequest request = self->client_->ask_about(*token, here.loop.wall(), here.random);
    // Twice the time limit: waiting for a place is bounded too, though those who ask are late by themselves.
    const net::Deadline by{asked_at + 2 * self->config_.timeout, Reason::auth_unavailable};
    net::Task<Result<net::HttpResponse>> asking = self->service_.ask(std::move(request), here, by);
    CO_TRY(const net::HttpResponse response, co_await asking);
    if (response.status != 200) {
      co_return Error{Reason::auth_unavailable, self->config_.url + ": status " + std::to_string(response.status)};
    }
    co_return self->conclude(response.body, hash, asked_at, here);
  }

  Result<std::shared_ptr<const Opinion>> conclude(const std::string& body, const crypto::Sha256& hash, Instant asked_at,
                                                  Here& here) const {
    const WallTime now = here.loop.wall();
    Result<Proven> read = read_answer(body, policy_, now);
    if (!read && read.error().reason == Reason::auth_unavailable) return std::move(read).error();
    auto opinion = std::make_shared<Opinion>();
    opinion->asked_at = asked_at;
    Duration believed = config_.negative_cache;
    if (read) {
      read->token_hash = hex_encode(hash);
      believed = std::min<Duration>(config_.cache, read->expires_at - now);
      opinion->proven = std::make_shared<const Proven>(std::move(*read));
    } else {
      opinion->refusal = std::move(read).error();
    }
    // A time of nothing is put all the same: it takes the place of what was believed before.
    opinions_.put(hash, opinion, here.loop.now() + believed);
    return std::shared_ptr<const Opinion>(std::move(opinion));
  }

  IntrospectionConfig config_;
  AnswerPolicy policy_;
  std::shared_ptr<const IntrospectionClient> client_;
  Service service_;
  mutable Opinions opinions_;
  Coalesced<std::shared_ptr<const Opinion>> questions_;
};

namespace {

net::Task<Verdict> ask_again(const Introspector& introspector, Identity present, Here& here, net::Deadline deadline) {
  const auto* grounds = dynamic_cast<const TokenGrounds*>(present->grounds.get());
  if (!grounds) co_return Verdict::refuse(Error{Reason::credential_invalid, "proved without a token"});
  std::shared_ptr<const Secret> token = grounds->token;
  net::Task<Result<std::shared_ptr<const Opinion>>> asking =
      introspector.opinion(token, grounds->hash, Introspector::Memory::passed_over, here, deadline);
  Result<std::shared_ptr<const Opinion>> opinion = co_await asking;
  if (!opinion) co_return Verdict::refuse(std::move(opinion).error());
  // It was good: what changed is the server's mind.
  if (!(*opinion)->proven && (*opinion)->refusal.reason == Reason::credential_invalid)
    co_return Verdict::refuse(Error{Reason::credential_revoked, (*opinion)->refusal.detail});
  co_return verdict_of(**opinion, std::move(token), grounds->hash);
}

}  // namespace

IntrospectionAuthenticator::IntrospectionAuthenticator(std::shared_ptr<const Introspector> introspector,
                                                       std::vector<TokenSource> sources, TokenForms tokens)
    : introspector_(std::move(introspector)), sources_(std::move(sources)), tokens_(tokens) {}

net::Task<Verdict> IntrospectionAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                            net::Deadline deadline) const {
  Result<std::optional<PresentedToken>> found = find_token(evidence, sources_);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (!*found || !is_among((*found)->token.reveal(), tokens_)) co_return Verdict::not_mine();
  const auto token = std::make_shared<const Secret>(std::move((*found)->token));
  const crypto::Sha256 hash = crypto::sha256(token->bytes());

  net::Task<Result<std::shared_ptr<const Opinion>>> asking =
      introspector_->opinion(token, hash, Introspector::Memory::believed, here, deadline);
  Result<std::shared_ptr<const Opinion>> opinion = co_await asking;
  if (!opinion) co_return Verdict::refuse(std::move(opinion).error());
  co_return verdict_of(**opinion, token, hash);
}

net::Task<std::vector<Verdict>> IntrospectionAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                                    net::Deadline deadline) const {
  std::vector<net::Task<Verdict>> questions;
  questions.reserve(present.size());
  for (const Identity& identity : present) questions.push_back(ask_again(*introspector_, identity, here, deadline));
  net::Task<std::vector<Verdict>> asking = all_together(here.loop, std::move(questions));
  co_return co_await asking;
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const IntrospectionConfig& config,
                                                                const config::Environment& environment,
                                                                TokenForms tokens) {
  TRY(auto sources, parse_token_sources(config.from));
  TRY(auto client, IntrospectionClient::make(config.client, config.url, environment));
  auto introspector = std::make_shared<const Introspector>(config, std::move(client));
  return std::shared_ptr<const Authenticator>(
      std::make_shared<IntrospectionAuthenticator>(std::move(introspector), std::move(sources), tokens));
}

config::Plug introspection_plug() {
  return {"introspection",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {"RFC 6749", "RFC 6750", "RFC 7523", "RFC 7662"},
          introspection_schema()};
}

}  // namespace sallyport::auth
