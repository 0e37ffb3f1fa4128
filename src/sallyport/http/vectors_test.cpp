#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/testing.h"

namespace sallyport::http {
namespace {

using testing::read_upgrade;

json::Value read_vectors(const std::string& name) {
  std::ifstream file(std::string(SALLYPORT_SOURCE_DIR) + "/tests/vectors/http/" + name);
  std::stringstream text;
  text << file.rdbuf();
  auto out = json::parse(text.str());
  REQUIRE(out.ok());
  return std::move(out).value();
}

std::string raw(const json::Value& vector) {
  if (const std::string* text = vector.find_string("raw_base64"))
    return std::string(text_of(bytes_of(base64_decode(*text).value())));
  const json::Value& repeat = *vector.find("raw_repeat");
  std::string filling;
  for (std::int64_t i = 0; i < *repeat.find("times")->integer(); ++i) filling += *repeat.find_string("text");
  if (*repeat.find_string("where") == "target") return testing::upgrade_text("/" + filling);
  return testing::upgrade_text("/ws/echo", "X-A: " + filling + "\r\n");
}

// The verdict of all that this folder decides, in the gateway's order: upgrade, then origin. Empty when it is accepted.
struct Verdict {
  bool incomplete = false;
  std::optional<Error> error;
};
Verdict judge(const std::string& text, std::size_t step = SIZE_MAX) {
  const std::string patterns[] = {"https://app.example.com"};
  const OriginPolicy policy = make_origin_policy(patterns).value();
  const auto out = read_upgrade(text, {}, Scheme::http, step);
  if (!out.ok()) return {out.incomplete(), out.error};
  const auto origin = policy.check(out.value->headers(), out.value->authority());
  if (!origin.ok()) return {false, origin.error()};
  return {};
}

TEST_CASE("upgrade-requests.json") {
  const json::Value file = read_vectors("upgrade-requests.json");
  const json::Array* vectors = nullptr;
  for (const auto& [name, value] : *file.object()) {
    if (value.array() != nullptr) vectors = value.array();
  }
  REQUIRE(vectors != nullptr);
  CHECK(vectors->size() == 111);
  for (const json::Value& vector : *vectors) {
    const std::string id = *vector.find_string("id");
    const std::string expect = *vector.find_string("expect");
    const std::string text = raw(vector);
    CAPTURE(id);
    CAPTURE(expect);
    const Verdict verdict = judge(text);
    const std::string reason = verdict.error ? std::string(row(verdict.error->reason).name) : "";
    CAPTURE(reason);
    const Verdict split = judge(text, 1);
    CHECK(split.incomplete == verdict.incomplete);
    CHECK((split.error ? row(split.error->reason).name : "") == reason);

    // Credentials are judged above this folder; that both of a pair stay visible there is all it owes.
    const bool later = id.rfind("cred-", 0) == 0;
    if (id == "cred-two-auth") CHECK(read_upgrade(text, {}, Scheme::http).value->headers().count("authorization") == 2);
    if (id == "cred-cookie-two") {
      CHECK(read_upgrade(text, {}, Scheme::http).value->cookies().find("sid").error().reason ==
            Reason::credential_ambiguous);
    }
    if (id == "cred-query-twice") {
      CHECK(read_upgrade(text, {}, Scheme::http).value->query().find("token").error().reason ==
            Reason::credential_ambiguous);
    }
    if (expect == "accept") {
      CHECK(!verdict.error);
      CHECK(!verdict.incomplete);
    } else if (expect == "reject" && !later) {
      REQUIRE(verdict.error);
    }
    if (const json::Value* status = vector.find("status"); status != nullptr && verdict.error) {
      const auto& allowed = *status->array();
      const int given = row(verdict.error->reason).http_status;
      CHECK(
          std::any_of(allowed.begin(), allowed.end(), [&](const json::Value& one) { return *one.integer() == given; }));
    }
    // What a backend may read as /admin is refused, or is /admin, or is told apart by the router's exact match.
    if (expect == "same-as-admin-or-reject" && !verdict.error) {
      const std::string path = read_upgrade(text, {}, Scheme::http).value->path();
      CHECK((path == "/admin" || path == "/admin/" || path == "/ADMIN"));
    }
  }
}

TEST_CASE("llhttp-requests.json: what llhttp refuses is refused here, and nothing in it is an upgrade") {
  const json::Value file = read_vectors("llhttp-requests.json");
  const json::Array& vectors = *file.find("cases")->array();
  CHECK(vectors.size() == 119);
  for (const json::Value& vector : vectors) {
    CAPTURE(*vector.find_string("id"));
    // The file leaves out the empty line after a head that ends there.
    const std::string text = raw(vector);
    for (const std::string& whole : {text, text + "\r\n", text + "\r\n\r\n"}) {
      const Verdict verdict = judge(whole);
      CHECK((verdict.incomplete || verdict.error));
      const Verdict split = judge(whole, 1);
      CHECK(split.incomplete == verdict.incomplete);
      CHECK((split.error ? row(split.error->reason).name : "") ==
            (verdict.error ? row(verdict.error->reason).name : ""));
    }
    if (*vector.find_string("llhttp") == "error") CHECK(judge(text + "\r\n\r\n").error);
  }
}

}  // namespace
}  // namespace sallyport::http
