#include "sallyport/auth/totp/totp.h"

#include <algorithm>

#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t max_file_size = 16 * 1024 * 1024;

Error invalid(std::string detail) { return {Reason::credential_invalid, "one-time password: " + std::move(detail)}; }

std::string hash_of(std::string_view text) { return hex_encode(crypto::sha256(bytes_of(text))); }

bool is_code(std::string_view text) {
  return text.size() >= 6 && text.size() <= 8 && std::all_of(text.begin(), text.end(), http::is_digit);
}

// A code that is right, and what of it must be used up.
struct Match {
  const CodeSecret* secret;
  std::int64_t step;
};

// Every step of every secret is compared, whichever is right.
std::optional<Match> match_of(const std::vector<CodeSecret>& secrets, const std::string& code, std::uint32_t drift,
                              WallTime now) {
  std::optional<Match> found;
  for (const CodeSecret& secret : secrets) {
    const std::int64_t present = secret.step_at(now);
    for (std::int64_t step = present - drift; step <= present + drift; ++step) {
      const std::string right = secret.code(step);
      if (crypto::equal(bytes_of(right), bytes_of(code)) && !found) found = Match{&secret, step};
    }
  }
  return found;
}

}  // namespace

Result<std::optional<std::string>> TotpAuthenticator::find_code(const Evidence& evidence) const {
  std::optional<std::string> found;
  if (evidence.in_band_otp) {
    found = std::string(*evidence.in_band_otp);
  } else if (!evidence.in_band && evidence.request) {
    for (const CodePlace place : config_.from) {
      std::optional<std::string> here;
      if (place == CodePlace::query) {
        TRY(here, evidence.request->query().find(code_parameter));
      } else {
        const auto lines = evidence.request->headers().find_all(code_field);
        if (lines.size() > 1) return Error{Reason::credential_ambiguous, "more than one one-time password"};
        if (!lines.empty()) here = std::string(lines.front());
      }
      if (here && found) return Error{Reason::credential_ambiguous, "more than one one-time password"};
      if (here) found = std::move(here);
    }
  }
  return found;
}

net::Task<Verdict> TotpAuthenticator::authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const {
  Result<std::optional<std::string>> found = find_code(evidence);
  if (!found.ok()) co_return Verdict::refuse(std::move(found).error());
  if (!*found) co_return Verdict::not_mine();
  if (!evidence.proven) {
    co_return Verdict::refuse(
        Error{Reason::credential_missing, "a one-time password, but not the credential of whom it is"});
  }
  const Identity owner = *evidence.proven;
  net::Task<Result<void>> judging = judge(owner->issuer, owner->subject, std::move(**found), here, deadline);
  const Result<void> judged = co_await judging;
  if (!judged.ok()) co_return Verdict::refuse(judged.error());
  Proven proven;
  proven.mechanism = mechanism();
  proven.subject = owner->subject;
  proven.issuer = owner->issuer;
  proven.amr = {"otp"};
  const WallTime now = here.loop.wall();
  proven.authenticated_at = now;
  proven.issued_at = now;
  proven.expires_at = now + config_.lifetime;
  co_return Verdict::accept(std::move(proven));
}

net::Task<Result<void>> TotpAuthenticator::judge(std::string issuer, std::string subject, std::string code, Here& here,
                                                 net::Deadline deadline) const {
  if (!is_code(code)) co_return invalid("no six to eight digits");
  const std::vector<CodeSecret>* secrets = secrets_->find(subject);
  if (!secrets) co_return invalid("the subject has no secret");
  // A place is taken before anything is compared, so that guesses made at the same time count like any others.
  net::Task<Result<std::string>> entering = enter_attempt(issuer + '\n' + subject, here, deadline);
  CO_TRY(const std::string place, co_await entering);
  const WallTime now = here.loop.wall();
  const std::optional<Match> match = match_of(*secrets, code, config_.drift, now);
  if (!match) co_return invalid("wrong, or too old");
  const WallTime until = from_unix_seconds((match->step + config_.drift + 1) * match->secret->period.count());
  const std::string name = issuer + '\n' + subject + '\n' + match->secret->name + '\n' + std::to_string(match->step);
  net::Task<Result<bool>> claiming = here.store.claim("totp:" + hash_of(name), until);
  CO_TRY(const bool first, co_await within(here.loop, std::move(claiming), deadline));
  if (!first) co_return Error{Reason::credential_replayed, "one-time password: used before"};
  // Right codes are no attempts: the place is given back. If that fails, it is lost for its time and nothing else.
  net::Task<Result<std::optional<std::string>>> leaving = here.store.take_once(place, now);
  static_cast<void>(co_await within(here.loop, std::move(leaving), deadline));
  co_return Result<void>();
}

// One of the places that the subject's attempts have in this span of time.
net::Task<Result<std::string>> TotpAuthenticator::enter_attempt(std::string subject, Here& here,
                                                                net::Deadline deadline) const {
  const std::int64_t span = config_.attempts.per.count();
  const std::int64_t number = to_unix_seconds(here.loop.wall()) / span;
  const WallTime until = from_unix_seconds((number + 1) * span);
  const std::string prefix = "totp-attempt:" + hash_of(subject) + ':' + std::to_string(number) + ':';
  for (std::uint32_t i = 0; i < config_.attempts.count; ++i) {
    std::string place = prefix + std::to_string(i);
    net::Task<Result<void>> putting = here.store.put_once(place, {}, until);
    const Result<void> put = co_await within(here.loop, std::move(putting), deadline);
    if (put.ok()) co_return place;
    if (put.error().reason != Reason::request_invalid) co_return put.error();
  }
  co_return Error{Reason::limit_lockout, "one-time password: too many wrong ones for this subject"};
}

net::Task<std::vector<Verdict>> TotpAuthenticator::recheck(std::vector<Identity> present, Here&, net::Deadline) const {
  std::vector<Verdict> verdicts;
  for (Identity& one : present) {
    if (secrets_->find(one->subject)) {
      verdicts.push_back(Verdict::accept(std::move(one)));
    } else {
      verdicts.push_back(
          Verdict::refuse(Error{Reason::credential_revoked, "one-time password: the subject has no secret any more"}));
    }
  }
  co_return verdicts;
}

void TotpAuthenticator::add_to(http::Strip& strip) const {
  const auto add = [](std::vector<std::string>& list, std::string_view name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.emplace_back(name);
  };
  for (const CodePlace place : config_.from) {
    if (place == CodePlace::query) {
      add(strip.parameters, code_parameter);
    } else {
      add(strip.headers, code_field);
    }
  }
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const TotpConfig& config) {
  TRY(const Secret text, config::load_secret_file(config.secrets_file.path, max_file_size));
  auto secrets = CodeSecrets::parse(text.reveal());
  if (!secrets.ok()) return Error{Reason::config_invalid, config.secrets_file.path + ": " + secrets.error().detail};
  return std::shared_ptr<const Authenticator>(
      std::make_shared<TotpAuthenticator>(config, std::make_shared<const CodeSecrets>(std::move(*secrets))));
}

config::Plug totp_plug() {
  return {"totp", config::Maturity::preview, config::Posture::hostile_clients, {"RFC 4226", "RFC 6238"}, totp_schema()};
}

}  // namespace sallyport::auth
