#include "sallyport/auth/totp/one_time.h"

#include <algorithm>

#include "sallyport/auth/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t min_secret_bytes = 16;  // RFC 4226 §4, R6

Error invalid(std::string detail) { return {Reason::config_invalid, std::move(detail)}; }

Result<Secret> base32_decode(std::string_view text) {
  std::string out;
  unsigned held = 0;
  int bits = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z' ? c - 'A' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
    if (value < 0) return invalid("\"secret\" is no base32 in upper case");
    held = (held << 5 | static_cast<unsigned>(value)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(held >> bits & 0xff));
  }
  return Secret(std::move(out));
}

std::string mac_of(const CodeSecret& secret, std::string_view data) {
  switch (secret.hash) {
    case CodeHash::sha1:
      return std::string(text_of(crypto::hmac_sha1(secret.key.bytes(), bytes_of(data))));
    case CodeHash::sha256:
      return crypto::HmacKey(crypto::Algorithm::HS256, secret.key.bytes()).sign(bytes_of(data));
    case CodeHash::sha512:
      return crypto::HmacKey(crypto::Algorithm::HS512, secret.key.bytes()).sign(bytes_of(data));
  }
  throw_bug("every hash has its HMAC");
}

Result<std::int64_t> number_member(const json::Value& value, std::string_view name, std::int64_t otherwise,
                                   std::int64_t low, std::int64_t high) {
  const json::Value* member = value.find(name);
  if (!member) return otherwise;
  if (!member->integer() || *member->integer() < low || *member->integer() > high)
    return invalid("\"" + std::string(name) + "\" is no number from " + std::to_string(low) + " to " +
                   std::to_string(high));
  return *member->integer();
}

Result<CodeHash> hash_member(const json::Value& value) {
  const json::Value* member = value.find("algorithm");
  if (!member) return CodeHash::sha1;
  const std::string* text = member->string();
  if (text && *text == "SHA1") return CodeHash::sha1;
  if (text && *text == "SHA256") return CodeHash::sha256;
  if (text && *text == "SHA512") return CodeHash::sha512;
  return invalid("\"algorithm\" is none of SHA1, SHA256, SHA512");
}

Result<CodeSecret> parse_secret(const json::Value& value) {
  CodeSecret out;
  const std::string* text = value.find_string("secret");
  if (!text) return invalid("no text \"secret\"");
  TRY(out.key, base32_decode(*text));
  if (out.key.size() < min_secret_bytes) return invalid("a secret of less than 16 bytes");
  TRY(out.hash, hash_member(value));
  TRY(const std::int64_t digits, number_member(value, "digits", 6, 6, 8));
  TRY(const std::int64_t period, number_member(value, "period", 30, 15, 120));
  out.digits = static_cast<unsigned>(digits);
  out.period = std::chrono::seconds(period);
  out.name = hex_encode(crypto::sha256(out.key.bytes()));
  return out;
}

}  // namespace

std::int64_t CodeSecret::step_at(WallTime at) const { return to_unix_seconds(at) / period.count(); }

std::string CodeSecret::code(std::int64_t step) const {
  std::string counter;
  for (int shift = 56; shift >= 0; shift -= 8) counter.push_back(static_cast<char>(step >> shift & 0xff));
  const std::string mac = mac_of(*this, counter);
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(mac[at])); };
  const std::size_t offset = byte(mac.size() - 1) & 15;
  const std::uint32_t number =
      (byte(offset) & 0x7f) << 24 | byte(offset + 1) << 16 | byte(offset + 2) << 8 | byte(offset + 3);
  std::uint32_t modulus = 1;
  for (unsigned i = 0; i < digits; ++i) modulus *= 10;
  const std::string text = std::to_string(number % modulus);
  return std::string(digits - text.size(), '0') + text;
}

Result<CodeSecrets> CodeSecrets::parse(std::string_view text) {
  auto document = json::parse(text);
  if (!document.ok()) return invalid("no JSON: " + document.error().detail);
  const json::Value* list = document->find("secrets");
  if (!list || !list->array() || document->object()->size() != 1)
    return invalid("no object with a list \"secrets\" and nothing else");
  CodeSecrets out;
  for (std::size_t i = 0; i < list->array()->size(); ++i) {
    const json::Value& value = (*list->array())[i];
    const std::string where = "secret " + std::to_string(i + 1) + ": ";
    if (!value.object()) return invalid(where + "no JSON object");
    constexpr std::string_view known[] = {"subject", "secret", "algorithm", "digits", "period"};
    for (const auto& [name, member] : *value.object()) {
      if (std::find(std::begin(known), std::end(known), name) == std::end(known))
        return invalid(where + "unknown member \"" + name + '"');
    }
    const std::string* subject = value.find_string("subject");
    if (!subject || subject->empty() || !is_clean(*subject))
      return invalid(where + "no text \"subject\" without control characters");
    auto secret = parse_secret(value);
    if (!secret.ok()) return invalid(where + secret.error().detail);
    out.secrets_[*subject].push_back(std::move(*secret));
  }
  return out;
}

const std::vector<CodeSecret>* CodeSecrets::find(std::string_view subject) const {
  const auto found = secrets_.find(subject);
  return found == secrets_.end() ? nullptr : &found->second;
}

}  // namespace sallyport::auth
