#include "sallyport/auth/signed_request/clients.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "sallyport/auth/text.h"
#include "sallyport/http/grammar.h"
#include "sallyport/http/message_signature.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t max_keys = 100'000;
constexpr std::size_t max_name = 256;

Error invalid(std::string detail) { return {Reason::config_invalid, std::move(detail)}; }
Error within(const std::string& where, const Error& error) { return invalid(where + ": " + error.detail); }

Result<void> check_members(const json::Value& value, std::initializer_list<std::string_view> known) {
  for (const auto& [name, member] : *value.object()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) return invalid("unknown member \"" + name + "\"");
  }
  return {};
}

Result<std::string> text_member(const json::Value& value, std::string_view name) {
  const json::Value* member = value.find(name);
  if (!member) return std::string();
  const std::string* text = member->string();
  if (!text || text->empty() || text->size() > max_name || !is_clean(*text))
    return invalid("\"" + std::string(name) + "\" is no text of 1 to 256 bytes without control characters");
  return *text;
}

Result<std::vector<std::string>> list_member(const json::Value& value, std::string_view name) {
  std::vector<std::string> list;
  const json::Value* member = value.find(name);
  if (!member) return list;
  if (!member->array()) return invalid("\"" + std::string(name) + "\" is no list");
  for (const json::Value& item : *member->array()) {
    if (!item.string() || item.string()->empty() || !is_clean(*item.string()))
      return invalid("\"" + std::string(name) + "\" holds something else than clean texts");
    list.push_back(*item.string());
  }
  return list;
}

Result<json::Object> labels_of(const json::Value& value) {
  json::Object labels;
  const json::Value* member = value.find("labels");
  if (!member) return labels;
  if (!member->object()) return invalid("\"labels\" is no object");
  for (const auto& [name, label] : *member->object()) {
    if (name.empty() || !is_clean(name) || !label.string() || !is_clean(*label.string()))
      return invalid("\"labels\" holds something else than clean texts");
    if (name == "client" || name == "kid") return invalid("a label cannot be called \"" + name + '"');
    labels.emplace_back(name, label);
  }
  return labels;
}

Result<std::optional<WallTime>> time_member(const json::Value& value, std::string_view name) {
  const json::Value* member = value.find(name);
  if (!member) return std::optional<WallTime>();
  const auto time = member->string() ? parse_key_time(*member->string()) : invalid({});
  if (!time.ok()) return invalid("\"" + std::string(name) + "\" is no time such as 2026-11-22T18:00:00Z");
  return std::optional<WallTime>(*time);
}

// The only algorithm that the key serves.
Result<crypto::Algorithm> algorithm_of(const jose::Jwk& key) {
  std::vector<crypto::Algorithm> fitting;
  for (const crypto::Algorithm algorithm : crypto::all_algorithms) {
    if (key.fits(algorithm) && http::signature_algorithm_name(algorithm)) fitting.push_back(algorithm);
  }
  if (fitting.empty())
    return invalid(
        "request signatures are made with HS256, EdDSA, ES256, ES384 or PS512; this key serves none of them");
  if (fitting.size() > 1) return invalid("the key lacks \"alg\"");
  return fitting.front();
}

