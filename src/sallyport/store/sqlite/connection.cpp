#include "sallyport/store/sqlite/connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "sallyport/store/sqlite/schema.h"

namespace sallyport::store {
namespace {

// Durable when committed; nothing that was deleted stays readable in the file.
constexpr const char* settings = "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON";

std::string errno_text() { return std::strerror(errno); }

Error unfit(const std::string& path, const std::string& trouble) {
  return {Reason::config_invalid, "store.sqlite.path '" + path + "': " + trouble};
}

// The mode belongs to the file and outlives the connection. SQLite does not wait for locks here, so this does.
Result<void> switch_to_wal(Database& database, const std::string& path, std::chrono::milliseconds busy_timeout) {
  const auto give_up = std::chrono::steady_clock::now() + busy_timeout;
  for (;;) {
    Query query = database.query("PRAGMA journal_mode=WAL");
    const Result<bool> answered = query.next();
    if (answered.ok()) {
      const std::string mode(*answered ? query.bytes() : "");
      if (mode == "wal") return {};
      return unfit(path, "its file system cannot hold a write-ahead log; choose a folder on a local disk");
    }
    if (database.in_doubt() || std::chrono::steady_clock::now() >= give_up) return answered.error();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Result<Connection::FileId> Connection::file_id() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) {
    return Error{Reason::store_unavailable, "database '" + path_ + "': " + errno_text()};
  }
  return FileId{status.st_dev, status.st_ino};
}

// Never opens a file that exists: closing it again would drop the locks that SQLite holds on it in this process.
Result<void> Connection::prepare_file() const {
  const std::string folder = path_.substr(0, path_.rfind('/') + 1);
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) {
    return unfit(path_, "the folder '" + folder + "' cannot be used (" + errno_text() + "); create it: mkdir -m 700 '" +
                            folder + "'");
  }
  const int fd = ::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno != EEXIST)
    return unfit(path_, "cannot be created (" + errno_text() + "); give this user write access to '" + folder + "'");
  if (::stat(path_.c_str(), &status) != 0) return unfit(path_, errno_text());
  if (!S_ISREG(status.st_mode)) return unfit(path_, "is not a regular file; give the name of a file");
  if ((status.st_mode & 077) != 0 && ::chmod(path_.c_str(), 0600) != 0) {
    return unfit(path_, "is open to other users and cannot be closed to them (" + errno_text() +
                            "); as its owner: chmod 600 '" + path_ + "'");
  }
  return {};
}

Result<void> Connection::start(std::chrono::milliseconds busy_timeout) {
  TRY_OK(prepare_file());
  TRY(opened_, file_id());
  TRY(Database database, Database::open(path_, busy_timeout));
  TRY_OK(migrate_schema(database, path_));
  TRY_OK(switch_to_wal(database, path_, busy_timeout));
  TRY_OK(database.run(settings));
  database_.emplace(std::move(database));
  return {};
}

Result<Database*> Connection::ready(std::chrono::milliseconds busy_timeout) {
  const Result<FileId> present = file_id();
  if (!present.ok() || *present != opened_) database_.reset();
  if (!present.ok()) return present.error();
  if (database_) {
    database_->wait_for_locks(busy_timeout);
    return &*database_;
  }
  TRY(Database database, Database::open(path_, busy_timeout));
  if (Result<void> checked = check_schema(database, path_); !checked.ok()) {
    return Error{Reason::store_unavailable, checked.error().detail};
  }
  TRY_OK(database.run(settings));
  opened_ = *present;
  database_.emplace(std::move(database));
  return &*database_;
}

}  // namespace sallyport::store
