#include "sallyport/auth/anonymous/config.h"

#include "sallyport/auth/text.h"

namespace sallyport::auth {

config::Schema<AnonymousConfig> anonymous_schema() {
  using namespace std::chrono_literals;
  return config::schema<AnonymousConfig>(
      "auth.dangerous_anonymous", "Lets in whoever presents no credential at all.",
      config::field(&AnonymousConfig::subject, "subject", "The subject that all of them share.", config::length(1, 256),
                    config::checked<std::string>([](const std::string& text) -> std::optional<std::string> {
                      if (is_clean(text)) return std::nullopt;
                      return "text without control characters and without spaces at its ends expected";
                    })),
      config::field(&AnonymousConfig::lifetime, "lifetime", "How long such a connection may last.",
                    config::between(1s, 24h)));
}

}  // namespace sallyport::auth
