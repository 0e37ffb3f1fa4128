#include "sallyport/auth/session/format.h"

#include "sallyport/auth/session/authjs.h"
#include "sallyport/auth/session/django.h"
#include "sallyport/auth/session/express.h"
#include "sallyport/auth/session/flask.h"
#include "sallyport/auth/session/laravel.h"
#include "sallyport/auth/session/rails.h"
#include "sallyport/auth/session/spring.h"

namespace sallyport::auth::session {
namespace {

using Reading = Result<std::variant<SessionKey, SessionData>>;

Reading key_of(Result<std::string> id) {
  if (!id) return std::move(id).error();
  return std::variant<SessionKey, SessionData>(SessionKey{std::move(*id)});
}
Reading all_of(Result<SessionData> data) {
  if (!data) return std::move(data).error();
  return std::variant<SessionKey, SessionData>(std::move(*data));
}
Error no_store() { return unsound("session: of a kind that lies in its cookie"); }

std::string cookie_of(const SessionConfig& config) {
  return config.cookie.empty() ? default_cookie(config.framework) : config.cookie;
}

template <class Make>
auto for_each(const std::vector<Secret>& secrets, Make make) {
  std::vector<decltype(make(secrets.front()))> made;
  for (const Secret& secret : secrets) made.push_back(make(secret));
  return made;
}

class ExpressFormat final : public Format {
 public:
  explicit ExpressFormat(const std::vector<Secret>& secrets)
      : keys_(for_each(
            secrets, [](const Secret& secret) { return crypto::HmacKey(crypto::Algorithm::HS256, secret.bytes()); })) {}
  Reading read_cookie(std::string_view cookie) const override { return key_of(verify_express_cookie(cookie, keys_)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_express_session(stored.data);
  }

 private:
  std::vector<crypto::HmacKey> keys_;
};

class PhpFormat final : public Format {
 public:
  explicit PhpFormat(PhpSerializer serializer) : serializer_(serializer) {}
  Reading read_cookie(std::string_view cookie) const override { return key_of(parse_php_session_id(cookie)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_php_session(stored.data, serializer_);
  }

 private:
  PhpSerializer serializer_;
};

class DjangoCookieFormat final : public Format {
 public:
  explicit DjangoCookieFormat(const std::vector<Secret>& secrets)
      : keys_(for_each(secrets, [](const Secret& secret) { return make_django_key(secret, django_cookie_salt); })) {}
  Reading read_cookie(std::string_view cookie) const override { return all_of(verify_django_session(cookie, keys_)); }
  Result<SessionData> read_stored(const StoredSession&) const override { return no_store(); }

 private:
  std::vector<crypto::HmacKey> keys_;
};

class DjangoStoredFormat final : public Format {
 public:
  explicit DjangoStoredFormat(const std::vector<Secret>& secrets)
      : keys_(for_each(secrets, [](const Secret& secret) { return make_django_key(secret, django_stored_salt); })) {}
  Reading read_cookie(std::string_view cookie) const override { return key_of(parse_django_session_id(cookie)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    if (keys_.empty()) return parse_django_cached_session(stored.data);
    TRY(auto data, verify_django_session(stored.data, keys_));
    data.written_at.reset();  // its age is no matter: the store says when it ends
    return data;
  }

 private:
  std::vector<crypto::HmacKey> keys_;
};

class FlaskCookieFormat final : public Format {
 public:
  explicit FlaskCookieFormat(const std::vector<Secret>& secrets) : keys_(for_each(secrets, make_flask_key)) {}
  Reading read_cookie(std::string_view cookie) const override { return all_of(verify_flask_cookie(cookie, keys_)); }
  Result<SessionData> read_stored(const StoredSession&) const override { return no_store(); }

 private:
  std::vector<Secret> keys_;
};

class FlaskStoredFormat final : public Format {
 public:
  explicit FlaskStoredFormat(const std::vector<Secret>& secrets) : keys_(for_each(secrets, make_flask_session_key)) {}
  Reading read_cookie(std::string_view cookie) const override { return key_of(verify_flask_session_id(cookie, keys_)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_flask_session(stored.data);
  }

 private:
  std::vector<Secret> keys_;
};

class RailsCookieFormat final : public Format {
 public:
  RailsCookieFormat(std::string cookie, const std::vector<Secret>& secrets) : cookie_(std::move(cookie)) {
    for (const Secret& secret : secrets) {
      for (Secret& key : make_rails_keys(secret)) keys_.push_back(std::move(key));
    }
  }
  Reading read_cookie(std::string_view cookie) const override {
    return all_of(open_rails_cookie(cookie, cookie_, keys_));
  }
  Result<SessionData> read_stored(const StoredSession&) const override { return no_store(); }

