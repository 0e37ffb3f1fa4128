#include "sallyport/admin/endpoint.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "sallyport/config/file.h"
#include "sallyport/config/node.h"

namespace sallyport::admin {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c | 0x20);
  return out;
}

config::Node load_contract() {
  const auto text = config::load_text(SALLYPORT_SOURCE_DIR "/src/sallyport/admin/api.yaml");
  REQUIRE(text.ok());
  config::Problems problems;
  auto contract = config::parse_yaml(*text, "api.yaml", problems);
  CHECK(problems.text() == "");
  REQUIRE(contract);
  return *std::move(contract);
}

}  // namespace

TEST_CASE("the contract and the table name the same endpoints") {
  const config::Node contract = load_contract();
  const config::Node* paths = contract.find("paths");
  REQUIRE(paths);
  std::set<std::string> described;
  for (const auto& path : paths->entries) {
    for (const auto& method : path.value.entries) described.insert(method.key + " " + path.key);
  }
  std::set<std::string> served;
  for (const Endpoint& endpoint : endpoints()) served.insert(lower(endpoint.method) + " " + std::string(endpoint.path));
  CHECK(described == served);
}

TEST_CASE("the contract says for each endpoint who may call it and whether it takes a body") {
  const config::Node contract = load_contract();
  for (const Endpoint& endpoint : endpoints()) {
    CAPTURE(endpoint.path);
    const config::Node* operation = contract.find("paths")->find(endpoint.path)->find(lower(endpoint.method));
    REQUIRE(operation);
    const config::Node* security = operation->find("security");
    const bool open = security && security->items.empty();
    CHECK(open == (endpoint.access == Access::open));
    CHECK((operation->find("requestBody") != nullptr) == (endpoint.body == Body::json));
  }
}

TEST_CASE("an endpoint is found by method and path, its parameter taken out") {
  const auto close = match_endpoint("DELETE", "/v1/connections/abc-_1");
  REQUIRE(close.ok());
  CHECK(close->endpoint->path == "/v1/connections/{id}");
  CHECK(close->parameter == "abc-_1");
  const auto list = match_endpoint("GET", "/v1/connections");
  REQUIRE(list.ok());
  CHECK(list->parameter == "");
}

TEST_CASE("what is no endpoint is not found") {
  for (const char* path : {"/", "/v1", "/v1/connection", "/v1/connections/", "/v1/connections/a/b", "/v2/connections",
                           "/healthz/", "/Healthz"}) {
    CAPTURE(path);
    const auto match = match_endpoint("DELETE", path);
    REQUIRE(!match.ok());
    CHECK(match.error().reason == Reason::request_not_found);
  }
}

TEST_CASE("another method is refused, and the right ones are told") {
  const auto match = match_endpoint("PUT", "/v1/revocations");
  REQUIRE(!match.ok());
  CHECK(match.error().reason == Reason::http_method_not_allowed);
  CHECK(allowed_methods("/v1/revocations") == "GET, POST");
  CHECK(allowed_methods("/v1/tokens/x") == "DELETE");
  CHECK(!match_endpoint("get", "/healthz").ok());
}

TEST_CASE("an error is told by its public name, with the detail that operators may know") {
  const Answer answer = make_answer(Error{Reason::request_invalid, "member \"x\""});
  CHECK(answer.status == 400);
  CHECK(answer.content_type == "application/json");
  CHECK(answer.body == "{\"error\":\"request.invalid\",\"detail\":\"member \\\"x\\\"\"}\n");
}

}  // namespace sallyport::admin
