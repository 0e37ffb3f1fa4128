#include "sallyport/config/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::config;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/sallyport_config_XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(path_.c_str());
  }
  std::string write(const std::string& name, std::string_view text, mode_t mode) {
    const std::string path = path_ + "/" + name;
    std::FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    REQUIRE(std::fclose(file) == 0);
    REQUIRE(chmod(path.c_str(), mode) == 0);
    files_.push_back(path);
    return path;
  }
  std::string fifo() {
    const std::string path = path_ + "/fifo";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    files_.push_back(path);
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

std::string outcome(const Result<Secret>& secret) {
  if (secret.ok()) return std::string(secret->reveal());
  CHECK(secret.error().reason == Reason::config_invalid);
  return secret.error().detail;
}

std::string from_file(const std::string& path) {
  return outcome(load_secret({SecretSource::Kind::file, path}, empty_environment()));
}

}  // namespace

TEST_CASE("a secret from a file") {
  Folder folder;
  CHECK(from_file(folder.write("a", "s3cret\n", 0600)) == "s3cret");
  CHECK(from_file(folder.write("b", "s3cret\r\n", 0640)) == "s3cret");
  CHECK(from_file(folder.write("c", " two\n\n", 0400)) == " two\n");
  CHECK(from_file(folder.write("d", std::string_view("\0\xff", 2), 0600)) == std::string("\0\xff", 2));
  CHECK(from_file(folder.write("e", std::string(65'536, 'x'), 0600)).size() == 65'536);
}

TEST_CASE("a secret that cannot be had says why and how to mend it, and never what it is") {
  Folder folder;
  const std::string open = folder.write("open", "hunter2", 0644);
  CHECK(from_file(open) ==
        "\"" + open + "\" holds a secret, but everybody on this machine may read or change it. Run chmod 600 on it");
  const std::string writable = folder.write("writable", "hunter2", 0602);
  CHECK(from_file(writable).find("chmod 600") != std::string::npos);
  CHECK(from_file(folder.write("empty", "\n", 0600)).ends_with("is empty, but a secret is expected in it"));
  CHECK(from_file(folder.write("large", std::string(65'537, 'x'), 0600)).ends_with("is larger than 65536 bytes"));
  CHECK(from_file(folder.path() + "/absent").ends_with("cannot be opened: No such file or directory"));
  CHECK(from_file(folder.path()).ends_with("is not a regular file"));
  CHECK(from_file(folder.fifo()).ends_with("is not a regular file"));
  CHECK(outcome(load_secret({}, empty_environment())) == "no secret is configured");
}

TEST_CASE("a secret from the environment") {
  const Environment environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "TOKEN") return "s3cret";
    if (name == "EMPTY") return "";
    if (name == "LARGE") return std::string(65'537, 'x');
    return std::nullopt;
  };
  const auto from = [&](const char* name) {
    return outcome(load_secret({SecretSource::Kind::environment, name}, environment));
  };
  CHECK(from("TOKEN") == "s3cret");
  CHECK(from("EMPTY") == "environment variable EMPTY is empty");
  CHECK(from("LARGE") == "environment variable LARGE is larger than 65536 bytes");
  CHECK(from("ABSENT") == "environment variable ABSENT is not set");
}

TEST_CASE("the environment of the process") {
  REQUIRE(setenv("SALLYPORT_CONFIG_TEST", "x", 1) == 0);
  CHECK(process_environment()("SALLYPORT_CONFIG_TEST") == "x");
  CHECK(!process_environment()("SALLYPORT_CONFIG_TEST_ABSENT"));
}

TEST_CASE("the text of a configuration file") {
  Folder folder;
  const auto text = load_text(folder.write("gw.yaml", "a: 1\n", 0644));
  REQUIRE(text.ok());
  CHECK(*text == "a: 1\n");
  CHECK(!load_text(folder.path() + "/absent").ok());
  CHECK(folder_of("/etc/sallyport/gw.yaml") == "/etc/sallyport");
  CHECK(folder_of("/gw.yaml") == "/");
  CHECK(folder_of("gw.yaml") == "");
}
