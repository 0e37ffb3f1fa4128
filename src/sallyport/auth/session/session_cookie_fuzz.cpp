#include "sallyport/auth/session/format.h"

namespace sallyport::auth::session {
namespace {

const std::vector<std::unique_ptr<const Format>>& formats() {
  static const auto made = [] {
    std::vector<std::unique_ptr<const Format>> all;
    for (const Framework framework : {Framework::express, Framework::php, Framework::django, Framework::flask,
                                      Framework::rails, Framework::laravel, Framework::spring, Framework::authjs}) {
      for (const bool stored : {false, true}) {
        SessionConfig config;
        config.framework = framework;
        config.cookie = "cookie";
        if (stored) config.store = RedisSessions{};
        std::vector<Secret> secrets;
        secrets.emplace_back("0123456789abcdef0123456789abcdef");
        all.push_back(make_format(config, secrets).value());
      }
    }
    return all;
  }();
  return made;
}

}  // namespace
}  // namespace sallyport::auth::session

// Any cookie, before the formats of all frameworks: what nobody signed is no session, and what becomes the key of a store can be put
// to it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  using namespace sallyport::auth::session;
  const std::string_view cookie(reinterpret_cast<const char*>(data), size);
  for (const auto& format : formats()) {
    const auto reading = format->read_cookie(cookie);
    if (!reading) {
      SALLYPORT_CHECK(reading.error().reason == Reason::credential_invalid);
      continue;
    }
    const auto* key = std::get_if<SessionKey>(&*reading);
    SALLYPORT_CHECK(key && auth::check_session_key(key->text).ok());
  }
  return 0;
}