Result<ClientKey> parse_key(const json::Value& value, const std::shared_ptr<const Client>& client) {
  if (!value.object()) return invalid("no JSON object");
  json::Object jwk;
  for (const auto& [name, member] : *value.object()) {
    if (name != "not_before" && name != "not_after") jwk.emplace_back(name, member);
  }
  const json::Value whole(std::move(jwk));
  TRY(std::string kid, text_member(whole, "kid"));
  if (kid.empty()) return invalid("\"kid\" is missing");
  if (!std::all_of(kid.begin(), kid.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
    return invalid("\"kid\" holds bytes beyond ASCII, which no signature can name");
  TRY(jose::Jwk key, jose::Jwk::parse(whole, {jose::KeyKinds::any, jose::WeakSecrets::refused}));
  if (const std::string* kty = whole.find_string("kty"); kty && (*kty == "oct" || *kty == "RSA") && !whole.find("alg"))
    return invalid("a key of this type needs \"alg\"");
  TRY(const crypto::Algorithm algorithm, algorithm_of(key));
  TRY(const auto not_before, time_member(value, "not_before"));
  TRY(const auto not_after, time_member(value, "not_after"));
  if (not_before && not_after && *not_after <= *not_before) return invalid("\"not_after\" is not after \"not_before\"");
  return ClientKey{std::move(kid), std::move(key), algorithm, not_before, not_after, client};
}

Result<std::shared_ptr<const Client>> parse_client(const json::Value& value) {
  TRY_OK(check_members(value, {"name", "subject", "tenant", "scopes", "roles", "labels", "keys"}));
  auto client = std::make_shared<Client>();
  TRY(client->name, text_member(value, "name"));
  if (client->name.empty()) return invalid("\"name\" is missing");
  TRY(client->subject, text_member(value, "subject"));
  if (client->subject.empty()) client->subject = client->name;
  TRY(client->tenant, text_member(value, "tenant"));
  TRY(client->scopes, list_member(value, "scopes"));
  TRY(client->roles, list_member(value, "roles"));
  TRY(client->labels, labels_of(value));
  return std::shared_ptr<const Client>(std::move(client));
}

// The number in exactly `size` digits at the start of `text`, which is taken off; -1 when there are not so many.
int take_digits(std::string_view& text, std::size_t size) {
  int value = 0;
  if (text.size() < size) return -1;
  for (std::size_t i = 0; i < size; ++i) {
    if (!http::is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(size);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool Client::operator==(const Client& other) const {
  return name == other.name && subject == other.subject && tenant == other.tenant && scopes == other.scopes &&
         roles == other.roles && json::dump(labels) == json::dump(other.labels);
}

Result<WallTime> parse_key_time(std::string_view text) {
  std::string_view rest = text;
  const int year = take_digits(rest, 4);
  const bool day_follows = year >= 0 && take(rest, '-');
  const int month = day_follows ? take_digits(rest, 2) : -1;
  const int day = month >= 0 && take(rest, '-') ? take_digits(rest, 2) : -1;
  const int hour = day >= 0 && take(rest, 'T') ? take_digits(rest, 2) : -1;
  const int minute = hour >= 0 && take(rest, ':') ? take_digits(rest, 2) : -1;
  const int second = minute >= 0 && take(rest, ':') ? take_digits(rest, 2) : -1;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (second < 0 || rest != "Z" || !date.ok() || hour > 23 || minute > 59 || second > 59)
    return invalid("no time such as 2026-11-22T18:00:00Z");
  return WallTime(std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                  std::chrono::seconds(second));
}

Result<Clients> Clients::parse(std::string_view text) {
  auto document = json::parse(text);
  if (!document.ok()) return invalid("no JSON: " + document.error().detail);
  if (!document->object()) return invalid("no JSON object");
  TRY_OK(check_members(*document, {"clients"}));
  const json::Value* list = document->find("clients");
  if (!list || !list->array()) return invalid("no list \"clients\"");
  Clients out;
  std::set<std::string, std::less<>> names;
  for (std::size_t i = 0; i < list->array()->size(); ++i) {
    const json::Value& value = (*list->array())[i];
    std::string where = "client " + std::to_string(i + 1);
    if (!value.object()) return invalid(where + ": no JSON object");
    const auto client = parse_client(value);
    if (!client.ok()) return within(where, client.error());
    where = "client \"" + (*client)->name + '"';
    if (!names.insert((*client)->name).second) return invalid(where + " is there twice");
    const json::Value* keys = value.find("keys");
    if (!keys || !keys->array()) return invalid(where + ": no list \"keys\"");
    for (std::size_t k = 0; k < keys->array()->size(); ++k) {
      auto key = parse_key((*keys->array())[k], *client);
      if (!key.ok()) return within(where + ", key " + std::to_string(k + 1), key.error());
      if (out.keys_.size() == max_keys) return invalid("more than 100,000 keys");
      const std::string kid = key->kid;
      if (!out.keys_.try_emplace(kid, std::move(*key)).second)
        return invalid(where + ", key " + std::to_string(k + 1) + ": another key has the same \"kid\"");
    }
  }
  return out;
}

const ClientKey* Clients::find(std::string_view kid) const {
  const auto found = keys_.find(kid);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace sallyport::auth
