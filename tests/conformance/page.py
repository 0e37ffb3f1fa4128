"""docs/conformance.md: text by hand, and between marks what the suites said last."""

from __future__ import annotations

import datetime
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


def revision(folder: pathlib.Path = ROOT) -> str:
    """What is checked out at `folder`, with a plus sign when something tracked there was changed since; the page itself does not count."""
    git = ["git", "-C", str(folder)]
    name = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/conformance.md"], check=True,
                             capture_output=True, text=True).stdout.strip()
    return name + ("+" if changed else "")


def package(name: str) -> str:
    """A Debian package and its version."""
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return f"{name} {found.stdout.strip() or 'unknown'}"


def today() -> str:
    return datetime.date.today().isoformat()


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(section: str, text: str) -> None:
    """Replaces what stands between the marks of `section`."""
    begin, end = f"<!-- {section}: written by `make conformance` -->", f"<!-- /{section} -->"
    page = PAGE.read_text()
    written, count = re.subn(re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page, flags=re.S)
    assert count == 1, f"{PAGE} has no place for {section}"
    PAGE.write_text(written)
