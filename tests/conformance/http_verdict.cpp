// Judges requests for tests/conformance/http_differential.py. Reads lines of base64, each the first bytes of a client, and answers each
// with a line of JSON: {"request", "upgrade"} are `ok`, `incomplete` or the reason; for a request that is read also {"consumed",
// "method", "path", "query", "fields": [[name, value]]}, the texts in base64.

#include <iostream>
#include <string>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/http/testing.h"

namespace {

using namespace sallyport;

json::Value in_base64(std::string_view text) { return json::Value(base64_encode(bytes_of(text))); }

json::Object judge(std::string_view text) {
  const http::Limits limits{.body_bytes = 1'000'000};
  auto request = http::testing::read_request(text, limits, http::Scheme::http);
  json::Object out{{"request", request.verdict()}, {"upgrade", request.verdict()}};
  if (!request.ok()) return out;
  const http::Request& read = request.value->request;
  json::Array fields;
  for (const http::Field field : read.headers())
    fields.push_back(json::Value(json::Array{in_base64(field.name), in_base64(field.value)}));
  out.emplace_back("consumed", static_cast<std::int64_t>(request.value->consumed));
  out.emplace_back("method", in_base64(read.method()));
  out.emplace_back("path", in_base64(read.path()));
  out.emplace_back("query", in_base64(read.query().text()));
  out.emplace_back("fields", json::Value(std::move(fields)));
  const auto upgrade = http::parse_upgrade(std::move(request.value->request));
  out[1].second = json::Value(upgrade.ok() ? "ok" : row(upgrade.error().reason).name);
  return out;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = base64_decode(line);
    if (!text.ok()) {
      std::cerr << text.error().detail << '\n';
      return 2;
    }
    std::cout << json::dump(json::Value(judge(text_of(bytes_of(*text))))) << '\n';
  }
}
