#include "sallyport/auth/mtls/mtls.h"

#include <algorithm>

#include "sallyport/auth/text.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

constexpr auto look_interval = std::chrono::milliseconds(250);
// A signature or two each: so many keep a loop for no more than some ten milliseconds.
constexpr std::size_t verified_at_a_time = 64;
constexpr std::size_t most_subject = 512;

struct ProvedBy final : Grounds {
  explicit ProvedBy(std::shared_ptr<const crypto::ClientCertificate> its_certificate)
      : certificate(std::move(its_certificate)) {}
  std::shared_ptr<const crypto::ClientCertificate> certificate;
};

json::Value facts_of(const crypto::Certificate& certificate) {
  json::Object facts;
  facts.emplace_back("dn", certificate.subject);
  facts.emplace_back("serial", certificate.serial);
  facts.emplace_back("thumbprint", hex_encode(certificate.thumbprint));
  const auto add = [&](const char* name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    json::Array list;
    for (const std::string& value : values) list.emplace_back(value);
    facts.emplace_back(name, std::move(list));
  };
  add("cn", certificate.common_names);
  add("o", certificate.organizations);
  add("ou", certificate.units);
  add("uri", certificate.uris);
  add("dns", certificate.dns_names);
  add("email", certificate.emails);
  add("ip", certificate.addresses);
  return facts;
}

class AuthoritiesWatch final : public Watch {
 public:
  AuthoritiesWatch(net::Loop& control, Authorities authorities, Authenticator::Changed changed)
      : state_(std::make_shared<State>(std::move(authorities), std::move(changed))) {
    control.spawn(look(control, state_));
  }
  ~AuthoritiesWatch() override { state_->over = true; }
  AuthoritiesWatch(const AuthoritiesWatch&) = delete;
  AuthoritiesWatch& operator=(const AuthoritiesWatch&) = delete;

 private:
  struct State {
    State(Authorities its_authorities, Authenticator::Changed its_changed)
        : authorities(std::move(its_authorities)), changed(std::move(its_changed)), seen(generations()) {}
    std::vector<std::uint64_t> generations() const {
      std::vector<std::uint64_t> all;
      for (const auto& one : authorities) all.push_back(one->generation());
      return all;
    }
    Authorities authorities;
    Authenticator::Changed changed;
    std::vector<std::uint64_t> seen;
    bool over = false;
  };
  static net::Task<void> look(net::Loop& control, std::shared_ptr<State> state) {
    while (!state->over) {
      auto now = state->generations();
      if (now != state->seen) {
        state->seen = std::move(now);
        state->changed("");
      }
      auto pause = control.sleep_until(control.now() + look_interval);
      co_await pause;
    }
  }
  std::shared_ptr<State> state_;
};

}  // namespace

MtlsAuthenticator::MtlsAuthenticator(std::vector<NameRule> names, std::vector<crypto::Sha256> pins,
                                     std::chrono::seconds max_lifetime, Authorities authorities)
    : names_(std::move(names)),
      pins_(std::move(pins)),
      max_lifetime_(max_lifetime),
      authorities_(std::move(authorities)) {}

// It was verified when the connection began, which over HTTP/2 may be hours and a reload ago: by authorities that may not be asked now.
Result<void> MtlsAuthenticator::verify_now(const crypto::ClientCertificate& certificate, WallTime now) const {
  const auto verified_it = [&](const auto& one) { return one.get() == &certificate.authorities(); };
  if (std::ranges::any_of(authorities_, verified_it)) return certificate.verify_again(now);
  const auto vouches = [&](const auto& one) { return certificate.verify_by(*one, now).ok(); };
  if (std::ranges::any_of(authorities_, vouches)) return {};
  return Error{Reason::credential_invalid,
               "certificate of " + certificate->subject + ": no authority that is asked now vouches for it"};
}

