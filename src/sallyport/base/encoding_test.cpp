#include "sallyport/base/encoding.h"

#include <doctest/doctest.h>

using namespace sallyport;

TEST_CASE("base64 writes and reads the RFC 4648 vectors") {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK(base64_encode(bytes_of(plain)) == encoded);
    CHECK(base64_decode(encoded).value() == plain);
    const std::string_view unpadded = encoded.substr(0, encoded.find('='));
    CHECK(base64url_encode(bytes_of(plain)) == unpadded);
    CHECK(base64url_decode(unpadded).value() == plain);
  }
}

TEST_CASE("every byte value survives each encoding") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t length : {256U, 255U, 254U}) {
    const std::string_view part = std::string_view(all).substr(0, length);
    CHECK(base64_decode(base64_encode(bytes_of(part))).value() == part);
    CHECK(base64url_decode(base64url_encode(bytes_of(part))).value() == part);
    CHECK(hex_decode(hex_encode(bytes_of(part))).value() == part);
  }
  CHECK(base64url_encode(bytes_of("\xfb\xff")) == "-_8");
  CHECK(base64_encode(bytes_of("\xfb\xff")) == "+/8=");
}

TEST_CASE("base64url_decode refuses every other spelling") {
  for (const std::string_view text :
       {"Zg==", "Zg=", "Z", "Zm9vY", "Zh", "Zm9", "Zm9v\n", " Zm9v", "Zm 9", "+/8", "-_9", "Zm9v.", "Zm9v="}) {
    CAPTURE(text);
    const auto result = base64url_decode(text);
    REQUIRE(!result.ok());
    CHECK(result.error().reason == Reason::request_invalid);
  }
  CHECK(!base64url_decode(std::string_view("Zm9\0", 4)).ok());
}

TEST_CASE("base64_decode refuses every other spelling") {
  for (const std::string_view text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=", "Zm9vZg==Zm9v", "-_8=", "Zm8=\n", "Zg==\r\n=="}) {
    CAPTURE(text);
    CHECK(!base64_decode(text).ok());
  }
}

TEST_CASE("hex_decode takes one case and whole bytes") {
  CHECK(hex_decode("00ff").value() == std::string("\0\xff", 2));
  CHECK(hex_decode("00FF").value() == std::string("\0\xff", 2));
  for (const std::string_view text : {"0", "0g", "fF", "0x", " 0", "0f f"}) {
    CAPTURE(text);
    CHECK(!hex_decode(text).ok());
  }
}
