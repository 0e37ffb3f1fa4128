"""Users of real web frameworks (tests/frameworks): they log in over HTTP, open a socket through the gateway with the cookie of that,
log out, and the socket ends. Who is not logged in, and who changed the cookie, is refused."""

from __future__ import annotations

import asyncio
import base64
import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from harness import secrets, stores
from harness.applications import FRAMEWORKS, ROOT, Browser, Process, free_port, missing, node_modules, python_with, redis_server
from harness.client import Client, upgrade
from harness.report import say
from harness.world import World

APP = "https://app.example.com"
EVERY = 0.5  # seconds between two questions to a store
SECRET = secrets.remember("an application's secret", "a secret of the application, 0123456789")


class Application:
    """One way in which a framework keeps its sessions."""

    name = ""
    user = "alice"  #: as the session names her
    watched = True  #: whether her log-out reaches the store
    cookie = ""  #: the one of the session, where there are others
    secret = SECRET
    session: dict = {}

    def start(self, folder: pathlib.Path, services: Services) -> Process:
        """Starts the application and says in self.session how the gateway reads its sessions."""
        raise NotImplementedError


class Express(Application):
    def __init__(self, store: str):
        self.name, self.store = f"express, {store}", store

    def start(self, folder, services):
        modules = node_modules(FRAMEWORKS / "express")
        environment, where = {"SECRET": SECRET}, folder
        store = {"files": {"path": str(folder)}}
        if self.store == "redis":
            where, store = services.redis.port, {"redis": {"url": f"redis://127.0.0.1:{services.redis.port}"}}
        if self.store == "postgres":
            where, store = services.postgres.folder, {"postgres": services.postgres_settings}
            environment["PGPASSWORD"] = services.postgres.password
        self.session = {"framework": "express", "secret_file": "$secret", "identity": "user.id", "roles": "user.roles", "store": store}
        return Process(["node", modules / "app.cjs", self.store, where], env=environment, folder=folder)


class Php(Application):
    def __init__(self, serializer: str, handler: str = "files"):
        self.name, self.serializer, self.handler = f"php, {handler}, {serializer}", serializer, handler

    def start(self, folder, services):
        if not shutil.which("php"):
            missing("php")
        if self.handler != "files" and self.handler not in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout.split():
            missing(f"php-{self.handler}")
        where, store = str(folder), {"files": {"path": str(folder)}}
        if self.handler == "redis":
            where, store = f"tcp://127.0.0.1:{services.redis.port}", {"redis": {"url": f"redis://127.0.0.1:{services.redis.port}"}}
        if self.handler == "memcached":
            where, store = f"{services.memcached.socket}:0", {"memcached": {"url": f"unix:{services.memcached.socket}"}}
        self.session = {"framework": "php", "serializer": self.serializer, "store": store}
        port = free_port()
        return Process(["php", "-d", f"session.save_handler={self.handler}", "-d", f"session.save_path={where}", "-d",
                        f"session.serialize_handler={self.serializer}", "-S", f"127.0.0.1:{port}", FRAMEWORKS / "php/index.php"],
                       port=port, folder=folder)


class Django(Application):
    user = "1"

    def __init__(self, backend: str):
        self.name, self.backend = f"django, {backend}", backend
        self.watched = backend != "signed_cookies"

    def start(self, folder, services):
        if not importlib.util.find_spec("django"):
            missing("python3-django")
        self.session = {"framework": "django", "secret_file": "$secret", "users": {"sqlite": {"path": str(folder / "site.sqlite3")}}}
        if self.backend == "db":
            self.session["store"] = {"sqlite": {"path": str(folder / "site.sqlite3")}}
        environment, where = {"SECRET": SECRET}, []
        if self.backend == "db, postgres":
            self.session |= {"store": {"postgres": services.postgres_settings}, "users": {"postgres": services.postgres_settings}}
            where, environment["PGPASSWORD"] = [services.postgres.folder], services.postgres.password
        if self.backend == "cache, redis":
            self.session = {"framework": "django", "store": {"redis": {"url": f"redis://127.0.0.1:{services.redis.port}/1"}}}
            where = [services.redis.port]
        if self.backend == "file":
            self.session["store"] = {"files": {"path": str(folder)}}
        if self.backend == "signed_cookies":
            self.session["max_age"] = "3s"
        return Process([sys.executable, FRAMEWORKS / "django/app.py", self.backend.split(",")[0], folder, *where], env=environment, folder=folder)


