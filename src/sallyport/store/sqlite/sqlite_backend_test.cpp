#include "sallyport/store/sqlite/sqlite_backend.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "sallyport/store/store_contract.h"

using namespace sallyport;
using namespace sallyport::store;
using contract::at;
using contract::hash_of;
using contract::must;
using contract::refused;
using contract::revocation;
using contract::token;
using contract::wait_for;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sallyport-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name = "sallyport.db") const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Another program at the same file.
class Outsider {
 public:
  explicit Outsider(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK); }
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  ~Outsider() { sqlite3_close(handle_); }
  void run(const std::string& sql) {
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto take = [](void* into, int, char** values, char**) {
      *static_cast<std::string*>(into) += values[0] ? values[0] : "NULL";
      return 0;
    };
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), take, &answer, nullptr) == SQLITE_OK);
    return answer;
  }

 private:
  sqlite3* handle_ = nullptr;
};

// No file of this process can grow while it lasts: what a full disk looks like, also to root.
class FullDisk {
 public:
  FullDisk() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

std::unique_ptr<SqliteBackend> make(const std::string& path,
                                    std::chrono::milliseconds busy_timeout = std::chrono::seconds(5)) {
  return must(SqliteBackend::make({{path}, busy_timeout}));
}

// A backend, a loop and a store on a file of their own; a lock is waited for no longer than 20 ms.
struct Scene {
  Scene() : backend(make(folder.file(), std::chrono::milliseconds(20))), store(backend->open(loop)) {}

  Result<std::optional<TokenRow>> find() { return wait_for(loop, store->find_token(hash_of(1))); }
  Result<Revocation> revoke() { return wait_for(loop, store->add_revocation(revocation("alice"))); }
  Result<void> put() { return wait_for(loop, store->put_token(token(1))); }
  std::string last_use() { return Outsider(folder.file()).ask("SELECT last_used_at FROM token"); }

