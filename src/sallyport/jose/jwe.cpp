#include "sallyport/jose/jwe.h"

#include <algorithm>
#include <array>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::jose {
namespace {

Error invalid(const char* detail) { return Error{Reason::credential_invalid, std::string("JWE: ") + detail}; }

Result<ContentEncryption> read_header(std::string_view encoded) {
  const auto text = base64url_decode(encoded);
  if (!text) return invalid("the header is no base64url");
  const auto header = json::parse(*text, 4);
  if (!header || !header->object()) return invalid("the header is no JSON object");
  if (header->find("crit") || header->find("zip")) return invalid("crit and zip are not supported");
  const std::string* alg = header->find_string("alg");
  const std::string* enc = header->find_string("enc");
  if (!alg || *alg != "dir") return invalid("alg is not 'dir'");
  if (enc && *enc == "A256CBC-HS512") return ContentEncryption::A256CBC_HS512;
  if (enc && *enc == "A256GCM") return ContentEncryption::A256GCM;
  return invalid("enc is neither A256CBC-HS512 nor A256GCM");
}

}  // namespace

Result<Jwe> Jwe::parse(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const auto end = last ? text.size() : text.find('.');
    if (end == std::string_view::npos) return invalid("fewer than five parts");
    parts[i] = text.substr(0, end);
    text.remove_prefix(last ? end : end + 1);
  }
  Jwe jwe;
  TRY(jwe.encryption_, read_header(parts[0]));
  if (!parts[1].empty()) return invalid("an encrypted key where 'dir' has none");
  jwe.aad_ = parts[0];
  std::array<std::string*, 3> out = {&jwe.iv_, &jwe.sealed_, &jwe.tag_};
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto decoded = base64url_decode(parts[i + 2]);
    if (!decoded) return invalid("a part is no base64url");
    *out[i] = std::move(*decoded);
  }
  return jwe;
}

std::optional<std::string> Jwe::open(Bytes key) const {
  SALLYPORT_CHECK(key.size() == key_size(encryption_));
  if (encryption_ == ContentEncryption::A256GCM) {
    return crypto::open_aes_gcm(key, bytes_of(iv_), bytes_of(aad_), bytes_of(sealed_), bytes_of(tag_));
  }
  constexpr std::size_t half = 32;
  std::string proved = aad_ + iv_ + sealed_;
  for (unsigned shift = 64; shift > 0; shift -= 8) {
    proved.push_back(static_cast<char>((std::uint64_t{aad_.size()} * 8) >> (shift - 8)));
  }
  const std::string mac = crypto::HmacKey(crypto::Algorithm::HS512, key.first(half)).sign(bytes_of(proved));
  if (!crypto::equal(bytes_of(mac).first(half), bytes_of(tag_))) return std::nullopt;
  return crypto::decrypt_aes_cbc(key.subspan(half), bytes_of(iv_), bytes_of(sealed_));
}

}  // namespace sallyport::jose