class Flask(Application):
    def __init__(self, kind: str):
        self.name, self.kind = f"flask, {kind}", kind
        self.watched = kind != "cookie"

    def start(self, folder, services):
        self.session = {"framework": "flask"}
        python, arguments = sys.executable, ["cookie"]
        if self.kind == "cookie":
            self.session |= {"secret_file": "$secret", "max_age": "3s"}
            if not importlib.util.find_spec("flask_login"):
                missing("python3-flask-login")
        else:
            python = python_with(FRAMEWORKS / "flask/requirements.txt")
            self.session["store"] = {"redis": {"url": f"redis://127.0.0.1:{services.redis.port}"}}
            arguments = ["redis", services.redis.port, self.kind]
        return Process([python, FRAMEWORKS / "flask/app.py", *arguments], env={"SECRET": SECRET}, folder=folder)


class Rails(Application):
    def __init__(self, store: str):
        self.name, self.store, self.watched = f"rails, {store}", store, store == "store"

    def start(self, folder, services):
        if not shutil.which("ruby"):
            missing("ruby-railties")
        self.session = {"framework": "rails", "cookie": "_app_session", "identity": "user_id"}
        self.session |= {"store": {"sqlite": {"path": str(folder / "site.sqlite3")}}} if self.watched else {"secret_file": "$secret"}
        return Process(["ruby", FRAMEWORKS / "rails/app.rb", self.store, folder], env={"SECRET": SECRET, "LIFETIME": "4"}, folder=folder)


class Laravel(Application):
    user = "1"

    def __init__(self, driver: str):
        self.name, self.driver = f"laravel, {driver}", driver
        self.key = secrets.remember("an APP_KEY", "base64:" + base64.b64encode(bytes(range(32))).decode())

    def start(self, folder, services):
        if not pathlib.Path("/usr/share/php/Illuminate/Foundation").exists() or not shutil.which("php"):
            missing("php-laravel-framework")
        self.secret = self.key
        redis = services.redis if self.driver == "redis" else None
        where = {"file": {"files": {"path": str(folder / "storage/framework/sessions")}}, "database": {"sqlite": {"path": str(folder / "site.sqlite3")}},
                 "redis": {"redis": {"url": f"redis://127.0.0.1:{redis.port}"}} if redis else None}
        self.session = {"framework": "laravel", "secret_file": "$secret", "store": where[self.driver]}
        port = free_port()
        environment = {"FOLDER": str(folder), "DRIVER": self.driver, "SECRET": self.key, "REDIS": str(redis.port) if redis else "",
                       "APP_PACKAGES_CACHE": str(folder / "packages.php"), "APP_SERVICES_CACHE": str(folder / "services.php")}
        return Process(["php", "-S", f"127.0.0.1:{port}", FRAMEWORKS / "laravel/index.php"], env=environment, port=port, folder=folder)


class Authjs(Application):
    cookie = "authjs.session-token"  # by plain HTTP; `__Secure-` comes before it otherwise

    def __init__(self, strategy: str):
        self.name, self.strategy, self.watched = f"auth.js, {strategy}", strategy, strategy == "database"
        self.user = "1" if self.watched else "alice"

    def start(self, folder, services):
        app = node_modules(FRAMEWORKS / "authjs") / "app.mjs"
        self.session = {"framework": "authjs", "cookie": self.cookie}
        if not self.watched:
            self.session["secret_file"] = "$secret"
            return Process(["node", app, "jwt"], env={"SECRET": SECRET, "LIFETIME": "4"}, folder=folder)
        server = services.postgres
        self.session["store"] = {"postgres": services.postgres_settings}
        return Process(["node", app, "database", server.folder], env={"SECRET": SECRET, "PGPASSWORD": server.password}, folder=folder)


class Spring(Application):
    """Built by `make spring`, which also runs it."""

    def __init__(self, profile: str):
        self.name, self.profile = f"spring, {profile}", profile

    def start(self, folder, services):
        program = ROOT / "build/spring/target/app.jar"
        if not os.environ.get("SALLYPORT_SPRING"):
            pytest.skip("takes Maven and a JDK; `make spring` runs it")
        command = ["java", "-XX:TieredStopAtLevel=1", "-jar", program, f"--spring.profiles.active={self.profile}"]
        if self.profile == "redis":
            self.session = {"framework": "spring", "store": {"redis": {"url": f"redis://127.0.0.1:{services.redis.port}"}}}
            return Process([*command, f"--spring.data.redis.port={services.redis.port}"], folder=folder)
        server = stores.Postgres(port=stores.free_port()).start()
        self.session = {"framework": "spring", "store": {"postgres": postgres_settings(server, folder)}}
        return Together([*command, f"--spring.datasource.url=jdbc:postgresql://127.0.0.1:{server.port}/app", "--spring.datasource.username=app"],
                        env={"SPRING_DATASOURCE_PASSWORD": server.password}, folder=folder, server=server)