 private:
  std::string cookie_;
  std::vector<Secret> keys_;
};

class RailsStoredFormat final : public Format {
 public:
  Reading read_cookie(std::string_view cookie) const override { return key_of(parse_rails_session_id(cookie)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_rails_session(stored.data);
  }
};

class LaravelFormat final : public Format {
 public:
  LaravelFormat(std::string cookie, std::vector<Secret> keys) : cookie_(std::move(cookie)), keys_(std::move(keys)) {}
  Reading read_cookie(std::string_view cookie) const override {
    return key_of(open_laravel_cookie(cookie, cookie_, keys_));
  }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_laravel_session(stored.data, keys_);
  }

 private:
  std::string cookie_;
  std::vector<Secret> keys_;
};

class SpringFormat final : public Format {
 public:
  Reading read_cookie(std::string_view cookie) const override { return key_of(parse_spring_session_id(cookie)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_spring_session(stored.fields);
  }
};

class AuthjsCookieFormat final : public Format {
 public:
  AuthjsCookieFormat(const std::string& cookie, const std::vector<Secret>& secrets)
      : keys_(for_each(secrets, [&](const Secret& secret) { return make_authjs_keys(secret, cookie); })) {}
  Reading read_cookie(std::string_view cookie) const override { return all_of(open_authjs_cookie(cookie, keys_)); }
  Result<SessionData> read_stored(const StoredSession&) const override { return no_store(); }

 private:
  std::vector<AuthjsKeys> keys_;
};

class AuthjsStoredFormat final : public Format {
 public:
  Reading read_cookie(std::string_view cookie) const override { return key_of(parse_authjs_session_token(cookie)); }
  Result<SessionData> read_stored(const StoredSession& stored) const override {
    return parse_authjs_session(stored.fields);
  }
};

Result<std::unique_ptr<const Format>> make_laravel_format(std::string cookie, const std::vector<Secret>& secrets) {
  std::vector<Secret> keys;
  for (const Secret& secret : secrets) {
    TRY(Secret key, make_laravel_key(secret));
    keys.push_back(std::move(key));
  }
  return std::unique_ptr<const Format>(std::make_unique<LaravelFormat>(std::move(cookie), std::move(keys)));
}

}  // namespace

Result<std::unique_ptr<const Format>> make_format(const SessionConfig& config, const std::vector<Secret>& secrets) {
  using Made = std::unique_ptr<const Format>;
  const bool stored = config.store.has_value();
  std::string cookie = cookie_of(config);
  switch (config.framework) {
    case Framework::express:
      return Made(std::make_unique<ExpressFormat>(secrets));
    case Framework::php:
      return Made(std::make_unique<PhpFormat>(config.serializer.value_or(PhpSerializer::php)));
    case Framework::django:
      if (stored) return Made(std::make_unique<DjangoStoredFormat>(secrets));
      return Made(std::make_unique<DjangoCookieFormat>(secrets));
    case Framework::flask:
      if (stored) return Made(std::make_unique<FlaskStoredFormat>(secrets));
      return Made(std::make_unique<FlaskCookieFormat>(secrets));
    case Framework::rails:
      if (stored) return Made(std::make_unique<RailsStoredFormat>());
      return Made(std::make_unique<RailsCookieFormat>(std::move(cookie), secrets));
    case Framework::laravel:
      return make_laravel_format(std::move(cookie), secrets);
    case Framework::spring:
      return Made(std::make_unique<SpringFormat>());
    case Framework::authjs:
      if (stored) return Made(std::make_unique<AuthjsStoredFormat>());
      return Made(std::make_unique<AuthjsCookieFormat>(cookie, secrets));
  }
  return Error{Reason::config_invalid, "no such framework"};
}

SessionLayout layout_of(Framework framework) {
  switch (framework) {
    case Framework::express:
      return express_layout();
    case Framework::php:
      return php_layout();
    case Framework::django:
      return django_layout();
    case Framework::flask:
      return flask_layout();
    case Framework::rails:
      return rails_layout();
    case Framework::laravel:
      return laravel_layout();
    case Framework::spring:
      return spring_layout();
    case Framework::authjs:
      return authjs_layout();
  }
  return {};
}

}  // namespace sallyport::auth::session
