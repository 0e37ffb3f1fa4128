#include "sallyport/config/document.h"

#include <doctest/doctest.h>

#include "sallyport/config/sample_test.h"

using namespace sallyport;
using namespace sallyport::config;

namespace {

// The member at the end of a path of names.
const json::Value& at(const json::Value& value, std::initializer_list<const char*> names) {
  const json::Value* here = &value;
  for (const char* name : names) {
    here = here->find(name);
    REQUIRE_MESSAGE(here != nullptr, name);
  }
  return *here;
}
std::string dump_at(const json::Value& value, std::initializer_list<const char*> names) {
  return json::dump(at(value, names));
}

// A node as an editor's validator sees it: plain scalars have the types of JSON.
json::Value to_json(const Node& node) {
  if (node.kind == Node::Kind::list) {
    json::Array out;
    for (const Node& item : node.items) out.push_back(to_json(item));
    return out;
  }
  if (node.kind == Node::Kind::map) {
    json::Object out;
    for (const Node::Entry& entry : node.entries) out.emplace_back(entry.key, to_json(entry.value));
    return out;
  }
  if (node.is_nothing()) return nullptr;
  if (!node.quoted && (node.text == "true" || node.text == "false")) return node.text == "true";
  if (const auto number = parse_integer(node.text); number && !node.quoted) return *number;
  return node.text;
}

// The part of JSON Schema that json_schema uses, but for patterns.
bool valid(const json::Value& schema, const json::Value& value, const json::Value& root) {
  const auto all = [&](const char* name, auto test) {
    const json::Value* list = schema.find(name);
    std::size_t count = 0;
    if (list == nullptr) return std::pair{false, count};
    for (const json::Value& item : *list->array()) count += test(item) ? 1 : 0;
    return std::pair{true, count};
  };
  const auto fits = [&](const json::Value& part) { return valid(part, value, root); };
  if (const std::string* reference = schema.find_string("$ref")) {
    REQUIRE(*reference == "#/$defs/environment");
    if (!valid(at(root, {"$defs", "environment"}), value, root) || !value.string()->starts_with("env:")) return false;
  }
  if (const std::string* type = schema.find_string("type")) {
    const bool same = *type == "object"    ? value.object() != nullptr
                      : *type == "array"   ? value.array() != nullptr
                      : *type == "string"  ? value.string() != nullptr
                      : *type == "boolean" ? value.boolean() != nullptr
                                           : *type == "integer" && value.integer() != nullptr;
    if (!same) return false;
  }
  if (const json::Value* constant = schema.find("const"); constant && json::dump(*constant) != json::dump(value))
    return false;
  if (const auto [given, count] = all("anyOf", fits); given && count == 0) return false;
  if (const auto [given, count] = all("oneOf", fits); given && count != 1) return false;
  if (const auto [given, count] = all("allOf", fits); given && count != schema.find("allOf")->array()->size())
    return false;
  if (const json::Value* part = schema.find("not"); part && fits(*part)) return false;
  if (const json::Value* low = schema.find("minimum"); low && value.integer() && *value.integer() < *low->integer())
    return false;
  if (const json::Value* high = schema.find("maximum"); high && value.integer() && *value.integer() > *high->integer())
    return false;
  if (value.array()) {
    const json::Value* low = schema.find("minItems");
    if (low && value.array()->size() < static_cast<std::size_t>(*low->integer())) return false;
    if (const json::Value* items = schema.find("items"))
      for (const json::Value& item : *value.array())
        if (!valid(*items, item, root)) return false;
  }
  if (value.object()) {
    if (const auto [given, count] =
            all("required", [&](const json::Value& name) { return value.find(*name.string()) != nullptr; });
        given && count != schema.find("required")->array()->size())
      return false;
    const json::Value* low = schema.find("minProperties");
    const json::Value* high = schema.find("maxProperties");
    if (low && value.object()->size() < static_cast<std::size_t>(*low->integer())) return false;
    if (high && value.object()->size() > static_cast<std::size_t>(*high->integer())) return false;
    const json::Value* properties = schema.find("properties");
    for (const auto& [name, member] : *value.object()) {
      const json::Value* part = properties ? properties->find(name) : nullptr;
      if (part == nullptr && schema.find("additionalProperties")) return false;
      if (part != nullptr && !valid(*part, member, root)) return false;
    }
  }
  return true;
}

bool editor_accepts(const AnySchema& schema, std::string_view text) {
  Problems problems;
  const auto node = parse_yaml(text, "f", problems);
  REQUIRE(problems.text() == "");
  const json::Value root = json_schema(schema);
  return valid(root, to_json(*node), root);
}

}  // namespace

