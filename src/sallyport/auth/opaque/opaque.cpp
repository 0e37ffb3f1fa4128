#include "sallyport/auth/opaque/opaque.h"

#include <algorithm>

#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/auth/text.h"
#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

// Whether the row can become an Identity; whoever wrote it into the store may not have been us.
bool is_sound(const store::TokenRow& row) {
  return !row.subject.empty() && is_clean(row.subject) && is_clean(row.tenant) && is_clean(row.issuer) &&
         is_clean(row.session_id) && is_clean(row.id) && std::all_of(row.scopes.begin(), row.scopes.end(), is_clean) &&
         std::all_of(row.roles.begin(), row.roles.end(), is_clean);
}

// The name of the row, which finds it again.
struct RowOf final : Grounds {
  explicit RowOf(const store::TokenHash& its_hash) : hash(its_hash) {}
  store::TokenHash hash;
};

}  // namespace

Result<Proven> OpaqueAuthenticator::judge(const store::TokenHash& hash, std::optional<store::TokenRow> row,
                                          WallTime now) const {
  if (!row) return Error{Reason::credential_invalid, "unknown opaque token " + hex_encode(hash)};
  if (!is_sound(*row)) return Error{Reason::credential_invalid, "unsound row of opaque token " + hex_encode(hash)};
  if (row->revoked_at) return Error{Reason::credential_revoked, "opaque token '" + row->id + "' is revoked"};
  if (row->expires_at <= now) return Error{Reason::credential_expired, "opaque token '" + row->id + "' has expired"};
  if (!row->route.empty() && row->route != route_)
    return Error{Reason::credential_invalid, "opaque token '" + row->id + "' is for route '" + row->route + "'"};
  Proven proven;
  proven.mechanism = "opaque";
  proven.subject = std::move(row->subject);
  proven.issuer = std::move(row->issuer);
  proven.tenant = std::move(row->tenant);
  proven.session_id = std::move(row->session_id);
  proven.token_id = std::move(row->id);
  proven.token_hash = hex_encode(hash);
  proven.scopes = std::move(row->scopes);
  proven.roles = std::move(row->roles);
  proven.issued_at = row->issued_at;
  proven.expires_at = row->expires_at;
  proven.grounds = std::make_shared<RowOf>(hash);
  return proven;
}

net::Task<Verdict> OpaqueAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                     net::Deadline deadline) const {
  Result<std::optional<PresentedToken>> found = find_token(evidence, sources_);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (!*found || !(*found)->token.reveal().starts_with(opaque_token_prefix)) co_return Verdict::not_mine();
  const Secret token = std::move((*found)->token);

  // A token that cannot exist is looked up as well: all answers take equally long.
  const store::TokenHash hash = hash_of_token(token.reveal());
  auto row = co_await within(here.loop, here.store.find_token(hash), deadline);
  if (!row) co_return Verdict::refuse(std::move(row).error());

  const WallTime now = here.loop.wall();
  if (!is_opaque_token(token.reveal())) {
    co_return Verdict::refuse(Error{Reason::credential_invalid, "not the form of an opaque token"});
  }
  Result<Proven> proven = judge(hash, std::move(*row), now);
  if (!proven) co_return Verdict::refuse(std::move(proven).error());
  here.store.note_use(hash, now);
  co_return Verdict::accept(std::move(*proven));
}

net::Task<std::vector<Verdict>> OpaqueAuthenticator::recheck(std::vector<Identity> present, Here& here,
                                                             net::Deadline deadline) const {
  std::vector<Verdict> verdicts;
  for (const Identity& one : present) {
    const auto* grounds = dynamic_cast<const RowOf*>(one->grounds.get());
    SALLYPORT_CHECK(grounds);
    auto row = co_await within(here.loop, here.store.find_token(grounds->hash), deadline);
    if (!row) {
      verdicts.push_back(Verdict::refuse(std::move(row).error()));
      continue;
    }
    Result<Proven> proven = judge(grounds->hash, std::move(*row), here.loop.wall());
    verdicts.push_back(proven ? Verdict::accept(std::move(*proven)) : Verdict::refuse(std::move(proven).error()));
  }
  co_return verdicts;
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const OpaqueConfig& config, std::string route) {
  TRY(auto sources, parse_token_sources(config.from));
  return std::shared_ptr<const Authenticator>(
      std::make_shared<OpaqueAuthenticator>(std::move(sources), std::move(route)));
}

config::Plug opaque_plug() {
  return {"opaque", config::Maturity::preview, config::Posture::hostile_clients, {"RFC 6750"}, opaque_schema()};
}

}  // namespace sallyport::auth
