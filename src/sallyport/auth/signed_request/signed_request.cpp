#include "sallyport/auth/signed_request/signed_request.h"

#include <algorithm>

#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using http::MessageSignature;

constexpr auto watch_interval = 1s;

Error invalid(std::string detail) { return {Reason::credential_invalid, "signature: " + std::move(detail)}; }
Error expired(std::string detail) { return {Reason::credential_expired, "signature: " + std::move(detail)}; }

std::string seconds_text(std::chrono::milliseconds span) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(span).count()) + " s";
}

const std::vector<std::string>& url_parameters() {
  static const std::vector<std::string> names = {std::string(signature_input_parameter),
                                                 std::string(signature_parameter)};
  return names;
}

// What is judged, and for how long it could still be accepted.
struct Judged {
  const ClientKey& key;
  WallTime created;
  WallTime good_until;
};

// Which algorithm a signature of an unknown key was probably made by, so that refusing it takes as long.
crypto::Algorithm likely_algorithm(std::string_view signature) {
  switch (signature.size()) {
    case 32:
      return crypto::Algorithm::HS256;
    case 64:
      return crypto::Algorithm::EdDSA;
    case 96:
      return crypto::Algorithm::ES384;
    default:
      return crypto::Algorithm::PS512;
  }
}

class Judge {
 public:
  Judge(const SignedRequestConfig& config, const http::Request& request, const Clients& clients, WallTime now)
      : config_(config), request_(request), clients_(clients), now_(now) {}

  // Form and coverage first, which the sender knows anyway; then the proof; what the time says is for proved ones only.
  Result<Judged> judge(const MessageSignature& one, SignaturePlace place) const {
    TRY_OK(check_form(one.parameters));
    TRY_OK(check_coverage(one.input));
    const auto left_out = place == SignaturePlace::query ? std::span<const std::string>(url_parameters())
                                                         : std::span<const std::string>();
    const auto base = http::signature_base(http::signable(request_, left_out), one.input);
    if (!base.ok()) return invalid(base.error().detail);
    TRY(const ClientKey* key, verify(one, *base));
    TRY(const WallTime good_until, check_times(one.parameters));
    TRY_OK(check_key_times(*key));
    return Judged{*key, from_unix_seconds(*one.parameters.created), good_until};
  }

 private:
  static Result<void> check_form(const http::SignatureParameters& parameters) {
    // The times are added to later on.
    constexpr std::int64_t last_second = 253'402'300'799;  // 9999-12-31T23:59:59Z
    if (!parameters.created) return invalid("no `created`");
    if (*parameters.created > last_second || parameters.expires.value_or(0) > last_second)
      return invalid("a time beyond the year 9999");
    if (parameters.expires && *parameters.expires <= *parameters.created)
      return invalid("`expires` is not after `created`");
    if (!parameters.key_id) return invalid("no `keyid`");
    if (!parameters.nonce) return invalid("no `nonce`");
    if (parameters.nonce->size() < min_nonce_size || parameters.nonce->size() > max_nonce_size)
      return invalid("a `nonce` of " + std::to_string(parameters.nonce->size()) + " bytes; 8 to 128 are taken");
    return {};
  }

  Result<void> check_coverage(const http::structured::InnerList& input) const {
    for (const std::string& component : config_.components) {
      if (!http::covers(input, component)) return invalid("does not cover " + component);
    }
    if (request_.headers().count("origin") > 0 && !http::covers(input, "origin"))
      return invalid("does not cover origin, which the request has");
    return {};
  }

  Result<const ClientKey*> verify(const MessageSignature& one, const std::string& base) const {
    const ClientKey* key = clients_.find(*one.parameters.key_id);
    if (!key) {
      crypto::spend_verification(likely_algorithm(one.signature), bytes_of(base), bytes_of(one.signature));
      return invalid("no key is called " + *one.parameters.key_id);
    }
    // The key says what it serves; a signature that says otherwise is refused rather than believed.
    const auto name = http::signature_algorithm_name(key->algorithm);
    if (one.parameters.algorithm && one.parameters.algorithm != name)
      return invalid("`alg` is not that of the key " + key->kid);
    if (!key->key.verify(key->algorithm, bytes_of(base), bytes_of(one.signature)))
      return invalid("wrong for the key " + key->kid);
    return key;
  }

  Result<WallTime> check_times(const http::SignatureParameters& parameters) const {
    const WallTime created = from_unix_seconds(*parameters.created);
    if (created > now_ + config_.skew)
      return invalid("created " + seconds_text(created - now_) + " in the future: the clock of the client is ahead");
    WallTime until = created + config_.window;
    if (parameters.expires) until = std::min(until, from_unix_seconds(*parameters.expires));
    until += config_.skew;
    if (now_ >= until)
      return expired("created " + seconds_text(now_ - created) + " ago: too old, or the clock of the client is behind");
    return until;
  }

