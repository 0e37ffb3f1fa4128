#include "sallyport/http/deflate.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace sallyport::http {
namespace {

constexpr DeflatePolicy no_takeover{};
constexpr DeflatePolicy takeover{DeflatePolicy::Takeover::allowed, 15};
constexpr DeflatePolicy small{DeflatePolicy::Takeover::allowed, 10};

Headers lines(std::initializer_list<std::string_view> values) {
  Headers headers;
  for (const std::string_view value : values) headers.add("Sec-WebSocket-Extensions", value);
  return headers;
}

// The offers that are left of `line`, written again.
std::string offers(std::string_view line) {
  const auto parsed = parse_deflate_offers(lines({line}));
  return parsed.ok() ? offer_text(*parsed) : std::string(row(parsed.error().reason).name);
}

// What a client that offers `line` is answered.
std::string answer(std::string_view line, const DeflatePolicy& policy) {
  const auto parsed = parse_deflate_offers(lines({line}));
  REQUIRE(parsed.ok());
  const auto made = answer_deflate(*parsed, policy);
  return made ? answer_text(*made) : "declined";
}

// What becomes of a backend's answer to an offer under `policy`.
std::string verdict(std::string_view line, const DeflatePolicy& policy) {
  const std::vector<DeflateParameters> offered = {offer_deflate(policy)};
  const auto parsed = parse_deflate_answer(lines({line}), offered);
  if (!parsed.ok()) return std::string(row(parsed.error().reason).name);
  return *parsed ? answer_text(**parsed) : "none";
}

TEST_SUITE("deflate negotiation") {
  TEST_CASE("offers in their order, other extensions passed over") {
    CHECK(offers("permessage-deflate") == "permessage-deflate");
    CHECK(offers("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits") ==
          "permessage-deflate; client_max_window_bits");
    CHECK(offers("Permessage-Deflate ;\tSERVER_NO_CONTEXT_TAKEOVER;server_max_window_bits = \"1\\0\" , a; b=c; d") ==
          "permessage-deflate; server_no_context_takeover; server_max_window_bits=10");
    CHECK(offers("permessage-deflate; client_max_window_bits=9, , permessage-deflate,") ==
          "permessage-deflate; client_max_window_bits=9, permessage-deflate");
    CHECK(offers("permessage-bzip2") == "");
    const auto both =
        parse_deflate_offers(lines({"permessage-deflate; client_max_window_bits=8", "permessage-deflate"}));
    CHECK(offer_text(*both) == "permessage-deflate; client_max_window_bits=8, permessage-deflate");
    CHECK(parse_deflate_offers(Headers())->empty());
  }

  TEST_CASE("an offer with a wrong parameter is declined, the others stay") {
    for (const std::string_view parameters :
         {"unknown", "server_no_context_takeover=1", "client_no_context_takeover=true", "server_max_window_bits",
          "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=08",
          "server_max_window_bits=100", "server_max_window_bits=1x", "client_max_window_bits=7",
          "client_max_window_bits=0", "client_max_window_bits=015", "client_max_window_bits; client_max_window_bits",
          "client_max_window_bits=10; client_max_window_bits", "server_max_window_bits=9; server_max_window_bits=9",
          "server_no_context_takeover; server_no_context_takeover"}) {
      CAPTURE(parameters);
      const std::string line = "permessage-deflate; " + std::string(parameters) + ", permessage-deflate";
      CHECK(offers(line) == "permessage-deflate");
    }
  }

  TEST_CASE("what is no list of extensions is refused") {
    for (const std::string_view line :
         {"", ",", "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate client_max_window_bits",
          "permessage-deflate; client_max_window_bits=", "permessage-deflate; a=\"b", "permessage-deflate; a=\"b\\",
          "permessage-deflate; a=\"b c\"", "permessage-deflate; a=\"\"", "permessage-deflate; a=b=c", "a; =b", "(a)",
          "a\"b\""}) {
      CAPTURE(line);
      CHECK(offers(line) == "http.malformed");
    }
    std::string many = "a";
    for (int i = 0; i < 31; ++i) many += ", a";
    CHECK(offers(many) == "");
    CHECK(offers(many + ", a") == "http.malformed");
  }

  TEST_CASE("nothing is kept between messages unless the policy allows it") {
    CHECK(answer("permessage-deflate", no_takeover) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    CHECK(answer("permessage-deflate", takeover) == "permessage-deflate");
    CHECK(answer("permessage-deflate; client_max_window_bits", takeover) == "permessage-deflate");
    CHECK(answer("permessage-deflate; server_no_context_takeover", takeover) ==
          "permessage-deflate; server_no_context_takeover");
    CHECK(answer("permessage-deflate; client_no_context_takeover", takeover) ==
          "permessage-deflate; client_no_context_takeover");
  }

  TEST_CASE("windows stay below the policy and what the client can do") {
    CHECK(answer("permessage-deflate; server_max_window_bits=12", takeover) ==
          "permessage-deflate; server_max_window_bits=12");
    CHECK(answer("permessage-deflate; server_max_window_bits=15", takeover) ==
          "permessage-deflate; server_max_window_bits=15");
    CHECK(answer("permessage-deflate; server_max_window_bits=12; client_max_window_bits", small) ==
          "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10");
    CHECK(answer("permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", small) ==
          "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9");
    // A client that takes no limit: its window is not kept.
    CHECK(answer("permessage-deflate", small) ==
          "permessage-deflate; client_no_context_takeover; server_max_window_bits=10");
  }

  TEST_CASE("zlib has no window of 8 bits to compress with, so such an offer is declined") {
    CHECK(answer("permessage-deflate; server_max_window_bits=8", takeover) == "declined");
    CHECK(answer("permessage-deflate; server_max_window_bits=8, permessage-deflate", takeover) == "permessage-deflate");
    CHECK(answer("permessage-deflate; client_max_window_bits=8", takeover) ==
          "permessage-deflate; client_max_window_bits=8");
    CHECK(answer("x", takeover) == "declined");
  }

  TEST_CASE("what a backend is offered") {
    const auto text = [](const DeflatePolicy& policy) { return offer_text(std::vector{offer_deflate(policy)}); };
    CHECK(text(no_takeover) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits");
    CHECK(text(takeover) == "permessage-deflate; client_max_window_bits");
    CHECK(text(small) == "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10");
  }

  TEST_CASE("a backend agrees to what was offered or to nothing") {
    CHECK(verdict("permessage-deflate", takeover) == "permessage-deflate");
    CHECK(verdict("permessage-deflate; server_no_context_takeover; client_no_context_takeover", takeover) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    CHECK(verdict("permessage-deflate; client_max_window_bits=8; server_max_window_bits=8", takeover) ==
          "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8");
    CHECK(verdict("permessage-deflate; server_max_window_bits=10", small) ==
          "permessage-deflate; server_max_window_bits=10");
    CHECK(!*parse_deflate_answer(Headers(), {}));
    CHECK(!*parse_deflate_answer(Headers(), std::vector{offer_deflate(takeover)}));
  }

  TEST_CASE("any other answer is a protocol error") {
    for (const std::string_view line :
         {"", "permessage-deflate,permessage-deflate", "permessage-deflate, x", "x", "x, permessage-deflate",
          "permessage-deflate; unknown", "permessage-deflate; client_max_window_bits",
          "permessage-deflate; client_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
          "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_max_window_bits=\"1 5\"",
          "permessage-deflate; server_no_context_takeover; server_no_context_takeover"}) {
      CAPTURE(line);
      CHECK(verdict(line, takeover) == "upstream.protocol");
    }
    CHECK(verdict("permessage-deflate", no_takeover) == "upstream.protocol");
    CHECK(verdict("permessage-deflate", small) == "upstream.protocol");
    CHECK(verdict("permessage-deflate; server_max_window_bits=11", small) == "upstream.protocol");
    CHECK(verdict("permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", small) ==
          "upstream.protocol");
    CHECK(!parse_deflate_answer(lines({"permessage-deflate"}), {}).ok());
    CHECK(
        !parse_deflate_answer(lines({"permessage-deflate", "permessage-deflate"}), std::vector{offer_deflate(takeover)})
             .ok());
    // A client that cannot be told a window must not be told one.
    const std::vector<DeflateParameters> plain(1);
    CHECK(!parse_deflate_answer(lines({"permessage-deflate; client_max_window_bits=15"}), plain).ok());
  }

  TEST_CASE("an answer may fit any of several offers") {
    const auto several =
        parse_deflate_offers(lines({"permessage-deflate; server_max_window_bits=9", "permessage-deflate"}));
    CHECK(parse_deflate_answer(lines({"permessage-deflate"}), *several).ok());
    CHECK(!parse_deflate_answer(lines({"permessage-deflate; client_max_window_bits=10"}), *several).ok());
  }
}

}  // namespace
}  // namespace sallyport::http
