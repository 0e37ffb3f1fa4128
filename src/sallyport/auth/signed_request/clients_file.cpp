#include "sallyport/auth/signed_request/clients_file.h"

#include <sys/stat.h>

#include "sallyport/config/file.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t max_file_size = 16 * 1024 * 1024;

}  // namespace

ClientsFile::Stamp ClientsFile::stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  // Of the inode, not of the content: a content put back with its old time is a change all the same.
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
          static_cast<std::uint64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_ctim.tv_sec) * 1'000'000'000 + status.st_ctim.tv_nsec};
}

Result<std::shared_ptr<const Clients>> ClientsFile::read(const std::string& path) {
  TRY(const Secret text, config::load_secret_file(path, max_file_size));
  auto clients = Clients::parse(text.reveal());
  if (!clients.ok()) return Error{Reason::config_invalid, path + ": " + clients.error().detail};
  return std::make_shared<const Clients>(std::move(*clients));
}

Result<std::shared_ptr<ClientsFile>> ClientsFile::open(std::string path) {
  std::shared_ptr<ClientsFile> file(new ClientsFile(std::move(path)));
  // Before it is read: a change in between is then seen by the next refresh().
  file->stamp_ = stamp_of(file->path_);
  TRY(file->clients_, read(file->path_));
  return file;
}

std::shared_ptr<const Clients> ClientsFile::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return clients_;
}

Result<void> ClientsFile::refresh() {
  // One at a time, or who has read an older file could put it in place of a newer one.
  const std::scoped_lock one_at_a_time(refreshing_);
  const Stamp stamp = stamp_of(path_);
  {
    const std::scoped_lock lock(mutex_);
    if (stamp == stamp_) return {};
    stamp_ = stamp;
  }
  TRY(auto fresh, read(path_));
  const std::scoped_lock lock(mutex_);
  clients_ = std::move(fresh);
  return {};
}

std::vector<std::string> changed_keys(const Clients& before, const Clients& now) {
  std::vector<std::string> changed;
  for (const auto& [kid, was] : before.keys()) {
    const ClientKey* is = now.find(kid);
    const bool same = is && was.key.same_key(is->key) && was.algorithm == is->algorithm &&
                      was.not_before == is->not_before && was.not_after == is->not_after && *was.client == *is->client;
    if (!same) changed.push_back(kid);
  }
  return changed;
}

}  // namespace sallyport::auth
