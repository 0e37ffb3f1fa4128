#include "sallyport/cli/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sallyport/base/encoding.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/random.h"
#include "sallyport/net/socket.h"

namespace sallyport::cli {
namespace {

Error trouble(const std::string& path, std::string_view what) {
  return {Reason::config_invalid, path + ": " + std::string(what)};
}
Error system_trouble(const std::string& path) { return trouble(path, std::strerror(errno)); }

/// A complete file beside the one that is meant, gone again unless it is moved there.
class Draft {
 public:
  explicit Draft(const std::string& target) : path_(target + "." + hex_encode(bytes_of(crypto::random_bytes(8)))) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

  /// `like`: whose owner, group and access it gets.
  Result<void> write(std::string_view text, const struct stat* like) {
    const net::Fd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return system_trouble(path_);
    if (like) {
      // Another's file stays another's where we may see to that; access is only given once the group is right.
      const bool same_group = ::fchown(fd.get(), like->st_uid, like->st_gid) == 0;
      if (same_group && ::fchmod(fd.get(), like->st_mode & 0640) != 0) return system_trouble(path_);
    }
    while (!text.empty()) {
      const ssize_t count = ::write(fd.get(), text.data(), text.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return system_trouble(path_);
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::fsync(fd.get()) != 0) return system_trouble(path_);
    return {};
  }

 private:
  std::string path_;
};

}  // namespace

Result<std::vector<jose::SigningKey>> parse_keys(std::string_view text, const std::string& where,
                                                 SharedSecrets secrets) {
  const Result<json::Value> document = json::parse(text);
  if (!document.ok()) return trouble(where, "no JSON: " + document.error().detail);
  const json::Value* list = document->find("keys");
  if (!list || !list->array() || list->array()->empty())
    return trouble(where, "no set of keys as `sallyport keys new` writes it");
  std::vector<jose::SigningKey> keys;
  for (const json::Value& jwk : *list->array()) {
    Result<jose::SigningKey> key = jose::SigningKey::parse(jwk);
    if (!key.ok()) return trouble(where, "key " + std::to_string(keys.size() + 1) + ": " + key.error().detail);
    if (secrets == SharedSecrets::refused && crypto::is_symmetric(key->algorithm())) {
      return trouble(where, "key " + std::to_string(keys.size() + 1) + ": a shared secret, which cannot be published");
    }
    keys.push_back(std::move(key).value());
  }
  return keys;
}

Result<std::vector<jose::SigningKey>> load_keys(const std::string& path, SharedSecrets secrets) {
  TRY(const Secret text, config::load_secret({config::SecretSource::Kind::file, path}, config::empty_environment()));
  return parse_keys(text.reveal(), path, secrets);
}

Secret keys_text(std::span<const jose::SigningKey> keys) {
  std::string text = "{\"keys\":[";
  for (const jose::SigningKey& key : keys) {
    if (&key != keys.data()) text += ",\n";
    text += key.to_private_jwk().reveal();
  }
  return Secret(text + "]}\n");
}

std::string public_keys_text(std::span<const jose::SigningKey> keys) {
  json::Array list;
  for (const jose::SigningKey& key : keys) list.emplace_back(key.to_public_jwk());
  return json::dump(json::Object{{"keys", std::move(list)}}) + "\n";
}

Result<void> create_file(const std::string& path, const Secret& text) {
  Draft draft(path);
  TRY_OK(draft.write(text.reveal(), nullptr));
  // Unlike rename(2), link(2) never replaces anything.
  if (::link(draft.path().c_str(), path.c_str()) == 0) return {};
  if (errno == EEXIST) return trouble(path, "is there already; choose another name, or use `sallyport keys rotate`");
  return system_trouble(path);
}

Result<void> replace_file(const std::string& path, const Secret& text) {
  struct stat present{};
  if (::stat(path.c_str(), &present) != 0) return system_trouble(path);
  Draft draft(path);
  TRY_OK(draft.write(text.reveal(), &present));
  if (::rename(draft.path().c_str(), path.c_str()) != 0) return system_trouble(path);
  return {};
}

}  // namespace sallyport::cli
