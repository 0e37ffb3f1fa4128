"""The commands of the first steps and every configuration in README and guide are run as they stand, but for the ports, which are
free ones."""

import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = (ROOT / os.environ.get("SALLYPORT_BUILD", "build/release")).resolve()
ENVIRONMENT = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def blocks(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


def run(command: str, folder: pathlib.Path) -> str:
    result = subprocess.run(["sh", "-ec", command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def wait_until_ready(admin_port: str, gateway: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert gateway.poll() is None, "the gateway ended"
            assert time.monotonic() < deadline, "the gateway did not get ready"


def test_getting_started(tmp_path):
    ports = {"8443": free_port(), "9443": free_port(), "9000": free_port()}
    gateway = None
    printed = {}
    try:
        for language, text in blocks("docs/guide/getting-started.md"):
            text = re.sub(r"\b(8443|9443|9000)\b", lambda port: ports[port[1]], text)
            if language == "yaml":
                (tmp_path / "sallyport.yaml").write_text(text)
            elif text.startswith("sallyport serve"):
                gateway = subprocess.Popen(["sh", "-ec", "exec " + text], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
                wait_until_ready(ports["9443"], gateway)
            elif language == "sh":
                printed[text] = run(text, tmp_path)
        assert "spt_" in next(out for command, out in printed.items() if "token issue" in command)
        assert " 401 " in next(out for command, out in printed.items() if "Sec-WebSocket-Key" in command)
        assert '"keys"' in next(out for command, out in printed.items() if "jwks.json" in command)
        gateway.terminate()
        assert gateway.wait(timeout=20) == 0
    finally:
        if gateway and gateway.poll() is None:
            gateway.kill()


def test_configuration_in_the_readme(tmp_path):
    run("mkdir tls secrets data; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x"
        " -keyout tls/key.pem -out tls/cert.pem; openssl rand -hex 32 > secrets/admin; chmod 600 secrets/admin", tmp_path)
    [configuration] = [text for language, text in blocks("README.md") if language == "yaml"]
    (tmp_path / "sallyport.yaml").write_text(configuration)
    run("sallyport check --config sallyport.yaml", tmp_path)


ROUTE = {
    "name": "chat",
    "match": {"host": "chat.example.com", "path": "/ws"},
    "upstream": {"url": "ws://127.0.0.1:9000/"},
}
ISSUER = {
    "name": "main",
    "issuer": "https://id.example.com",
    "audience": ["chat"],
    "algorithms": ["ES256"],
    "keys": {"jwks_url": "https://id.example.com/.well-known/jwks.json"},
}


# How the files are made that a configuration shown names.
MADE_BY = {
    "devices.json": "sallyport keys new --client sensor-17 --clients devices.json --out sensor-17.jwks",
    "otp.json": """umask 077; echo '{"secrets": [{"subject": "alice", "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}]}' > otp.json""",
    "token-keys.jwks": "sallyport keys new --out token-keys.jwks",
    "app.secret": "openssl rand -hex 32 > app.secret; chmod 600 app.secret",
}


PLUG_PAGES = [page for folder in ("auth", "protocol") for page in (ROOT / "src/sallyport" / folder).glob("**/README.md")]
ROUTE_PAGES = [
    ROOT / "docs/guide" / f"{name}.md"
    for name in ("messages", "addresses", "compression", "timing", "tickets", "token-service", "sessions", "behind-a-proxy")]


@pytest.mark.parametrize("page", sorted(str(page.relative_to(ROOT)) for page in [*PLUG_PAGES, *ROUTE_PAGES]))
def test_configuration_of_a_plug(page, tmp_path):
    """What a plug's README or a page on routes shows is set into a whole configuration, which must hold."""
    shown_there = [text for language, text in blocks(page) if language == "yaml"]
    assert shown_there
    for text in shown_there:
        shown = yaml.safe_load(text)
        for name in re.findall(r"_file: (secrets/[\w.-]+)", text):
            run(f"mkdir -p secrets; openssl rand -hex 32 > {name}; chmod 600 {name}", tmp_path)
        route = shown.pop("routes", [{}])[0]
        of_route = {key: shown.pop(key) for key in ("authenticate", "compression", "messages", "recheck") if key in shown}
        route = {"authenticate": [{"opaque": {}}], **ROUTE, **route, **of_route}
        configuration = {
            "listen": [{"address": "127.0.0.1:0"}],
            "store": {"memory": {}},
            "issuers": [ISSUER],
            "routes": [route],
            **shown,
        }
        text = yaml.safe_dump(configuration)
        for name, command in MADE_BY.items():
            if name in text and not (tmp_path / name).exists():
                run(command, tmp_path)
        for name in set(re.findall(r"\bsecrets/[\w-]+", text)):
            run(f"mkdir -p secrets; openssl rand -hex 16 > {name}; chmod 600 {name}", tmp_path)
        (tmp_path / "sallyport.yaml").write_text(text)
        run("sallyport check --config sallyport.yaml", tmp_path)


AUTHORITY = """
mkdir -p tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout tls/key.pem -out tls/cert.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=clients -keyout ca.key -out tls/clients.pem
touch index.txt
printf '[ca]\\ndefault_ca = own\\n[own]\\ndatabase = index.txt\\ndefault_md = sha256\\n' > ca.cnf
openssl ca -config ca.cnf -gencrl -crldays 30 -keyfile ca.key -cert tls/clients.pem -out tls/clients.crl
"""


def test_configuration_of_client_certificates(tmp_path):
    run(AUTHORITY, tmp_path)
    [text] = [text for language, text in blocks("docs/guide/client-certificates.md") if language == "yaml"]
    (tmp_path / "sallyport.yaml").write_text(yaml.safe_dump({"store": {"memory": {}}, **yaml.safe_load(text)}))
    run("sallyport check --config sallyport.yaml", tmp_path)
