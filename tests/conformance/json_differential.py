"""Compares what we understand of JSON messages with what their backends would: Python's json and Node's JSON.parse.

Texts are made at random, hostile in every way that a text of JSON can be: escapes in names and values, members twice, look-alikes of
names, depth, numbers, white space, byte order marks, bytes behind the end, bytes that are no UTF-8. What we accept, every reader must
read alike: also one that keeps the first of two members, one that does not tell cases apart, and one whose names end at a NUL. What
we refuse although all of them agree must have a reason in STRICTER.

Run: SALLYPORT_BUILD=build/asan /usr/bin/python3 -m pytest tests/conformance/json_differential.py
     CASES=1000000 for a longer run.
"""

import base64
import collections
import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERDICT = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "message_verdict"
CASES = int(os.environ.get("CASES", "12000"))

# Our refusals of messages that all readers read alike, and why each is right.
STRICTER = {
    r"not a JSON object": "the verb is a member",
    r"no verb|the verb is no string": "every message says what it asks for",
    r"no resource|neither string nor integer": "and what about, unless its verb is listed",
    r"a member comes twice": "twice the same value is still a trap for the next reader",
    r"nearly one that is looked for": "some readers do not tell cases apart, and some end a name at a NUL",
    r"beyond the integers|no integer|minus zero": "such a number is not the same in every reader",
    r"empty|too long|control character in verb": "a name that is no name",
    r"nested too deep": "some readers stop earlier than others",
    r"bad escape": "a lone surrogate, for which every reader has another answer",
    r"not UTF-8": "refused before it is looked into",
}

NODE = """
const lines = require('readline').createInterface({input: process.stdin});
lines.on('line', line => {
  const {text, verb, resource} = JSON.parse(line);
  const walk = (root, path) => {
    let at = root;
    for (const name of path) {
      if (at === null || typeof at !== 'object' || !Object.prototype.hasOwnProperty.call(at, name)) return undefined;
      at = at[name];
    }
    return at;
  };
  const show = value => value === undefined ? null : typeof value === 'string' ? ['s', Buffer.from(value, 'utf16le').toString('hex')] : typeof value === 'number' ? ['n', String(value)] : ['other'];
  let answer;
  try {
    const root = JSON.parse(new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(Buffer.from(text, 'base64')));
    answer = {verb: show(walk(root, verb)), resource: show(walk(root, resource))};
  } catch (error) { answer = null; }
  console.log(JSON.stringify(answer));
});
"""

ABSENT = object()


def walk(root, path):
    for name in path:
        if isinstance(root, list) and name.isdigit() and (name == "0" or name[0] != "0") and int(name) < len(root):
            root = root[int(name)]
        elif isinstance(root, dict) and name in root:
            root = root[name]
        else:
            return ABSENT
    return root


def show(value):
    """As Node shows it, so that the two can be compared."""
    if value is ABSENT:
        return None
    if isinstance(value, str):
        return ["s", value.encode("utf-16-le", "surrogatepass").hex()]
    if isinstance(value, int) and not isinstance(value, bool):
        return ["n", str(value)]
    if isinstance(value, float):
        return ["n", str(int(value)) if value.is_integer() and abs(value) < 2 ** 53 else repr(value)]
    return ["other"]


def first_wins(pairs):
    made = {}
    for name, value in pairs:
        made.setdefault(name, value)
    return made


def any_case(pairs):
    """Names as readers compare them that do not tell cases apart."""
    return {name.lower() if name.lower() == name.upper().lower() else name.casefold(): value for name, value in pairs}


def to_nul(pairs):
    return {name.split("\0")[0]: value for name, value in pairs}


READERS = {"last wins": None, "first wins": first_wins, "any case": any_case, "names to NUL": to_nul}


def read_in_python(raw: bytes, verb, resource):
    answers = {}
    for reader, hook in READERS.items():
        try:
            root = json.loads(raw.decode(), object_pairs_hook=hook)
            answers[reader] = (show(walk(root, verb)), show(walk(root, resource)))
        except (ValueError, RecursionError):
            answers[reader] = None
    return answers


