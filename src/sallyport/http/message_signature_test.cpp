#include "sallyport/http/message_signature.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/crypto/hmac.h"
#include "sallyport/crypto/public_key.h"
#include "sallyport/http/testing.h"

namespace sallyport::http {
namespace {

const json::Value& rfc9421() {
  static const json::Value file = [] {
    std::ifstream stream(SALLYPORT_SOURCE_DIR "/tests/vectors/httpsig/rfc9421-appendix-b.json");
    auto parsed = json::parse(std::string(std::istreambuf_iterator<char>(stream), {}));
    REQUIRE(parsed.ok());
    return std::move(parsed).value();
  }();
  return file;
}

// A message of the RFC as it is on the wire, `more` field lines with it.
std::string on_the_wire(std::string_view message, std::string_view more = "") {
  std::string out;
  for (const char c : message.substr(0, message.find("\n\n")))
    out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out.append("\r\n").append(more).append("\r\n");
}

Request request_of(std::string_view text) {
  Limits limits;
  limits.body_bytes = 1000;
  auto outcome = testing::read_request(text, limits);
  REQUIRE_MESSAGE(outcome.ok(), outcome.verdict());
  return std::move(outcome.value->request);
}

bool verify(const std::string& key_id, std::string_view base, std::string_view signature) {
  const json::Value& key = *rfc9421().find("keys")->find(key_id);
  if (const std::string* secret = key.find_string("base64")) {
    const std::string bytes = base64_decode(*secret).value();
    return crypto::HmacKey(crypto::Algorithm::HS256, bytes_of(bytes)).verify(bytes_of(base), bytes_of(signature));
  }
  const auto pem = crypto::PublicKey::parse_pem(*key.find_string("pem_public"));
  REQUIRE(pem.ok());
  for (const auto algorithm : {crypto::Algorithm::EdDSA, crypto::Algorithm::ES256, crypto::Algorithm::PS512}) {
    if (pem->fits(algorithm)) return pem->verify(algorithm, bytes_of(base), bytes_of(signature));
  }
  return false;
}

// Whether the only signature of the request holds.
bool holds(const Request& request) {
  const auto signatures = parse_signatures(request.headers());
  REQUIRE(signatures.ok());
  REQUIRE(signatures->size() == 1);
  const MessageSignature& one = signatures->front();
  const auto base = signature_base(signable(request), one.input);
  REQUIRE(base.ok());
  return verify(*one.parameters.key_id, *base, one.signature);
}

TEST_CASE("message signatures: RFC 9421 B.2") {
  int requests = 0;
  for (const json::Value& vector : *rfc9421().find("cases")->array()) {
    INFO(*vector.find_string("id"));
    const std::string& base = *vector.find_string("signature_base");
    const std::string& signature = *vector.find_string("signature");
    const std::string encoded =
        signature.substr(signature.find(':') + 1, signature.rfind(':') - signature.find(':') - 1);
    CHECK(verify(*vector.find_string("keyid"), base, base64_decode(encoded).value()));
    if (*vector.find_string("message") != "test-request") continue;
    ++requests;
    const Request request = request_of(on_the_wire(
        *rfc9421().find("messages")->find_string("test-request"),
        "Signature-Input: " + *vector.find_string("signature_input") + "\r\nSignature: " + signature + "\r\n"));
    const auto signatures = parse_signatures(request.headers());
    REQUIRE(signatures.ok());
    REQUIRE(signatures->size() == 1);
    CHECK(signatures->front().label == *vector.find_string("label"));
    CHECK(signatures->front().parameters.created == 1'618'884'473);
    CHECK(signature_base(signable(request), signatures->front().input).value() == base);
    CHECK(holds(request));
  }
  CHECK(requests == 5);
}

TEST_CASE("message signatures: RFC 9421 B.3, behind a proxy that ends TLS") {
  const json::Array& blocks = *rfc9421().find("proxy_example")->array();
  const Request request = request_of(on_the_wire(*blocks[4].string()));
  const auto signatures = parse_signatures(request.headers());
  CHECK(signature_base(signable(request), signatures->front().input).value() == *blocks[2].string());
  CHECK(holds(request));
}

TEST_CASE("message signatures: RFC 9421 B.4, what may change on the way and what may not") {
  const json::Array& blocks = *rfc9421().find("transform_example")->array();
  for (const std::size_t good : {0, 2, 3, 4}) {
    INFO(good);
    CHECK(holds(request_of(on_the_wire(*blocks[good].string()))));
  }
  for (const std::size_t bad : {5, 6}) {
    INFO(bad);
    CHECK(!holds(request_of(on_the_wire(*blocks[bad].string()))));
  }
}

TEST_CASE("message signatures: RFC 9421 3.2, a whole message") {
  for (const json::Value& example : *rfc9421().find("section2_examples")->array()) {
    if (*example.find_string("section") != "Verifying a Signature") continue;
    CHECK(holds(request_of(on_the_wire(*example.find("blocks")->array()->front().string()))));
    return;
  }
  FAIL("the example is not there");
}

// The signature base of one component, without the line of the parameters.
std::string line_of(std::string_view request, std::string_view component, Scheme scheme = Scheme::https) {
  const auto outcome = testing::read_request(request, {}, scheme);
  REQUIRE(outcome.ok());
  const auto input = parse_signature("(" + std::string(component) + ")", "");
  REQUIRE(input.ok());
  const auto base = signature_base(signable(outcome.value->request), input->input);
  if (!base.ok()) return std::string(row(base.error().reason).name);
  return base->substr(0, base->rfind("\n\"@signature-params\""));
}

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: www.example.com\r\n" + std::string(fields) + "\r\n";
}

TEST_CASE("message signatures: the components of RFC 9421 2") {
  const std::string request = get("/path?param=value&foo=bar&baz=bat%2Dman&qux=");
  CHECK(line_of(request, "\"@method\"") == "\"@method\": GET");
  CHECK(line_of(request, "\"@authority\"") == "\"@authority\": www.example.com");
  CHECK(line_of(request, "\"@scheme\"", Scheme::http) == "\"@scheme\": http");
  CHECK(line_of(request, "\"@path\"") == "\"@path\": /path");
  CHECK(line_of(request, "\"@query\"") == "\"@query\": ?param=value&foo=bar&baz=bat%2Dman&qux=");
  CHECK(line_of(get("/path"), "\"@query\"") == "\"@query\": ?");
  CHECK(line_of(get("/path?param=value"), "\"@request-target\"") == "\"@request-target\": /path?param=value");
  CHECK(line_of(get("/path?param=value"), "\"@target-uri\"") ==
        "\"@target-uri\": https://www.example.com/path?param=value");
  CHECK(line_of(request, "\"@query-param\";name=\"baz\"") == "\"@query-param\";name=\"baz\": bat-man");
  CHECK(line_of(request, "\"@query-param\";name=\"qux\"") == "\"@query-param\";name=\"qux\": ");
  const std::string odd =
      get("/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20="
          "something");
  CHECK(line_of(odd, "\"@query-param\";name=\"var\"") ==
        "\"@query-param\";name=\"var\": this%20is%20a%20big%0Amultiline%20value");
  CHECK(line_of(odd, "\"@query-param\";name=\"bar\"") == "\"@query-param\";name=\"bar\": with%20plus%20whitespace");
  CHECK(line_of(odd, "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"") ==
        "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\": something");
}

TEST_CASE("message signatures: the fields of RFC 9421 2.1") {
  const std::string request = get("/",
                                  "X-OWS-Header:   Leading and trailing whitespace.   \r\n"
                                  "Cache-Control: max-age=60\r\nCache-Control:    must-revalidate\r\n"
                                  "Example-Dict:  a=1,    b=2;x=1;y=2,   c=(a   b   c), d\r\n"
                                  "Priority:  u=1,   i\r\n"
                                  "Example-Header: value, with, lots\r\nExample-Header: of, commas\r\nX-Empty:\r\n");
  CHECK(line_of(request, "\"host\"") == "\"host\": www.example.com");
  CHECK(line_of(request, "\"x-ows-header\"") == "\"x-ows-header\": Leading and trailing whitespace.");
  CHECK(line_of(request, "\"cache-control\"") == "\"cache-control\": max-age=60, must-revalidate");
  CHECK(line_of(request, "\"x-empty\"") == "\"x-empty\": ");
  CHECK(line_of(request, "\"example-dict\"") == "\"example-dict\": a=1,    b=2;x=1;y=2,   c=(a   b   c), d");
  CHECK(line_of(request, "\"priority\";sf") == "\"priority\";sf: u=1, i");
  CHECK(line_of(request, "\"example-dict\";key=\"a\"") == "\"example-dict\";key=\"a\": 1");
  CHECK(line_of(request, "\"example-dict\";key=\"b\"") == "\"example-dict\";key=\"b\": 2;x=1;y=2");
  CHECK(line_of(request, "\"example-dict\";key=\"c\"") == "\"example-dict\";key=\"c\": (a b c)");
  CHECK(line_of(request, "\"example-dict\";key=\"d\"") == "\"example-dict\";key=\"d\": ?1");
  CHECK(line_of(request, "\"example-header\";bs") ==
        "\"example-header\";bs: :dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:");
  for (const char* bad : {"\"x-absent\"",
                          "\"Host\"",
                          "\"@status\"",
                          "\"@signature-params\"",
                          "\"@unknown\"",
                          "\"@path\";sf",
                          "\"@method\";req",
                          "\"host\";req",
                          "\"host\";tr",
                          "\"host\";unknown",
                          "\"host\";sf",
                          "\"example-dict\";key=\"z\"",
                          "\"example-dict\";key=1",
                          "\"example-header\";bs;sf",
                          "\"priority\";sf=?0",
                          "\"@query-param\"",
                          "\"@query-param\";name=\"z\"",
                          "\"host\" \"host\"",
                          "\"\"",
                          "\"x y\""}) {
    INFO(bad);
    CHECK(line_of(request, bad) == "request.invalid");
  }
  CHECK(line_of(get("/?a=1&a=2"), "\"@query-param\";name=\"a\"") == "request.invalid");
  CHECK(line_of(get("/", "X-Latin: caf\xe9\r\n"), "\"x-latin\"") == "request.invalid");
  CHECK(line_of(get("/", "X-Latin: caf\xe9\r\n"), "\"x-latin\";bs") == "\"x-latin\";bs: :Y2Fm6Q==:");
}

TEST_CASE("message signatures: an extended CONNECT is signed as the GET that it stands for") {
  const auto request = parse_request_fields({{":method", "CONNECT"},
                                             {":protocol", "websocket"},
                                             {":scheme", "https"},
                                             {":authority", "www.example.com"},
                                             {":path", "/ws?a=b"}});
  REQUIRE(request.ok());
  CHECK(signable(*request).method == "GET");
}

TEST_CASE("message signatures: parameters of the query that carry the signature are not what it covers") {
  const auto outcome = testing::read_request(get("/ws?a=b&s%69g=x&c=d"));
  REQUIRE(outcome.ok());
  const std::string names[] = {"sig"};
  CHECK(signable(outcome.value->request, names).query == "a=b&c=d");
  CHECK(signable(outcome.value->request).query == "a=b&s%69g=x&c=d");
}

std::string_view verdict_of(const Headers& fields) {
  const auto signatures = parse_signatures(fields);
  return signatures.ok() ? "ok" : row(signatures.error().reason).name;
}

TEST_CASE("message signatures: the fields that carry them") {
  CHECK(parse_signatures({})->empty());
  const auto both =
      parse_signatures({{"Signature-Input", "a=(\"@path\");keyid=\"k\";tag=\"t\";nonce=\"n\";alg=\"ed25519\", b=()"},
                        {"Signature", "b=:AA==:"},
                        {"Signature", "a=:AQ==:"}});
  REQUIRE(both.ok());
  REQUIRE(both->size() == 2);
  CHECK((*both)[0].label == "a");
  CHECK((*both)[0].signature == "\1");
  CHECK((*both)[0].parameters.key_id == "k");
  CHECK((*both)[0].parameters.tag == "t");
  CHECK((*both)[0].parameters.nonce == "n");
  CHECK((*both)[0].parameters.algorithm == "ed25519");
  CHECK(!(*both)[0].parameters.created);
  CHECK((*both)[1].input.items.empty());

  CHECK(verdict_of({{"Signature-Input", "a=()"}}) == "request.invalid");
  CHECK(verdict_of({{"Signature", "a=:AA==:"}}) == "request.invalid");
  const auto with_input = [](std::string_view input) {
    return verdict_of({{"Signature-Input", input}, {"Signature", "a=:AA==:"}});
  };
  CHECK(with_input("a=()") == "ok");
  CHECK(with_input("b=()") == "request.invalid");
  CHECK(with_input("a=(), b=()") == "request.invalid");
  CHECK(with_input("a=(), a=()") == "request.invalid");
  CHECK(with_input("a=1") == "request.invalid");
  CHECK(with_input("a=(path)") == "request.invalid");
  CHECK(with_input("a=();created=\"1\"") == "request.invalid");
  CHECK(with_input("a=();created=-1") == "request.invalid");
  CHECK(with_input("a=();expires=1.5") == "request.invalid");
  CHECK(with_input("a=();nonce=1") == "request.invalid");
  CHECK(with_input("a=();keyid=k") == "request.invalid");
  CHECK(with_input("a=();nonce=\"1\";nonce=\"2\"") == "request.invalid");
  CHECK(with_input("nonsense(") == "request.invalid");
  CHECK(verdict_of({{"Signature-Input", "a=()"}, {"Signature", "a=\"AA==\""}}) == "request.invalid");
  CHECK(verdict_of({{"Signature-Input", "a=()"}, {"Signature", "a=:AA==:, a=:AQ==:"}}) == "request.invalid");

  std::string inputs, signatures;
  for (char label = 'a'; label <= 'i'; ++label) {
    inputs.append(inputs.empty() ? "" : ", ").append(1, label).append("=()");
    signatures.append(signatures.empty() ? "" : ", ").append(1, label).append("=:AA==:");
  }
  CHECK(verdict_of({{"Signature-Input", inputs}, {"Signature", signatures}}) == "request.invalid");
  const std::size_t last = inputs.rfind(',');
  CHECK(verdict_of({{"Signature-Input", inputs.substr(0, last)},
                    {"Signature", signatures.substr(0, signatures.rfind(','))}}) == "ok");
}

TEST_CASE("message signatures: so many components and no more, each field read once") {
  std::string dictionary;
  for (int i = 0; i < 1000; ++i) dictionary += (i ? ", k" : "k") + std::to_string(i);
  const Headers fields{{"x", dictionary}};
  const SignableRequest request{"GET", Scheme::https, "example.com", "/", "", fields};
  const auto base = [&](int count) {
    std::string input = "(";
    for (int i = 0; i < count; ++i) input += (i ? " \"x\";key=\"k" : "\"x\";key=\"k") + std::to_string(i) + "\"";
    return signature_base(request, parse_signature(input + ")", "").value().input);
  };
  CHECK(base(32).ok());
  REQUIRE(!base(33).ok());
  CHECK(base(33).error().reason == Reason::request_invalid);
}

TEST_CASE("message signatures: what is covered") {
  const auto input = [](std::string_view text) { return parse_signature(text, "").value().input; };
  CHECK(covers(input("(\"@path\")"), "@path"));
  CHECK(!covers(input("()"), "@path"));
  CHECK(!covers(input("(\"@path\");x"), "@query"));
  CHECK(covers(input("(\"@target-uri\")"), "@path"));
  CHECK(covers(input("(\"@target-uri\")"), "@authority"));
  CHECK(covers(input("(\"@request-target\")"), "@query"));
  CHECK(!covers(input("(\"@request-target\")"), "@authority"));
  CHECK(!covers(input("(\"@query-param\";name=\"a\")"), "@query"));
  CHECK(covers(input("(\"origin\";bs)"), "origin"));
  CHECK(!covers(input("(\"x-dict\";key=\"a\")"), "x-dict"));
}

TEST_CASE("message signatures: what a signer writes is what is read") {
  const std::string components[] = {"@method", "@path", "origin"};
  const SignatureParameters parameters{1'618'884'473, 1'618'884'533, "n-1", "ed25519", "key \"1\"", "sallyport"};
  const std::string text = structured::serialize(make_signature_input(components, parameters));
  CHECK(text ==
        "(\"@method\" \"@path\" \"origin\");created=1618884473;expires=1618884533;nonce=\"n-1\";alg=\"ed25519\";"
        "keyid=\"key \\\"1\\\"\";tag=\"sallyport\"");
  const auto read = parse_signature(text, "x");
  REQUIRE(read.ok());
  CHECK(read->parameters.key_id == "key \"1\"");
  CHECK(read->parameters.expires == 1'618'884'533);
  CHECK(read->signature == "x");
  CHECK(!parse_signature("(), ()", "").ok());
  CHECK(!parse_signature("", "").ok());
}

}  // namespace
}  // namespace sallyport::http
