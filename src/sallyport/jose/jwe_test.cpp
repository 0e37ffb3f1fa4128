#include "sallyport/jose/jwe.h"

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::jose {
namespace {

const std::string cbc_key = hex_decode(
                                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f")
                                .value();

std::string encoded(std::string_view text) { return base64url_encode(bytes_of(text)); }

// A JWE of A256GCM under a key of 32 zeros.
std::string gcm(std::string_view header, std::string_view plain) {
  const std::string key(32, '\0');
  const std::string nonce(12, '\1');
  const std::string aad = encoded(header);
  const auto sealed = crypto::seal_aes_gcm(bytes_of(key), bytes_of(nonce), bytes_of(aad), bytes_of(plain));
  return aad + ".." + encoded(nonce) + "." + encoded(sealed.text) + "." + encoded(sealed.tag);
}

TEST_CASE("jwe: A256CBC-HS512 is RFC 7518's") {
  // Appendix B.3, whose additional data are those of a header there; here the MAC is recomputed over this header.
  const std::string iv = hex_decode("1af38c2dc2b96ffdd86694092341bc04").value();
  const std::string plain = "A cipher system must not be required to be secret";
  const std::string aad = encoded(R"({"alg":"dir","enc":"A256CBC-HS512"})");
  const std::string sealed = crypto::encrypt_aes_cbc(bytes_of(cbc_key).subspan(32), bytes_of(iv), bytes_of(plain));
  const auto tag_over = [&](std::string proved) {
    proved += std::string(6, '\0');
    proved.push_back(static_cast<char>(aad.size() * 8 >> 8));
    proved.push_back(static_cast<char>(aad.size() * 8));
    return crypto::HmacKey(crypto::Algorithm::HS512, bytes_of(cbc_key).first(32)).sign(bytes_of(proved)).substr(0, 32);
  };
  const auto text = [&](const std::string& tag) {
    return aad + ".." + encoded(iv) + "." + encoded(sealed) + "." + encoded(tag);
  };
  const std::string tag = tag_over(aad + iv + sealed);
  const auto jwe = Jwe::parse(text(tag));
  REQUIRE(jwe.ok());
  CHECK(jwe->encryption() == ContentEncryption::A256CBC_HS512);
  CHECK(jwe->open(bytes_of(cbc_key)) == plain);
  CHECK(!jwe->open(bytes_of(std::string(64, 'x'))));
  CHECK(!Jwe::parse(text(tag_over(aad + sealed)))->open(bytes_of(cbc_key)));
  CHECK(!Jwe::parse(text(tag.substr(0, 16)))->open(bytes_of(cbc_key)));
  CHECK(!Jwe::parse(text(""))->open(bytes_of(cbc_key)));
}

TEST_CASE("jwe: A256GCM") {
  const std::string text = gcm(R"({"alg":"dir","enc":"A256GCM"})", "{}");
  const auto jwe = Jwe::parse(text);
  REQUIRE(jwe.ok());
  CHECK(jwe->open(bytes_of(std::string(32, '\0'))) == "{}");
  CHECK(!jwe->open(bytes_of(std::string(32, 'x'))));
}

TEST_CASE("jwe: everything else is refused") {
  const auto name_of = [](const std::string& text) {
    const auto jwe = Jwe::parse(text);
    return jwe ? std::string_view("ok") : row(jwe.error().reason).name;
  };
  const std::string good = gcm(R"({"alg":"dir","enc":"A256GCM"})", "{}");
  CHECK(name_of(good) == "ok");
  for (const char* header :
       {R"({"alg":"none","enc":"A256GCM"})", R"({"alg":"RSA1_5","enc":"A256GCM"})", R"({"enc":"A256GCM"})",
        R"({"alg":"dir"})", R"({"alg":"dir","enc":"A128GCM"})", R"({"alg":"dir","enc":"A256GCM","zip":"DEF"})",
        R"({"alg":"dir","enc":"A256GCM","crit":["x"]})", R"({"alg":"dir","alg":"dir","enc":"A256GCM"})", "[]", "{",
        R"({"alg":["dir"],"enc":"A256GCM"})"}) {
    CAPTURE(header);
    CHECK(name_of(gcm(header, "{}")) == "credential.invalid");
  }
  for (const std::string& text :
       {std::string(), std::string("...."), good.substr(0, good.rfind('.')), good + ".x", good + "=", "a" + good,
        good.substr(0, good.find("..")) + ".key" + good.substr(good.find("..") + 1)}) {
    CAPTURE(text);
    CHECK(name_of(text) == "credential.invalid");
  }
}

}  // namespace
}  // namespace sallyport::jose
