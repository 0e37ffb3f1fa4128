#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/gateway/gateway.h"
#include "sallyport/net/task.h"

/// What the operators' port can be asked for. `api.yaml` beside this file is the contract; a test holds the two together.
namespace sallyport::admin {

/// What an endpoint is given: the part of the path that its pattern leaves open, and the body.
/// Trust: both are hostile; where the endpoint is for operators, they come from someone with the admin token.
struct Call {
  std::string parameter;
  json::Value body;
};

struct Answer {
  int status = 200;
  std::string content_type;
  std::string body;
};

/// An answer in JSON.
Answer make_answer(int status, json::Object members);
/// An Error as an answer: the status of its reason, `{"error": NAME, "detail": ...}`. Whoever asks is an operator and may
/// know the detail.
Answer make_answer(const Error& error);

enum class Access : std::uint8_t {
  open,       ///< anyone who reaches the port; says nothing about anybody
  operators,  ///< whoever presents the admin token
};
enum class Body : std::uint8_t { none, json };

struct Endpoint {
  std::string_view method;
  /// One `{name}` may stand for a whole segment.
  std::string_view path;
  Access access;
  Body body;
  net::Task<Result<Answer>> (*handle)(gateway::Gateway& gateway, Call call);
};

/// Everything there is.
std::span<const Endpoint> endpoints();

struct Match {
  const Endpoint* endpoint;
  std::string parameter;
};

/// The endpoint for `method` and `path`.
/// Trust:  both are hostile.
/// Errors: `request.not_found` when no endpoint has this path; `http.method_not_allowed` when none with this method has.
Result<Match> match_endpoint(std::string_view method, std::string_view path);
/// The methods that `path` knows, as an Allow field lists them.
std::string allowed_methods(std::string_view path);

}  // namespace sallyport::admin
