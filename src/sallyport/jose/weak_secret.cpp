#include "sallyport/jose/weak_secret.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <string_view>

#include "sallyport/base/encoding.h"

namespace sallyport::jose {
namespace {

Error weak(std::string detail) { return Error{Reason::config_invalid, "secret: " + std::move(detail)}; }

// Words that a secret may not consist of, once lower-cased and freed of everything but letters and digits.
constexpr std::string_view well_known[] = {"secret",
                                           "password",
                                           "passw0rd",
                                           "changeit",
                                           "default",
                                           "admin",
                                           "test",
                                           "testing",
                                           "key",
                                           "private",
                                           "privatekey",
                                           "sharedkey",
                                           "signing",
                                           "hmackey",
                                           "token",
                                           "jwt",
                                           "jwtkey",
                                           "example",
                                           "keyboardcat",
                                           "shhhh",
                                           "shhhhh",
                                           "shhhhhared",
                                           "qwerty",
                                           "letmein",
                                           "foobar",
                                           "foo",
                                           "bar",
                                           "sallyport",
                                           "gateway",
                                           "websocket",
                                           "insecure",
                                           "notsecret",
                                           "hello",
                                           "helloworld",
                                           "abc",
                                           "abcdef",
                                           "123456",
                                           "1234567890",
                                           "0123456789",
                                           "0123456789abcdef",
                                           "1234567890abcdef",
                                           "abcdefghijklmnopqrstuvwxyz",
                                           "deadbeef",
                                           "cafebabe",
                                           "jwtio",
                                           "development",
                                           "dev",
                                           "production",
                                           "prod",
                                           "staging",
                                           "nodejs",
                                           "express",
                                           "django",
                                           "rails",
                                           "laravel",
                                           "spring",
                                           "flask"};

// Phrases that a secret may not contain, after the same cleaning: the placeholders of documentation and of jwt.io.
constexpr std::string_view placeholders[] = {
    "changeme",       "changethis",    "replaceme",        "replacethis",   "yoursecret",     "yourjwtsecret",
    "256bitsecret",   "384bitsecret",  "512bitsecret",     "yourownsecret", "mysecret",       "supersecret",
    "topsecret",      "verysecret",    "secretkey",        "secretatleast", "secretthatis",   "jwtsecret",
    "tokensecret",    "sessionsecret", "appsecret",        "accesssecret",  "refreshsecret",  "secretforjwt",
    "djangoinsecure", "insertyour",    "putyour",          "enteryour",     "somelongsecret", "longsecret",
    "donotuse",       "thisisasecret", "thisisnotasecret", "notasecret",    "yourkey",        "keyhere",
    "secrethere",     "supersicher",   "geheim",           "motdepasse",    "contrasena"};

// Keys printed in RFC 7515 A.1 and RFC 7520 §3.5, base64url.
constexpr std::string_view published[] = {
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"};

std::string cleaned(std::string_view secret) {
  std::string out;
  for (const char character : secret) {
    if (character >= 'A' && character <= 'Z') {
      out += static_cast<char>(character - 'A' + 'a');
    } else if ((character >= 'a' && character <= 'z') || (character >= '0' && character <= '9')) {
      out += character;
    }
  }
  return out;
}

// The shortest text whose repetition begins with all of `text`.
std::string_view period(std::string_view text) {
  for (std::size_t length = 1; length < text.size(); ++length) {
    if (text.substr(length) == text.substr(0, text.size() - length)) return text.substr(0, length);
  }
  return text;
}

// `text` without the run of one character that it was filled up with.
std::string_view without_padding(std::string_view text) {
  const std::size_t end = text.find_last_not_of(text.empty() ? '\0' : text.back());
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

bool is_sequence(Bytes bytes) {
  const auto step = static_cast<Byte>(bytes[1] - bytes[0]);
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if (static_cast<Byte>(bytes[i] - bytes[i - 1]) != step) return false;
  }
  return true;
}

bool is_well_known(std::string_view word) {
  return std::find(std::begin(well_known), std::end(well_known), word) != std::end(well_known);
}

}  // namespace

Result<void> check_secret(Bytes secret) {
  if (secret.size() < min_secret_bytes) {
    return weak(std::to_string(secret.size()) + " bytes, at least " + std::to_string(min_secret_bytes) + " are needed");
  }
  std::bitset<256> seen;
  for (const Byte byte : secret) seen.set(byte);
  if (seen.count() < 8) return weak("fewer than 8 different bytes");
  if (is_sequence(secret)) return weak("a sequence");
  if (period(text_of(secret)).size() <= secret.size() / 2 && period(text_of(secret)).size() < 16)
    return weak("a short text repeated");

  const std::string encoded = base64url_encode(secret);
  for (const std::string_view key : published) {
    if (encoded == key || text_of(secret) == key) return weak("printed in an RFC");
  }
  const std::string clean = cleaned(text_of(secret));
  for (const std::string_view phrase : placeholders) {
    if (clean.find(phrase) != std::string::npos) return weak("a placeholder from documentation");
  }
  // Enough left to guess when the well-known word is only a small part of it.
  const std::string unpadded = cleaned(without_padding(text_of(secret)));
  for (const std::string_view candidate : {std::string_view(clean), std::string_view(unpadded)}) {
    if (is_well_known(candidate) || is_well_known(period(candidate))) return weak("well-known");
  }
  return {};
}

}  // namespace sallyport::jose