TEST_CASE("the JSON Schema is strict JSON that says what the schema says") {
  const auto parsed = json::parse(json::dump(json_schema(sample::config_schema)));
  REQUIRE(parsed.ok());
  const json::Value& root = *parsed;
  CHECK(dump_at(root, {"$schema"}) == "\"https://json-schema.org/draft/2020-12/schema\"");
  CHECK(dump_at(root, {"additionalProperties"}) == "false");
  CHECK(dump_at(root, {"required"}) == R"(["listen","routes"])");
  CHECK(dump_at(root, {"properties", "verbose"}) ==
        R"({"anyOf":[{"type":"boolean"},{"$ref":"#/$defs/environment"}],"description":"Says more.","default":false})");
  CHECK(dump_at(root, {"properties", "nice", "default"}) == "0");
  CHECK(dump_at(root, {"properties", "listen", "minItems"}) == "1");
  CHECK(dump_at(root, {"properties", "store", "maxProperties"}) == "1");
  const json::Value& route = at(root, {"properties", "routes", "items", "properties"});
  CHECK(dump_at(route, {"limits", "properties", "message_size", "default"}) == "\"64KiB\"");
  CHECK(dump_at(route, {"limits", "properties", "messages", "default"}) == "\"100/s\"");
  CHECK(dump_at(route, {"timing", "anyOf"}) ==
        R"([{"const":"handshake","description":"Before the 101."},{"const":"first_message","description":"After it."},)"
        R"({"$ref":"#/$defs/environment"}])");
  CHECK(dump_at(route, {"authenticate", "items", "properties", "jwt", "required"}) == R"(["issuer"])");
  CHECK(dump_at(root, {"properties", "issuers", "items", "allOf"}) ==
        R"([{"not":{"required":["secret_file","secret"]}},{"oneOf":[{"required":["jwks_url"]},)"
        R"({"anyOf":[{"required":["secret_file"]},{"required":["secret"]}]}]}])");
}

TEST_CASE("an editor accepts what read accepts and marks what it can") {
  CHECK(editor_accepts(sample::issuer_schema, "{name: a, audience: [b], jwks_url: https://x}"));
  CHECK(editor_accepts(sample::issuer_schema, "{name: a, audience: [b], secret_file: x}"));
  CHECK(editor_accepts(sample::issuer_schema, "{name: a, audience: [b], secret: env:X}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, audience: [b], secret: hunter2}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, audience: [b], secret: env:X, secret_file: x}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, audience: [b], jwks_url: https://x, secret_file: x}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, audience: [b]}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, audience: [], jwks_url: https://x}"));
  CHECK(!editor_accepts(sample::issuer_schema, "{name: a, jwks_url: https://x}"));
  CHECK(editor_accepts(sample::limits_schema, "{message_size: 100, messages: 1/s, connections_per_ip: env:X}"));
  CHECK(!editor_accepts(sample::limits_schema, "{connections_per_ip: 0}"));
  CHECK(!editor_accepts(sample::limits_schema, "{mesages: 1/s}"));
  CHECK(!editor_accepts(sample::limits_schema, "[]"));
  const auto either = sample::limits_schema.at_most_one_of({"pause", "messages"});
  CHECK(editor_accepts(either, "{}"));
  CHECK(editor_accepts(either, "{pause: 1s}"));
  CHECK(!editor_accepts(either, "{pause: 1s, messages: 1/s}"));
  CHECK(editor_accepts(sample::route_schema,
                       "{name: a, authenticate: [{jwt: {issuer: b}}, {mtls: {}}], timing: handshake}"));
  CHECK(!editor_accepts(sample::route_schema, "{name: a, authenticate: [{jwt: {issuer: b}, mtls: {}}]}"));
  CHECK(!editor_accepts(sample::route_schema, "{name: a, authenticate: [{}]}"));
  CHECK(!editor_accepts(sample::route_schema, "{name: a, authenticate: [{mtls: {}}], timing: soon}"));
}

TEST_CASE("the reference page") {
  CHECK(reference(sample::limits_schema) ==
        "# limits\n\n"
        "What a connection may use.\n\n"
        "| Key | Type | Default | Meaning |\n"
        "|---|---|---|---|\n"
        "| `message_size` | size, from 1 to 16MiB | `64KiB` | Largest message accepted. |\n"
        "| `messages` | rate | `100/s` | Messages accepted in a time. |\n"
        "| `connections_per_ip` | whole number, from 1 to 10000 | `100` | Connections from one address. |\n"
        "| `pause` | duration, at most 1h | `0s` | Wait between two attempts. |\n");
  const std::string page = reference(sample::config_schema);
  CHECK(page.find("\n## `listen[].tls`\n\nThe certificate of a listener.\n") != std::string::npos);
  CHECK(page.find("| `key_file` or `key: env:NAME` | secret | required | Its private key, in PEM. |\n") !=
        std::string::npos);
  CHECK(page.find("\n## `routes[].authenticate[].jwt`\n\nAccepts signed JSON Web Tokens (RFC 7519).\n") !=
        std::string::npos);
  CHECK(page.find("| `store` | map with one key of memory, sqlite | `{memory: {}}` |") != std::string::npos);
  CHECK(page.find("| `limits` | map | as below |") != std::string::npos);
  CHECK(page.find("| `tls` | map | none |") != std::string::npos);
  CHECK(page.find("Exactly one of `jwks_url`, `secret` is given.\n") != std::string::npos);
  CHECK(page.find("| `address` | IP address and port | required | Address and port to listen on. Example: "
                  "`0.0.0.0:8443`. |\n") != std::string::npos);
}

TEST_CASE("explain") {
  const std::string message_size =
      "routes[].limits.message_size\n"
      "  Largest message accepted.\n"
      "  Type:     size\n"
      "  Allowed:  from 1 to 16MiB\n"
      "  Default:  64KiB\n"
      "  Example:  message_size: 64KiB\n";
  for (const char* key : {"routes.limits.message_size", "routes[0].limits.message_size", "routes[].limits.message_size",
                          "limits.message_size", "message_size"}) {
    const auto text = explain(sample::config_schema, key);
    REQUIRE(text.ok());
    CHECK(*text == message_size);
  }
  CHECK(*explain(sample::config_schema, "listen.tls.key_file") ==
        "listen[].tls.key\n  Its private key, in PEM.\n  Type:     secret\n  Default:  required\n"
        "  Example:  key_file: secrets/key, or key: env:NAME\n");
  CHECK(*explain(sample::config_schema, "jwt") ==
        "routes[].authenticate[].jwt\n  Accepts signed JSON Web Tokens (RFC 7519).\n  Keys:     issuer, leeway\n");
  CHECK(*explain(sample::config_schema, "dangerous_plaintext") ==
        "listen[].dangerous_plaintext\n  Accepts plain connections from other machines.\n  Type:     true or false\n"
        "  Default:  false\n  Danger:   must be listed under acknowledge\n");
  // Several settings are called so.
  CHECK(explain(sample::config_schema, "name")->find("issuers[].name\n") != std::string::npos);
  CHECK(explain(sample::config_schema, "name")->find("\nroutes[].name\n") != std::string::npos);
  const auto near = explain(sample::config_schema, "mesage_size");
  REQUIRE(!near.ok());
  CHECK(near.error().reason == Reason::request_not_found);
  CHECK(near.error().detail == "no setting is called \"mesage_size\". Did you mean message_size?");
  CHECK(explain(sample::config_schema, "routes.limit.message_size").error().detail ==
        "no setting is called \"routes.limit.message_size\". Did you mean routes.limits.message_size?");
  CHECK(explain(sample::config_schema, "zzz").error().detail == "no setting is called \"zzz\"");
  CHECK(!explain(sample::config_schema, "").ok());
}

TEST_CASE("the table of plugs") {
  CHECK(plug_table(sample::plugs()) ==
        "| Plug | Maturity | Made for | Specifications | |\n|---|---|---|---|---|\n"
        "| `jwt` | stable | hostile clients | RFC 7519, RFC 8725 | Accepts signed JSON Web Tokens (RFC 7519). |\n"
        "| `mtls` | preview | trusted peers only | RFC 8446 | Accepts client certificates. |\n");
}
