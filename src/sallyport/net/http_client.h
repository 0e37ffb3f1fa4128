#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"

namespace sallyport::net {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< https://, or http:// where the owner of the setting has allowed it
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string ca_file;                 ///< authorities to verify with; empty: the system's
  std::size_t max_body = 1024 * 1024;  ///< bytes; a longer answer is an Error
};

struct HttpResponse {
  int status = 0;
  std::string content_type;
  std::string cache_control;  ///< the first such line
  std::string body;
};

/// Requests to servers of our own choosing (key sets, introspection), by libcurl on the loop. TLS is always verified, redirects
/// are not followed, and the environment's proxy settings count.
/// Threads: the Loop's own. Lifetime: destroyed before its Loop, after every fetch() has ended or been destroyed.
class HttpClient {
 public:
  explicit HttpClient(Loop& loop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Any HTTP status is a value. Errors: `deadline.late`; `upstream.unavailable` with curl's words.
  Task<Result<HttpResponse>> fetch(HttpRequest request, Deadline deadline);

 private:
  struct Multi;
  std::unique_ptr<Multi> multi_;
};

}  // namespace sallyport::net
