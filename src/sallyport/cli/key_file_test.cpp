#include "sallyport/cli/key_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sallyport/cli/console.h"

namespace sallyport::cli {
namespace {

/// A folder that is gone with it.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/sallyport-keys-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

std::vector<jose::SigningKey> two_keys() {
  std::vector<jose::SigningKey> keys;
  keys.push_back(jose::SigningKey::generate(crypto::Algorithm::ES256));
  keys.push_back(jose::SigningKey::generate(crypto::Algorithm::EdDSA));
  return keys;
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

template <class T>
std::string refusal(const Result<T>& result) {
  REQUIRE(!result.ok());
  CHECK(result.error().reason == Reason::config_invalid);
  return result.error().detail;
}

}  // namespace

TEST_CASE("keys are read back in their order") {
  const Folder folder;
  const auto keys = two_keys();
  REQUIRE(create_file(folder.file("k"), keys_text(keys)).ok());
  const auto read = load_keys(folder.file("k"));
  REQUIRE(read.ok());
  REQUIRE(read->size() == 2);
  CHECK((*read)[0].kid() == keys[0].kid());
  CHECK((*read)[1].algorithm() == crypto::Algorithm::EdDSA);
  CHECK(mode_of(folder.file("k")) == 0600);
  CHECK(folder.count() == 1);
}

TEST_CASE("a file that is there is never overwritten by a new one") {
  const Folder folder;
  REQUIRE(create_file(folder.file("k"), Secret("first")).ok());
  CHECK(refusal(create_file(folder.file("k"), Secret("second"))).find("is there already") != std::string::npos);
  CHECK(read_file(folder.file("k")).value() == "first");
  CHECK(folder.count() == 1);
  CHECK(refusal(create_file(folder.file("none/k"), Secret("x"))).find("No such file") != std::string::npos);
}

TEST_CASE("a file is replaced whole, its access never widened") {
  const Folder folder;
  REQUIRE(create_file(folder.file("k"), Secret("first")).ok());
  ::chmod(folder.file("k").c_str(), 0666);
  REQUIRE(replace_file(folder.file("k"), Secret("second")).ok());
  CHECK(read_file(folder.file("k")).value() == "second");
  CHECK(mode_of(folder.file("k")) == 0640);
  CHECK(folder.count() == 1);
  CHECK(refusal(replace_file(folder.file("other"), Secret("x"))).find("No such file") != std::string::npos);
  CHECK(folder.count() == 1);
}

TEST_CASE("what is no set of private keys is refused") {
  CHECK(refusal(parse_keys("{", "f")).find("f: no JSON") == 0);
  CHECK(refusal(parse_keys("{}", "f")).find("f: no set of keys") == 0);
  CHECK(refusal(parse_keys(R"({"keys":[]})", "f")).find("f: no set of keys") == 0);
  CHECK(refusal(parse_keys(R"({"keys":{}})", "f")).find("f: no set of keys") == 0);
  CHECK(refusal(parse_keys(R"({"keys":[1]})", "f")).find("f: key 1: ") == 0);
  CHECK(refusal(parse_keys(public_keys_text(two_keys()), "f")).find("f: key 1: ") == 0);
  const std::string secret =
      R"({"kty":"oct","kid":"s","alg":"HS256","k":"t8Wl_vD7yMl5SSm8IyxpuRYSO1nX4oC3tKX3jbqCkYw"})";
  CHECK(refusal(parse_keys(R"({"keys":[)" + secret + "]}", "f")) ==
        "f: key 1: a shared secret, which cannot be published");
}

TEST_CASE("keys that everybody may read are refused") {
  const Folder folder;
  REQUIRE(create_file(folder.file("k"), keys_text(two_keys())).ok());
  ::chmod(folder.file("k").c_str(), 0644);
  CHECK(refusal(load_keys(folder.file("k"))).find("chmod 600") != std::string::npos);
}

TEST_CASE("the public halves hold nothing private") {
  const auto keys = two_keys();
  const std::string text = public_keys_text(keys);
  CHECK(text.find("\"d\"") == std::string::npos);
  CHECK(jose::JwkSet::parse(text)->keys().size() == 2);
}

TEST_CASE("what is printed cannot command a terminal") {
  CHECK(printable("alice \xc3\xa5") == "alice \xc3\xa5");
  CHECK(printable("a\x1b[31m\n\x7f") == "a\\u001b[31m\\n\\u007f");
  CHECK(printable("a\xc2\x9b"
                  "31m") == "a\\u009b31m");
  CHECK(printable("say \"x\" \\ ") == "say \"x\" \\ ");
  CHECK(printable_json(json::Value("a\"\\\xc2\x9b")) == "\"a\\\"\\\\\\u009b\"");
}

}  // namespace sallyport::cli
