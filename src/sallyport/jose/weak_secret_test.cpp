#include "sallyport/jose/weak_secret.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/random.h"

using namespace sallyport;
using sallyport::jose::check_secret;

TEST_CASE("random secrets pass, in any spelling") {
  crypto::FakeRandom random(3);
  for (int i = 0; i < 200; ++i) {
    const std::string secret = random.bytes(32);
    CHECK(check_secret(bytes_of(secret)).ok());
    CHECK(check_secret(bytes_of(base64url_encode(bytes_of(secret)))).ok());
    CHECK(check_secret(bytes_of(hex_encode(bytes_of(secret)))).ok());
  }
}

TEST_CASE("short secrets are refused") {
  crypto::FakeRandom random;
  const auto result = check_secret(bytes_of(random.bytes(31)));
  REQUIRE(!result.ok());
  CHECK(result.error().reason == Reason::config_invalid);
  CHECK(!check_secret({}).ok());
}

TEST_CASE("well-known secrets are refused, however they were brought to length") {
  std::string sequence;
  for (char c = 0; c < 40; ++c) sequence += c;
  const std::string refused[] = {
      std::string(32, '\0'),
      std::string(64, 'a'),
      sequence,
      "abcdefghijklmnopqrstuvwxyz012345abcdefghijklmnopqrstuvwxyz012345secretkey",
      "secretsecretsecretsecretsecretsecret",
      "secret0000000000000000000000000000000000",
      "SECRET==================================",
      "your-256-bit-secret-your-256-bit-secret",
      "your-256-bit-secretyour-256-bit-secret",
      "your-256-bit-secret\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
      "your-256-bit-secret             ",
      "your_384_bit_secret_your_384_bit_secret_",
      "a-string-secret-at-least-256-bits-long",
      "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
      "changeme-changeme-changeme-changeme-42!",
      "please CHANGE_ME before going to production",
      "my-super-secret-key-for-jwt-tokens-2024",
      "django-insecure-0aq9c!@3n2hjd7zk4x1v8s5w6e",
      "keyboard cat keyboard cat keyboard cat",
      "0123456789abcdef0123456789abcdef",
      "01234567890123456789012345678901",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
      base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
          .value(),
  };
  for (const std::string& secret : refused) {
    CAPTURE(secret);
    std::string padded = secret;
    padded.resize(std::max<std::size_t>(padded.size(), 32), '\0');
    const auto result = check_secret(bytes_of(padded));
    REQUIRE(!result.ok());
    CHECK(result.error().detail.find(secret) == std::string::npos);
  }
}