  Result<void> check_key_times(const ClientKey& key) const {
    if (key.not_before && now_ < *key.not_before) return invalid("the time of the key " + key.kid + " has not come");
    if (key.not_after && now_ >= *key.not_after) return expired("the time of the key " + key.kid + " is over");
    return {};
  }

  const SignedRequestConfig& config_;
  const http::Request& request_;
  const Clients& clients_;
  WallTime now_;
};

// The key that signed, as it was then, and how long the connection may live at most.
struct SignedBy final : Grounds {
  SignedBy(ClientKey its_key, WallTime its_end) : key(std::move(its_key)), longest(its_end) {}
  ClientKey key;
  WallTime longest;
};

void put_client(Proven& proven, const ClientKey& key, WallTime longest) {
  const Client& client = *key.client;
  proven.subject = client.subject;
  proven.tenant = client.tenant;
  proven.scopes = client.scopes;
  proven.roles = client.roles;
  json::Object claims{{"client", client.name}, {"kid", key.kid}};
  claims.insert(claims.end(), client.labels.begin(), client.labels.end());
  proven.claims = std::move(claims);
  proven.expires_at = key.not_after ? std::min(longest, *key.not_after) : longest;
  proven.grounds = std::make_shared<SignedBy>(key, longest);
}

// One name for all nonces of a key, however long they are and whatever they hold.
std::string claim_key(const ClientKey& key, const std::string& nonce) {
  const std::string text = std::to_string(key.kid.size()) + ':' + key.kid + nonce;
  return "signed_request:" + hex_encode(crypto::sha256(bytes_of(text)));
}

Result<Proven> ask_again(const Identity& present, const Clients& clients, WallTime now) {
  const auto* grounds = dynamic_cast<const SignedBy*>(present->grounds.get());
  SALLYPORT_CHECK(grounds);
  const ClientKey* key = clients.find(grounds->key.kid);
  if (!key || !key->key.same_key(grounds->key.key))
    return Error{Reason::credential_revoked, "the key " + grounds->key.kid + " was withdrawn"};
  if (key->not_after && now >= *key->not_after)
    return Error{Reason::credential_expired, "the time of the key " + key->kid + " is over"};
  if (key->not_before && now < *key->not_before)
    return Error{Reason::credential_revoked, "the time of the key " + key->kid + " was moved into the future"};
  Proven proven = *present;
  put_client(proven, *key, grounds->longest);
  return proven;
}

class FileWatch final : public Watch {
 public:
  FileWatch(std::shared_ptr<ClientsFile> file, net::Loop& control, Authenticator::Changed changed)
      : file_(std::move(file)),
        changed_(std::move(changed)),
        seen_(file_->snapshot()),
        wake_(control),
        timer_(wake_, 1),
        task_(run()) {
    task_.start();
  }

 private:
  net::Task<void> run() {
    for (;;) {
      timer_.set(wake_.loop().now() + watch_interval);
      co_await wake_.next();
      // What cannot be read now leaves the clients as they are; a reload says what is wrong with it.
      static_cast<void>(file_->refresh());
      const auto now = file_->snapshot();
      if (now == seen_) continue;
      for (const std::string& kid : changed_keys(*seen_, *now)) changed_(kid);
      seen_ = now;
    }
  }

  std::shared_ptr<ClientsFile> file_;
  Authenticator::Changed changed_;
  std::shared_ptr<const Clients> seen_;
  net::Wake wake_;
  net::Timer timer_;
  net::Task<void> task_;
};

}  // namespace

// The one signature at `place` that is meant for this gateway.
Result<std::optional<MessageSignature>> SignedRequestAuthenticator::find(const http::Request& request,
                                                                         SignaturePlace place) const {
  std::optional<MessageSignature> found;
  if (place == SignaturePlace::query) {
    TRY(const auto input, request.query().find(signature_input_parameter));
    TRY(const auto signature, request.query().find(signature_parameter));
    if (!input && !signature) return found;
    if (!input || !signature) return invalid("the two parameters of the URL go together");
    const auto bytes = base64url_decode(*signature);
    if (!bytes.ok()) return invalid("no canonical base64url in the URL");
    auto parsed = http::parse_signature(*input, *bytes);
    if (!parsed.ok()) return invalid(parsed.error().detail);
    if (parsed->parameters.tag != config_.tag) return invalid("the one in the URL is tagged for somebody else");
    found = std::move(*parsed);
    return found;
  }
  auto all = http::parse_signatures(request.headers());
  if (!all.ok()) return invalid(all.error().detail);
  for (MessageSignature& one : *all) {
    if (one.parameters.tag != config_.tag) continue;
    if (found) return Error{Reason::credential_ambiguous, "two signatures with the tag " + config_.tag};
    found = std::move(one);
  }
  return found;
}

