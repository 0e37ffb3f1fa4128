"""Sessions of express-session, written as its stores write them, in every kind of store that the gateway reads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
import time
import urllib.parse

from . import secrets, stores

FOR_EVER = 10 ** 8


def signed_cookie(key: str, secret: str) -> str:
    """What connect.sid holds for this session."""
    signature = base64.b64encode(hmac.digest(secret.encode(), key.encode(), hashlib.sha256)).decode().rstrip("=")
    return urllib.parse.quote(f"s:{key}.{signature}", safe="")


def logged_in(user: str | None) -> bytes:
    """A session as express-session serializes it."""
    session = {"cookie": {"originalMaxAge": None, "expires": None, "httpOnly": True, "path": "/"}}
    return json.dumps(session | ({"passport": {"user": user}} if user else {})).encode()


class RedisStore:
    """connect-redis. `events`: the server's notify-keyspace-events."""

    holds_any_bytes, can_watch = True, True
    environment: dict = {}

    def __init__(self, events: str = "KEA"):
        self.server = stores.Redis(events=events).start()
        self.settings = {"redis": {"url": f"unix:{self.server.socket}"}}
        self.can_tell = bool(events)

    def put(self, key, data, seconds=None):
        self.server.call("SET", f"sess:{key}", data, *(["PX", int(seconds * 1000)] if seconds else []))

    def delete(self, key):
        self.server.call("DEL", f"sess:{key}")


class MemcachedStore:
    """connect-memcached."""

    holds_any_bytes, can_watch, can_tell = True, False, False
    environment: dict = {}

    def __init__(self):
        self.server = stores.Memcached().start()
        self.settings = {"memcached": {"url": f"unix:{self.server.socket}", "prefix": ""}}

    def put(self, key, data, seconds=None):
        self.server.put(key, data, int(seconds or 0))

    def delete(self, key):
        self.server.delete(key)


class PostgresStore:
    """connect-pg-simple. The gateway may only read its table."""

    holds_any_bytes, can_watch, can_tell = False, False, False

    def __init__(self):
        self.server = stores.Postgres().start()
        self.word = secrets.remember("the gateway's password for PostgreSQL", "gateway-password-postgres")
        # Upstream's column is json, which a test of contents cannot use for any text.
        self.server.sql("create table session (sid varchar not null primary key, sess text not null, expire timestamp(6) not null);"
                        f" create role gateway login password '{self.word}'; grant select on session to gateway")
        self.environment = {"STORE_PASSWORD": self.word}
        self.settings = {"postgres": {"url": f"unix:{self.server.socket}:/app", "user": "gateway", "password": "env:STORE_PASSWORD"}}

    def put(self, key, data, seconds=None):
        self.server.sql(f"insert into session values ('{key}', convert_from('\\x{data.hex()}', 'UTF8'), now() + interval '{seconds or FOR_EVER} seconds')"
                        " on conflict (sid) do update set sess = excluded.sess, expire = excluded.expire")

    def delete(self, key):
        self.server.sql(f"delete from session where sid = '{key}'")


class MysqlStore:
    """express-mysql-session. The gateway may only read its table."""

    holds_any_bytes, can_watch, can_tell = False, False, False

    def __init__(self):
        self.server = stores.Mariadb().start()
        self.word = secrets.remember("the gateway's password for MariaDB", "gateway-password-mariadb")
        self.server.sql("create table sessions (session_id varchar(128) not null primary key, expires int unsigned not null, data mediumtext)"
                        f" character set utf8mb4; create user gateway@localhost identified by '{self.word}'; grant select on app.* to gateway@localhost")
        self.environment = {"STORE_PASSWORD": self.word}
        self.settings = {"mysql": {"url": f"unix:{self.server.socket}:/app", "user": "gateway", "password": "env:STORE_PASSWORD"}}

    def put(self, key, data, seconds=None):
        self.server.sql(f"replace into sessions values ('{key}', unix_timestamp() + {seconds or FOR_EVER}, x'{data.hex()}')")

    def delete(self, key):
        self.server.sql(f"delete from sessions where session_id = '{key}'")


class LocalStore:
    """Without a server: to end it is to take its files away."""

    holds_any_bytes, can_watch, can_tell = True, False, False
    environment: dict = {}

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-store-"))
        self.place = self.folder / "place"
        self.server = self

    def end(self):
        self.place.rename(self.folder / "away")

    def start(self):
        (self.folder / "away").rename(self.place)

    def close(self):
        shutil.rmtree(self.folder)


class SqliteStore(LocalStore):
    """connect-sqlite3."""

    def __init__(self):
        super().__init__()
        self._run("create table sessions (sid text primary key, expired integer, sess blob)")
        self.settings = {"sqlite": {"path": str(self.place)}}

    def _run(self, sql, *values):
        database = sqlite3.connect(self.place, timeout=60)
        with database:
            database.execute(sql, values)
        database.close()

    def put(self, key, data, seconds=None):
        self._run("replace into sessions values (?, ?, ?)", key, int((time.time() + (seconds or FOR_EVER)) * 1000), data)

    def delete(self, key):
        self._run("delete from sessions where sid = ?", key)


class FileStore(LocalStore):
    """session-file-store."""

    lifetime = 10 ** 6

    def __init__(self):
        super().__init__()
        self.place.mkdir()
        self.settings = {"files": {"path": str(self.place), "lifetime": f"{self.lifetime}s"}}

    def put(self, key, data, seconds=None):
        path = self.place / f"{key}.json"
        path.write_bytes(data)
        if seconds:
            os.utime(path, (time.time() - self.lifetime + seconds,) * 2)

    def delete(self, key):
        (self.place / f"{key}.json").unlink()


KINDS = {"redis": RedisStore, "memcached": MemcachedStore, "postgres": PostgresStore, "mysql": MysqlStore, "sqlite": SqliteStore, "files": FileStore}
