"""Start, reload and end of the gateway."""

import asyncio
import json
import signal
import subprocess

import pytest
import websockets

from program import BINARY, PATIENCE, Gateway


def test_every_problem_is_told_and_nothing_starts(folder):
    folder.change("audience: [chat]", "audiense: [chat]")
    folder.change("origins: [https://app.example.com]", "origins: [app.example.com]")
    refused = folder.run("serve", "--config", "sallyport.yaml", status=2)
    assert refused.stdout == ""
    assert 'sallyport.yaml:10: issuers[0].audiense' in refused.stderr and "audience" in refused.stderr
    assert "sallyport.yaml:17: routes[0].origins[0]" in refused.stderr


def test_a_missing_configuration_is_told(folder):
    refused = folder.run("serve", "--config", "none.yaml", status=2)
    assert "none.yaml" in refused.stderr and "No such file" in refused.stderr


def test_a_missing_key_is_told(folder):
    (folder.path / "public.jwks").unlink()
    assert "public.jwks" in folder.run("serve", "--config", "sallyport.yaml", status=2).stderr


def test_dangers_must_be_acknowledged(folder):
    folder.change("- address: 127.0.0.1:0", "- { address: 0.0.0.0:0, dangerous_plaintext: true }")
    refused = folder.run("serve", "--config", "sallyport.yaml", status=2)
    assert "dangerous_plaintext" in refused.stderr and "acknowledge" in refused.stderr
    folder.config.write_text(folder.config.read_text() + "acknowledge: [dangerous_plaintext]\n")
    gateway = Gateway(folder)
    event = gateway.logged("dangerous.setting")
    assert (event["level"], event["name"], event["path"]) == ("warning", "dangerous_plaintext", "listen[0].dangerous_plaintext")
    gateway.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_ends_connections_politely_and_exits_0(gateway, number):
    async def play():
        async with gateway.connect(gateway.folder.token("alice")) as one:
            await one.send("hi")
            await one.recv()
            gateway.signal(number)
            await asyncio.wait_for(one.wait_closed(), PATIENCE)
            assert one.close_code == 1012

    asyncio.run(play())
    assert gateway.ended() == 0
    events = [line["event"] for line in gateway.log]
    assert events.index("draining") < events.index("connection.closed") < events.index("stopped")


def test_a_second_signal_does_not_wait(gateway):
    async def play():
        one = await gateway.connect(gateway.folder.token("alice"))
        one.transport.pause_reading()  # it will never answer the close frame
        gateway.signal(signal.SIGTERM)
        await asyncio.get_running_loop().run_in_executor(None, gateway.logged, "draining")
        gateway.signal(signal.SIGTERM)
        status = await asyncio.get_running_loop().run_in_executor(None, gateway.ended)
        one.transport.abort()
        return status

    assert asyncio.run(play()) == 0
    gateway.logged("drain.cut_short")


def test_it_says_when_it_is_not_ready(gateway):
    async def play():
        loop = asyncio.get_running_loop()
        one = await gateway.connect(gateway.folder.token("alice"))
        one.transport.pause_reading()
        gateway.signal(signal.SIGTERM)
        await loop.run_in_executor(None, gateway.logged, "draining")
        answer = await loop.run_in_executor(None, gateway.admin, "GET", "/readyz")
        alive = await loop.run_in_executor(None, gateway.admin, "GET", "/healthz")
        one.transport.abort()
        return answer, alive

    (status, _, why), (alive, _, _) = asyncio.run(play())
    assert (status, why, alive) == (503, "draining\n", 200)
    assert gateway.ended() == 0


def test_a_good_reload_counts_for_new_connections(gateway):
    async def play():
        async with gateway.connect(gateway.folder.token("alice")) as one:
            gateway.folder.change("path: /ws", "path: /other")
            gateway.signal(signal.SIGHUP)
            await asyncio.get_running_loop().run_in_executor(None, gateway.logged, "config.reloaded")
            await one.send("still here")
            assert await one.recv() == "alice: still here"
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await gateway.connect(gateway.folder.token("alice"))
            assert refused.value.status_code == 404

    asyncio.run(play())


@pytest.mark.parametrize("old, new, says", [
    ("path: /ws", "path: ws", "routes[0].match.path"),
    ("public.jwks", "none.jwks", "none.jwks"),
    ("threads: 2", "threads: 3", "restart"),
])
def test_a_bad_reload_changes_nothing(gateway, old, new, says):
    good = gateway.folder.config.read_text()
    gateway.folder.change(old, new)
    gateway.signal(signal.SIGHUP)
    event = gateway.logged("config.rejected")
    assert says in event["problems"] and event["level"] == "error"

    async def play():
        async with gateway.connect(gateway.folder.token("alice")) as one:
            await one.send("as before")
            assert await one.recv() == "alice: as before"

    asyncio.run(play())
    gateway.folder.config.write_text(good)
    gateway.signal(signal.SIGHUP)
    gateway.logged("config.reloaded")


def test_a_reload_takes_a_new_admin_token(gateway):
    (gateway.folder.path / "admin").write_text("another-token-of-operators\n")
    assert gateway.admin("GET", "/v1/connections")[0] == 200
    gateway.signal(signal.SIGHUP)
    gateway.logged("config.reloaded")
    assert gateway.admin("GET", "/v1/connections")[0] == 401
    assert gateway.admin("GET", "/v1/connections", token="another-token-of-operators")[0] == 200


def test_a_revocation_outlives_a_restart(folder):
    gateway = Gateway(folder)
    assert gateway.admin("POST", "/v1/revocations", {"sub": "alice"})[0] == 200
    gateway.stop()
    gateway = Gateway(folder)

    async def play():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await gateway.connect(folder.token("alice"))
        assert refused.value.status_code == 401
        async with gateway.connect(folder.token("bob")):
            pass

    asyncio.run(play())
    gateway.stop()


def test_an_address_in_use_is_told(gateway):
    refused = subprocess.run([BINARY, "serve", "--config", "sallyport.yaml"], cwd=gateway.folder.path, capture_output=True, text=True,
                             timeout=PATIENCE)
    assert refused.returncode == 2 and f"127.0.0.1:{gateway.folder.admin_port}" in refused.stderr


def test_every_line_of_the_log_is_an_event(gateway):
    gateway.signal(signal.SIGTERM)
    gateway.ended()
    assert all({"time", "level", "event"} <= set(line) for line in gateway.log[:-1]), json.dumps(gateway.log)


@pytest.fixture
def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   cwd=folder.path, check=True, capture_output=True)


def test_the_admin_port_by_tls(folder, certificate):
    folder.change(f"127.0.0.1:{folder.admin_port},", f"127.0.0.1:{folder.admin_port}, tls: {{ certificate: cert.pem, key: key.pem }},")
    gateway = Gateway(folder)
    try:
        url = f"https://localhost:{folder.admin_port}"
        listed = folder.run("connections", "list", "--admin", url, "--token-file", "admin", "--ca-file", "cert.pem", "--json")
        assert json.loads(listed.stdout) == {"connections": []}
        untrusted = folder.run("connections", "list", "--admin", url, "--token-file", "admin", status=1)
        assert "certificate" in untrusted.stderr
        folder.run("connections", "list", "--admin", url.replace("https", "http"), "--token-file", "admin", status=1)
    finally:
        gateway.stop()


def test_the_admin_port_of_other_machines_needs_tls(folder):
    folder.change(f"127.0.0.1:{folder.admin_port}", f"0.0.0.0:{folder.admin_port}")
    assert "admin.address" in folder.run("serve", "--config", "sallyport.yaml", status=2).stderr
