"""What the verbs say and end with, without a gateway."""

import http.server
import json
import subprocess
import threading

import pytest

from program import BINARY, ISSUER, PATIENCE, verbs


def test_help_is_good_and_none_is_not(folder):
    for words in (["--help"], ["-h"], ["help"], ["keys", "--help"], ["--version"]):
        assert folder.run(*words).stdout
    for words in ([], ["keys"], ["keys", "--nothing"]):
        assert "verb is needed" in folder.run(*words, status=2).stderr


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_explains_itself(folder, verb):
    assert f"Usage: sallyport {verb}" in folder.run(*verb.split(), "--help").stdout


@pytest.mark.parametrize("words, says", [
    (["serv"], "did you mean serve?"),
    (["keys", "rotat"], "did you mean keys rotate?"),
    (["quux"], 'no verb is called "quux"'),
    (["check", "--cofnig", "x"], "did you mean --config?"),
    (["check"], "--config FILE is needed"),
    (["check", "--config"], "--config needs a value"),
    (["check", "--config", "a", "b"], 'unexpected argument "b"'),
    (["token", "revoke", "--config", "sallyport.yaml"], "ID is needed"),
    (["completion", "fish"], "only bash"),
])
def test_wrong_usage_is_2_and_names_the_nearest(folder, words, says):
    refused = folder.run(*words, status=2)
    assert says in refused.stderr and refused.stdout == ""


class TestCheck:
    def test_good(self, folder):
        assert folder.run("check", "--config", "sallyport.yaml").stdout == "sallyport.yaml: good\n"
        assert json.loads(folder.run("check", "--config", "sallyport.yaml", "--json").stdout) == {
            "good": True, "problems": [], "dangers": []}

    def test_all_problems_at_once(self, folder):
        folder.change("audience:", "audiense:")
        folder.change("threads: 2", "threads: many")
        out = folder.run("check", "--config", "sallyport.yaml", status=2).stdout
        assert "sallyport.yaml:5: threads: " in out and "sallyport.yaml:10: issuers[0].audiense: " in out

    def test_every_file_is_tried(self, folder):
        folder.change("- address: 127.0.0.1:0", "- { address: 127.0.0.1:0, tls: { certificate: none.pem, key: none.key } }")
        folder.change("threads: 2", "threads: 2\nassertion: { keys_file: none.jwks }")
        (folder.path / "admin").chmod(0o644)
        (folder.path / "public.jwks").write_text("{}")
        problems = json.loads(folder.run("check", "--config", "sallyport.yaml", "--json", status=2).stdout)["problems"]
        assert [(p["line"], p["path"]) for p in problems] == [
            (2, "listen[0].tls"), (3, "admin.token"), (6, "assertion.keys_file"), (13, "issuers[0].keys")]
        assert "chmod 600" in problems[1]["message"]

    def test_an_admin_token_must_be_long(self, folder):
        (folder.path / "admin").write_text("short")
        assert "16 bytes" in folder.run("check", "--config", "sallyport.yaml", status=2).stdout

    def test_a_danger_is_a_refusal(self, folder):
        folder.change("- address: 127.0.0.1:0", "- { address: 0.0.0.0:0, dangerous_plaintext: true }")
        out = folder.run("check", "--config", "sallyport.yaml", status=1).stdout
        assert "sallyport.yaml:2: listen[0].dangerous_plaintext" in out and "acknowledge" in out
        good = folder.config.read_text()
        folder.config.write_text(good + "acknowledge: [dangerous_plaintext]\n")
        assert "acknowledged" in folder.run("check", "--config", "sallyport.yaml").stdout
        folder.config.write_text(good + "acknowledge: [dangerous_plaintext, dangerous_anonymous]\n")
        assert "not in force" in folder.run("check", "--config", "sallyport.yaml", status=1).stdout

    def test_no_file(self, folder):
        assert "none.yaml" in folder.run("check", "--config", "none.yaml", status=2).stdout

    def test_nothing_is_written(self, folder):
        before = sorted(folder.path.iterdir())
        folder.run("check", "--config", "sallyport.yaml")
        assert sorted(folder.path.iterdir()) == before


