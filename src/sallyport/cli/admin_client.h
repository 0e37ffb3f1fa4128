#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/cli/arguments.h"

namespace sallyport::cli {

/// The flags by which a verb learns where the gateway's admin API is.
std::vector<Flag> admin_flags();
/// `admin_flags()` behind `flags`.
std::vector<Flag> with_admin_flags(std::vector<Flag> flags);

/// Calls the admin API of a running gateway, blocking.
class AdminClient {
 public:
  /// From the flags. Errors: `request.invalid` when they do not say enough; `config.invalid` when the configuration or the token
  ///         cannot be read, or the address is plain HTTP to another machine, to which no token is ever sent.
  static Result<AdminClient> make(const Arguments& arguments);

  /// The JSON of a good answer. Proxies are not used, redirects not followed, certificates always verified.
  /// Errors: `upstream.unavailable` when nobody answers, or not in JSON; otherwise what the gateway refused with.
  Result<json::Value> call(const std::string& method, const std::string& path,
                           std::optional<json::Object> body = {}) const;

 private:
  AdminClient(std::string url, Secret token, std::string ca_file)
      : url_(std::move(url)), token_(std::move(token)), ca_file_(std::move(ca_file)) {}
  std::string url_;
  Secret token_;
  std::string ca_file_;
};

/// `text` as one segment of a path.
std::string path_segment(std::string_view text);

}  // namespace sallyport::cli
