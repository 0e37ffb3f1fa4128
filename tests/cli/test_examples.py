"""The example in each verb's --help is run as it stands."""

import asyncio
import os
import re
import signal
import subprocess

import pytest

from program import BINARY, PATIENCE, Gateway, verbs

TOKEN_ID = "p3bRMf__SMVCWZvgvgHMaw"
CONNECTION_ID = "uc9nJXcj-qacE_0e4vMQ4g"


def example_of(verb: str) -> str:
    page = subprocess.run([BINARY, *verb.split(), "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return re.search(r"^Example:\n  (.+)$", page, re.M).group(1)


def run(folder, line: str) -> str:
    environment = {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", line], cwd=folder.path, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_all_verbs_are_listed():
    assert {"serve", "check", "explain", "keys new", "keys list", "keys rotate", "token issue", "token inspect", "token verify",
            "token sign-request", "token revoke", "connections list", "connections close", "revoke"} <= set(verbs())


@pytest.mark.parametrize("verb", ["check", "explain", "keys list", "keys rotate", "token issue", "token inspect", "token verify",
                                  "completion"])
def test_example_without_a_gateway(folder, verb):
    assert run(folder, example_of(verb)) or verb == "completion"


def test_example_of_keys_new(folder):
    (folder.path / "keys.jwks").unlink()
    run(folder, example_of("keys new"))
    assert (folder.path / "keys.jwks").stat().st_mode & 0o777 == 0o600


def test_examples_for_clients(folder):
    """The lines among the details as well."""
    details = subprocess.run([BINARY, "keys", "new", "--help"], capture_output=True, text=True, check=True).stdout
    for line in re.findall(r"^    (sallyport keys new .+)$", details, re.M):
        run(folder, line)
    assert (folder.path / "devices.json").stat().st_mode & 0o777 == 0o600
    assert run(folder, example_of("token sign-request")).startswith("Signature-Input: sallyport=(")
    details = subprocess.run([BINARY, "token", "sign-request", "--help"], capture_output=True, text=True, check=True).stdout
    [line] = re.findall(r"^    (sallyport token sign-request .+--url .+)$", details, re.M)
    assert run(folder, line).startswith("wss://chat.example.com/ws?sp-signature-input=")


def test_example_of_serve(folder):
    assert example_of("serve") == "sallyport serve --config sallyport.yaml"  # which is what Gateway runs
    gateway = Gateway(folder)
    gateway.signal(signal.SIGTERM)
    assert gateway.ended() == 0
    gateway.stop()


def test_example_of_token_revoke(gateway):
    issued = gateway.admin("POST", "/v1/tokens", {"sub": "alice"})[2]
    line = example_of("token revoke")
    assert TOKEN_ID in line
    assert run(gateway.folder, line.replace(TOKEN_ID, issued["id"])).startswith("0 connections closed")


def test_examples_about_connections(gateway):
    async def play():
        loop = asyncio.get_running_loop()
        async with gateway.connect(gateway.folder.token("alice")) as one:
            table = await loop.run_in_executor(None, run, gateway.folder, example_of("connections list"))
            row = table.splitlines()[1].split()
            assert row[1:5] == ["chat", "alice", "https://id.example.com", "jwt"]
            line = example_of("connections close")
            assert CONNECTION_ID in line
            await loop.run_in_executor(None, run, gateway.folder, line.replace(CONNECTION_ID, row[0]))
            await asyncio.wait_for(one.wait_closed(), PATIENCE)
            assert one.close_code == 4403
        async with gateway.connect(gateway.folder.token("alice")) as two:
            said = await loop.run_in_executor(None, run, gateway.folder, example_of("revoke"))
            assert said.startswith("1 connection closed in ")
            await asyncio.wait_for(two.wait_closed(), PATIENCE)
            assert two.close_code == 4401

    asyncio.run(play())


def test_every_example_is_tested():
    tested = {"check", "explain", "keys list", "keys rotate", "token issue", "token inspect", "token verify", "completion",
              "keys new", "serve", "token sign-request", "token revoke", "connections list", "connections close", "revoke"}
    assert set(verbs()) == tested
