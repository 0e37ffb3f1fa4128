"""A session that ends where it lies ends its socket: within a second where the store tells of it, at the next poll where it does not. One kind
of session, of express-session, in every store; what each framework writes is test_framework_sessions.py's."""

from __future__ import annotations

import asyncio
import time

import pytest

from harness import secrets
from harness.client import upgrade
from harness.report import say
from harness.session_stores import KINDS, RedisStore, logged_in, signed_cookie
from harness.waiting import within
from harness.world import World

EVERY = 1.0  # seconds between polls
TELLS = 1.0  # within which a store that tells is heard
SLACK = 1.0  # of a poll, for asking and closing

SECRET = secrets.remember("the secret of express-session", "a-secret-of-express-session")
ORIGIN = "https://app.example.com"
STORES = {**KINDS, "redis, notifications off": lambda: RedisStore(events="")}

times: dict[str, list[float]] = {}


@pytest.fixture(scope="module", params=STORES, ids=list(STORES))
def store(request):
    made = STORES[request.param]()
    made.name = request.param
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def gateway(world: World, store, tmp_path_factory):
    """One that accepts sessions of this store, and asks again."""
    folder = tmp_path_factory.mktemp("secrets")
    kind, settings = next(iter(store.settings.items()))
    settings = dict(settings)
    if settings.pop("password", None):
        (folder / "password").write_text(store.word)
        (folder / "password").chmod(0o600)
        settings["password_file"] = str(folder / "password")
    (folder / "express").write_text(SECRET)
    (folder / "express").chmod(0o600)
    route = {
        "match": {"host": "gw.example.test", "path": "/app"}, "upstream": {"url": "$main"}, "origins": [ORIGIN],
        "authenticate": [{"session": {"framework": "express", "secret_file": str(folder / "express"), "store": {kind: settings}}}],
        "recheck": {"every": f"{EVERY:g}s", "tolerate": "60s"},
    }
    made = world.run(world.fresh_gateway({"routes": {"app": route}}))
    yield made
    assert world.run(made.stop()) == 0


def headers(key: str) -> dict:
    return {"Origin": ORIGIN, "Cookie": f"connect.sid={signed_cookie(key, SECRET)}"}


async def admitted(world, gateway, key: str):
    client = await world.connect(gateway)
    await client.open(upgrade("/app", headers=headers(key)))
    client.text("hello")
    assert await client.receive() == b"hello"
    return client


async def answer_to(world, gateway, key: str) -> int:
    client = await world.connect(gateway)
    client.write(upgrade("/app", headers=headers(key)))
    return (await client.read_answer()).status


async def still_there(client) -> None:
    client.text("still here")
    assert await client.receive() == b"still here"


def longest(store) -> float:
    return TELLS if store.can_tell else EVERY * 1.2 + SLACK  # the poll has a jitter of a tenth


def test_what_ends_in_the_store_ends_its_socket_alone(world: World, store, gateway):
    """Deleted, nobody logged in there any more, somebody else logged in there, run out; and one that nothing happens to."""
    world.backend.play(None)
    for user in ("alice", "bob", "carol", "dave"):
        store.put(user, logged_in(user))
    store.put("erin", logged_in("erin"), 3)

    async def deleted():
        for _ in range(2):
            alice = await admitted(world, gateway, "alice")
            store.delete("alice")
            begun = time.monotonic()
            assert (await alice.close_frame()).code == 4401
            times.setdefault(store.name, []).append(time.monotonic() - begun)
            assert await answer_to(world, gateway, "alice") == 401
            store.put("alice", logged_in("alice"))

    async def overwritten(user: str, present: str | None):
        client = await admitted(world, gateway, user)
        store.put(user, logged_in(present))
        assert (await client.close_frame()).code == 4401
        assert await answer_to(world, gateway, user) == (101 if present else 401)

    async def runs_out():
        erin = await admitted(world, gateway, "erin")
        assert (await erin.close_frame()).code == 4401
        assert await answer_to(world, gateway, "erin") == 401

    async def play():
        bob = await admitted(world, gateway, "bob")
        assert (await world.backend.arrival()).header("x-sallyport-subject") == "bob"
        await asyncio.gather(deleted(), overwritten("carol", None), overwritten("dave", "mallory"), runs_out())
        await still_there(bob)
        bob.reset()

    world.run(play())


def test_a_store_that_is_gone_refuses_newcomers_and_keeps_who_was_proved(world: World, store, gateway):
    """For as long as the route tolerates it."""
    world.backend.play(None)
    store.put("frank", logged_in("frank"))

    async def play():
        frank = await admitted(world, gateway, "frank")
        store.server.end()
        try:
            assert await answer_to(world, gateway, "frank") == 503
            await still_there(frank)
        finally:
            store.server.start()
        store.put("frank", logged_in("frank"))

        async def back():
            while await answer_to(world, gateway, "frank") != 101:
                pass

        await within(back(), "the store to be used again", 30)
        frank.reset()

    world.run(play())


def test_that_nothing_is_told_is_told(world: World, store, gateway):
    if not store.name.startswith("redis"):
        return

    async def play():
        if store.can_tell:
            await gateway.logged({"event": "watch.restored", "mechanism": "session"})  # after it was gone
        else:
            await gateway.logged({"event": "watch.interrupted", "detail": "/notify-keyspace-events/"})

    world.run(play())


def test_the_promise_holds(world: World, store, request):
    """Prints what was measured, once all stores had their turn."""
    assert times[store.name] and max(times[store.name]) <= longest(store), times
    if store.name == list(STORES)[-1]:
        say(request.config, f"From the end of a session to the close frame, in seconds (recheck every {EVERY:g} s):", times)
