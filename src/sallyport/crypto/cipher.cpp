#include "sallyport/crypto/cipher.h"

#include <limits>

#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {
namespace {

using OwnedCipher = Owned<EVP_CIPHER, EVP_CIPHER_free>;
using OwnedCipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

enum class Direction : int { decrypt = 0, encrypt = 1 };

unsigned char* at(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

class Aes {
 public:
  Aes(const char* mode, Bytes key, Bytes iv, Direction direction) : context_(EVP_CIPHER_CTX_new()) {
    SALLYPORT_CHECK(key.size() == 16 || key.size() == 24 || key.size() == 32);
    const std::string name = "AES-" + std::to_string(key.size() * 8) + "-" + mode;
    const OwnedCipher cipher(EVP_CIPHER_fetch(nullptr, name.c_str(), nullptr));
    SALLYPORT_CHECK(context_ != nullptr && cipher != nullptr);
    SALLYPORT_CHECK(EVP_CipherInit_ex2(context_.get(), cipher.get(), key.data(), iv.data(), static_cast<int>(direction),
                                       nullptr) == 1);
  }

  void add_aad(Bytes aad) {
    int length = 0;
    if (aad.empty()) return;
    SALLYPORT_CHECK(EVP_CipherUpdate(context_.get(), nullptr, &length, aad.data(), size_of(aad)) == 1);
  }
  void set_tag(Bytes tag) {
    SALLYPORT_CHECK(
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, size_of(tag), const_cast<Byte*>(tag.data())) == 1);
  }
  std::string tag() {
    std::string out(gcm_tag_size, '\0');
    SALLYPORT_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(out.size()), at(out)) ==
                    1);
    return out;
  }
  // Nothing when the end does not hold: the tag or the padding.
  std::optional<std::string> run(Bytes in) {
    std::string out(in.size() + aes_block_size, '\0');
    int written = 0;
    int last = 0;
    if (!in.empty()) {
      SALLYPORT_CHECK(EVP_CipherUpdate(context_.get(), at(out), &written, in.data(), size_of(in)) == 1);
    }
    if (EVP_CipherFinal_ex(context_.get(), at(out) + written, &last) != 1) return std::nullopt;
    out.resize(static_cast<std::size_t>(written + last));
    return out;
  }

 private:
  static int size_of(Bytes bytes) {
    SALLYPORT_CHECK(bytes.size() <= std::numeric_limits<int>::max() - aes_block_size);
    return static_cast<int>(bytes.size());
  }
  const ErrorQueueGuard guard_;
  OwnedCipherContext context_;
};

}  // namespace

std::optional<std::string> open_aes_gcm(Bytes key, Bytes nonce, Bytes aad, Bytes sealed, Bytes tag) {
  if (nonce.size() != gcm_nonce_size || tag.size() != gcm_tag_size) return std::nullopt;
  Aes aes("GCM", key, nonce, Direction::decrypt);
  aes.add_aad(aad);
  aes.set_tag(tag);
  return aes.run(sealed);
}

Sealed seal_aes_gcm(Bytes key, Bytes nonce, Bytes aad, Bytes plain) {
  SALLYPORT_CHECK(nonce.size() == gcm_nonce_size);
  Aes aes("GCM", key, nonce, Direction::encrypt);
  aes.add_aad(aad);
  auto text = aes.run(plain);
  SALLYPORT_CHECK(text.has_value());
  return {std::move(*text), aes.tag()};
}

std::optional<std::string> decrypt_aes_cbc(Bytes key, Bytes iv, Bytes sealed) {
  if (iv.size() != aes_block_size || sealed.empty() || sealed.size() % aes_block_size != 0) return std::nullopt;
  return Aes("CBC", key, iv, Direction::decrypt).run(sealed);
}

std::string encrypt_aes_cbc(Bytes key, Bytes iv, Bytes plain) {
  SALLYPORT_CHECK(iv.size() == aes_block_size);
  auto text = Aes("CBC", key, iv, Direction::encrypt).run(plain);
  SALLYPORT_CHECK(text.has_value());
  return std::move(*text);
}

}  // namespace sallyport::crypto
