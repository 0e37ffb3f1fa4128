#include "sallyport/http/authority.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

std::string read(std::string_view text) {
  auto out = parse_authority(text);
  return out.ok() ? out->text() : std::string(row(out.error().reason).name);
}

TEST_CASE("hosts and ports have one spelling") {
  CHECK(read("A.Test") == "a.test");
  CHECK(read("a.test.") == "a.test");
  CHECK(read("localhost:65535") == "localhost:65535");
  CHECK(read("my_service:1") == "my_service:1");
  CHECK(read("xn--bcher-kva.example") == "xn--bcher-kva.example");
  CHECK(read("1.2.3.4") == "1.2.3.4");
  CHECK(read("1.2.3.4.a") == "1.2.3.4.a");
  CHECK(read("[::1]:9") == "[::1]:9");
  CHECK(read("[0:0:0:0:0:0:0:1]") == "[::1]");
  CHECK(parse_authority("[::1]")->kind == HostKind::ipv6);
  CHECK(parse_authority("1.2.3.4")->kind == HostKind::ipv4);
  CHECK(read(std::string(63, 'a') + ".b") == std::string(63, 'a') + ".b");
}

TEST_CASE("what is no host and port is refused") {
  for (const std::string_view text : {std::string_view(""),
                                      std::string_view("."),
                                      std::string_view(":80"),
                                      std::string_view("a.test:"),
                                      std::string_view("a.test:0"),
                                      std::string_view("a.test:080"),
                                      std::string_view("a.test:65536"),
                                      std::string_view("a.test:x"),
                                      std::string_view("a.test:8:0"),
                                      std::string_view("a..b"),
                                      std::string_view(".a"),
                                      std::string_view("a.test.."),
                                      std::string_view("-a.test"),
                                      std::string_view("a-.test"),
                                      std::string_view("a,b"),
                                      std::string_view("u@a.test"),
                                      std::string_view("a b"),
                                      std::string_view("a\0b", 3),
                                      std::string_view("a%41"),
                                      std::string_view("a/b"),
                                      std::string_view("b\xc3\xbc"
                                                       "cher.test"),
                                      std::string_view("1.2.3"),
                                      std::string_view("127.1"),
                                      std::string_view("0x7f.0.0.1"),
                                      std::string_view("0x7f000001"),
                                      std::string_view("2130706433"),
                                      std::string_view("1.2.3.256"),
                                      std::string_view("1.2.3.04"),
                                      std::string_view("a.1"),
                                      std::string_view("[::1"),
                                      std::string_view("[::1]x"),
                                      std::string_view("[::1]:"),
                                      std::string_view("[fe80::1%eth0]"),
                                      std::string_view("[1.2.3.4]"),
                                      std::string_view("[]"),
                                      std::string_view("::1"),
                                      std::string_view("[v1.a]")}) {
    CAPTURE(text);
    CHECK(read(text) == "http.malformed");
  }
  CHECK(read(std::string(64, 'a') + ".b") == "http.malformed");
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  CHECK(read(longest + "a") == "http.malformed");
  CHECK(read(longest) == longest.substr(0, 253));
}

TEST_CASE("the implied port is dropped") {
  const Authority authority = parse_authority("a.test:443").value();
  CHECK(without_default_port(authority, Scheme::https).text() == "a.test");
  CHECK(without_default_port(authority, Scheme::http).text() == "a.test:443");
}

}  // namespace
}  // namespace sallyport::http
