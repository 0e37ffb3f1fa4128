#include <algorithm>

#include "sallyport/auth/claims.h"
#include "sallyport/auth/opening/opening_parts.h"

namespace sallyport::auth {
namespace {

Error malformed(std::string what) { return {Reason::message_malformed, std::move(what)}; }

// `value` without the member that is `gone`, which lies somewhere in it; an element of a list becomes null, so that the others stay where
// they are.
json::Value without(const json::Value& value, const json::Value* gone) {
  if (const json::Array* array = value.array()) {
    json::Array rest;
    for (const json::Value& one : *array) rest.push_back(&one == gone ? json::Value() : without(one, gone));
    return rest;
  }
  const json::Object* object = value.object();
  if (!object) return value;
  json::Object rest;
  for (const auto& [name, member] : *object) {
    if (&member != gone) rest.emplace_back(name, without(member, gone));
  }
  return rest;
}

Result<json::Value> parse_object(std::string_view text) {
  Result<json::Value> value = json::parse(text);
  if (!value.ok()) return malformed("the first message is no strict JSON");
  if (!value->object()) return malformed("the first message is no JSON object");
  return value;
}

Result<Opening> opening_of(Result<Taken> taken) {
  if (!taken.ok()) return std::move(taken).error();
  return Opening{std::move(taken->token), std::move(taken->rest)};
}

}  // namespace

Result<Taken> take_from_json(const json::Value& value, std::string_view pointer) {
  const json::Value* found = find_claim(value, pointer);
  if (!found) return Error{Reason::credential_missing, "nothing at " + std::string(pointer)};
  if (!found->string()) return malformed("what is at " + std::string(pointer) + " is no text");
  TRY(Secret token, bare_credential(*found->string()));
  return Taken{std::move(token), json::dump(without(value, found))};
}

Result<Opening> parse_json_opening(std::string_view pointer, std::string_view text) {
  TRY(const json::Value value, parse_object(text));
  return opening_of(take_from_json(value, pointer));
}

Result<Opening> parse_graphql_opening(std::string_view pointer, std::string_view text) {
  TRY(const json::Value value, parse_object(text));
  const std::string* type = value.find_string("type");
  if (!type || *type != "connection_init") return malformed("connection_init expected first");
  return opening_of(take_from_json(value, pointer));
}

// Engine.IO 4 `message` (4), Socket.IO 5 CONNECT (0), a namespace that ends in a comma unless it is the main one, data.
Result<Opening> parse_socketio_opening(std::string_view pointer, std::string_view text) {
  if (!text.starts_with("40")) return malformed("a CONNECT packet expected first");
  std::size_t data = 2;
  if (text.size() > data && text[data] == '/') {
    data = text.find(',');
    if (data == std::string_view::npos) return Error{Reason::credential_missing, "a CONNECT packet without data"};
    if (text.substr(0, data).find('{') != std::string_view::npos) return malformed("a namespace with a brace");
    ++data;
  }
  if (data == text.size()) return Error{Reason::credential_missing, "a CONNECT packet without data"};
  TRY(const json::Value value, parse_object(text.substr(data)));
  TRY(Taken taken, take_from_json(value, pointer));
  return Opening{std::move(taken.token), std::string(text.substr(0, data)) + taken.rest};
}

}  // namespace sallyport::auth
