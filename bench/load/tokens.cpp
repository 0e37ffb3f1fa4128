#include "tokens.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>

#include "die.h"

namespace sallyport::bench {

namespace {

std::string base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i <= count; ++i) out.push_back(alphabet[group >> (18 - 6 * i) & 63]);
  }
  return out;
}

/// The two numbers of an ECDSA signature as JWS wants them, 32 bytes each (RFC 7518 §3.4).
std::string joined(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  if (signature == nullptr) die("a signature that is none");
  std::string out(64, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
  ECDSA_SIG_free(signature);
  return out;
}

}  // namespace

ListedTokens::ListedTokens(const char* path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines_.push_back(line);
  if (lines_.empty()) die(std::string("no token in ") + path);
}

std::optional<std::string> ListedTokens::next() {
  if (lines_.size() == 1) return lines_.front();
  if (at_ == lines_.size()) return {};
  return lines_[at_++];
}

FreshTokens::FreshTokens(std::string_view algorithm, const char* path) : algorithm_(algorithm) {
  if (algorithm_ == "HS256") {
    std::ifstream file(path, std::ios::binary);
    const std::string secret{std::istreambuf_iterator<char>(file), {}};
    key_.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, nullptr,
                                            reinterpret_cast<const unsigned char*>(secret.data()), secret.size()));
  } else if (std::FILE* file = std::fopen(path, "r"); file != nullptr) {
    key_.reset(PEM_read_PrivateKey(file, nullptr, nullptr, nullptr));
    std::fclose(file);
  }
  if (key_ == nullptr) die(std::string("no key in ") + path);
  nonce_ = std::to_string(std::random_device{}());
}

std::string FreshTokens::sign(std::string_view text) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const EVP_MD* digest = algorithm_ == "EdDSA" ? nullptr : EVP_sha256();
  std::array<unsigned char, 1024> signature;
  std::size_t size = signature.size();
  const bool good = EVP_DigestSignInit(context, nullptr, digest, nullptr, key_.get()) == 1 &&
                    EVP_DigestSign(context, signature.data(), &size,
                                   reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  EVP_MD_CTX_free(context);
  if (!good) die("a token could not be signed");
  std::string out(reinterpret_cast<const char*>(signature.data()), size);
  return algorithm_ == "ES256" ? joined(out) : out;
}

std::optional<std::string> FreshTokens::next() {
  const std::string now = std::to_string(std::time(nullptr));
  const std::string end = std::to_string(std::time(nullptr) + 3600);
  const std::string header = R"({"alg":")" + algorithm_ + R"(","typ":"JWT","kid":")" + algorithm_ + "\"}";
  const std::string claims = R"({"iss":"https://id.example.com","sub":"load","aud":"bench","iat":)" + now +
                             ",\"exp\":" + end + ",\"jti\":\"" + nonce_ + "-" + std::to_string(made_++) +
                             R"(","scope":"chat.read chat.write"})";
  std::string text = base64url(header) + "." + base64url(claims);
  const std::string signature = sign(text);
  return text + "." + base64url(signature);
}

}  // namespace sallyport::bench