class Texts:
    """Makes texts that have, nearly always, something of a message in them."""

    def __init__(self, seed: int, verb: list[str], resource: list[str]):
        self.random = random.Random(seed)
        self.paths = [verb, resource]
        self.words = sorted({name for path in self.paths for name in path})

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def space(self) -> str:
        return "".join(self.random.choice(" \t\n\r") for _ in range(self.random.randrange(1, 4))) if self.chance(0.1) else ""

    def quote(self, text: str) -> str:
        out = '"'
        for c in text:
            code = ord(c)
            if self.chance(0.08) or c in '"\\' or code < 0x20 or 0xD800 <= code < 0xE000:
                units = c.encode("utf-16-be", "surrogatepass").hex()
                hexes = [units[i:i + 4] for i in range(0, len(units), 4)]
                out += "".join("\\u" + (unit.upper() if self.chance(0.5) else unit) for unit in hexes)
            else:
                out += c
        return out + '"'

    def name(self) -> str:
        word = self.random.choice([*self.words, *self.words, "a", "id", "text", "", "x" * 20])
        twist = self.random.randrange(16)
        if twist == 0:
            word = word.upper()
        elif twist == 1:
            word = word.title()
        elif twist == 2:
            word += "\0" + self.random.choice(["", "x"])
        elif twist == 3:
            word = word.replace("k", "\u212a").replace("s", "\u017f").replace("i", "\u0130")
        elif twist == 4:
            word += self.random.choice([" ", "s", "\u00e9", "\ud800", "\U0001f600"])
        return self.quote(word)

    def number(self) -> str:
        return self.random.choice([
            "0", "-0", "7", "-7", "123", "9007199254740991", "-9007199254740991", "9007199254740992", "9007199254740993", "1.0", "1e3",
            "1E+2", "0.5", "-1.5e-3", "01", "+1", "1.", ".5", "1e", "0x10", "1_0", "NaN", "-Infinity", "1e999", "1" * 25, "1e-400", "--1"])

    def string(self) -> str:
        return self.random.choice([
            lambda: self.quote(self.random.choice(["send", "ping", "read", "lobby", "transfer", ""])),
            lambda: self.quote("gr\u00fc\u00df \u20ac \U0001f600"),
            lambda: self.quote("x" * self.random.randrange(80)),
            lambda: self.quote(self.random.choice(["\0", "a\nb", "\x7f", "\ud800", "\udc00x", "\ud83d\ude00"])),
            lambda: '"' + self.random.choice(["\\/", "\\b\\f\\n\\r\\t", "\\\\", "\\\"", "\\x41", "\\u12", "\\uD800\\u0041", "\\u00e9", "\\'", "\n"]) + '"',
        ])()

    def value(self, depth: int = 0) -> str:
        kind = self.random.randrange(12 if depth < 4 else 8)
        if kind < 4:
            return self.string()
        if kind < 6:
            return self.number()
        if kind < 8:
            return self.random.choice(["true", "false", "null", "[]", "{}", "nul", "True", "undefined"] if self.chance(0.1) else ["true", "false", "null", "[]", "{}"])
        if kind == 8:
            levels = self.random.choice([2, 30, 61, 62, 63, 64, 65, 200]) if self.chance(0.2) else 2
            return "[" * levels + "]" * levels
        if kind == 9:
            return "[" + ",".join(self.space() + self.value(depth + 1) + self.space() for _ in range(self.random.randrange(4))) + "]"
        return self.object(depth + 1)

    def member(self, name: str, value: str) -> str:
        return self.space() + name + self.space() + ":" + self.space() + value + self.space()

    def object(self, depth: int = 0) -> str:
        members = [self.member(self.name(), self.value(depth)) for _ in range(self.random.randrange(4))]
        return "{" + ",".join(members) + "}"

    def at_path(self, path: list[str], value: str) -> tuple[str, str]:
        """A member of the root that leads to `value`."""
        for name in reversed(path[1:]):
            if name.isdigit() and self.chance(0.5):
                value = "[" + ",".join([*(self.value(2) for _ in range(int(name))), value]) + "]"
            else:
                value = "{" + self.member(self.quote(name), value) + "}"
        return self.quote(path[0]), value

    def message(self) -> str:
        verb, resource = self.paths
        members = []
        if len(verb) > 1 and verb[0] == resource[0]:
            inner = [self.member(self.quote(path[-1]), self.string() if self.chance(0.8) else self.value(2)) for path in self.paths]
            inner += [self.member(self.name(), self.value(2)) for _ in range(self.random.randrange(3))]
            self.random.shuffle(inner)
            members.append(self.member(self.quote(verb[0]), "{" + ",".join(inner) + "}"))
        else:
            members.append(self.member(*self.at_path(verb, self.string() if self.chance(0.9) else self.value())))
            if self.chance(0.85):
                members.append(self.member(*self.at_path(resource, self.random.choice([self.string, self.string, self.number, self.value])())))
        for _ in range(self.random.choice([0, 0, 1, 2, 4])):
            name = self.quote("n%d" % self.random.randrange(1000)) if self.chance(0.7) else self.name()
            members.append(self.member(name, self.value()))
        self.random.shuffle(members)
        return self.space() + "{" + ",".join(members) + "}" + self.space()

    def damaged(self, raw: bytes) -> bytes:
        at = self.random.randrange(len(raw) + 1)
        return self.random.choice([
            lambda: raw[:at],
            lambda: raw[:at] + raw[at + 1:],
            lambda: raw[:at] + bytes([self.random.choice(b'"\\{}[]:,0 -.eu\x00\x1f\x7f\x80\xc0\xff')]) + raw[at:],
            lambda: raw[:at] + bytes([self.random.choice(b'"\\{}[]:,0 -.eu\x00\x1f\x7f\x80\xc0\xff')]) + raw[at + 1:],
            lambda: b"\xef\xbb\xbf" + raw,
            lambda: raw + self.random.choice([b"x", b"{}", b",", b"\0", b"null", b"//", b"\x0c", "\u00a0".encode(), b" "]),
            lambda: raw + raw,
            lambda: raw.replace(b" ", "\u2028".encode(), 1),
        ])()

    def next(self) -> bytes:
        raw = self.message().encode("utf-8", "surrogatepass")
        return self.damaged(raw) if self.chance(0.25) else raw


