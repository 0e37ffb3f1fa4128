"""Several gateways on one machine share a store: a revocation that one of them is told reaches the live connections of the others."""

from __future__ import annotations

import pytest

from harness import tokens
from harness.client import upgrade
from harness.world import World


def test_a_revocation_reaches_the_other_instance(world: World):
    world.backend.play(None)

    async def play():
        store = {"store": {"sqlite": {"path": str(world.folder / "shared.db")}}}
        here, there = await world.fresh_gateway(store), await world.fresh_gateway(store)
        alice, bob = tokens.mint(sub="alice"), tokens.mint(sub="bob")
        clients = {}
        for name, token in (("alice", alice), ("bob", bob)):
            clients[name] = await world.connect(there)
            await clients[name].open(upgrade("/chat", headers=[("Authorization", f"Bearer {token}")]))
        assert (await here.admin("POST", "/v1/revocations", {"sub": "alice"})).status == 200
        assert (await clients["alice"].close_frame()).code == 4401
        await there.logged({"event": "revocation.applied", "closed": 1})
        again = await world.connect(there)
        again.write(upgrade("/chat", headers=[("Authorization", f"Bearer {alice}")]))
        assert (await again.read_answer()).status == 401
        clients["bob"].text("still here")
        assert await clients["bob"].receive() == b"still here"
        issued = (await here.admin("POST", "/v1/tokens", {"sub": "robot", "ttl": "1h"})).json
        robot = await world.connect(there)
        await robot.open(upgrade("/chat", headers=[("Authorization", f"Bearer {issued['token']}")]))
        await here.admin("DELETE", f"/v1/tokens/{issued['id']}")
        assert (await robot.close_frame()).code == 4401
        for client in (*clients.values(), again, robot):
            client.reset()
        assert await here.stop() == 0 and await there.stop() == 0

    world.run(play())


def test_a_folder_that_nobody_can_write(world: World):
    """Without its store the gateway does not start, rather than start without what the store knows."""

    async def play():
        with pytest.raises(AssertionError):
            await world.fresh_gateway({"store": {"sqlite": {"path": "/nonexistent/sallyport.db"}}})

    world.run(play())
