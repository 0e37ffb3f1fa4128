"""Chromium, driven by its DevTools protocol: a page of our own making, on any origin, and what its script comes to."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pathlib
import shutil

import pytest
import websockets

from .waiting import within


def must_be_here() -> None:
    """Skips the test where there is no Chromium, and fails it in CI."""
    if not shutil.which("chromium"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not installed")


async def result_of(script: str, *, origin: str, hosts: dict[str, str], profile: pathlib.Path, seconds: float = 60) -> object:
    """What the promise that `script` is comes to, on a page of `origin`. `hosts`: where names lead to."""
    rules = ", ".join(f"MAP {name} {address}" for name, address in hosts.items())
    child = await asyncio.create_subprocess_exec(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--ignore-certificate-errors", "--remote-debugging-port=0", f"--user-data-dir={profile}", f"--host-resolver-rules={rules}",
        "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,BlockInsecurePrivateNetworkRequests", "about:blank",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(profile)}, limit=1 << 20)
    try:
        return await within(_drive(child, script, origin), "the page's script", seconds)
    finally:
        child.kill()
        await child.wait()


async def _drive(child, script: str, origin: str) -> object:
    async for line in child.stderr:
        if line.startswith(b"DevTools listening on "):
            break
    else:
        raise AssertionError("chromium ended before it listened")
    async with websockets.connect(line.split()[-1].decode(), max_size=None) as socket:
        numbers = iter(range(1, 1000))
        answers: dict[int, asyncio.Future] = {}

        async def call(method: str, session: str | None = None, **parameters):
            number = next(numbers)
            answers[number] = asyncio.get_running_loop().create_future()
            await socket.send(json.dumps({"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})))
            answer = await answers[number]
            assert "error" not in answer, (method, answer["error"])
            return answer["result"]

        async def listen():
            async for text in socket:
                message = json.loads(text)
                if "id" in message:
                    answers[message["id"]].set_result(message)
                elif message["method"] == "Fetch.requestPaused":
                    page = base64.b64encode(b"<!doctype html><title>page</title>").decode()
                    asyncio.ensure_future(call("Fetch.fulfillRequest", message["sessionId"], requestId=message["params"]["requestId"],
                                               responseCode=200, body=page, responseHeaders=[{"name": "Content-Type", "value": "text/html"}]))
                elif message["method"] == "Page.loadEventFired":
                    loaded.set()

        loaded = asyncio.Event()
        listening = asyncio.ensure_future(listen())
        try:
            target = (await call("Target.createTarget", url="about:blank"))["targetId"]
            page = (await call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            await call("Page.enable", page)
            await call("Fetch.enable", page, patterns=[{"urlPattern": f"{origin}/*"}])
            loaded.clear()
            await call("Page.navigate", page, url=f"{origin}/")
            await loaded.wait()
            answer = await call("Runtime.evaluate", page, expression=script, awaitPromise=True, returnByValue=True)
            assert "exceptionDetails" not in answer, answer["exceptionDetails"]
            return answer["result"]["value"]
        finally:
            listening.cancel()