net::Task<Verdict> SignedRequestAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                            net::Deadline deadline) const {
  // It is a request that is signed: inside the socket there is none.
  if (evidence.in_band || !evidence.request) co_return Verdict::not_mine();
  std::optional<MessageSignature> signature;
  SignaturePlace its_place = SignaturePlace::header;
  for (const SignaturePlace place : config_.from) {
    Result<std::optional<MessageSignature>> found = find(*evidence.request, place);
    if (!found.ok()) co_return Verdict::refuse(std::move(found).error());
    if (!*found) continue;
    if (signature)
      co_return Verdict::refuse(Error{Reason::credential_ambiguous, "one signature in the fields and one in the URL"});
    signature = std::move(**found);
    its_place = place;
  }
  if (!signature) co_return Verdict::not_mine();

  const std::shared_ptr<const Clients> clients = clients_->snapshot();
  const WallTime now = here.loop.wall();
  const Judge judge(config_, *evidence.request, *clients, now);
  const Result<Judged> judged = judge.judge(*signature, its_place);
  if (!judged.ok()) co_return Verdict::refuse(judged.error());

  // Last, so that nobody but the clients themselves can have anything remembered.
  net::Task<Result<bool>> claiming =
      here.store.claim(claim_key(judged->key, *signature->parameters.nonce), judged->good_until);
  const Result<bool> first = co_await within(here.loop, std::move(claiming), deadline);
  if (!first.ok()) co_return Verdict::refuse(first.error());
  if (!*first) {
    co_return Verdict::refuse(
        Error{Reason::credential_replayed, "signature of the key " + judged->key.kid + ": its nonce was used before"});
  }
  Proven proven;
  proven.mechanism = mechanism();
  put_client(proven, judged->key, now + config_.lifetime);
  proven.token_hash = hex_encode(crypto::sha256(bytes_of(signature->signature)));
  proven.amr = {"pop"};
  proven.authenticated_at = judged->created;
  proven.issued_at = judged->created;
  proven.watch_key = judged->key.kid;
  proven.token_id = judged->key.kid;
  co_return Verdict::accept(std::move(proven));
}

net::Task<std::vector<Verdict>> SignedRequestAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                                    net::Deadline) const {
  // Where nothing watches the file, it is looked at here.
  static_cast<void>(clients_->refresh());
  const std::shared_ptr<const Clients> clients = clients_->snapshot();
  std::vector<Verdict> verdicts;
  for (const Identity& one : present) {
    Result<Proven> proven = ask_again(one, *clients, here.loop.wall());
    verdicts.push_back(proven.ok() ? Verdict::accept(std::move(*proven)) : Verdict::refuse(std::move(proven).error()));
  }
  co_return verdicts;
}

std::unique_ptr<Watch> SignedRequestAuthenticator::watch(net::Loop& control, Changed changed) const {
  return std::make_unique<FileWatch>(clients_, control, std::move(changed));
}

std::string SignedRequestAuthenticator::claimant(const Evidence& evidence) const {
  if (!evidence.request || evidence.in_band) return {};
  for (const SignaturePlace place : config_.from) {
    const auto found = find(*evidence.request, place);
    if (found.ok() && *found && (*found)->parameters.key_id) return *(*found)->parameters.key_id;
  }
  return {};
}

void SignedRequestAuthenticator::add_to(http::Strip& strip) const {
  const auto add = [](std::vector<std::string>& list, std::string_view name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.emplace_back(name);
  };
  for (const SignaturePlace place : config_.from) {
    if (place == SignaturePlace::query) {
      for (const std::string& name : url_parameters()) add(strip.parameters, name);
    } else {
      add(strip.headers, "Signature-Input");
      add(strip.headers, "Signature");
    }
  }
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const SignedRequestConfig& config) {
  TRY(auto clients, ClientsFile::open(config.keys_file.path));
  return std::shared_ptr<const Authenticator>(std::make_shared<SignedRequestAuthenticator>(config, std::move(clients)));
}

config::Plug signed_request_plug() {
  return {"signed_request",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {"RFC 9421", "RFC 9651", "RFC 7517"},
          signed_request_schema()};
}

}  // namespace sallyport::auth
