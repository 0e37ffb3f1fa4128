#include "sallyport/auth/session/sources/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport::auth {
namespace {

// An application may be at writing what is read here: as long as the file changes under the reading, it is read again.
constexpr int most_readings = 5;
constexpr auto pause_between_readings = std::chrono::milliseconds(2);

// What a key may hold in a file name: no dot at the front, and nothing that a shell or a path knows.
bool names_a_file(std::string_view key) {
  return key.front() != '.' && std::ranges::all_of(key, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == ',' || c == '.';
         });
}

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class FileQuery final : public SessionQuery {
 public:
  explicit FileQuery(FileLayout layout) : layout_(std::move(layout)) {}

  Result<FoundSessions> find(const std::vector<std::string>& keys, Instant deadline) override {
    // Opened each time: a deployment may have put another in its place.
    const net::Fd root(::open(layout_.folder.c_str(), O_DIRECTORY | O_PATH | O_CLOEXEC));
    if (!root) return Error{Reason::store_unavailable, "folder '" + layout_.folder + "': " + std::strerror(errno)};
    FoundSessions found;
    found.reserve(keys.size());
    for (const std::string& key : keys) {
      if (std::chrono::steady_clock::now() >= deadline)
        return Error{Reason::store_unavailable, "folder '" + layout_.folder + "': not read in time"};
      if (!names_a_file(key)) {
        found.emplace_back();
        continue;
      }
      TRY(auto session, read_file(root, key));
      found.push_back(std::move(session));
    }
    return found;
  }

 private:
  Error trouble(std::string_view what) const {
    return {Reason::store_unavailable, std::string(what) + " in '" + layout_.folder + "': " + std::strerror(errno)};
  }

  // nullopt: there is none.
  Result<std::optional<net::Fd>> open_folder(const net::Fd& root, const std::string& key) const {
    net::Fd folder(::openat(root.get(), ".", O_DIRECTORY | O_PATH | O_CLOEXEC));
    if (!folder) return trouble("a folder");
    for (std::uint32_t level = 0; level < layout_.depth; ++level) {
      if (level >= key.size()) return std::optional<net::Fd>();
      const std::string name(1, key[level]);
      if (name == ".") return std::optional<net::Fd>();
      net::Fd next(::openat(folder.get(), name.c_str(), O_DIRECTORY | O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!next) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return std::optional<net::Fd>();
        return trouble("folder '" + name + "'");
      }
      folder = std::move(next);
    }
    return std::optional<net::Fd>(std::move(folder));
  }

  Result<std::optional<StoredSession>> read_file(const net::Fd& root, const std::string& key) const {
    const std::optional<StoredSession> none;
    TRY(const std::optional<net::Fd> folder, open_folder(root, key));
    if (!folder) return none;
    const auto at = layout_.pattern.find("{id}");
    const std::string name = layout_.pattern.substr(0, at) + key + layout_.pattern.substr(at + 4);
    if (name.size() > 255) return none;
    // O_NONBLOCK: a pipe of this name must not hold us up.
    const net::Fd file(
        ::openat(folder->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) {
      if (errno == ENOENT || errno == ELOOP || errno == ENXIO) return none;
      return trouble("a session");
    }
    for (int reading = 1;; ++reading) {
      struct stat before{};
      if (::fstat(file.get(), &before) != 0) return trouble("a session");
      if (!S_ISREG(before.st_mode) || before.st_nlink == 0) return none;
      if (static_cast<std::size_t>(before.st_size) > SessionSource::largest_session) return none;
      StoredSession session;
      session.data.resize(static_cast<std::size_t>(before.st_size));
      std::size_t read = 0;
      while (read < session.data.size()) {
        const ssize_t count =
            ::pread(file.get(), session.data.data() + read, session.data.size() - read, static_cast<off_t>(read));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return trouble("a session");
        if (count == 0) break;
        read += static_cast<std::size_t>(count);
      }
      struct stat after{};
      if (::fstat(file.get(), &after) != 0) return trouble("a session");
      const auto age = std::chrono::system_clock::now() - from_unix_seconds(after.st_mtim.tv_sec);
      const bool may_be_cut = read == 0 && age < std::chrono::seconds(2);  // emptied to be written anew
      const bool settled = read == session.data.size() && same_state(before, after) && !may_be_cut;
      if (settled || reading == most_readings) {
        session.data.resize(read);
        if (layout_.lifetime.count() > 0)
          session.expires_at = from_unix_seconds(after.st_mtim.tv_sec) + layout_.lifetime;
        return std::optional<StoredSession>(std::move(session));
      }
      std::this_thread::sleep_for(pause_between_readings);
    }
  }

  FileLayout layout_;
};

}  // namespace

OpenSessionQuery open_files(FileLayout layout) {
  return [layout = std::move(layout)](Instant) -> Result<std::unique_ptr<SessionQuery>> {
    return std::unique_ptr<SessionQuery>(std::make_unique<FileQuery>(layout));
  };
}

}  // namespace sallyport::auth
