#include "sallyport/cli/client_keys.h"

#include <algorithm>

#include "sallyport/auth/signed_request/clients.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/log.h"
#include "sallyport/crypto/random.h"
#include "sallyport/http/message_signature.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::cli {
namespace {

json::Value* member_of(json::Object& object, std::string_view name) {
  const auto found = std::ranges::find(object, name, &std::pair<std::string, json::Value>::first);
  return found == object.end() ? nullptr : &found->second;
}

void set(json::Object& object, std::string_view name, json::Value value) {
  if (json::Value* present = member_of(object, name)) {
    *present = std::move(value);
  } else {
    object.emplace_back(std::string(name), std::move(value));
  }
}

std::string time_text(WallTime time) { return to_rfc3339(time).substr(0, 19) + "Z"; }

// The two halves of a key: what the client signs with and what verifies it. They are one where the key is a secret.
struct Halves {
  json::Object sign;
  json::Object verify;
  std::string kid;
};

Halves generate(crypto::Algorithm algorithm, const std::optional<std::string>& kid) {
  const auto named = [&](json::Object jwk) {
    if (kid) set(jwk, "kid", *kid);
    return jwk;
  };
  if (crypto::is_symmetric(algorithm)) {
    json::Object secret{{"kty", "oct"},
                        {"k", base64url_encode(bytes_of(crypto::random_bytes(32)))},
                        {"kid", base64url_encode(bytes_of(crypto::random_bytes(12)))},
                        {"alg", crypto::name(algorithm)}};
    secret = named(std::move(secret));
    std::string name = *member_of(secret, "kid")->string();
    return {secret, secret, std::move(name)};
  }
  const jose::SigningKey key = jose::SigningKey::generate(algorithm);
  const json::Value whole = json::parse(key.to_private_jwk().reveal()).value();
  return {named(*whole.object()), named(key.to_public_jwk()), kid.value_or(key.kid())};
}

// A client on a line of its own, and below it each of its keys, so that a change is seen where it is.
std::string text_of(const json::Array& clients) {
  std::string out = "{\"clients\": [";
  for (const json::Value& client : clients) {
    out += &client == clients.data() ? "\n" : ",\n";
    json::Object rest = *client.object();
    std::erase_if(rest, [](const auto& member) { return member.first == "keys"; });
    std::string head = json::dump(json::Value(std::move(rest)));
    head.pop_back();
    out += head + ", \"keys\": [";
    const json::Array& keys = *client.find("keys")->array();
    for (const json::Value& key : keys) out += (&key == keys.data() ? "\n  " : ",\n  ") + json::dump(key);
    out += "]}";
  }
  return out + "\n]}\n";
}

// The other keys end with `end`, unless they end before.
void retire_keys(json::Array& keys, WallTime end) {
  for (json::Value& key : keys) {
    json::Object members = *key.object();
    const std::string* present = key.find_string("not_after");
    const auto present_end = present ? auth::parse_key_time(*present) : Result<WallTime>(end);
    if (present && present_end.ok() && *present_end <= end) continue;
    set(members, "not_after", time_text(end));
    key = std::move(members);
  }
}

}  // namespace

Result<MadeClientKey> make_client_key(std::string_view text, const NewClientKey& wanted, WallTime now) {
  if (!text.empty()) TRY_OK(auth::Clients::parse(text));
  const json::Value document =
      text.empty() ? json::Value(json::Object{{"clients", json::Array{}}}) : *json::parse(text);
  json::Array clients = *document.find("clients")->array();
  auto at =
      std::ranges::find_if(clients, [&](const json::Value& one) { return *one.find_string("name") == wanted.client; });
  if (at == clients.end()) {
    clients.emplace_back(json::Object{{"name", wanted.client}, {"keys", json::Array{}}});
    at = clients.end() - 1;
  }
  json::Object client = *at->object();
  for (const auto& [name, value] : wanted.members) set(client, name, value);
  if (!wanted.labels.empty()) {
    const json::Value* present = at->find("labels");
    json::Object labels = present ? *present->object() : json::Object();
    for (const auto& [name, value] : wanted.labels) set(labels, name, value);
    set(client, "labels", std::move(labels));
  }
  json::Array keys = *member_of(client, "keys")->array();
  if (wanted.retire) retire_keys(keys, now + *wanted.retire);
  Halves halves = generate(wanted.algorithm, wanted.kid);
  MadeClientKey made;
  made.kid = halves.kid;
  if (wanted.valid) {
    made.not_after = now + *wanted.valid;
    halves.verify.emplace_back("not_after", time_text(*made.not_after));
  }
  keys.emplace_back(std::move(halves.verify));
  set(client, "keys", std::move(keys));
  *at = std::move(client);
  made.clients = Secret(text_of(clients));
  TRY_OK(auth::Clients::parse(made.clients.reveal()));
  made.key = Secret("{\"keys\":[" + json::dump(halves.sign) + "]}\n");
  return made;
}

}  // namespace sallyport::cli