class TestExplain:
    def test_a_key(self, folder):
        out = folder.run("explain", "message_size").stdout
        assert "routes[].limits.message_size" in out and "64KiB" in out

    def test_an_unknown_key(self, folder):
        assert "message_size" in folder.run("explain", "mesage_size", status=1).stderr

    def test_everything(self, folder):
        assert "drain_timeout" in folder.run("explain").stdout

    def test_json_schema(self, folder):
        schema = json.loads(folder.run("explain", "--json-schema").stdout)
        assert "listen" in schema["properties"]
        folder.run("explain", "--json-schema", "listen", status=2)


class TestKeys:
    def test_new_never_overwrites(self, folder):
        before = (folder.path / "keys.jwks").read_bytes()
        folder.run("keys", "new", "--out", "keys.jwks", status=1)
        assert (folder.path / "keys.jwks").read_bytes() == before

    @pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "EdDSA", "PS256", "RS256"])
    def test_new_of_each_kind(self, folder, algorithm):
        made = json.loads(folder.run("keys", "new", "--out", "k", "--algorithm", algorithm, "--json").stdout)
        assert [key["alg"] for key in made["keys"]] == [algorithm]
        assert (folder.path / "k").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("algorithm", ["HS256", "none", "es256"])
    def test_no_other_kind(self, folder, algorithm):
        folder.run("keys", "new", "--out", "k", "--algorithm", algorithm, status=2)
        assert not (folder.path / "k").exists()

    def test_rotate_puts_a_fresh_key_first(self, folder):
        def kids(text):
            return [key["kid"] for key in json.loads(text)["keys"]]

        first = kids(folder.run("keys", "list", "--keys", "keys.jwks", "--json").stdout)
        second = kids(folder.run("keys", "rotate", "--keys", "keys.jwks", "--json").stdout)
        third = kids(folder.run("keys", "rotate", "--keys", "keys.jwks", "--keep", "2", "--json").stdout)
        assert second[1:] == first and third[1:] == second and len(set(third)) == 3
        assert len(kids(folder.run("keys", "rotate", "--keys", "keys.jwks", "--keep", "0", "--json").stdout)) == 1
        assert [p.name for p in folder.path.iterdir() if p.name.startswith("keys")] == ["keys.jwks"]
        for keep in ("-1", "17", "x", ""):
            folder.run("keys", "rotate", "--keys", "keys.jwks", f"--keep={keep}", status=2)

    def test_list_shows_nothing_private(self, folder):
        private = json.loads((folder.path / "keys.jwks").read_text())["keys"][0]["d"]
        for words in ([], ["--json"], ["--jwks"]):
            assert private not in folder.run("keys", "list", "--keys", "keys.jwks", *words).stdout

    def test_an_open_file_is_refused(self, folder):
        (folder.path / "keys.jwks").chmod(0o644)
        assert "chmod 600" in folder.run("keys", "list", "--keys", "keys.jwks", status=2).stderr


