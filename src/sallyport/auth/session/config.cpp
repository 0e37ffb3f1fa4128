#include "sallyport/auth/session/config.h"

#include "sallyport/auth/session/data.h"
#include "sallyport/auth/session/laravel.h"
#include "sallyport/auth/session/users.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

enum class Use : std::uint8_t { needed, possible, none };

// Whether a secret of the application's says anything about its cookies.
Use secret_of(Framework framework, Place place) {
  switch (framework) {
    case Framework::express:
    case Framework::laravel:
      return Use::needed;
    case Framework::php:
    case Framework::spring:
      return Use::none;
    case Framework::django:
    case Framework::flask:
      return place == Place::cookie ? Use::needed : Use::possible;
    case Framework::rails:
    case Framework::authjs:
      return place == Place::cookie ? Use::needed : Use::none;
  }
  return Use::none;
}

// Whether its sessions lie in a store.
Use store_of(Framework framework) {
  switch (framework) {
    case Framework::express:
    case Framework::php:
    case Framework::laravel:
    case Framework::spring:
      return Use::needed;
    case Framework::django:
    case Framework::flask:
    case Framework::rails:
    case Framework::authjs:
      return Use::possible;
  }
  return Use::none;
}

std::string_view name_of(Framework framework) {
  constexpr std::string_view names[] = {"express", "php", "django", "flask", "rails", "laravel", "spring", "authjs"};
  return names[static_cast<std::size_t>(framework)];
}

void check_session(const SessionConfig& settings, config::Check& check) {
  const std::string framework(name_of(settings.framework));
  const Place place = settings.store ? Place::store : Place::cookie;
  if (!settings.store && store_of(settings.framework) == Use::needed) {
    check.problem("", framework + " keeps its sessions in a store, and `store` is missing",
                  "Write store: { redis: { url: … } } or where else they lie");
  }
  const Use secret = secret_of(settings.framework, place);
  if (settings.secret.empty() && secret == Use::needed) {
    check.problem("", framework + " protects its cookie with a secret, and `secret_file` is missing",
                  "Write secret_file: PATH or secret: env:NAME, the same secret as the application's");
  }
  if (!settings.secret.empty() && secret == Use::none) {
    check.problem("secret", "nothing in such a session of " + framework + " is protected with a secret", "Remove it");
  }
  if (settings.secret.empty() && !settings.older_secrets.empty()) {
    check.problem("older_secrets", "means nothing without a present one", "Add secret_file");
  }
  if (settings.cookie.empty() && default_cookie(settings.framework).empty()) {
    check.problem("", framework + " has no cookie name of its own, and `cookie` is missing",
                  "Write cookie: _myapp_session, as the application calls it");
  }
  if (settings.serializer && settings.framework != Framework::php) {
    check.problem("serializer", "is PHP's; what else is read tells by its first bytes how it is serialized",
                  "Remove it");
  }
}

bool is_database(const SessionStoreConfig& store) {
  return std::holds_alternative<PostgresSessions>(store) || std::holds_alternative<MysqlSessions>(store) ||
         std::holds_alternative<SqliteSessions>(store);
}

void check_users(const SessionConfig& settings, config::Check& check) {
  if (!settings.users) return;
  const std::string framework(name_of(settings.framework));
  if (!session::marks_password(settings.framework)) {
    check.problem("users", "sessions of " + framework + " have no mark of the user's password that could be compared",
                  "Remove it");
  } else if (!is_database(*settings.users)) {
    check.problem("users", "users lie in a database", "Write postgres, mysql or sqlite");
  } else if (settings.framework == Framework::django && settings.secret.empty()) {
    check.problem("users", "Django's mark of a password is made with its SECRET_KEY", "Add secret_file");
  }
}

using Complaint = std::optional<std::string>;

auto is_path() {
  return config::checked<std::string>([](const std::string& text) -> Complaint {
    if (text.empty()) return std::nullopt;
    const auto path = session::DataPath::parse(text);
    return path ? Complaint() : Complaint(path.error().detail);
  });
}

}  // namespace

std::vector<config::EnumName<Framework>> enum_names(Framework) {
  return {{Framework::express, "express", "Express with express-session."},
          {Framework::php, "php", "PHP's own sessions."},
          {Framework::django, "django", "Django; without `store` its signed cookies."},
          {Framework::flask, "flask", "Flask; without `store` its signed cookies, with one Flask-Session."},
          {Framework::rails, "rails", "Rails 5.2 and later; without `store` its encrypted cookies."},
          {Framework::laravel, "laravel", "Laravel."},
          {Framework::spring, "spring", "Spring Session."},
          {Framework::authjs, "authjs",
           "Auth.js 5 and NextAuth.js 4; without `store` their encrypted cookies, with one the strategy `database`."}};
}

namespace session {
std::vector<config::EnumName<PhpSerializer>> enum_names(PhpSerializer) {
  return {{PhpSerializer::php, "php", "Names, a bar, values: PHP's default."},
          {PhpSerializer::php_serialize, "php_serialize", "One array."},
          {PhpSerializer::php_binary, "php_binary", "Names with their length before them."}};
}
}  // namespace session

std::string default_cookie(Framework framework) {
  switch (framework) {
    case Framework::express:
      return "connect.sid";
    case Framework::php:
      return "PHPSESSID";
    case Framework::django:
      return "sessionid";
    case Framework::flask:
      return "session";
    case Framework::rails:
      return "";
    case Framework::laravel:
      return "laravel_session";
    case Framework::spring:
      return "SESSION";
    case Framework::authjs:
      return "__Secure-authjs.session-token";
  }
  return "";
}

