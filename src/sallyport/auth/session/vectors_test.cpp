// Every sample that a real framework has made, its secrets with it: read as the framework reads it, and not a bit of it changed.

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "sallyport/auth/session/authjs.h"
#include "sallyport/auth/session/django.h"
#include "sallyport/auth/session/express.h"
#include "sallyport/auth/session/flask.h"
#include "sallyport/auth/session/laravel.h"
#include "sallyport/auth/session/php.h"
#include "sallyport/auth/session/rails.h"
#include "sallyport/auth/session/spring.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth::session {
namespace {

json::Value read_vectors(const std::string& name) {
  std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/sessions/" + name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name);
  auto parsed = json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
  REQUIRE_MESSAGE(parsed.ok(), name);
  return std::move(*parsed);
}

const json::Array& samples(const json::Value& file) { return *file.find("samples")->array(); }
std::string text(const json::Value& value, const char* name) {
  const std::string* found = value.find_string(name);
  REQUIRE_MESSAGE(found, name);
  return *found;
}
// What stands behind the first `=` of a Cookie header with one cookie.
std::string cookie_in(const json::Value& value, const char* name) {
  const std::string header = text(value, name);
  return header.substr(header.find('=') + 1);
}
std::string bytes(const json::Value& value, const char* name) { return base64_decode(text(value, name)).value(); }

std::string show(const SessionData& data, std::string_view path) {
  const auto found = DataPath::parse(path).value().find(data);
  if (!found) return "error: " + found.error().detail;
  return *found ? json::dump(**found) : "nothing";
}

// Whoever changes one character of what is signed or encrypted changes the answer.
void check_each_change(const std::string& cookie, const std::function<bool(std::string_view)>& accepts) {
  REQUIRE(accepts(cookie));
  for (std::size_t i = 0; i < cookie.size(); ++i) {
    std::string changed = cookie;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The second digit of an escape may be spelled in two ways.
    if (changed == cookie) continue;
    INFO("changed at ", i);
    CHECK(!accepts(changed));
    CHECK(!accepts(std::string_view(cookie).substr(0, i)));
  }
  CHECK(!accepts(cookie + "A"));
}

std::vector<crypto::HmacKey> express_keys(const json::Value& sample) {
  std::vector<crypto::HmacKey> keys;
  const json::Value* secret = sample.find("options")->find("secret");
  if (secret->string()) keys.emplace_back(crypto::Algorithm::HS256, bytes_of(*secret->string()));
  if (secret->array()) {
    for (const json::Value& one : *secret->array())
      keys.emplace_back(crypto::Algorithm::HS256, bytes_of(*one.string()));
  }
  return keys;
}

TEST_CASE("session vectors: Express") {
  const json::Value file = read_vectors("express-session.json");
  for (const json::Value& sample : samples(file)) {
    CAPTURE(text(sample, "id"));
    const auto keys = express_keys(sample);
    const auto id = verify_express_cookie(cookie_in(sample, "cookie_header"), keys);
    REQUIRE(id.ok());
    CHECK(*id == text(sample, "session_id"));
    CHECK(text(sample, "redis_key").ends_with(*id));
    CHECK(!verify_express_cookie(cookie_in(*sample.find("library_verdict"), "tampered_cookie"), keys).ok());
    check_each_change(cookie_in(sample, "cookie_header"),
                      [&](std::string_view cookie) { return verify_express_cookie(cookie, keys).ok(); });
    const std::vector<crypto::HmacKey> other = {{crypto::Algorithm::HS256, bytes_of("another")}};
    CHECK(!verify_express_cookie(cookie_in(sample, "cookie_header"), other).ok());
    CHECK(!verify_express_cookie(cookie_in(sample, "cookie_header"), {}).ok());

    const auto data = parse_express_session(text(sample, "redis_value"));
    REQUIRE(data.ok());
    for (const auto& [name, value] : *sample.find("expected_user")->object()) {
      CHECK(show(*data, name) == json::dump(value));
    }
    const json::Value* max_age = sample.find("options")->find("cookie");
    CHECK(data->expires_at.has_value() == (max_age != nullptr));
    if (sample.find("also_valid_cookie_header")) {
      CHECK(verify_express_cookie(cookie_in(sample, "also_valid_cookie_header"), keys).value() == *id);
      CHECK(!verify_express_cookie(cookie_in(sample, "invalid_cookie_header"), keys).ok());
      CHECK(!verify_express_cookie(cookie_in(sample, "unsigned_cookie_header"), keys).ok());
    }
  }
}

TEST_CASE("session vectors: PHP") {
  const json::Value file = read_vectors("php.json");
  for (const json::Value& sample : samples(file)) {
    const std::string handler = text(sample, "serialize_handler");
    CAPTURE(handler);
    const auto serializer = handler == "php"          ? PhpSerializer::php
                            : handler == "php_binary" ? PhpSerializer::php_binary
                                                      : PhpSerializer::php_serialize;
    CHECK(parse_php_session_id(cookie_in(sample, "cookie_header")).value() == text(sample, "session_id"));
    const std::string stored = bytes(sample, "stored_base64");
    const auto data = parse_php_session(stored, serializer);
    REQUIRE(data.ok());
    for (const auto& [name, value] : *sample.find("expected_user")->object()) {
      CHECK(show(*data, name) == json::dump(value));
    }
    CHECK(show(*data, "name_utf8") == "\"Zoë|x;\\\"\"");
    CHECK(show(*data, "ratio") == "1.5");
    CHECK(show(*data, "none") == "nothing");
    // The object is stepped over; who asks for it, or for something in it, is told.
    CHECK(show(*data, "obj").find("object of the PHP class U") != std::string::npos);
    CHECK(show(*data, "obj.id").find("never brought to life") != std::string::npos);
    for (const auto other : {PhpSerializer::php, PhpSerializer::php_binary, PhpSerializer::php_serialize}) {
      CHECK(parse_php_session(stored, other).ok() == (other == serializer));
    }
    for (std::size_t i = 1; i < stored.size(); ++i) {
      const auto part = parse_php_session(std::string_view(stored).substr(0, i), serializer);
      if (part) CHECK(part->values.object()->size() < data->values.object()->size());
    }
  }
}

std::vector<crypto::HmacKey> django_keys(const json::Value& sample, std::string_view salt) {
  return {make_django_key(Secret(text(sample, "SECRET_KEY")), salt)};
}

TEST_CASE("session vectors: Django") {
  const json::Value file = read_vectors("django.json");
  int seen = 0;
  for (const json::Value& sample : samples(file)) {
    const std::string id = text(sample, "id");
    CAPTURE(id);
    const std::string cookie = cookie_in(sample, "cookie_header");
    const std::string user = json::dump(*sample.find("expected_user")->find("_auth_user_id"));
    const bool in_cookie = id == "signed_cookies";
    CHECK(parse_django_session_id(cookie).ok() == !in_cookie);
    const auto stored_keys = django_keys(sample, django_stored_salt);
    const auto cookie_keys = django_keys(sample, django_cookie_salt);
    std::string signed_text;
    if (in_cookie) signed_text = cookie;
    if (id == "db") signed_text = text(*sample.find("db_row"), "session_data");
    if (id == "file") signed_text = text(*sample.find("file"), "content");
    if (!signed_text.empty()) {
      const auto& keys = in_cookie ? cookie_keys : stored_keys;
      const auto data = verify_django_session(signed_text, keys);
      REQUIRE(data.ok());
      CHECK(show(*data, "_auth_user_id") == user);
      CHECK(show(*data, "roles.1") == "\"user\"");
      CHECK(show(*data, "name") == "\"Zoë\"");
      CHECK(data->written_at > from_unix_seconds(1'795'340'000));
      CHECK(data->written_at < from_unix_seconds(1'795'344'000));
      // A row of the database is no cookie, and the other way round.
      CHECK(!verify_django_session(signed_text, in_cookie ? stored_keys : cookie_keys).ok());
      check_each_change(signed_text, [&](std::string_view one) { return verify_django_session(one, keys).ok(); });
      ++seen;
    }
    if (id == "cache_django-redis-json") {
      const auto data = parse_django_cached_session(bytes((*sample.find("redis")->array())[0], "value_base64"));
      REQUIRE(data.ok());
      CHECK(show(*data, "_auth_user_id") == user);
      ++seen;
    }
    if (id == "cache_django-redis") {
      const auto data = parse_django_cached_session(bytes((*sample.find("redis")->array())[0], "value_base64"));
      REQUIRE(!data.ok());
      CHECK(data.error().detail.find("Python pickle") != std::string::npos);
      CHECK(data.error().detail.find("JSONSerializer") != std::string::npos);
      ++seen;
    }
  }
  CHECK(seen == 5);
}

TEST_CASE("session vectors: Flask") {
  const json::Value file = read_vectors("flask.json");
  int seen = 0;
  for (const json::Value& sample : samples(file)) {
    CAPTURE(text(sample, "id"));
    const bool binary = sample.find("secret_base64") != nullptr;
    const Secret secret(binary ? bytes(sample, "secret_base64") : text(sample, "secret"));
    const std::string cookie = cookie_in(sample, "cookie_header");
    if (sample.find("redis_key")) {
      const bool is_signed = cookie.find('.') != std::string::npos;
      std::vector<Secret> keys;
      if (is_signed) keys.push_back(make_flask_session_key(secret));
      const auto id = verify_flask_session_id(cookie, keys);
      REQUIRE(id.ok());
      CHECK("session:" + *id == text(sample, "redis_key"));
      if (is_signed) {
        check_each_change(cookie, [&](std::string_view one) { return verify_flask_session_id(one, keys).ok(); });
      }
      const auto data = parse_flask_session(bytes(sample, "redis_value_base64"));
      REQUIRE(!data.ok());
      CHECK(data.error().detail.find("Python pickle") != std::string::npos);
      ++seen;
      continue;
    }
    std::vector<Secret> keys;
    keys.push_back(make_flask_key(secret));
    const auto data = verify_flask_cookie(cookie, keys);
    const json::Value* valid = sample.find("library_verdict")->find("valid");
    if (!valid) valid = sample.find("library_verdict");
    REQUIRE(data.ok());
    if (valid->find("uid")->is_null()) {
      // Well signed, but older than Flask's 31 days when the library was asked.
      CHECK(*data->written_at + std::chrono::days(31) < from_unix_seconds(1'795'340'000));
      ++seen;
      continue;
    }
    CHECK(show(*data, "user_id") == json::dump(*valid->find("uid")));
    if (!valid->find("roles")->is_null()) CHECK(show(*data, "roles") == json::dump(*valid->find("roles")));
    CHECK(!verify_flask_cookie(cookie_in(*sample.find("library_verdict"), "tampered_cookie"), keys).ok());
    check_each_change(cookie, [&](std::string_view one) { return verify_flask_cookie(one, keys).ok(); });
    std::vector<Secret> other;
    other.push_back(make_flask_key(Secret("another")));
    CHECK(!verify_flask_cookie(cookie, other).ok());
    ++seen;
  }
  CHECK(seen == static_cast<int>(samples(file).size()));
}

TEST_CASE("session vectors: Flask-Session") {
  const json::Value file = read_vectors("flask-session.json");
  CHECK(samples(file).size() == 4);
  for (const json::Value& sample : samples(file)) {
    CAPTURE(text(sample, "id"));
    const std::string cookie = cookie_in(sample, "cookie_header");
    std::vector<Secret> keys;
    if (cookie.find('.') != std::string::npos) keys.push_back(make_flask_session_key(Secret(text(sample, "secret"))));
    CHECK("session:" + verify_flask_session_id(cookie, keys).value() == text(sample, "redis_key"));
    if (const json::Value* tampered = sample.find("tampered"); tampered->object()) {
      CHECK(!verify_flask_session_id(cookie_in(*tampered, "cookie_header"), keys).ok());
    }
    const std::string stored = bytes(sample, "redis_value_base64");
    const auto data = parse_flask_session(stored);
    REQUIRE(data.ok());
    CHECK(show(*data, "user_id") == "42");
    CHECK(show(*data, "_user_id") == "\"42\"");
    CHECK(show(*data, "name") == "\"Zoë\"");
    CHECK(show(*data, "roles") == "[\"admin\",\"user\"]");
    CHECK(show(*data, "ratio") == "1.5");
    CHECK(show(*data, "neg") == "-70000");
    CHECK(show(*data, "_fresh") == "true");
    CHECK(show(*data, "none") == "nothing");
    for (std::size_t i = 0; i < stored.size(); ++i) {
      CHECK(!parse_flask_session(std::string_view(stored).substr(0, i)).ok());
    }
  }
}

TEST_CASE("session vectors: Rails") {
  const json::Value file = read_vectors("rails.json");
  const std::vector<Secret> keys = make_rails_keys(Secret(text(file, "secret_key_base")));
  for (const json::Value& sample : samples(file)) {
    const std::string id = text(sample, "id");
    CAPTURE(id);
    const std::string derived = text(sample, "derived_key_hex");
    const Secret& used = keys[id == "rails7-kdf-sha256" ? 0 : 1];
    CHECK(hex_encode(used.bytes()) == derived);
    const std::string cookie = cookie_in(sample, "cookie_header");
    const auto data = open_rails_cookie(cookie, "_app_session", keys);
    REQUIRE(data.ok());
    CHECK(show(*data, "user_id") == "42");
    CHECK(data->id.size() == 32);
    CHECK(!data->expires_at);
    const bool enveloped = id != "rails-encrypted-gcm-plain";
    CHECK(open_rails_cookie(cookie, "_other_session", keys).ok() == !enveloped);
    if (const json::Value* verdict = sample.find("library_verdict")) {
      CHECK(!open_rails_cookie(cookie_in(*verdict, "tampered_cookie"), "_app_session", keys).ok());
    }
    check_each_change(cookie, [&](std::string_view one) { return open_rails_cookie(one, "_app_session", keys).ok(); });
    CHECK(!open_rails_cookie(cookie, "_app_session", make_rails_keys(Secret("another"))).ok());
  }
}

TEST_CASE("session vectors: Laravel") {
  const json::Value file = read_vectors("laravel.json");
  std::vector<Secret> keys;
  keys.push_back(make_laravel_key(Secret(text(file, "APP_KEY"))).value());
  const std::string name = text(file, "cookie_name");
  for (const std::string& cookie : {cookie_in(file, "cookie_header"), cookie_in(*file.find("gcm"), "cookie_header")}) {
    CAPTURE(cookie);
    CHECK(open_laravel_cookie(cookie, name, keys).value() == text(file, "session_id"));
    CHECK(!open_laravel_cookie(cookie, "another", keys).ok());
    CHECK(!open_laravel_cookie(cookie, name, {}).ok());
    std::vector<Secret> other;
    other.push_back(Secret(std::string(32, 'x')));
    CHECK(!open_laravel_cookie(cookie, name, other).ok());
  }
  // Of the payload each part that is not mere spelling.
  for (const char* part : {"iv", "value", "mac"}) {
    CAPTURE(part);
    json::Object payload;
    for (const auto& [key, value] : *file.find("decoded_payload")->object()) {
      std::string changed = *value.string();
      if (key == part) changed[0] = changed[0] == 'a' ? 'b' : 'a';
      payload.emplace_back(key, changed);
    }
    CHECK(!open_laravel_cookie(base64_encode(bytes_of(json::dump(payload))), name, keys).ok());
  }
  const std::string stored = text(*file.find("file_handler"), "content");
  const std::string as_text = "s:" + std::to_string(stored.size()) + ":\"" + stored + "\";";
  for (const std::string& form : {stored, as_text, base64_encode(bytes_of(stored))}) {
    const auto data = parse_laravel_session(form, keys);
    REQUIRE(data.ok());
    CHECK(show(*data, laravel_web_login) == "42");
    CHECK(show(*data, "roles") == "[\"admin\",\"user\"]");
    CHECK(show(*data, "name") == "\"Zoë\"");
  }
}

TEST_CASE("session vectors: Auth.js and NextAuth.js") {
  const json::Value file = read_vectors("authjs.json");
  CHECK(samples(file).size() == 4);
  for (const json::Value& sample : samples(file)) {
    CAPTURE(text(sample, "id"));
    const std::string name = text(sample, "cookie_name");
    std::vector<AuthjsKeys> keys;
    keys.push_back(make_authjs_keys(Secret(text(sample, "secret")), name));
    std::string cookie;
    if (const json::Value* chunks = sample.find("chunks")) {
      for (const json::Value& chunk : *chunks->array()) cookie += text(chunk, "value");
    } else {
      cookie = text(sample, "cookie");
    }
    const auto data = open_authjs_cookie(cookie, keys);
    REQUIRE(data.ok());
    const json::Value& decoded = *sample.find("decoded");
    CHECK(json::dump(data->values) == json::dump(decoded));
    CHECK(data->id == text(decoded, "jti"));
    CHECK(data->expires_at == from_unix_seconds(*decoded.find("exp")->integer()));
    CHECK(data->written_at == from_unix_seconds(*decoded.find("iat")->integer()));
    if (!sample.find("tampered_cookie")) continue;
    CHECK(!open_authjs_cookie(text(sample, "tampered_cookie"), keys).ok());
    check_each_change(cookie, [&](std::string_view one) { return open_authjs_cookie(one, keys).ok(); });
    std::vector<AuthjsKeys> other;
    other.push_back(make_authjs_keys(Secret("another"), name));
    CHECK(!open_authjs_cookie(cookie, other).ok());
    // The key belongs to one cookie; before version 5 it did not.
    std::vector<AuthjsKeys> elsewhere;
    elsewhere.push_back(make_authjs_keys(Secret(text(sample, "secret")), "another"));
    CHECK(open_authjs_cookie(cookie, elsewhere).ok() == (text(sample, "id") == "nextauth4"));
  }
}

TEST_CASE("session vectors: values as Java writes them") {
  const json::Value file = read_vectors("java-values.json");
  for (const json::Value& sample : samples(file)) {
    CAPTURE(text(sample, "id"));
    const auto data = parse_spring_session({{"lastAccessedTime", "1795372063000"},
                                            {"maxInactiveInterval", "1800"},
                                            {"sessionAttr:it", bytes(sample, "base64")}});
    REQUIRE(data.ok());
    const json::Value& value = *sample.find("value");
    if (value.is_null()) {
      CHECK(show(*data, "it").find("serialized Java object") != std::string::npos);
    } else {
      CHECK(show(*data, "it") == json::dump(value));
    }
    CHECK(data->expires_at == from_unix_seconds(1'795'373'863));
  }
}

}  // namespace
}  // namespace sallyport::auth::session