class TestToken:
    def test_what_is_issued_verifies(self, folder):
        token = folder.token("alice", "--sid", "s", "--tenant", "t", "--scope", "a", "--scope", "b", "--role", "r", "--claim",
                             'amr=["otp"]', "--claim", "colour=red", "--ttl", "5m")
        verified = json.loads(folder.run("token", "verify", "--config", "sallyport.yaml", "--json", stdin=token).stdout)
        claims = verified["claims"]
        assert verified["verified"] is True
        assert (claims["sub"], claims["sid"], claims["tenant"], claims["scope"], claims["roles"], claims["amr"], claims["colour"]) == (
            "alice", "s", "t", "a b", ["r"], ["otp"], "red")
        assert claims["exp"] - claims["iat"] == 300 and claims["iss"] == ISSUER and claims["aud"] == "chat"

    def test_a_shared_secret_signs_too(self, folder):
        (folder.path / "secret").write_text("9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d")
        (folder.path / "secret").chmod(0o600)
        folder.change("algorithms: [ES256]", "algorithms: [HS256]")
        folder.change("jwks_file: public.jwks", "secret_file: secret")
        token = folder.run("token", "issue", "--secret-file", "secret", "--issuer", ISSUER, "--audience", "chat", "--sub", "a").stdout
        folder.run("token", "verify", "--config", "sallyport.yaml", stdin=token)

    @pytest.mark.parametrize("change", [("issuer: https://id.example.com", "issuer: https://other.example.com"),
                                        ("audience: [chat]", "audience: [other]"), ("algorithms: [ES256]", "algorithms: [ES384]")])
    def test_what_the_gateway_would_refuse_is_refused(self, folder, change):
        token = folder.token("alice")
        folder.run("token", "verify", "--config", "sallyport.yaml", stdin=token)
        folder.change(*change)
        refused = folder.run("token", "verify", "--config", "sallyport.yaml", stdin=token, status=1)
        assert refused.stdout.startswith("REFUSED: credential.invalid: ")
        as_json = json.loads(folder.run("token", "verify", "--config", "sallyport.yaml", "--json", stdin=token, status=1).stdout)
        assert as_json["verified"] is False and as_json["error"] == "credential.invalid"

    def test_a_forged_token_is_refused(self, folder):
        header, payload, signature = folder.token("alice").split(".")
        _, other, _ = folder.token("mallory").split(".")
        folder.run("token", "verify", "--config", "sallyport.yaml", stdin=f"{header}.{other}.{signature}", status=1)
        folder.run("token", "verify", "--config", "sallyport.yaml", stdin=f"{header}.{payload}.", status=1)

    def test_the_issuer_must_be_known(self, folder):
        token = folder.token("alice")
        refused = folder.run("token", "verify", "--config", "sallyport.yaml", "--issuer", "mian", stdin=token, status=2)
        assert "did you mean main?" in refused.stderr

    def test_inspect_says_that_nothing_is_proved(self, folder):
        token = folder.token("alice")
        for words in ([], ["-"], [token]):
            out = folder.run("token", "inspect", *words, stdin=token).stdout
            assert out.startswith("NOT VERIFIED") and '"alice"' in out and token not in out
        assert json.loads(folder.run("token", "inspect", "--json", stdin=token).stdout)["verified"] is False

    @pytest.mark.parametrize("text, status", [("", 2), ("x", 1), ("a.b", 1), ("a.b.c", 1), ("a.b.c.d", 1), ("e30.e30.", 0)])
    def test_inspect_refuses_what_is_no_token(self, folder, text, status):
        folder.run("token", "inspect", stdin=text, status=status)

    def test_inspect_cannot_command_the_terminal(self, folder):
        token = folder.token("alice", "--claim", 'x="\\u001b[31m\\u009b31m"')
        out = folder.run("token", "inspect", stdin=token).stdout
        assert "\x1b" not in out and "\x9b" not in out and "\\u001b[31m\\u009b31m" in out

    @pytest.mark.parametrize("words", [["--ttl", "0s"], ["--ttl", "367d"], ["--ttl", "x"], ["--claim", "x"], ["--claim", "=1"],
                                       ["--claim", "sub=root"], ["--claim", "a=1", "--claim", "a=2"], ["--opaque"],
                                       ["--secret-file", "admin"]])
    def test_issue_refuses(self, folder, words):
        refused = folder.run("token", "issue", "--key", "keys.jwks", "--issuer", ISSUER, "--audience", "chat", "--sub", "a", *words,
                             status=2)
        assert refused.stdout == ""

    def test_issue_opaque_and_revoke(self, gateway):
        folder = gateway.folder
        issued = folder.run("token", "issue", "--opaque", "--sub", "alice", "--scope", "a", "--config", "sallyport.yaml")
        token, token_id = issued.stdout.strip(), issued.stderr.split("its id is ")[1].split(";")[0]
        assert token.startswith("spt_")
        assert "opaque" in folder.run("token", "inspect", stdin=token).stdout
        folder.run("token", "revoke", "--config", "sallyport.yaml", "--", token_id)
        assert "no token has this id" in folder.run("token", "revoke", "--config", "sallyport.yaml", "nothing", status=1).stderr