std::vector<std::string> default_identity(Framework framework, Place place) {
  switch (framework) {
    case Framework::express:
      return {"passport.user"};
    case Framework::php:
      return {"user_id"};
    case Framework::django:
      return {"_auth_user_id"};
    case Framework::flask:
      return {"_user_id"};
    case Framework::rails:
      return {"/warden.user.user.key/0/0"};
    case Framework::laravel:
      return {std::string(session::laravel_web_login)};
    case Framework::spring:
      return {"principal_name", "SPRING_SECURITY_CONTEXT.authentication.principal.username"};
    case Framework::authjs:
      return place == Place::store ? std::vector<std::string>{"userId"} : std::vector<std::string>{"sub"};
  }
  return {};
}

std::chrono::seconds default_max_age(Framework framework) {
  if (framework == Framework::django) return 14 * 24h;
  if (framework == Framework::flask) return 31 * 24h;
  return 24h;
}

config::Schema<SessionConfig> session_schema() {
  using config::example;
  using config::field;
  const auto secrets = config::schema<SessionSecret>(
      "auth.session.secret", "A secret that was in use before.",
      field(&SessionSecret::secret, "secret", "As it stood in the application.", config::required));
  return config::schema<SessionConfig>(
             "auth.session",
             "Accepts the session that a web framework keeps for a user who is logged in there, by the cookie that the "
             "browser has of it.",
             field(&SessionConfig::framework, "framework", "Whose sessions they are.", config::required),
             field(&SessionConfig::cookie, "cookie",
                   "The name of the cookie. Absent: the framework's default (`connect.sid`, `PHPSESSID`, `sessionid`, "
                   "`session`, `laravel_session`, `SESSION`, `__Secure-authjs.session-token`); Rails has none.",
                   example("connect.sid"), config::checked<std::string>([](const std::string& text) -> Complaint {
                     if (text.empty() || http::is_token(text)) return std::nullopt;
                     return "the name of a cookie expected, found " + config::quoted(text);
                   })),
             field(&SessionConfig::secret, "secret",
                   "The application's secret: of express-session, SECRET_KEY, secret_key_base, APP_KEY, AUTH_SECRET. "
                   "With a store of Django or Flask-Session it is for sessions, or ids, that are signed there; "
                   "without it they are taken unsigned."),
             field(&SessionConfig::older_secrets, "older_secrets",
                   "Secrets that were in use before and still count, while they are rotated.", secrets),
             field(&SessionConfig::serializer, "serializer",
                   "PHP's `session.serialize_handler`. Absent: `php`. The other frameworks' serializers are told apart "
                   "by their data; Python pickles, Ruby Marshal dumps and Java objects are never loaded."),
             field(&SessionConfig::identity, "identity",
                   "Where in the session the user's id stands: `user.id`, or a JSON pointer (`/user/id`) where a name "
                   "has a dot in "
                   "it; a number leads into a list. A session without one there is refused. Absent: `passport.user`, "
                   "`user_id` (PHP), `_auth_user_id`, `_user_id` (Flask-Login), `/warden.user.user.key/0/0` (Devise), "
                   "`login_web_…` (Laravel), `principal_name` or Spring Security's user name, `sub` or `userId` "
                   "(Auth.js).",
                   example("user.id"), is_path()),
             field(&SessionConfig::tenant, "tenant", "Where the tenant stands.", example("user.org"), is_path()),
             field(&SessionConfig::scopes, "scopes", "Where the scopes stand: a list, or a text with spaces between.",
                   example("user.scopes"), is_path()),
             field(&SessionConfig::roles, "roles", "Where the roles stand: a list, or a text.", example("user.roles"),
                   is_path()),
             field(&SessionConfig::amr, "amr",
                   "Where the methods of authentication stand (RFC 8176): a list, or a text.", example("user.amr"),
                   is_path()),
             field(&SessionConfig::acr, "acr", "Where the class of authentication stands.", example("user.acr"),
                   is_path()),
             field(&SessionConfig::authenticated_at, "authenticated_at",
                   "Where it stands when the user logged in: seconds or milliseconds since 1970, or a text such as "
                   "`2026-01-31T12:00:00Z`.",
                   example("user.logged_in_at"), is_path()),
             field(&SessionConfig::max_age, "max_age",
                   "How long a signed cookie of Django or Flask counts after the time in it; of other sessions, how "
                   "long one whose end nobody states counts after it was proved. Absent: 14 days for Django, 31 days "
                   "for Flask, a day for others.",
                   config::between(1s, std::chrono::seconds(400 * 24h))),
             field(&SessionConfig::store, "store",
                   "Where sessions lie, read only. Absent: in their cookies, which cannot be taken back before they "
                   "end.",
                   config::one_of(session_stores())),
             field(&SessionConfig::users, "users",
                   "The application's table of users, for Django (`auth_user`) and for Rails with Devise (`users`): "
                   "`key` "
                   "is the column of their ids, `data` that of the hashed password. With it a changed password, a user "
                   "who is not active (`is_active`) or was deleted ends the session, also one that lies in its cookie, "
                   "at the next question of `recheck`.",
                   config::one_of(session_stores())))
      .validated_by(check_session)
      .validated_by(check_users);
}

}  // namespace sallyport::auth
