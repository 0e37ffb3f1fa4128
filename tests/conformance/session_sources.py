"""What every store of sessions must do, asked of real servers from Debian: sessions are found as they were written, one or many at once; what
is no key lies under nothing; a store that is gone, silent or wrong is said to be unavailable in time, and is used again once it is back.

Run: SALLYPORT_BUILD=build/asan /usr/bin/python3 -m pytest tests/conformance/session_sources.py
"""

import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/scenarios"))

from harness import stores  # noqa: E402
from harness.certificates import Authority  # noqa: E402
from harness.session_stores import KINDS, LocalStore, MemcachedStore, MysqlStore, PostgresStore, RedisStore  # noqa: E402

PROGRAM = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "session_source"
PATIENCE = 60.0

TEXT = 'plain, "quoted", \'single\', back\\slash, €, 𝄞\r\nnext line $1 %s {id}'
HOSTILE = ["' or '1'='1", "a' --", "x\r\nDEL sess:a", "../../etc/passwd", "..", ".", "a b", "*", "a*", "sess:a\x00b", "{a,b}", '"', "\\", "a/b",
           "", "é", "x" * 257, "$(id)"]


class Asker:
    """The program that asks, and the lines that it answers."""

    def __init__(self, framework: str, settings: dict, **environment):
        self.process = subprocess.Popen([PROGRAM, framework, json.dumps({"store": settings})], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **environment}, text=True)
        self.answers, self.changes = queue.Queue(), queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            (self.changes if "changed" in answer else self.answers).put(answer)

    def tell(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def ask(self, *keys: str, within: float = PATIENCE) -> dict:
        self.tell(find=list(keys), within_ms=int(within * 1000))
        return self.answers.get(timeout=PATIENCE)

    def find(self, *keys: str) -> list:
        answer = self.ask(*keys)
        assert "found" in answer, answer
        return answer["found"]

    def watch(self) -> bool:
        self.tell(watch=True)
        return self.answers.get(timeout=PATIENCE)["watches"]

    def changed(self) -> dict:
        return self.changes.get(timeout=PATIENCE)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        assert status == 0, self.process.stderr.read()


def data_of(session) -> bytes:
    return bytes.fromhex(session["data"])


@pytest.fixture(scope="module", params=KINDS, ids=list(KINDS))
def store(request):
    made = KINDS[request.param]()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def redis(request):
    made = RedisStore()
    yield made
    made.server.close()


@pytest.fixture
def asker(store):
    made = Asker("express", store.settings, **store.environment)
    yield made
    made.close()


def test_sessions_are_found_as_they_were_written(store, asker):
    contents = {"a1": TEXT.encode(), "b2": b"", "c3": b"x" * 100_000}
    if store.holds_any_bytes:
        contents["d4"] = bytes(range(256)) * 4
    for key, data in contents.items():
        store.put(key, data)
    keys = [*contents, "none", "a1"]
    found = asker.find(*keys)
    for key, session in zip(keys, found):
        assert (session is None) == (key == "none"), key
        if session:
            assert data_of(session) == contents[key], key
    assert [data_of(session) for session in asker.find("b2")] == [b""]
    for key in contents:
        store.delete(key)
    assert asker.find(*contents) == [None] * len(contents)


def test_the_end_of_a_session_is_told(store, asker):
    store.put("long", b"{}", 90)
    store.put("short", b"{}", 1)
    before = time.time() * 1000
    session, = asker.find("long")
    assert before + 85_000 < session["expires_at"] < time.time() * 1000 + 92_000

    def is_over():
        short, = asker.find("short")
        return short is None or short["expires_at"] <= time.time() * 1000

    stores.eventually(is_over, "the session to end")


def test_what_is_no_key_lies_under_nothing(store, asker):
    store.put("a", b"not for them")
    assert asker.find(*HOSTILE, "a")[:-1] == [None] * len(HOSTILE)
    for key in HOSTILE:
        assert asker.find(key) == [None]
    assert data_of(asker.find("a")[0]) == b"not for them"
    assert asker.find("A", "a~", "b") == [None] * 3


def test_many_are_found_at_once(store, asker):
    for key in ("m0", "m1234"):
        store.put(key, key.encode())
    answer = asker.ask(*(f"m{number}" for number in range(2500)))
    assert {number: data_of(session) for number, session in enumerate(answer["found"]) if session} == {0: b"m0", 1234: b"m1234"}


def test_a_store_that_is_gone_is_unavailable_and_is_used_again_when_it_is_back(store, asker):
    store.put("back", b"again", 90)
    assert asker.find("back") != [None]
    store.server.end()
    try:
        for _ in range(3):
            answer = asker.ask("back", "other")
            assert answer.get("error") == "store.unavailable", answer
            assert answer["took_ms"] < 10_000 and answer["detail"]
    finally:
        store.server.start()
    if isinstance(store, MemcachedStore):  # which forgets
        store.put("back", b"again")
    found = stores.eventually(lambda: asker.ask("back").get("found"), "the store to be used again", 20)
    assert data_of(found[0]) == b"again"


def test_a_store_that_says_nothing_is_given_up_in_time(store, asker):
    if isinstance(store, LocalStore):
        return  # the kernel answers for it
    store.put("still", b"here", 600)
    assert asker.find("still") != [None]
    store.server.hold_still()
    try:
        answer = asker.ask("still", within=0.5)
        assert answer["error"] in ("auth.timeout", "store.unavailable"), answer
        assert 400 < answer["took_ms"] < 5_000
    finally:
        store.server.go_on()
    found = stores.eventually(lambda: asker.ask("still").get("found"), "the store to be used again", 30)
    assert data_of(found[0]) == b"here"


def test_only_redis_can_be_watched(store, asker):
    assert asker.watch() == store.can_watch


class TestDatabases:
    def test_a_wrong_password_is_told_without_the_password(self, store):
        if not store.environment:
            return
        asker = Asker("express", store.settings, STORE_PASSWORD="wrong-password-of-somebody")
        answer = asker.ask("a")
        assert answer["error"] == "store.unavailable" and "gateway" in answer["detail"], answer
        assert "wrong-password" not in json.dumps(answer)
        asker.close()

    def test_many_keys_are_one_query(self, store, asker):
        if not isinstance(store, MysqlStore):
            return
        asker.find("a")

        def executed():
            return int(store.server.sql("show global status like 'Com_stmt_execute'").split()[1])

        before = executed()
        asker.find(*(f"n{number}" for number in range(1000)))
        assert executed() - before == 1

    def test_a_key_that_is_no_value_of_the_column_lies_under_nothing(self, store):
        if not isinstance(store, PostgresStore):
            return
        store.server.sql("create table tokens (id uuid primary key, data bytea); grant select on tokens to gateway;"
                         " insert into tokens values ('00000000-0000-4000-8000-000000000001', '\\x00ff00')")
        table = {"table": "tokens", "columns": {"key": "id", "data": "data", "expires": ""}}
        asker = Asker("express", {"postgres": store.settings["postgres"] | table}, **store.environment)
        assert asker.find("nonsense") == [None]
        assert asker.find("00000000-0000-4000-8000-000000000001") == [{"data": "00ff00", "fields": {}}]
        asker.close()

    def test_times_of_mysql_are_utc(self, store):
        if not isinstance(store, MysqlStore):
            return
        store.server.sql("set global time_zone = '+05:00'; create table django_session (session_key varchar(40) primary key, session_data longtext,"
                         " expire_date datetime(6)); insert into django_session values ('k', 'data', '2026-12-06 10:36:19.898334')", "app")
        asker = Asker("django", store.settings, **store.environment)
        assert asker.find("k") == [{"data": b"data".hex(), "fields": {}, "expires_at": 1796553379898}]
        asker.close()

    def test_spring_keeps_attributes_in_rows_of_their_own(self, store):
        if not isinstance(store, PostgresStore):
            return
        store.server.sql("""
            create table SPRING_SESSION (PRIMARY_ID char(36) primary key, SESSION_ID char(36) not null unique, CREATION_TIME bigint,
              LAST_ACCESS_TIME bigint, MAX_INACTIVE_INTERVAL int, EXPIRY_TIME bigint, PRINCIPAL_NAME varchar(100));
            create table SPRING_SESSION_ATTRIBUTES (SESSION_PRIMARY_ID char(36), ATTRIBUTE_NAME varchar(200), ATTRIBUTE_BYTES bytea);
            insert into SPRING_SESSION values ('p1', 's1', 1, 2, 1800, 5000, 'alice');
            insert into SPRING_SESSION_ATTRIBUTES values ('p1', 'A', '\\x00ff'), ('p1', 'B', '\\x22');
            grant select on SPRING_SESSION, SPRING_SESSION_ATTRIBUTES to gateway""")
        asker = Asker("spring", store.settings, **store.environment)
        session, none = asker.find("s1", "s2")
        assert none is None and session["expires_at"] == 5000
        assert session["fields"] == {"principal_name": b"alice".hex(), "last_access_time": b"2".hex(), "max_inactive_interval": b"1800".hex(),
                                     "sessionAttr:A": "00ff", "sessionAttr:B": "22"}
        asker.close()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_database_proves_who_it_is(kind, tmp_path):
    """Before it is told a password. Without TLS there is no connection."""
    authority, stranger = Authority(tmp_path, "house"), Authority(tmp_path, "stranger")
    certificate = authority.issue("database", "localhost")
    port = stores.free_port()
    made = {"postgres": stores.Postgres, "mysql": stores.Mariadb}[kind]

    def ask(ca, host="localhost"):
        asker = Asker("django", {kind: {"url": f"{kind}://app@{host}:{port}/app", "ca_file": str(ca), "password": "env:WORD"}}, WORD=made.password)
        answer = asker.ask("k")
        asker.close()
        return answer

    server = made(port=port, tls=certificate).start()
    if kind == "postgres":
        server.sql("create table django_session (session_key text primary key, session_data text, expire_date timestamptz)")
    else:  # by TCP it is somebody else who comes
        server.sql("create table django_session (session_key varchar(40) primary key, session_data text, expire_date datetime);"
                   f"create user app@'127.0.0.1' identified by '{made.password}'; grant select on app.* to app@'127.0.0.1'")
    server.sql("insert into django_session values ('k', 'by TLS', '2031-01-01 00:00:00')")
    assert data_of(ask(authority.file)["found"][0]) == b"by TLS"
    for refused in (ask(stranger.file), ask(authority.file, host="127.0.0.1")):  # which the certificate does not name
        assert refused.get("error") == "store.unavailable" and made.password not in json.dumps(refused), refused
    server.end()
    server.options = [option for option in server.options if "ssl" not in option]
    server.start()
    assert ask(authority.file).get("error") == "store.unavailable"
    server.close()


class TestRedis:
    def test_hashes_are_fields_and_other_types_are_nothing(self, redis):
        redis.server.call("HSET", "spring:session:sessions:s1", "sessionAttr:A", b"\x00\xff", "lastAccessedTime", "5")
        redis.server.call("SET", "spring:session:sessions:s2", "text")
        asker = Asker("spring", redis.settings)
        assert asker.find("s1", "s2", "s3") == [{"data": "", "fields": {"sessionAttr:A": "00ff", "lastAccessedTime": b"5".hex()}}, None, None]
        asker.close()
        redis.server.call("RPUSH", "sess:list", "x")
        asker = Asker("express", redis.settings)
        assert asker.find("list") == [None]
        asker.close()

    def test_changes_are_told_at_once(self, redis):
        asker = Asker("express", redis.settings)
        assert asker.watch()
        assert asker.changed() == {"changed": "", "trouble": ""}
        redis.put("w1", b"{}")
        assert asker.changed() == {"changed": "w1", "trouble": ""}
        redis.server.call("EXPIRE", "sess:w1", 100)  # lives on, so nothing is told
        redis.server.call("SET", "other:w1", "x")
        redis.delete("w1")
        assert asker.changed()["changed"] == "w1"
        begun = time.monotonic()
        redis.put("w2", b"{}", 0.2)
        assert [asker.changed()["changed"] for _ in range(2)] == ["w2", "w2"]  # set, expired
        assert time.monotonic() - begun < 20
        asker.close()

    def test_a_watch_that_was_lost_says_that_anything_may_have_changed(self, redis):
        asker = Asker("express", redis.settings)
        asker.watch()
        assert asker.changed() == {"changed": "", "trouble": ""}
        redis.server.call("CLIENT", "KILL", "TYPE", "pubsub")
        lost = asker.changed()
        assert lost["changed"] == "" and "lost" in lost["trouble"]
        assert asker.changed() == {"changed": "", "trouble": ""}
        redis.put("w3", b"{}")
        assert asker.changed()["changed"] == "w3"
        asker.close()

    def test_a_server_whose_notifications_are_off_is_told_of(self):
        server = stores.Redis(events="").start()
        asker = Asker("express", {"redis": {"url": f"unix:{server.socket}"}})
        asker.watch()
        trouble = asker.changed()
        assert trouble["changed"] == "" and "notify-keyspace-events" in trouble["trouble"] and "Kg$xe" in trouble["trouble"]
        server.call("CONFIG", "SET", "notify-keyspace-events", "Kg$xe")
        assert asker.changed() == {"changed": "", "trouble": ""}
        asker.close()
        server.close()

    def test_tls_and_a_password(self, tmp_path):
        authority, stranger = Authority(tmp_path, "house"), Authority(tmp_path, "stranger")
        certificate, key = authority.issue("redis", "localhost")
        port = stores.free_port()
        server = stores.Redis("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no",
                              password="redis-password-of-the-test").start()
        server.call("SET", "sess:t", "by TLS")
        server.call("ACL", "SETUSER", "gateway", "on", ">gateway-password-2", "~sess:*", "+get", "+pttl", "+select")

        def ask(user: str, ca, password: str):
            settings = {"url": f"rediss://{user}localhost:{port}/0", "ca_file": str(ca), "password": "env:WORD"}
            asker = Asker("express", {"redis": settings}, WORD=password)
            answer = asker.ask("t")
            asker.close()
            return answer

        assert data_of(ask("", authority.file, server.password)["found"][0]) == b"by TLS"
        assert data_of(ask("gateway@", authority.file, "gateway-password-2")["found"][0]) == b"by TLS"
        for answer in (ask("", stranger.file, server.password), ask("", authority.file, "a-wrong-password"), ask("gateway@", authority.file, server.password)):
            assert answer["error"] == "store.unavailable", answer
            assert "password-" not in json.dumps(answer) and "wrong" not in json.dumps(answer).replace("WRONGPASS", "")
        server.close()
