#include "sallyport/auth/totp/config.h"

namespace sallyport::auth {

std::vector<config::EnumName<CodePlace>> enum_names(CodePlace) {
  return {{CodePlace::header, "header", "The field `X-Sallyport-OTP`."},
          {CodePlace::query, "query",
           "The parameter `otp` of the URL, for browsers: good for one use, but seen by logs on the way."}};
}

config::Schema<TotpConfig> totp_schema() {
  using namespace std::chrono_literals;
  using config::field;
  return config::schema<TotpConfig>(
             "auth.totp",
             "A second factor: the time-based one-time password (RFC 6238) of whom the mechanism before it in `all_of` "
             "has proved.",
             field(&TotpConfig::secrets_file, "secrets_file",
                   "Whose codes are made from which secret; must be readable by its owner alone. Read at start and at "
                   "reload.",
                   config::required, config::example("secrets/otp.json")),
             field(
                 &TotpConfig::from, "from",
                 "Where the code may travel beside a request. Inside the socket it stands in `otp` beside the token."),
             field(&TotpConfig::drift, "drift", "How many time steps a clock may be off, either way.",
                   config::between(0, 2)),
             field(&TotpConfig::attempts, "attempts",
                   "Wrong codes of one subject, over all instances that share the store; who is over it waits, even "
                   "with the right code."),
             field(&TotpConfig::lifetime, "lifetime", "How long a connection may live on one code.",
                   config::between(1s, std::chrono::seconds(24h * 30))))
      .validated_by(
          [](const TotpConfig& config, config::Check& check) {
            if (config.from.empty()) check.problem("from", "at least one place to look for the code expected");
            if (config.attempts.count < 1 || config.attempts.count > 100)
              check.problem("attempts", "1 to 100 attempts expected",
                            "A code of six digits falls to a million of them");
          },
          {"from", "attempts"});
}

}  // namespace sallyport::auth
