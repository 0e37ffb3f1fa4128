#include "sallyport/auth/carried.h"

#include <algorithm>
#include <iterator>

#include "sallyport/auth/text.h"
#include "sallyport/base/json.h"

namespace sallyport::auth {
namespace {

struct TextMember {
  const char* name;
  std::string Proven::* member;
};
constexpr TextMember texts[] = {
    {"mechanism", &Proven::mechanism},   {"subject", &Proven::subject}, {"issuer", &Proven::issuer},
    {"tenant", &Proven::tenant},         {"sid", &Proven::session_id},  {"jti", &Proven::token_id},
    {"token_hash", &Proven::token_hash}, {"acr", &Proven::acr},         {"watch_key", &Proven::watch_key},
};

struct ListMember {
  const char* name;
  std::vector<std::string> Proven::* member;
};
constexpr ListMember lists[] = {{"scopes", &Proven::scopes}, {"roles", &Proven::roles}, {"amr", &Proven::amr}};

struct TimeMember {
  const char* name;
  std::optional<WallTime> Proven::* member;
};
constexpr TimeMember times[] = {{"authenticated_at", &Proven::authenticated_at}, {"issued_at", &Proven::issued_at}};

Error unsound(std::string_view what) {
  return {Reason::credential_invalid, "what the store keeps of an identity is not sound: " + std::string(what)};
}

WallTime time_of(std::int64_t milliseconds) { return WallTime(std::chrono::milliseconds(milliseconds)); }

Result<std::vector<std::string>> read_list(const json::Value& value, const char* name) {
  std::vector<std::string> list;
  if (!value.array()) return unsound(name);
  for (const json::Value& item : *value.array()) {
    if (!item.string() || !is_clean(*item.string())) return unsound(name);
    list.push_back(*item.string());
  }
  return list;
}

}  // namespace

std::string carried_text(const Proven& proven) {
  json::Object out;
  for (const TextMember& text : texts) {
    if (!(proven.*text.member).empty()) out.emplace_back(text.name, proven.*text.member);
  }
  for (const ListMember& list : lists) {
    const std::vector<std::string>& items = proven.*list.member;
    if (!items.empty()) out.emplace_back(list.name, json::Array(items.begin(), items.end()));
  }
  for (const TimeMember& time : times) {
    if (proven.*time.member) out.emplace_back(time.name, to_unix_ms(*(proven.*time.member)));
  }
  out.emplace_back("expires_at", to_unix_ms(proven.expires_at));
  if (proven.claims.object()) out.emplace_back("claims", proven.claims);
  return json::dump(std::move(out));
}

Result<Proven> parse_carried(std::string_view text) {
  const Result<json::Value> read = json::parse(text);
  if (!read.ok() || !read->object()) return unsound("no JSON object");
  Proven proven;
  for (const TextMember& member : texts) {
    const json::Value* value = read->find(member.name);
    if (!value) continue;
    if (!value->string() || !is_clean(*value->string())) return unsound(member.name);
    proven.*member.member = *value->string();
  }
  for (const ListMember& member : lists) {
    const json::Value* value = read->find(member.name);
    if (!value) continue;
    TRY(proven.*member.member, read_list(*value, member.name));
  }
  for (const TimeMember& member : times) {
    const json::Value* value = read->find(member.name);
    if (!value) continue;
    if (!value->integer()) return unsound(member.name);
    proven.*member.member = time_of(*value->integer());
  }
  const json::Value* expires_at = read->find("expires_at");
  if (!expires_at || !expires_at->integer()) return unsound("expires_at");
  proven.expires_at = time_of(*expires_at->integer());
  if (const json::Value* claims = read->find("claims")) {
    if (!claims->object()) return unsound("claims");
    proven.claims = *claims;
  }
  if (proven.subject.empty() || proven.mechanism.empty()) return unsound("nobody");
  return proven;
}

}  // namespace sallyport::auth