  Folder folder;
  FakeClock clock;
  net::Loop loop{clock};
  std::unique_ptr<SqliteBackend> backend;
  std::unique_ptr<Store> store;
};

std::string refusal(const std::string& path) {
  const auto made = SqliteBackend::make({{path}});
  REQUIRE(refused(made, Reason::config_invalid));
  CHECK(made.error().detail.find(path) != std::string::npos);
  return made.error().detail;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("sqlite: the contract") {
  const Folder folder;
  const auto open = [&] { return make(folder.file()); };
  SUBCASE("while open") { contract::check(open); }
  SUBCASE("opened again") { contract::check_kept(open); }
}

TEST_CASE("sqlite: the file is for its owner alone, the log beside it too") {
  Scene scene;
  CHECK(scene.backend->name() == "sqlite");
  must(scene.put());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    REQUIRE(::stat((scene.folder.file() + suffix).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("sqlite: a file that was open to others is closed to them") {
  const Folder folder;
  make(folder.file());
  REQUIRE(::chmod(folder.file().c_str(), 0644) == 0);
  make(folder.file());
  struct stat status{};
  REQUIRE(::stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("sqlite: durable settings are in force") {
  Scene scene;
  must(scene.put());
  Outsider outsider(scene.folder.file());
  CHECK(outsider.ask("PRAGMA journal_mode") == "wal");
  CHECK(
      outsider.ask(
          "SELECT count(*) FROM pragma_table_list WHERE name IN ('token', 'revocation', 'claim', 'once') AND strict") ==
      "4");
}

TEST_CASE("sqlite: paths that cannot hold the database are refused with the way out") {
  const Folder folder;
  CHECK(contains(refusal(folder.file("missing/sallyport.db")), "mkdir -m 700 '" + folder.file("missing/") + "'"));
  std::filesystem::create_directory(folder.file("folder"));
  CHECK(contains(refusal(folder.file("folder")), "not a regular file"));
  CHECK(refused(SqliteBackend::make({{""}}), Reason::config_invalid));
  CHECK(refused(SqliteBackend::make({{std::string("a\0b", 3)}}), Reason::config_invalid));
  CHECK_FALSE(std::filesystem::exists(folder.file("missing")));
}

TEST_CASE("sqlite: names that SQLite gives a meaning to are names of files") {
  const Folder folder;
  for (const char* name : {":memory:", "file:x?mode=memory", "a'b\"c.db"}) {
    make(folder.file(name));
    CHECK(std::filesystem::exists(folder.file(name)));
    CHECK(std::filesystem::file_size(folder.file(name)) > 0);
  }
}

TEST_CASE("sqlite: a schema of a newer version is refused and left alone") {
  const Folder folder;
  make(folder.file());
  Outsider outsider(folder.file());
  outsider.run("PRAGMA user_version=99");
  const std::string detail = refusal(folder.file());
  CHECK(contains(detail, "schema version 99"));
  CHECK(contains(detail, "newer Sallyport"));
  CHECK(outsider.ask("PRAGMA user_version") == "99");
}

TEST_CASE("sqlite: a database of the first version is brought up to date, its rows kept") {
  const Folder folder;
  {
    FakeClock clock;
    net::Loop loop(clock);
    const auto backend = make(folder.file());
    must(wait_for(loop, backend->open(loop)->put_token(token(1))));
  }
  Outsider(folder.file())
      .run(
          "DROP TABLE claim; DROP TABLE once; ALTER TABLE token DROP COLUMN issuer; ALTER TABLE token DROP COLUMN "
          "route; "
          "PRAGMA user_version=1");
  FakeClock clock;
  net::Loop loop(clock);
  const auto backend = make(folder.file());
  const auto store = backend->open(loop);
  TokenRow old = token(1);
  old.issuer = old.route = "";  // which it did not know
  CHECK(must(wait_for(loop, store->find_token(hash_of(1)))) == old);
  CHECK(must(wait_for(loop, store->claim("nonce:1", at(600)))));
  CHECK(Outsider(folder.file()).ask("PRAGMA user_version") == "3");
}

TEST_CASE("sqlite: another program's database is refused and left alone") {
  const Folder folder;
  Outsider outsider(folder.file());
  SUBCASE("with tables") { outsider.run("CREATE TABLE token (x)"); }
  SUBCASE("with a version") { outsider.run("PRAGMA user_version=1"); }
  SUBCASE("with a mark") { outsider.run("PRAGMA application_id=7"); }
  CHECK(contains(refusal(folder.file()), "another program"));
  CHECK(outsider.ask("PRAGMA journal_mode") == "delete");
}

TEST_CASE("sqlite: a file that is no database is refused and left alone") {
  const Folder folder;
  const std::string text(4096, 'x');
  std::ofstream(folder.file()) << text;
  const auto made = SqliteBackend::make({{folder.file()}});
  REQUIRE(refused(made, Reason::store_unavailable));
  CHECK(contains(made.error().detail, "file is not a database"));
  CHECK(std::filesystem::file_size(folder.file()) == text.size());
}

TEST_CASE("sqlite: an empty file is a new database") {
  const Folder folder;
  std::ofstream(folder.file()).close();
  make(folder.file());
  CHECK(std::filesystem::file_size(folder.file()) > 0);
}

TEST_CASE("sqlite: a locked file cannot be started with, in SQLite's words") {
  const Folder folder;
  Outsider outsider(folder.file());
  outsider.run("BEGIN EXCLUSIVE");
  const auto made = SqliteBackend::make({{folder.file()}, std::chrono::milliseconds(20)});
  REQUIRE(refused(made, Reason::store_unavailable));
  CHECK(contains(made.error().detail, "database is locked"));
  outsider.run("COMMIT");
  make(folder.file());
}

TEST_CASE("sqlite: many backends may start on a new file at once") {
  const Folder folder;
  std::vector<std::thread> threads;
  std::atomic<int> started = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (SqliteBackend::make({{folder.file()}, std::chrono::seconds(10)}).ok()) ++started;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(started == 4);
}

TEST_CASE("sqlite: while another connection holds the lock writes are unavailable, reads go on, and writes recover") {
  Scene scene;
  must(scene.put());
  Outsider outsider(scene.folder.file());
  outsider.run("BEGIN IMMEDIATE");
  const auto denied = scene.revoke();
  REQUIRE(refused(denied, Reason::store_unavailable));
  CHECK(contains(denied.error().detail, "database is locked"));
  CHECK(contains(denied.error().detail, scene.folder.file()));
  CHECK(refused(wait_for(scene.loop, scene.store->revoke_token("token-1", at(1))), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->purge(at(1))), Reason::store_unavailable));
  CHECK(refused(scene.put(), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->claim("nonce:1", at(600))), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->put_once("ticket:1", "alice", at(600))), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->take_once("ticket:1", at(0))), Reason::store_unavailable));
  CHECK(must(wait_for(scene.loop, scene.store->find_once("ticket:1", at(0)))) == std::nullopt);
  CHECK(must(scene.find()) == token(1));
  outsider.run("COMMIT");
  must(scene.revoke());
  CHECK(must(wait_for(scene.loop, scene.store->revocations(0, at(0)))).size() == 1);
}

TEST_CASE("sqlite: calls that queue behind a lock run out together") {
  const Folder folder;
  const SystemClock clock;
  net::Loop loop(clock);
  const auto backend = make(folder.file(), std::chrono::milliseconds(100));
  const auto store = backend->open(loop);
  Outsider outsider(folder.file());
  outsider.run("BEGIN IMMEDIATE");
  constexpr std::size_t calls = 50;
  std::vector<std::optional<Result<Revocation>>> results(calls);
  const Instant begun = clock.now();
  for (auto& result : results) loop.spawn(contract::keep(store->add_revocation(revocation("alice")), result));
  while (loop.live_tasks() > 0) loop.turn(std::chrono::seconds(10));
  // One after the other they would take five seconds.
  CHECK(clock.now() - begun < std::chrono::seconds(2));
  for (const auto& result : results) CHECK(refused(*result, Reason::store_unavailable));
}

TEST_CASE("sqlite: a full disk makes writes unavailable, loses nothing and is recovered from") {
  Scene scene;
  must(scene.put());
  TokenRow large = token(2);
  large.tenant = std::string(1 << 20, 'x');
  {
    const FullDisk full;
    const auto denied = scene.revoke();
    CHECK(refused(denied, Reason::store_unavailable));
    CHECK(refused(wait_for(scene.loop, scene.store->put_token(large)), Reason::store_unavailable));
  }
  CHECK(must(scene.find()) == token(1));
  CHECK(must(wait_for(scene.loop, scene.store->revocations(0, at(0)))).empty());
  must(scene.revoke());
  must(wait_for(scene.loop, scene.store->put_token(large)));
}

TEST_CASE("sqlite: a removed file is not replaced by an empty one") {
  Scene scene;
  must(scene.put());
  must(scene.revoke());
  const std::string away = scene.folder.file("away.db");
  // Complete without its log, so that it can be moved alone.
  CHECK(Outsider(scene.folder.file()).ask("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
  std::filesystem::rename(scene.folder.file(), away);
  const auto denied = scene.find();
  REQUIRE(refused(denied, Reason::store_unavailable));
  CHECK(contains(denied.error().detail, "No such file"));
  CHECK(refused(scene.revoke(), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->revocations(0, at(0))), Reason::store_unavailable));
  CHECK(refused(wait_for(scene.loop, scene.store->purge(at(0))), Reason::store_unavailable));
  CHECK_FALSE(std::filesystem::exists(scene.folder.file()));

  SUBCASE("it works again once the file is back") {
    std::filesystem::rename(away, scene.folder.file());
    CHECK(must(scene.find()) == token(1));
    CHECK(must(wait_for(scene.loop, scene.store->revocations(0, at(0)))).size() == 1);
    must(scene.revoke());
  }
  SUBCASE("an empty file in its place is not taken") {
    std::ofstream(scene.folder.file()).close();
    CHECK(refused(scene.find(), Reason::store_unavailable));
    CHECK(refused(scene.revoke(), Reason::store_unavailable));
    CHECK(std::filesystem::file_size(scene.folder.file()) == 0);
  }
  SUBCASE("a newer schema in its place is not taken") {
    std::filesystem::rename(away, scene.folder.file());
    Outsider(scene.folder.file()).run("PRAGMA user_version=99");
    const auto still = scene.find();
    REQUIRE(refused(still, Reason::store_unavailable));
    CHECK(contains(still.error().detail, "schema version 99"));
  }
}

TEST_CASE("sqlite: a damaged row is unavailable, its neighbour is not") {
  Scene scene;
  must(scene.put());
  must(wait_for(scene.loop, scene.store->put_token(token(2))));
  Outsider outsider(scene.folder.file());
  SUBCASE("a list without its end") { outsider.run("UPDATE token SET scopes = x'353a' WHERE id = x'746f6b656e2d31'"); }
  SUBCASE("a list without a size") { outsider.run("UPDATE token SET scopes = x'3a2c' WHERE id = x'746f6b656e2d31'"); }
  SUBCASE("a list with a size too large") {
    outsider.run(
        "UPDATE token SET roles = x'39393939393939393939393939393939393939393939393a2c' WHERE id = x'746f6b656e2d31'");
  }
  const auto denied = scene.find();
  REQUIRE(refused(denied, Reason::store_unavailable));
  CHECK(contains(denied.error().detail, "damaged"));
  CHECK(must(wait_for(scene.loop, scene.store->find_token(hash_of(2)))) == token(2));
}

TEST_CASE("sqlite: a revocation of an unknown kind makes all of them unavailable") {
  Scene scene;
  must(scene.revoke());
  Outsider(scene.folder.file()).run("UPDATE revocation SET handle = x'6b6964'");
  CHECK(refused(wait_for(scene.loop, scene.store->revocations(0, at(0))), Reason::store_unavailable));
}

TEST_CASE("sqlite: uses are written at most once a second, with whatever call comes next") {
  Scene scene;
  must(scene.put());
  const auto ms = [](WallTime time) { return std::to_string(to_unix_ms(time)); };
  scene.store->note_use(hash_of(1), at(1));
  // A write that is queued behind another one shows that the first has been done.
  must(scene.revoke());
  CHECK(scene.last_use() == ms(at(1)));

  scene.store->note_use(hash_of(1), at(2));
  scene.store->note_use(hash_of(1), at(3));
  must(scene.find());
  must(scene.revoke());
  CHECK(scene.last_use() == ms(at(1)));

  scene.clock.advance(std::chrono::milliseconds(999));
  scene.loop.turn(Duration::zero());
  must(scene.revoke());
  CHECK(scene.last_use() == ms(at(1)));

  scene.clock.advance(std::chrono::milliseconds(1));
  scene.loop.turn(Duration::zero());
  must(scene.find());
  must(scene.revoke());
  CHECK(scene.last_use() == ms(at(3)));
}

TEST_CASE("sqlite: uses that could not be written are kept for later") {
  Scene scene;
  must(scene.put());
  {
    Outsider outsider(scene.folder.file());
    outsider.run("BEGIN IMMEDIATE");
    scene.store->note_use(hash_of(1), at(1));
    CHECK(refused(wait_for(scene.loop, scene.store->flush()), Reason::store_unavailable));
  }
  must(wait_for(scene.loop, scene.store->flush()));
  CHECK(must(scene.find()).value().last_used_at == at(1));
}
