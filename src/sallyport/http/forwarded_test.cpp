#include "sallyport/http/forwarded.h"

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"

namespace sallyport::http {
namespace {

using List = std::vector<std::string>;

std::string joined(const Result<List>& result) {
  if (!result.ok()) return std::string(row(result.error().reason).name);
  std::string out;
  for (const std::string& one : *result) out += (out.empty() ? "" : " | ") + one;
  return out;
}
std::string forwarded(std::initializer_list<Field> fields) {
  return joined(forwarded_for(Headers(fields), ForwardedBy::forwarded));
}
std::string x_forwarded_for(std::initializer_list<Field> fields) {
  return joined(forwarded_for(Headers(fields), ForwardedBy::x_forwarded_for));
}

TEST_CASE("forwarded: X-Forwarded-For, the nearest first") {
  CHECK(x_forwarded_for({}).empty());
  CHECK(x_forwarded_for({{"X-Forwarded-For", "203.0.113.7"}}) == "203.0.113.7");
  CHECK(x_forwarded_for({{"X-Forwarded-For", "spoof, 203.0.113.7 ,10.0.0.1"}}) == "10.0.0.1 | 203.0.113.7 | spoof");
  CHECK(x_forwarded_for({{"X-Forwarded-For", "spoof"}, {"x-forwarded-for", "203.0.113.7"}}) == "203.0.113.7 | spoof");
  CHECK(x_forwarded_for({{"Forwarded", "for=203.0.113.7"}}).empty());
}

TEST_CASE("forwarded: RFC 7239, the nearest first") {
  CHECK(forwarded({}).empty());
  CHECK(forwarded({{"Forwarded", "for=203.0.113.7"}}) == "203.0.113.7");
  CHECK(forwarded({{"Forwarded", "For=\"[2001:db8:cafe::17]:4711\""}}) == "[2001:db8:cafe::17]:4711");
  CHECK(forwarded({{"Forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"}}) == "192.0.2.60");
  CHECK(forwarded({{"Forwarded", "proto=http;for=192.0.2.43, for=198.51.100.17;by=x"}}) ==
        "198.51.100.17 | 192.0.2.43");
  CHECK(forwarded({{"Forwarded", "for=_hidden, for=unknown"}}) == "unknown | _hidden");
  CHECK(forwarded({{"Forwarded", "for=a"}, {"Forwarded", "for=b"}}) == "b | a");
  CHECK(forwarded({{"Forwarded", "for=\"a, for=b\""}}) == "a, for=b");
  CHECK(forwarded({{"Forwarded", "for=\"a\\\"b\""}}) == "a\"b");
  for (const char* text : {"", "for", "for=", "for=a;", "for=a,", ",for=a", "for=a,,for=b", "by=a", "for=a;for=b",
                           "for=\"a", "for=\"a\\", "for=\"a\"b", "for=[::1]", "for=a for=b", "for = a", "=a"}) {
    CAPTURE(text);
    CHECK(forwarded({{"Forwarded", text}}) == "http.malformed");
  }
  // What a client leaves open swallows nothing that the proxy adds behind it.
  CHECK(forwarded({{"Forwarded", "for=\"1.1.1.1, for=203.0.113.7"}}) == "http.malformed");
  CHECK(forwarded({{"Forwarded", "for=1.1.1.1, for=\", for=\"[2001:db8::1]\""}}) == "http.malformed");
}

TEST_CASE("forwarded: names of clients") {
  CHECK(address_of_node("203.0.113.7") == "203.0.113.7");
  CHECK(address_of_node("203.0.113.7:4711") == "203.0.113.7");
  CHECK(address_of_node("203.0.113.7:_port") == "203.0.113.7");
  CHECK(address_of_node("2001:db8::1") == "2001:db8::1");
  CHECK(address_of_node("[2001:db8::1]") == "2001:db8::1");
  CHECK(address_of_node("[2001:db8::1]:80") == "2001:db8::1");
  CHECK(address_of_node("unknown").empty());
  CHECK(address_of_node("Unknown").empty());
  CHECK(address_of_node("_gazonk").empty());
  CHECK(address_of_node("[2001:db8::1") == "[2001:db8::1");
  CHECK(address_of_node("[2001:db8::1]x") == "[2001:db8::1]x");
}

TEST_CASE("forwarded: Client-Cert and its chain") {
  const auto read = [](std::initializer_list<Field> fields) {
    return joined(forwarded_certificates(Headers(fields), CertificateField::client_cert));
  };
  const std::string leaf = ":" + base64_encode(bytes_of("leaf")) + ":";
  const std::string other = ":" + base64_encode(bytes_of("other")) + ":";
  const std::string third = ":" + base64_encode(bytes_of("third")) + ":";
  CHECK(read({}).empty());
  CHECK(read({{"Client-Cert", leaf}}) == "leaf");
  CHECK(read({{"Client-Cert", leaf}, {"Client-Cert-Chain", other + ", " + third}}) == "leaf | other | third");
  CHECK(read({{"Client-Cert", leaf}, {"Client-Cert-Chain", other}, {"Client-Cert-Chain", third}}) ==
        "leaf | other | third");
  CHECK(read({{"X-Forwarded-Client-Cert", "Cert=\"x\""}}).empty());
  CHECK(read({{"Client-Cert-Chain", other}}) == "credential.invalid");
  CHECK(read({{"Client-Cert", leaf}, {"Client-Cert", leaf}}) == "credential.invalid");
  CHECK(read({{"Client-Cert", leaf + ", " + other}}) == "credential.invalid");
  for (const char* text : {"", ":", "::", "bGVhZg==", ":bGVhZg:", ":bGVhZg==", "bGVhZg==:", ":b GVhZg==:",
                           ":bGVhZg==:;a=1", "\"bGVhZg==\"", ":!:"}) {
    CAPTURE(text);
    CHECK(read({{"Client-Cert", text}}) == "credential.invalid");
    if (*text != '\0') CHECK(read({{"Client-Cert", leaf}, {"Client-Cert-Chain", text}}) == "credential.invalid");
  }
}

TEST_CASE("forwarded: X-Forwarded-Client-Cert") {
  const auto read = [](std::initializer_list<Field> fields) {
    return joined(forwarded_certificates(Headers(fields), CertificateField::xfcc));
  };
  const auto pem = [](std::string_view text) {
    return "-----BEGIN%20CERTIFICATE-----%0A" + base64_encode(bytes_of(text)) + "%0A-----END%20CERTIFICATE-----%0A";
  };
  const std::string name = "X-Forwarded-Client-Cert";
  CHECK(read({}).empty());
  CHECK(read({{name, "Cert=\"" + pem("leaf") + "\""}}) == "leaf");
  CHECK(read({{name, "By=spiffe://a/b;Hash=00ff;Subject=\"CN=a\\\"b,O=c;d\";URI=x;cert=\"" + pem("leaf") + "\""}}) ==
        "leaf");
  CHECK(read({{name, "Cert=\"" + pem("leaf") + "\";Chain=\"" + pem("leaf") + pem("other") + "\""}}) == "leaf | other");
  CHECK(read({{name, "Chain=" + pem("leaf")}}) == "leaf");
  CHECK(read({{"Client-Cert", ":bGVhZg==:"}}).empty());
  const std::string one = "Cert=\"" + pem("leaf") + "\"";
  CHECK(read({{name, one}, {name, one}}) == "credential.invalid");
  CHECK(read({{name, one + "," + one}}) == "credential.invalid");
  CHECK(read({{name, "Hash=1;URI=spiffe://a/b," + one}}) == "credential.invalid");
  CHECK(read({{name, one + ";" + one}}) == "credential.invalid");
  CHECK(read({{name, "Hash=00ff;URI=spiffe://a/b"}}) == "credential.invalid");
  for (const char* text : {"", "x", "Cert", "Cert=", "Cert=\"", "Cert=\"x\"", "Cert=\"%\"", "Cert=\"%2\"",
                           "Cert=\"%zz\"", "Cert=\"-----BEGIN%20CERTIFICATE-----\"",
                           "Cert=\"-----BEGIN%20CERTIFICATE----------END%20CERTIFICATE-----\"", ";Cert=\"x\""}) {
    CAPTURE(text);
    CHECK(read({{name, text}}) == "credential.invalid");
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += pem("x");
  CHECK(read({{name, "Chain=\"" + many + "\""}}) == "credential.invalid");
}

}  // namespace
}  // namespace sallyport::http
