#include "sallyport/config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sallyport/config/node.h"
#include "sallyport/config/problem.h"

namespace sallyport::config {

namespace {

constexpr std::size_t max_secret_size = 65'536;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error trouble(const std::string& path, const std::string& what) {
  return Error{Reason::config_invalid, quoted(path) + " " + what};
}

// Reads into one allocation, so that no copy of a secret is left in memory that was given back.
Result<std::string> load(const std::string& path, std::size_t max_size, mode_t refused_mode) {
  // O_NONBLOCK: opening a FIFO would wait for a writer. The kind and mode are those of what was opened, not of the
  // name.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return trouble(path, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return trouble(path, std::string("cannot be examined: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return trouble(path, "is not a regular file");
  if ((status.st_mode & refused_mode) != 0)
    return trouble(path, "holds a secret, but everybody on this machine may read or change it. Run chmod 600 on it");
  if (static_cast<std::uint64_t>(status.st_size) > max_size)
    return trouble(path, "is larger than " + std::to_string(max_size) + " bytes");
  // A file may grow while it is read, but not beyond what was made room for.
  const std::size_t room = std::min(max_size, std::max(static_cast<std::size_t>(status.st_size), max_secret_size));
  std::string out(room + 1, '\0');
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t count = read(file.get(), out.data() + size, out.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return trouble(path, std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > room) return trouble(path, "is larger than " + std::to_string(room) + " bytes");
  out.resize(size);
  return out;
}

}  // namespace

Result<std::string> load_text(const std::string& path) { return load(path, max_text_size, 0); }

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return "";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

Result<Secret> load_secret(const SecretSource& source, const Environment& environment) {
  switch (source.kind) {
    case SecretSource::Kind::none:
      return Error{Reason::config_invalid, "no secret is configured"};
    case SecretSource::Kind::environment: {
      auto value = environment(source.where);
      if (!value) return Error{Reason::config_invalid, "environment variable " + source.where + " is not set"};
      if (value->empty()) return Error{Reason::config_invalid, "environment variable " + source.where + " is empty"};
      if (value->size() > max_secret_size)
        return Error{Reason::config_invalid, "environment variable " + source.where + " is larger than " +
                                                 std::to_string(max_secret_size) + " bytes"};
      return Secret(std::move(*value));
    }
    case SecretSource::Kind::file: {
      TRY(std::string text, load(source.where, max_secret_size, S_IROTH | S_IWOTH));
      if (text.ends_with('\n')) text.pop_back();
      if (text.ends_with('\r')) text.pop_back();
      if (text.empty()) return trouble(source.where, "is empty, but a secret is expected in it");
      return Secret(std::move(text));
    }
  }
  throw_bug("kind of secret source");
}

Result<Secret> load_secret_file(const std::string& path, std::size_t max_size) {
  TRY(std::string text, load(path, max_size, S_IROTH | S_IWOTH));
  return Secret(std::move(text));
}

}  // namespace sallyport::config