class Together(Process):
    """An application and the server that is there for it alone."""

    def __init__(self, command: list, *, server: stores.Server, **how):
        self.server = server
        super().__init__(command, **how)

    def stop(self) -> None:
        super().stop()
        self.server.close()


def postgres_settings(server: stores.Postgres, folder: pathlib.Path) -> dict:
    word = folder / "password"
    word.write_text(server.password)
    word.chmod(0o600)
    return {"url": f"unix:{server.socket}:/app", "user": "app", "password_file": str(word)}


APPLICATIONS = [
    Express("files"), Express("redis"), Express("postgres"),
    Php("php"), Php("php_serialize"), Php("php_binary"), Php("php", "redis"), Php("php_serialize", "memcached"),
    Django("db"), Django("db, postgres"), Django("cache, redis"), Django("file"), Django("signed_cookies"),
    Flask("cookie"), Flask("msgpack"), Flask("json"),
    Rails("cookie"), Rails("store"),
    Laravel("file"), Laravel("database"), Laravel("redis"),
    Authjs("jwt"), Authjs("database"), Spring("redis"), Spring("jdbc")]


times: dict[str, list[float]] = {}


@pytest.fixture(scope="module", autouse=True)
def told(request):
    """Says in the end how long it took."""
    yield
    if times:
        say(request.config, f"From the log-out to the close frame, in seconds (recheck every {EVERY:g} s):", times)


def of(name: str) -> list[Application]:
    return [application for application in APPLICATIONS if application.name.startswith(name) and application.watched]


