#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth {

/// The hash inside the HMAC of a one-time password.
enum class CodeHash : std::uint8_t { sha1, sha256, sha512 };

/// What an authenticator app or token and the gateway have in common.
struct CodeSecret {
  Secret key;
  CodeHash hash = CodeHash::sha1;
  unsigned digits = 6;
  std::chrono::seconds period{30};
  std::string name;  ///< a hash of the key, which names it without giving it away

  /// The number of the time step that `at` is in.
  std::int64_t step_at(WallTime at) const;
  /// The code of a step: `digits` digits.
  /// Spec: RFC 4226 §5.3, RFC 6238 §4.
  std::string code(std::int64_t step) const;
};

/// Secrets by subject; a subject may have several: two devices, a new one beside the old. Moves, does not copy.
class CodeSecrets {
 public:
  /// Reads `{"secrets": [{"subject": "alice", "secret": "BASE32…"}, …]}`.
  /// Trust:  whoever wrote `text` decides whose second factor is good.
  /// Errors: `config.invalid` for any other form, an unknown member, an empty subject or one with a control character, a secret that is
  ///         no base32 (RFC 4648 §6) or under 16 bytes, digits other than 6 to 8, a period other than 15 to 120 seconds.
  static Result<CodeSecrets> parse(std::string_view text);

  /// nullptr when the subject has none.
  const std::vector<CodeSecret>* find(std::string_view subject) const;

 private:
  std::map<std::string, std::vector<CodeSecret>, std::less<>> secrets_;
};

}  // namespace sallyport::auth
