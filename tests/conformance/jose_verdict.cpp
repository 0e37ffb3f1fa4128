// Judges tokens for tests/conformance/jose_differential.py. Reads lines of JSON
// {"token", "jwks", "policy": {"now", "issuer", "audience", "algorithms", "leeway"}} and answers each with a line
// {"accept", "reason", "detail", "subject"}.

#include <iostream>
#include <string>

#include "sallyport/jose/jwt.h"

namespace {

using namespace sallyport;
using namespace sallyport::jose;

json::Object judge(const json::Value& request) {
  const json::Value& stated = *request.find("policy");
  JwtPolicy policy;
  policy.issuers = {*stated.find_string("issuer")};
  policy.audiences = {*stated.find_string("audience")};
  policy.leeway = std::chrono::seconds(*stated.find("leeway")->integer());
  for (const json::Value& name : *stated.find("algorithms")->array())
    policy.algorithms.add(parse_algorithm(*name.string()).value());
  const auto keys = JwkSet::parse(json::dump(*request.find("jwks")), {KeyKinds::any});
  if (!keys.ok())
    return {{"accept", false}, {"reason", row(keys.error().reason).name}, {"detail", keys.error().detail}};
  const auto verdict =
      verify_jwt(*request.find_string("token"), *keys, policy, from_unix_seconds(*stated.find("now")->integer()));
  if (!verdict.claims.ok()) {
    const Error& error = verdict.claims.error();
    return {{"accept", false}, {"reason", row(error.reason).name}, {"detail", error.detail}};
  }
  return {{"accept", true}, {"reason", ""}, {"detail", ""}, {"subject", verdict.claims->subject}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = json::parse(line);
    if (!request.ok()) {
      std::cerr << request.error().detail << '\n';
      return 2;
    }
    std::cout << json::dump(json::Value(judge(*request))) << '\n';
  }
}