class Services:
    """The servers in which applications keep sessions, each started when it is first asked for."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    @functools.cached_property
    def redis(self) -> Process:
        # Keyspace notifications as an operator switches them on for sessions.
        return redis_server(self.folder, "--notify-keyspace-events", "Kgxe$h")

    @functools.cached_property
    def memcached(self) -> stores.Memcached:
        return stores.Memcached().start()

    @functools.cached_property
    def postgres(self) -> stores.Postgres:
        return stores.Postgres().start()

    @property
    def postgres_settings(self) -> dict:
        return postgres_settings(self.postgres, self.folder)

    def close(self) -> None:
        if "redis" in vars(self):
            self.redis.stop()
        for name in ("memcached", "postgres"):
            if name in vars(self):
                vars(self)[name].close()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    services = Services(tmp_path_factory.mktemp("services"))
    yield services
    services.close()


class Site:
    """An application, and a gateway with a route for its users."""

    def __init__(self, world: World, application: Application, folder: pathlib.Path, services: Services):
        self.world, self.application = world, application
        self.process = application.start(folder, services)
        secret = folder / "secret"
        secret.write_text(application.secret)
        secret.chmod(0o600)
        session = {name: str(secret) if value == "$secret" else value for name, value in application.session.items()}
        route = {"match": {"host": "gw.example.test", "path": "/session"}, "upstream": {"url": "$main"}, "origins": [APP],
                 "authenticate": [{"session": session}], "recheck": {"every": f"{int(EVERY * 1000)}ms"}}
        # One loop, so that all who are asked about are asked about together.
        self.change = {"threads": 1, "routes": {"session": route}}

    async def attempt(self, cookies: str, origin: str | None = APP) -> Client:
        gateway = await self.world.gateway(self.change)
        self.since = len(gateway.log)
        client = await self.world.connect(gateway)
        headers = [("Cookie", cookies)] + ([("Origin", origin)] if origin else [])
        client.write(upgrade("/session", headers=headers))
        await client.read_answer()
        return client

    async def enter(self, cookies: str) -> Client:
        client = await self.attempt(cookies)
        assert client.answer.status == 101, await self.why()
        client.text("hello")
        assert await client.receive() == b"hello"
        return client

    async def status(self, cookies: str, origin: str | None = APP) -> int:
        client = await self.attempt(cookies, origin)
        client.leave()
        return client.answer.status

    async def why(self) -> str:
        """What the operator is told of the last refusal."""
        gateway = await self.world.gateway(self.change)
        refusal = await gateway.logged({"event": "connection.refused"}, self.since)
        return refusal.get("detail", "")


@pytest.fixture(scope="module")
def sites(world: World, tmp_path_factory, services: Services):
    """Gives the site of an application, started when it is first asked for."""
    started: dict[str, Site] = {}

    def of_application(application: Application) -> Site:
        if application.name not in started:
            started[application.name] = Site(world, application, tmp_path_factory.mktemp("site"), services)
        return started[application.name]

    yield of_application
    for site in started.values():
        site.process.stop()


@pytest.fixture(params=APPLICATIONS, ids=lambda application: application.name)
def site(request, sites) -> Site:
    return sites(request.param)


def changed(cookies: str, cookie: str) -> str:
    """The same cookies with one character changed, in the middle of the one called `cookie`, or of the longest."""
    longest = max((one for one in cookies.split("; ") if one.startswith(cookie)), key=len)
    at = len(longest) // 2 + 2
    other = "a" if longest[at] != "a" else "b"
    return cookies.replace(longest, longest[:at] + other + longest[at + 1:])


def test_log_in_and_out(site: Site, world: World):
    world.backend.play(None)

    async def play():
        browser = Browser(site.process.port)
        await asyncio.to_thread(browser, "GET", "/visit")
        visitor = browser.header
        assert visitor
        assert await site.status(visitor) == 401  # a session, but nobody is logged in
        await asyncio.to_thread(browser, "POST", "/login?user=alice")
        cookies = browser.header
        user = await asyncio.to_thread(browser, "GET", "/me")
        assert user == site.application.user

        client = await site.enter(cookies)
        arrival = await world.backend.arrival()
        assert arrival.header("x-sallyport-subject") == user
        carried = arrival.header("cookie") or ""
        assert site.application.cookie not in carried if site.application.cookie else not carried
        assert await site.status(visitor) == 401 or site.application.name.startswith("flask, ")
        assert await site.status(changed(cookies, site.application.cookie)) == 401
        assert await site.status(cookies, origin=None) == 403
        assert await site.status(cookies, origin="https://evil.test") == 403

        if not site.application.watched:
            # Nobody can take such a cookie back: the socket ends with it.
            frame = await client.close_frame()
            assert (frame.code, frame.reason) == (4401, "credential expired")
            assert await site.status(cookies) == 401
            return
        before = time.monotonic()
        await asyncio.to_thread(browser, "POST", "/logout")
        frame = await client.close_frame()
        took = time.monotonic() - before
        assert frame.code == 4401
        assert await site.status(cookies) == 401
        times[site.application.name] = [took]

    world.run(play())


@pytest.mark.parametrize("site", of(""), indirect=True, ids=lambda application: application.name)
def test_a_live_session_is_left_alone(site: Site, world: World):
    world.backend.play(None)

    async def play():
        alice, bob = Browser(site.process.port), Browser(site.process.port)
        await asyncio.to_thread(alice, "POST", "/login?user=alice")
        await asyncio.to_thread(bob, "POST", "/login?user=bob")
        stays, goes = await site.enter(alice.header), await site.enter(bob.header)
        await asyncio.to_thread(alice, "GET", "/visit")  # written again, the user still in it
        await asyncio.to_thread(bob, "POST", "/logout")
        assert (await goes.close_frame()).code == 4401  # whoever asked about bob has asked about alice
        stays.text("still here")
        assert await stays.receive() == b"still here"
        stays.leave()

    world.run(play())


@pytest.mark.parametrize("site", [one for one in of("django") if "cache" not in one.name], indirect=True, ids=lambda application: application.name)
@pytest.mark.parametrize("how, user", [("password", "carol"), ("active", "dave")])
def test_a_user_who_is_locked_out(site: Site, world: World, how: str, user: str):
    world.backend.play(None)

    async def play():
        browser, administrator = Browser(site.process.port), Browser(site.process.port)
        await asyncio.to_thread(browser, "POST", f"/login?user={user}")
        client = await site.enter(browser.header)
        await asyncio.to_thread(administrator, "POST", f"/lock?user={user}&how={how}")
        frame = await client.close_frame()
        assert (frame.code, frame.reason) == (4401, "credential revoked")
        assert await site.status(browser.header) == 401

    world.run(play())
