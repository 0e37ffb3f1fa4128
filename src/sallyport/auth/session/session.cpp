#include "sallyport/auth/session/session.h"

#include <algorithm>

#include "sallyport/auth/session/users.h"
#include "sallyport/auth/telling_watch.h"
#include "sallyport/base/encoding.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

using session::SessionData;
using namespace std::chrono_literals;

/// Of the clocks of the application and of this machine.
constexpr auto clock_difference = 60s;
/// Auth.js cuts a cookie that is too long for a browser into `NAME.0`, `NAME.1`, …
constexpr int max_chunks = 10;

std::string chunk_name(const std::string& cookie, int chunk) { return cookie + "." + std::to_string(chunk); }

std::string hash_of(std::string_view text) { return hex_encode(crypto::sha256(bytes_of(text))); }

// Where the session lies, and what it said of the password.
struct SessionGrounds final : Grounds {
  std::string key;  // empty: in its cookie
  Secret mark;
};

const SessionGrounds& grounds_of(const Proven& proven) {
  const auto* grounds = dynamic_cast<const SessionGrounds*>(proven.grounds.get());
  SALLYPORT_CHECK(grounds);
  return *grounds;
}

struct SessionWatch final : TellingWatch {
  explicit SessionWatch(std::unique_ptr<SourceWatch> its_source) : source(std::move(its_source)) {}
  std::string trouble() const override { return source->trouble(); }
  std::unique_ptr<SourceWatch> source;
};

Verdict refuse(Reason reason, std::string detail) { return Verdict::refuse(Error{reason, std::move(detail)}); }

}  // namespace

Result<std::optional<std::string>> SessionAuthenticator::find_cookie(const Evidence& evidence) const {
  const http::Cookies cookies = evidence.request->cookies();
  TRY(const auto whole, cookies.find(parts_.cookie));
  std::optional<std::string> text;
  if (whole) text = std::string(*whole);
  if (parts_.framework == Framework::authjs) {
    for (int chunk = 0; chunk < max_chunks; ++chunk) {
      TRY(const auto piece, cookies.find(chunk_name(parts_.cookie, chunk)));
      if (!piece) break;
      if (whole)
        return Error{Reason::credential_ambiguous, "cookie '" + parts_.cookie + "' is there whole and in pieces"};
      if (!text) text.emplace();
      text->append(*piece);
    }
  }
  if (!text) return text;
  // A page of any site can make a browser send it; only the Origin tells whose page it was.
  if (evidence.origin == http::OriginProof::absent) {
    return Error{Reason::origin_missing, "cookie '" + parts_.cookie + "' without an Origin"};
  }
  if (text->size() > session::max_cookie_size) return session::unsound("session cookie: longer than any that is read");
  return text;
}

Result<Proven> SessionAuthenticator::conclude(const SessionData& data, const std::string& key,
                                              std::optional<WallTime> store_says, WallTime now) const {
  if (data.written_at && *data.written_at > now + clock_difference) {
    return session::unsound("session: signed in the future; are the clocks of both machines right?");
  }
  std::optional<WallTime> end;
  const auto ends_at = [&](std::optional<WallTime> time) {
    if (time) end = end ? std::min(*end, *time) : *time;
  };
  ends_at(store_says);
  ends_at(data.expires_at);
  const bool aged = parts_.framework == Framework::django || parts_.framework == Framework::flask;
  if (aged && data.written_at) ends_at(*data.written_at + parts_.max_age);
  if (end && *end <= now) return Error{Reason::credential_expired, "session: it has ended"};

  TRY(Proven proven, session::read_identity(data, parts_.mapping));
  proven.mechanism = "session";
  proven.issued_at = data.written_at;
  proven.expires_at = end.value_or(now + parts_.max_age);
  const std::string& id = key.empty() ? data.id : key;
  if (!id.empty()) proven.session_id = hash_of(id);
  if (!key.empty()) proven.watch_key = proven.session_id;
  if (!key.empty() || parts_.users) {
    auto grounds = std::make_shared<SessionGrounds>();
    grounds->key = key;
    grounds->mark = session::find_password_mark(parts_.framework, data);
    proven.grounds = std::move(grounds);
  }
  return proven;
}

