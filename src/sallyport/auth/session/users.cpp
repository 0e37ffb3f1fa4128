#include "sallyport/auth/session/users.h"

#include <algorithm>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view django_salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";
/// Of bcrypt's text: its version, its cost and its salt, all but the hash.
constexpr std::size_t devise_salt_size = 29;

Error gone(const char* why) { return Error{Reason::credential_revoked, std::string("session: ") + why}; }

std::string_view mark_place(Framework framework) {
  switch (framework) {
    case Framework::django:
      return "_auth_user_hash";
    case Framework::laravel:
      return "password_hash_web";
    case Framework::rails:
      return "/warden.user.user.key/1";
    default:
      return {};
  }
}

bool is_mark_of(Framework framework, const Secret& mark, std::string_view password, std::span<const Secret> secrets) {
  if (framework == Framework::rails) {
    return password.size() > devise_salt_size &&
           crypto::equal(mark.bytes(), bytes_of(password.substr(0, devise_salt_size)));
  }
  return std::ranges::any_of(secrets, [&](const Secret& secret) {
    const Secret material(std::string(django_salt) + std::string(secret.reveal()));
    const auto mac = crypto::hmac_sha256(crypto::sha256(material.bytes()), bytes_of(password));
    return crypto::equal(mark.bytes(), bytes_of(hex_encode(mac)));
  });
}

}  // namespace

bool marks_password(Framework framework) { return framework == Framework::django || framework == Framework::rails; }

Secret find_password_mark(Framework framework, const SessionData& data) {
  const std::string_view place = mark_place(framework);
  if (place.empty()) return {};
  const auto path = DataPath::parse(place);
  const auto value = path->find(data);
  return value && *value && (*value)->string() ? Secret(*(*value)->string()) : Secret();
}

Result<void> check_user(Framework framework, const Secret& mark, const std::optional<StoredSession>& user,
                        std::span<const Secret> secrets) {
  SALLYPORT_CHECK(marks_password(framework));
  if (!user) return gone("its user is not in the table of users");
  for (const auto& [name, value] : user->fields) {
    if (name == "is_active" && (value.empty() || value == "0" || value == "f" || value == "false")) {
      return gone("its user is not active");
    }
  }
  if (mark.empty()) return gone("it has no mark of the user's password to compare");
  if (!is_mark_of(framework, mark, user->data, secrets)) return gone("the user's password was changed");
  return {};
}

SessionLayout users_layout(Framework framework) {
  SessionLayout layout;
  if (framework == Framework::django) layout.postgres = {"auth_user", "id", "password", {"is_active"}, ""};
  if (framework == Framework::rails) layout.postgres = {"users", "id", "encrypted_password", {}, ""};
  layout.mysql = layout.postgres;
  layout.sqlite = layout.postgres;
  return layout;
}

}  // namespace sallyport::auth::session
