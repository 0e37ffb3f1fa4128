#include "sallyport/auth/token.h"

#include <doctest/doctest.h>

#include "sallyport/auth/testing.h"

namespace sallyport::auth {
namespace {

using http::OriginProof;
using testing::Handshake;

const std::vector<TokenSource> everywhere = {
    {TokenPlace::header, {}}, {TokenPlace::subprotocol, {}}, {TokenPlace::cookie, "at"}, {TokenPlace::query, "token"}};

struct Found {
  std::string verdict;  // the token, `nothing`, or the reason
  std::optional<TokenPlace> place;
};

Found find(const Handshake& handshake, std::span<const TokenSource> sources = everywhere) {
  const http::Upgrade upgrade =
      http::testing::read_upgrade(http::testing::upgrade_text(handshake.target, handshake.fields)).value.value();
  const Peer peer{};
  Evidence evidence{&upgrade.request(), handshake.origin, peer};
  evidence.subprotocols = upgrade.subprotocols();
  if (handshake.in_band) evidence.in_band = *handshake.in_band;
  const auto found = find_token(evidence, sources);
  if (!found) return {std::string(row(found.error().reason).name), std::nullopt};
  if (!*found) return {"nothing", std::nullopt};
  return {std::string((*found)->token.reveal()), (*found)->place};
}
std::string verdict(const Handshake& handshake, std::span<const TokenSource> sources = everywhere) {
  return find(handshake, sources).verdict;
}

TEST_CASE("token: in the Authorization line") {
  CHECK(verdict({}) == "nothing");
  const Found found = find({"Authorization: Bearer abc.DEF-_~+/==\r\n"});
  CHECK(found.verdict == "abc.DEF-_~+/==");
  CHECK(found.place == TokenPlace::header);
  CHECK(verdict({"authorization: bEARER abc\r\n"}) == "abc");

  // Other schemes are none of our concern.
  CHECK(verdict({"Authorization: Basic YTpi\r\n"}) == "nothing");
  CHECK(verdict({"Authorization: Bearertoken abc\r\n"}) == "nothing");
  CHECK(verdict({"Authorization: Digest username=\"Bearer abc\"\r\n"}) == "nothing");
  CHECK(verdict({"Authorization: \r\n"}) == "nothing");

  CHECK(verdict({"Authorization: Bearer\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer  abc\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer\tabc\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer, abc\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer abc def\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer abc, Bearer def\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer \"abc\"\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer =\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer a=b\r\n"}) == "credential.invalid");
  CHECK(verdict({"Authorization: Bearer \xc3\xa9\r\n"}) == "credential.invalid");

  CHECK(verdict({"Authorization: Bearer abc\r\nAuthorization: Bearer abc\r\n"}) == "credential.ambiguous");
  CHECK(verdict({"Authorization: Bearer abc\r\nAuthorization: Basic YTpi\r\n"}) == "credential.ambiguous");
  CHECK(verdict({"Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n"}) == "credential.ambiguous");
}

TEST_CASE("token: among the subprotocols") {
  CHECK(verdict({"Sec-WebSocket-Protocol: chat\r\n"}) == "nothing");
  CHECK(verdict({"Sec-WebSocket-Protocol: bearer\r\n"}) == "nothing");
  const Found found = find({"Sec-WebSocket-Protocol: chat, bearer.abc.def\r\n"});
  CHECK(found.verdict == "abc.def");
  CHECK(found.place == TokenPlace::subprotocol);
  CHECK(verdict({"Sec-WebSocket-Protocol: Bearer.abc\r\n"}) == "abc");
  CHECK(verdict({"Sec-WebSocket-Protocol: bearer.\r\n"}) == "credential.invalid");
  CHECK(verdict({"Sec-WebSocket-Protocol: bearer.a!c\r\n"}) == "credential.invalid");
  CHECK(verdict({"Sec-WebSocket-Protocol: bearer.abc, bearer.def\r\n"}) == "credential.ambiguous");
  CHECK(verdict({"Sec-WebSocket-Protocol: bearer.abc\r\nSec-WebSocket-Protocol: BEARER.abc\r\n"}) ==
        "credential.ambiguous");
}

TEST_CASE("token: in a cookie, only beside an Origin") {
  CHECK(verdict({"Cookie: other=1\r\n", "/ws", OriginProof::absent}) == "nothing");
  const Found found = find({"Cookie: a=1; at=abc.def\r\n", "/ws", OriginProof::allowed});
  CHECK(found.verdict == "abc.def");
  CHECK(found.place == TokenPlace::cookie);
  CHECK(verdict({"Cookie: a=1; at=abc.def\r\n", "/ws", OriginProof::absent}) == "origin.missing");
  // Not our cookie: names are compared byte for byte.
  CHECK(verdict({"Cookie: AT=abc\r\n", "/ws", OriginProof::allowed}) == "nothing");
  CHECK(verdict({"Cookie: at=\r\n", "/ws", OriginProof::allowed}) == "credential.invalid");
  CHECK(verdict({"Cookie: at=\"abc\"\r\n", "/ws", OriginProof::allowed}) == "credential.invalid");
  CHECK(verdict({"Cookie: at=a b\r\n", "/ws", OriginProof::allowed}) == "credential.invalid");
  CHECK(verdict({"Cookie: at=abc; at=def\r\n", "/ws", OriginProof::allowed}) == "credential.ambiguous");
  CHECK(verdict({"Cookie: at=abc\r\nCookie: at=abc\r\n", "/ws", OriginProof::allowed}) == "credential.ambiguous");
}

TEST_CASE("token: in the query") {
  const Found found = find({"", "/ws?x=1&token=abc.def"});
  CHECK(found.verdict == "abc.def");
  CHECK(found.place == TokenPlace::query);
  CHECK(verdict({"", "/ws?to%6ben=a%2Eb"}) == "a.b");
  CHECK(verdict({"", "/ws?tokens=abc"}) == "nothing");
  CHECK(verdict({"", "/ws?token="}) == "credential.invalid");
  CHECK(verdict({"", "/ws?token"}) == "credential.invalid");
  CHECK(verdict({"", "/ws?token=a%20b"}) == "credential.invalid");
  CHECK(verdict({"", "/ws?token=a&token=a"}) == "credential.ambiguous");
  CHECK(verdict({"", "/ws?token=a&to%6ben=b"}) == "credential.ambiguous");
}

TEST_CASE("token: in two places") {
  const std::string header = "Authorization: Bearer abc\r\n";
  const std::string subprotocol = "Sec-WebSocket-Protocol: bearer.abc\r\n";
  const std::string cookie = "Cookie: at=abc\r\n";
  CHECK(verdict({header + subprotocol}) == "credential.ambiguous");
  CHECK(verdict({header + cookie, "/ws", OriginProof::allowed}) == "credential.ambiguous");
  CHECK(verdict({subprotocol, "/ws?token=abc"}) == "credential.ambiguous");
  CHECK(verdict({cookie, "/ws?token=abc", OriginProof::allowed}) == "credential.ambiguous");
  // A place that is not configured is not looked at.
  const std::vector<TokenSource> header_only = {{TokenPlace::header, {}}};
  CHECK(verdict({header + subprotocol + cookie, "/ws?token=abc"}, header_only) == "abc");
  CHECK(verdict({subprotocol + cookie, "/ws?token=abc"}, header_only) == "nothing");
}

TEST_CASE("token: in band it is the only one") {
  Handshake handshake{"Authorization: Bearer abc\r\nCookie: at=x\r\n", "/ws?token=abc"};
  handshake.in_band = "fresh";
  const Found found = find(handshake);
  CHECK(found.verdict == "fresh");
  CHECK(found.place == TokenPlace::in_band);
  handshake.in_band = "";
  CHECK(verdict(handshake) == "credential.invalid");
  handshake.in_band = "a b";
  CHECK(verdict(handshake) == "credential.invalid");
  handshake.in_band = "fresh";
  CHECK(verdict(handshake, {}) == "fresh");
}

TEST_CASE("token: size") {
  Handshake handshake;
  handshake.in_band = std::string(max_token_size, 'a');
  CHECK(verdict(handshake) == *handshake.in_band);
  handshake.in_band->push_back('a');
  CHECK(verdict(handshake) == "credential.invalid");
}

TEST_CASE("token: no error quotes a token") {
  Handshake handshake{"Authorization: Bearer hunter2\r\nSec-WebSocket-Protocol: bearer.hunter2\r\n"};
  const http::Upgrade upgrade =
      http::testing::read_upgrade(http::testing::upgrade_text("/ws", handshake.fields)).value.value();
  const Peer peer{};
  const auto found = find_token({.request = &upgrade.request(),
                                 .origin = OriginProof::absent,
                                 .peer = peer,
                                 .subprotocols = upgrade.subprotocols()},
                                everywhere);
  REQUIRE(!found.ok());
  CHECK(found.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("token source: text form") {
  for (const std::string text :
       {"header", "subprotocol", "cookie:access_token", "cookie:__Host-at", "query:token", "query:a:b"}) {
    const auto source = parse_token_source(text);
    REQUIRE(source.ok());
    CHECK(show(*source) == text);
  }
  for (const std::string_view text :
       {"", "Header", "header:x", "header:", "subprotocol:", "cookie", "cookie:", "cookie:a b", "cookie:a=b", "query",
        "query:", "query:a b", "query:\xc3\xa9", "body", "in_band", " header"}) {
    INFO(std::string(text));
    CHECK(!parse_token_source(text).ok());
  }
  const std::vector<std::string> good = {"header", "query:a", "query:b"};
  CHECK(parse_token_sources(good).value().size() == 3);
  const std::vector<std::string> twice = {"header", "query:a", "header"};
  CHECK(!parse_token_sources(twice).ok());
  CHECK(!parse_token_sources({}).ok());
}

TEST_CASE("token: every configured place is taken out") {
  http::Strip strip;
  add_to(strip, everywhere);
  add_to(strip, std::vector<TokenSource>{{TokenPlace::cookie, "second"}, {TokenPlace::header, {}}});
  CHECK(strip.headers == std::vector<std::string>{"Authorization"});
  CHECK(strip.subprotocol_prefixes == std::vector<std::string>{"bearer."});
  CHECK(strip.cookies == std::vector<std::string>{"at", "second"});
  CHECK(strip.parameters == std::vector<std::string>{"token"});
  http::Strip header_only;
  add_to(header_only, std::vector<TokenSource>{{TokenPlace::header, {}}});
  CHECK(header_only.subprotocol_prefixes.empty());
  CHECK(header_only.cookies.empty());
}

TEST_CASE("token: its form tells whose it is") {
  const auto forms_of = [](std::string_view token) {
    std::string forms;
    if (is_among(token, TokenForms::any)) forms += "any ";
    if (is_among(token, TokenForms::json_web)) forms += "json_web";
    if (is_among(token, TokenForms::other_than_json_web)) forms += "other";
    return forms;
  };
  CHECK(forms_of("eyJhbGciOiJFUzI1NiJ9.e30.c2ln") == "any json_web");
  CHECK(forms_of("eyJhbGciOiJub25lIn0.e30.") == "any json_web");
  CHECK(forms_of("IHsgImFsZyI6IngifQ.e30.x") == "any json_web");  // a space before the brace
  CHECK(forms_of("eyJlbmMiOiJ4In0.a.b.c.d") == "any json_web");
  CHECK(forms_of("eyJhbGciOiJFUzI1NiJ9.e30") == "any other");
  CHECK(forms_of("mF_9.B5f-4.1JqM") == "any other");
  CHECK(forms_of("2YotnFZFEjr1zCsicMWpAA") == "any other");
  CHECK(forms_of("..") == "any other");
  CHECK(forms_of("WyJhIl0.e30.x") == "any other");  // a list is no header
  CHECK(forms_of("spt_eyJhbGciOiJub25lIn0.e30.") == "");
}

}  // namespace
}  // namespace sallyport::auth