net::Task<Verdict> SessionAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                      net::Deadline deadline) const {
  if (evidence.in_band || !evidence.request) co_return Verdict::not_mine();
  auto cookie = find_cookie(evidence);
  if (!cookie) co_return Verdict::refuse(std::move(cookie).error());
  if (!*cookie) co_return Verdict::not_mine();
  const Secret presented(std::move(**cookie));

  auto reading = parts_.format->read_cookie(presented.reveal());
  if (!reading) co_return Verdict::refuse(std::move(reading).error());
  Result<Proven> proven = session::unsound("session: neither here nor there");
  if (const auto* key = std::get_if<session::SessionKey>(&*reading)) {
    SALLYPORT_CHECK(parts_.source);
    const auto asking = parts_.source->find(key->text, here.loop, deadline);
    auto found = co_await asking;
    if (!found) co_return Verdict::refuse(std::move(found).error());
    if (!*found) co_return refuse(Reason::credential_invalid, "session: the store has none of that id");
    const auto data = parts_.format->read_stored(**found);
    if (!data) co_return Verdict::refuse(data.error());
    proven = conclude(*data, key->text, (*found)->expires_at, here.loop.wall());
  } else {
    proven = conclude(std::get<SessionData>(*reading), {}, std::nullopt, here.loop.wall());
  }
  if (!proven) co_return Verdict::refuse(std::move(proven).error());
  if (parts_.users) {
    const auto asking = parts_.users->find(proven->subject, here.loop, deadline);
    const auto user = co_await asking;
    if (!user) co_return Verdict::refuse(user.error());
    const auto fits = session::check_user(parts_.framework, grounds_of(*proven).mark, *user, parts_.secrets);
    if (!fits) co_return Verdict::refuse(fits.error());
  }
  proven->token_hash = hash_of(presented.reveal());
  co_return Verdict::accept(std::move(*proven));
}

net::Task<std::vector<Verdict>> SessionAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                              net::Deadline deadline) const {
  // Proved when the configuration had nobody to ask, which it now has.
  const auto without_grounds = [](const Identity& one) { return !one->grounds; };
  if ((parts_.source || parts_.users) && std::ranges::any_of(present, without_grounds)) {
    std::vector<Identity> rest;
    std::ranges::remove_copy_if(present, std::back_inserter(rest), without_grounds);
    auto asking = recheck(std::move(rest), here, deadline);
    std::vector<Verdict> of_rest = co_await asking;
    std::vector<Verdict> all;
    std::size_t next = 0;
    for (const Identity& one : present) {
      all.push_back(one->grounds ? std::move(of_rest[next++])
                                 : Verdict::refuse(Error{Reason::credential_invalid, "nothing to ask again by"}));
    }
    co_return all;
  }
  std::vector<Verdict> verdicts;
  for (const Identity& one : present) verdicts.push_back(Verdict::accept(one));
  if (parts_.source) {
    std::vector<std::string> keys;
    for (const Identity& one : present) keys.push_back(grounds_of(*one).key);
    const auto asking = parts_.source->find_many(std::move(keys), here.loop, deadline);
    const auto found = co_await asking;
    SALLYPORT_CHECK(!found || found->size() == present.size());
    const WallTime now = here.loop.wall();
    for (std::size_t i = 0; i < present.size(); ++i) {
      verdicts[i] = found ? judge_again(present[i], (*found)[i], now) : Verdict::refuse(found.error());
    }
  }
  if (parts_.users) {
    std::vector<std::string> subjects;
    for (const Identity& one : present) subjects.push_back(one->subject);
    const auto asking = parts_.users->find_many(std::move(subjects), here.loop, deadline);
    const auto found = co_await asking;
    SALLYPORT_CHECK(!found || found->size() == present.size());
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (verdicts[i].error()) continue;
      const auto fits =
          found ? session::check_user(parts_.framework, grounds_of(*present[i]).mark, (*found)[i], parts_.secrets)
                : Result<void>(found.error());
      if (!fits) verdicts[i] = Verdict::refuse(fits.error());
    }
  }
  co_return verdicts;
}