class TestAdminClient:
    def test_by_url_and_token_file(self, gateway):
        out = gateway.folder.run("connections", "list", "--admin", f"http://127.0.0.1:{gateway.folder.admin_port}/", "--token-file",
                                 "admin", "--json").stdout
        assert json.loads(out) == {"connections": []}

    def test_a_wrong_token_is_a_refusal(self, gateway):
        (gateway.folder.path / "wrong").write_text("not-the-token-of-operators")
        (gateway.folder.path / "wrong").chmod(0o600)
        refused = gateway.folder.run("connections", "list", "--config", "sallyport.yaml", "--token-file", "wrong", status=1)
        assert "not the admin token" in refused.stderr and "not-the-token" not in refused.stderr

    def test_nobody_there_is_a_refusal(self, folder):
        assert str(folder.admin_port) in folder.run("connections", "list", "--config", "sallyport.yaml", status=1).stderr

    @pytest.mark.parametrize("url", ["http://192.0.2.1:9443", "http://admin.example.com", "ftp://127.0.0.1", "127.0.0.1:9443",
                                     "http://127.0.0.1:9443@evil.example", "http://localhost.evil.example"])
    def test_no_token_goes_out_in_the_clear(self, folder, url):
        folder.run("connections", "list", "--admin", url, "--token-file", "admin", status=2)

    @pytest.mark.parametrize("words", [[], ["--sub", "a", "--sid", "b"], ["--sub", "a", "--issued-before", "later"]])
    def test_revoke_needs_one_handle(self, folder, words):
        folder.run("revoke", "--config", "sallyport.yaml", *words, status=2)

    def test_revoke_by_time(self, gateway):
        for when in ("now", "1700000000"):
            out = gateway.folder.run("revoke", "--config", "sallyport.yaml", "--sub", "a", "--issued-before", when, "--json").stdout
            assert json.loads(out)["closed"] == 0
        listed = gateway.admin("GET", "/v1/revocations")[2]["revocations"]
        assert listed[1]["issued_before"] == 1700000000

    def test_closing_what_is_not_there(self, gateway):
        gateway.folder.run("connections", "close", "--config", "sallyport.yaml", "nothing", status=1)


def test_completion_completes(folder):
    script = folder.run("completion", "bash").stdout

    def complete(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        program = f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _sallyport; echo \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.split()

    assert complete("sallyport", "ch") == ["check"]
    assert complete("sallyport", "token", "i") == ["issue", "inspect"]
    assert complete("sallyport", "token", "verify", "--c") == ["--config"]
    assert complete("sallyport", "serve", "--c") == ["--config"]


def test_keys_are_fetched_for_verify(folder):
    served = (folder.path / "public.jwks").read_bytes()

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/jwk-set+json")
            self.send_header("Content-Length", str(len(served)))
            self.end_headers()
            self.wfile.write(served)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder.change("jwks_file: public.jwks", f'jwks_url: "http://127.0.0.1:{server.server_port}/"')
        token = folder.token("alice")
        assert "VERIFIED" in folder.run("token", "verify", "--config", "sallyport.yaml", stdin=token).stdout
        server.shutdown()
    refused = folder.run("token", "verify", "--config", "sallyport.yaml", stdin=token, status=1)
    assert f"127.0.0.1:{server.server_port}" in refused.stderr
