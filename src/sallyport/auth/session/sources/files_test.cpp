#include "sallyport/auth/session/sources/files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

struct Folder {
  Folder() {
    char name[] = "/tmp/sallyport-files-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path + "/" + name) << text; }
  std::string path;
};

Result<FoundSessions> find(const FileLayout& layout, const std::vector<std::string>& keys) {
  const Instant deadline = std::chrono::steady_clock::now() + 10s;
  auto query = open_files(layout)(deadline);
  REQUIRE(query.ok());
  return (*query)->find(keys, deadline);
}

TEST_CASE("files: sessions are found by their names, in order") {
  const Folder folder;
  folder.write("sess_a", "user|i:1;");
  folder.write("sess_b", "user|i:2;");
  const auto found = find({folder.path, "sess_{id}", 0, 60s}, {"b", "none", "a"});
  REQUIRE(found.ok());
  CHECK((*found)[0]->data == "user|i:2;");
  CHECK(!(*found)[1]);
  CHECK((*found)[2]->data == "user|i:1;");
  CHECK((*found)[2]->expires_at > SystemClock().wall());
  CHECK((*found)[2]->expires_at <= SystemClock().wall() + 61s);
}

TEST_CASE("files: nothing but a regular file in its own folder is read") {
  const Folder folder;
  folder.write("secret", "the other file");
  folder.write("sess_good", "x");
  std::filesystem::create_symlink(folder.path + "/secret", folder.path + "/sess_link");
  std::filesystem::create_directory(folder.path + "/sess_folder");
  REQUIRE(::mkfifo((folder.path + "/sess_pipe").c_str(), 0600) == 0);
  std::ofstream(folder.path + "/sess_large") << std::string(SessionSource::largest_session + 1, 'x');
  const auto found = find({folder.path, "sess_{id}", 0, 0s},
                          {"link", "folder", "pipe", "large", "good", ".", "..", "a:b", std::string(256, 'a')});
  REQUIRE(found.ok());
  for (std::size_t i = 0; i < found->size(); ++i) {
    CAPTURE(i);
    CHECK((*found)[i].has_value() == (i == 4));
  }
  CHECK(!(*found)[4]->expires_at);
  // A pattern without anything before the id must not reach a file with a dot in front.
  folder.write(".env", "SECRET=1");
  CHECK(!find({folder.path, "{id}", 0, 0s}, {".env"}).value()[0]);
}

TEST_CASE("files: levels of folders are walked, never through a link") {
  const Folder folder;
  const Folder other;
  std::filesystem::create_directories(folder.path + "/a/b");
  folder.write("a/b/sess_abc", "deep");
  std::filesystem::create_directory(other.path + "/d");
  other.write("d/sess_cd", "elsewhere");
  std::filesystem::create_symlink(other.path, folder.path + "/c");
  const auto found = find({folder.path, "sess_{id}", 2, 0s}, {"abc", "cd", "a", "zz"});
  REQUIRE(found.ok());
  CHECK((*found)[0]->data == "deep");
  for (const std::size_t i : {1, 2, 3}) CHECK(!(*found)[i]);
}

TEST_CASE("files: a folder that is not there is trouble with the store, and no longer once it is") {
  const Folder folder;
  const FileLayout layout{folder.path + "/later", "{id}", 0, 0s};
  const auto missing = find(layout, {"a"});
  REQUIRE(!missing.ok());
  CHECK(missing.error().reason == Reason::store_unavailable);
  std::filesystem::create_directory(layout.folder);
  CHECK(find(layout, {"a"}).ok());
}

}  // namespace
}  // namespace sallyport::auth
