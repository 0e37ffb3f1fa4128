#include <algorithm>

#include "sallyport/auth/session/authjs.h"
#include "sallyport/auth/session/express.h"
#include "sallyport/auth/session/flask.h"
#include "sallyport/auth/session/laravel.h"
#include "sallyport/auth/session/mapping.h"
#include "sallyport/auth/session/php.h"
#include "sallyport/auth/session/rails.h"
#include "sallyport/auth/session/spring.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/auth/text.h"

namespace sallyport::auth::session {
namespace {

// The first byte says whose data the rest are. For Spring, fields are cut at zeros.
Result<SessionData> read(std::uint8_t kind, std::string_view text) {
  switch (kind % 8) {
    case 0:
      return parse_php_session(text, PhpSerializer::php);
    case 1:
      return parse_php_session(text, PhpSerializer::php_serialize);
    case 2:
      return parse_php_session(text, PhpSerializer::php_binary);
    case 3:
      return parse_flask_session(text);
    case 4:
      return parse_laravel_session(text, {});
    case 5:
      return parse_rails_session(text);
    case 6:
      return parse_express_session(text);
    default:
      break;
  }
  std::vector<std::pair<std::string, std::string>> fields = {{"lastAccessedTime", "1"}, {"maxInactiveInterval", "1"}};
  while (!text.empty()) {
    const auto end = std::min(text.find('\0'), text.size());
    const auto equals = std::min(text.find('='), end);
    fields.emplace_back(text.substr(0, equals),
                        text.substr(std::min(equals + 1, end), end - std::min(equals + 1, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parse_spring_session(fields);
}

}  // namespace
}  // namespace sallyport::auth::session

// Any bytes in a store: a session comes out that is as large as sessions may be, and an identity of it that headers can carry.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  using namespace sallyport::auth::session;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto inflated = auth::session::inflate(text, 4096)) SALLYPORT_CHECK(inflated->size() <= 4096);
  parse_time(text);
  const auto session = read(data[0], text);
  if (!session) {
    SALLYPORT_CHECK(session.error().reason == Reason::credential_invalid);
    return 0;
  }
  SALLYPORT_CHECK(session->values.object() && session->unreadable.size() <= max_unreadable);
  Mapping mapping;
  for (const char* path : {"id", "0", "a.0"}) mapping.subject.push_back(DataPath::parse(path).value());
  mapping.roles = DataPath::parse("roles").value();
  mapping.claims = {"id"};
  const auto proven = read_identity(*session, mapping);
  if (!proven) return 0;
  SALLYPORT_CHECK(!proven->subject.empty() && auth::is_clean(proven->subject) && is_utf8(proven->subject));
  for (const std::string& role : proven->roles) SALLYPORT_CHECK(auth::is_clean(role));
  return 0;
}