def ask(command: list[str], requests: list[dict]) -> list:
    result = subprocess.run(command, input="".join(json.dumps(request) + "\n" for request in requests), capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.split("\n") if line]
    assert len(answers) == len(requests)
    return answers


@pytest.mark.parametrize("seed, verb, resource", [(1, "/type", "/room"), (2, "/kind", "/p/sid"), (3, "/p/type", "/p/id"), (4, "/op", "/args/1/k")])
def test_messages(seed, verb, resource):
    node = shutil.which("node")
    if not node:
        assert not os.environ.get("CI"), "node is needed"
        print("node is not there: compared with Python alone")
    paths = verb[1:].split("/"), resource[1:].split("/")
    texts = Texts(seed, *paths)
    raws = [texts.next() for _ in range(CASES // 4)]
    encoded = [base64.b64encode(raw).decode() for raw in raws]
    verdicts = ask([str(VERDICT), verb, resource, "ping"], [{"text": text} for text in encoded])
    in_node = ask([node, "-e", NODE], [{"text": text, "verb": paths[0], "resource": paths[1]} for text in encoded]) if node else [None] * len(raws)
    count = collections.Counter()
    for raw, verdict, other in zip(raws, verdicts, in_node):
        answers = read_in_python(raw, *paths)
        if node:
            answers["node"] = (other["verb"], other["resource"]) if other else None
        if verdict["accept"]:
            count["accepted"] += 1
            wanted_verb = ["s", verdict["verb"].encode("utf-16-le").hex()]
            for reader, answer in answers.items():
                assert answer, f"{raw!r}: accepted here, refused by the reader '{reader}'"
                assert answer[0] == wanted_verb, f"{raw!r}: {reader}"
                if answer[1] is None:
                    assert verdict["resource"] == "" and verdict["verb"] == "ping", f"{raw!r}: {reader}"
                elif answer[1][0] == "n":
                    assert answer[1][1] == verdict["resource"], f"{raw!r}: {reader}"
                else:
                    assert answer[1] == ["s", verdict["resource"].encode("utf-16-le").hex()], f"{raw!r}: {reader}"
            continue
        if None in answers.values():
            count["refused by all"] += 1
            continue
        [why] = [each for each in STRICTER if re.search(each, verdict["detail"])] or [None]
        assert why, f"{raw!r}: refused for '{verdict['detail']}'"
        count[why] += 1
    assert count["accepted"] > 50 and count["refused by all"] > 100, count
    assert len(count) > 8, count
