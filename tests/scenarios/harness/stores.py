"""Servers in which applications keep their sessions, each on a unix socket in a folder of its own, started when a test asks for it and
gone with the test run. Where the program is not installed, the tests that need it are skipped; with CI set they fail."""

from __future__ import annotations

import atexit
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from . import secrets

PATIENCE = 60.0


def program(name: str, *more: str) -> str:
    """Where `name` is installed. `more`: folders that are on nobody's PATH."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *more]))
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is not installed; scripts/packages test")
        pytest.skip(f"{name} is not installed; scripts/packages test")
    return found


def answers(path: pathlib.Path | str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(look, what: str, seconds: float = PATIENCE):
    """The first thing that `look` finds true."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)
    return found


class Server:
    """A process that can be ended, started again with what it had on disk, and held still."""

    ending = signal.SIGTERM

    def __init__(self):
        # Not below pytest's own folders, which are closed to other users: a database runs as one.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-store-"))
        self.folder.chmod(0o755)
        self.process: subprocess.Popen | None = None
        self.log = open(self.folder / "log", "wb")
        atexit.register(self.close)  # whatever becomes of the test

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_up(self) -> bool:
        raise NotImplementedError

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        cwd=self.folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        eventually(self._is_up_or_over, f"{type(self).__name__} to answer")
        return self

    def _is_up_or_over(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        return self.is_up()

    def end(self, number: int | None = None) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number or self.ending)
            self.process.wait(PATIENCE)

    def hold_still(self) -> None:
        """As a machine that is overloaded: the kernel takes bytes, nobody answers."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        assert self.process
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.go_on()
        self.end(signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    def __init__(self, *options: str, events: str = "KEA", password: str = ""):
        super().__init__()
        self.binary = program("redis-server")
        self.socket = self.folder / "redis.sock"
        self.options = ["--notify-keyspace-events", events, *options]
        self.password = secrets.remember("the password of Redis", password) if password else ""
        if password:
            self.options += ["--requirepass", password]

    def command(self) -> list[str]:
        # Written at every change, so that a restart brings back what was there.
        return [self.binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "",
                "--appendonly", "yes", "--appendfsync", "no", *self.options]

    def is_up(self) -> bool:
        if not self.socket.exists():
            return False
        try:
            return self.call("PING") == b"PONG"
        except (OSError, RuntimeError):
            return False

    def call(self, *words: str | bytes):
        """One command on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.socket))
            stream = connection.makefile("rwb")
            if self.password:
                self._ask(stream, "AUTH", self.password)
            return self._ask(stream, *words)

    @classmethod
    def _ask(cls, stream, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        stream.flush()
        return cls._read(stream)

    @classmethod
    def _read(cls, stream):
        line = stream.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [cls._read(stream) for _ in range(int(rest))]
        raise RuntimeError(line.decode())


class Memcached(Server):
    def __init__(self):
        super().__init__()
        self.binary = program("memcached")
        self.socket = self.folder / "memcached.sock"

    def command(self) -> list[str]:
        self.socket.unlink(missing_ok=True)
        return [self.binary, "-s", str(self.socket), "-a", "0666", "-u", pwd.getpwuid(os.getuid()).pw_name]

    def is_up(self) -> bool:
        return answers(self.socket)

    def call(self, command: bytes) -> bytes:
        """One command of one line, or of two; the first line of the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.socket))
            connection.sendall(command)
            return connection.makefile("rb").readline().rstrip()

    def put(self, key: str, data: bytes, seconds: int = 0) -> None:
        assert self.call(b"set %s 0 %d %d\r\n%s\r\n" % (key.encode(), seconds, len(data), data)) == b"STORED"

    def delete(self, key: str) -> None:
        self.call(b"delete %s\r\n" % key.encode())


class Postgres(Server):
    """A cluster with the database `app` and its owner `app`."""

    ending = signal.SIGINT  # without waiting for its clients to leave
    password = "postgres-password-of-the-test"

    def __init__(self, port: int | None = None, tls: tuple | None = None):
        """`port`: on the loopback, for those who cannot speak through a unix socket. `tls`: its certificate and key."""
        super().__init__()
        self.port, self.options = port, []
        self.bin = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1:] or [None]
        self.binary = program("postgres", *([str(self.bin[0])] if self.bin[0] else []))
        self.bin = pathlib.Path(os.path.realpath(self.binary)).parent if not self.bin[0] else self.bin[0]
        self.psql = program("psql")
        self.socket = self.folder / f".s.PGSQL.{port or 5432}"
        self.as_other = []
        if os.getuid() == 0:  # which it refuses to run as
            self.as_other = [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(self.folder, "postgres", "postgres")
        secrets.remember("the password of PostgreSQL", self.password)
        word = self.folder / "word"
        word.write_text(self.password)
        if self.as_other:
            shutil.chown(word, "postgres")
        made = subprocess.run([*self.as_other, str(self.bin / "initdb"), "-D", str(self.folder / "data"), "-U", "app", "--auth=scram-sha-256",
                               "--pwfile", str(word), "--no-sync", "-E", "UTF8", "--locale=C"], capture_output=True, cwd=self.folder)
        assert made.returncode == 0, made.stderr.decode()
        if tls:
            self.options = ["--ssl=on", "--ssl_cert_file=server.pem", "--ssl_key_file=server.key"]
            for file, name in zip(tls, ("server.pem", "server.key")):
                shutil.copy(file, self.folder / "data" / name)
                (self.folder / "data" / name).chmod(0o600)
                if self.as_other:
                    shutil.chown(self.folder / "data" / name, "postgres")

    def command(self) -> list[str]:
        return [*self.as_other, str(self.bin / "postgres"), *self.options, "-D", str(self.folder / "data"), "-k", str(self.folder), "-c", f"listen_addresses={'127.0.0.1' if self.port else ''}", "-c", f"port={self.port or 5432}",
                "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=30", "-c", "timezone=UTC"]

    def is_up(self) -> bool:
        if not self.socket.exists():
            return False
        try:
            self.sql("select 1", database="postgres")
        except RuntimeError:
            return False
        return True

    def start(self):
        super().start()
        if "app" not in self.sql("select datname from pg_database", database="postgres"):
            self.sql("create database app", database="postgres")
        return self

    def sql(self, text: str, database: str = "app") -> str:
        """What the statements yield: a line for each row, columns parted by `|`."""
        done = subprocess.run([self.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port or 5432), "-U", "app", database],
                              input=text.encode(), capture_output=True, env={"PATH": os.environ["PATH"], "PGPASSWORD": self.password})
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode()


class Mariadb(Server):
    """A server with the database `app` and its user `app`."""

    password = "mariadb-password-of-the-test"

    def __init__(self, port: int | None = None, tls: tuple | None = None):
        super().__init__()
        self.options = [f"--port={port}", "--bind-address=127.0.0.1"] if port else ["--skip-networking"]
        if tls:
            self.options += [f"--ssl-cert={tls[0]}", f"--ssl-key={tls[1]}"]
        self.binary = program("mariadbd")
        self.client = program("mariadb")
        self.socket = self.folder / "mariadb.sock"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        secrets.remember("the password of MariaDB", self.password)
        made = subprocess.run([program("mariadb-install-db"), "--no-defaults", f"--user={self.user}", f"--datadir={self.folder / 'data'}",
                               "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-flush-method=nosync"],
                              capture_output=True, cwd=self.folder)
        assert made.returncode == 0, made.stdout.decode() + made.stderr.decode()

    def command(self) -> list[str]:
        return [self.binary, "--no-defaults", f"--user={self.user}", f"--datadir={self.folder / 'data'}", f"--socket={self.socket}",
                *self.options, f"--pid-file={self.folder / 'pid'}", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=16M"]

    def is_up(self) -> bool:
        return self.socket.exists() and answers(self.socket)

    def start(self):
        super().start()
        self.sql(f"create database if not exists app; create user if not exists app@localhost identified by '{self.password}';"
                 "grant all on app.* to app@localhost", database="mysql")
        return self

    def sql(self, text: str, database: str = "app") -> str:
        done = subprocess.run([self.client, "--no-defaults", "-u", "root", "-S", str(self.socket), "-N", "-B", database],
                              input=text.encode(), capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode()