Result<Proven> MtlsAuthenticator::judge(const crypto::ClientCertificate& certificate, WallTime now) const {
  TRY_OK(verify_now(certificate, now));
  const crypto::Certificate& facts = *certificate;
  const auto refuse = [&](std::string_view why) {
    return Error{Reason::credential_invalid, "certificate of " + facts.subject + ": " + std::string(why)};
  };
  if (facts.not_after - facts.not_before > max_lifetime_) return refuse("valid for longer than max_lifetime");
  if (!pins_.empty() && std::ranges::find(pins_, facts.key_pin) == pins_.end())
    return refuse("its key sha256/" + base64_encode(facts.key_pin) + " is not pinned");
  Proven proven;
  for (const NameRule& rule : names_) {
    TRY(auto name, find_name(facts, rule));
    if (!name) continue;
    proven.subject = std::move(*name);
    break;
  }
  if (proven.subject.empty()) return refuse("it has none of the names that `subject` asks for");
  if (!is_clean(proven.subject) || !is_clean(facts.issuer) || proven.subject.size() > most_subject)
    return refuse("a name that cannot be a subject");
  proven.mechanism = "mtls";
  proven.issuer = facts.issuer;
  proven.token_id = facts.serial;
  proven.token_hash = hex_encode(facts.thumbprint);
  proven.authenticated_at = now;
  proven.issued_at = facts.not_before;
  proven.expires_at = facts.not_after;
  proven.claims = facts_of(facts);
  return proven;
}

net::Task<Verdict> MtlsAuthenticator::authenticate(const Evidence& evidence, Here& here, net::Deadline) const {
  if (evidence.in_band || !evidence.peer.certificate) co_return Verdict::not_mine();
  Result<Proven> proven = judge(*evidence.peer.certificate, here.loop.wall());
  if (!proven) co_return Verdict::refuse(std::move(proven).error());
  proven->grounds = std::make_shared<const ProvedBy>(evidence.peer.certificate);
  co_return Verdict::accept(std::move(*proven));
}

net::Task<std::vector<Verdict>> MtlsAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                           net::Deadline deadline) const {
  std::vector<Verdict> verdicts;
  for (Identity& one : present) {
    if (verdicts.size() % verified_at_a_time == verified_at_a_time - 1) {
      auto others = here.loop.sleep_until(here.loop.now());
      co_await others;
    }
    const auto* grounds = dynamic_cast<const ProvedBy*>(one->grounds.get());
    SALLYPORT_CHECK(grounds);
    if (here.loop.now() >= deadline.at) {
      verdicts.push_back(Verdict::refuse(Error{deadline.late, "not verified again in time"}));
      continue;
    }
    Result<void> holds = verify_now(*grounds->certificate, here.loop.wall());
    verdicts.push_back(holds.ok() ? Verdict::accept(std::move(one)) : Verdict::refuse(std::move(holds).error()));
  }
  co_return verdicts;
}

std::unique_ptr<Watch> MtlsAuthenticator::watch(net::Loop& control, Changed changed) const {
  return std::make_unique<AuthoritiesWatch>(control, authorities_, std::move(changed));
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const MtlsConfig& config, Authorities authorities) {
  std::vector<NameRule> names;
  for (const std::string& text : config.subject) {
    TRY(NameRule rule, parse_name_rule(text));
    names.push_back(std::move(rule));
  }
  std::vector<crypto::Sha256> pins;
  for (const std::string& text : config.pins) {
    TRY(const crypto::Sha256 pin, parse_pin(text));
    pins.push_back(pin);
  }
  return std::shared_ptr<const Authenticator>(std::make_shared<MtlsAuthenticator>(
      std::move(names), std::move(pins), config.max_lifetime, std::move(authorities)));
}

config::Plug mtls_plug() {
  return {"mtls",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {"RFC 5280", "RFC 7469", "RFC 8446", "RFC 9440"},
          mtls_schema()};
}

}  // namespace sallyport::auth