Verdict SessionAuthenticator::judge_again(const Identity& present, const std::optional<StoredSession>& stored,
                                          WallTime now) const {
  if (!stored) return refuse(Reason::credential_revoked, "session: it is gone from the store");
  const SessionGrounds& grounds = grounds_of(*present);
  const auto data = parts_.format->read_stored(*stored);
  if (!data) return Verdict::refuse(data.error());
  Result<Proven> proven = conclude(*data, grounds.key, stored->expires_at, now);
  if (!proven && proven.error().reason == Reason::credential_invalid) {
    return refuse(Reason::credential_revoked, proven.error().detail);
  }
  if (!proven) return Verdict::refuse(std::move(proven).error());
  if (proven->subject != present->subject) {
    return refuse(Reason::credential_other_subject, "session: somebody else is logged in there now");
  }
  if (!crypto::equal(grounds_of(*proven).mark.bytes(), grounds.mark.bytes())) {
    return refuse(Reason::credential_revoked, "session: the password was changed");
  }
  proven->token_hash = present->token_hash;
  return Verdict::accept(std::move(*proven));
}

std::unique_ptr<Watch> SessionAuthenticator::watch(net::Loop& control, Changed changed) const {
  if (!parts_.source) return nullptr;
  auto source = parts_.source->watch(control, [changed = std::move(changed)](std::string_view key) {
    changed(key.empty() ? std::string() : hash_of(key));
  });
  if (!source) return nullptr;
  return std::make_unique<SessionWatch>(std::move(source));
}

void SessionAuthenticator::add_to(http::Strip& strip) const {
  const auto add = [&](std::string name) {
    if (std::ranges::find(strip.cookies, name) == strip.cookies.end()) strip.cookies.push_back(std::move(name));
  };
  add(parts_.cookie);
  if (parts_.framework != Framework::authjs) return;
  for (int chunk = 0; chunk < max_chunks; ++chunk) add(chunk_name(parts_.cookie, chunk));
}

namespace {

Result<std::vector<Secret>> load_secrets(const SessionConfig& config, const config::Environment& environment) {
  std::vector<Secret> secrets;
  if (config.secret.empty()) return secrets;
  TRY(Secret present, config::load_secret(config.secret, environment));
  secrets.push_back(std::move(present));
  for (const SessionSecret& older : config.older_secrets) {
    TRY(Secret secret, config::load_secret(older.secret, environment));
    secrets.push_back(std::move(secret));
  }
  return secrets;
}

Result<std::optional<session::DataPath>> parse_path(const std::string& text) {
  if (text.empty()) return std::optional<session::DataPath>();
  TRY(auto path, session::DataPath::parse(text));
  return std::optional(std::move(path));
}

Result<session::Mapping> make_mapping(const SessionConfig& config) {
  session::Mapping mapping;
  std::vector<std::string> subject = {config.identity};
  if (config.identity.empty()) {
    subject = default_identity(config.framework, config.store ? Place::store : Place::cookie);
  }
  for (const std::string& text : subject) {
    TRY(auto path, session::DataPath::parse(text));
    mapping.subject.push_back(std::move(path));
  }
  TRY(mapping.tenant, parse_path(config.tenant));
  TRY(mapping.scopes, parse_path(config.scopes));
  TRY(mapping.roles, parse_path(config.roles));
  TRY(mapping.amr, parse_path(config.amr));
  TRY(mapping.acr, parse_path(config.acr));
  TRY(mapping.authenticated_at, parse_path(config.authenticated_at));
  return mapping;
}

}  // namespace

Result<std::shared_ptr<const Authenticator>> make_authenticator(const SessionConfig& config,
                                                                const config::Environment& environment,
                                                                std::vector<std::string> kept_claims) {
  SessionAuthenticator::Parts parts;
  parts.framework = config.framework;
  parts.cookie = config.cookie.empty() ? default_cookie(config.framework) : config.cookie;
  parts.max_age = config.max_age.value_or(default_max_age(config.framework));
  TRY(parts.secrets, load_secrets(config, environment));
  TRY(parts.format, session::make_format(config, parts.secrets));
  TRY(parts.mapping, make_mapping(config));
  parts.mapping.claims = std::move(kept_claims);
  if (config.store) {
    TRY(parts.source, make_session_source(*config.store, session::layout_of(config.framework), environment));
  }
  if (config.users) {
    TRY(parts.users, make_session_source(*config.users, session::users_layout(config.framework), environment));
  }
  return std::shared_ptr<const Authenticator>(std::make_shared<SessionAuthenticator>(std::move(parts)));
}

config::Plug session_plug() {
  return {"session",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {"RFC 6265", "RFC 7516", "RFC 8018", "RFC 5869"},
          session_schema()};
}

}  // namespace sallyport::auth
