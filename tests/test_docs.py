"""The documents name only what exists."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Pages written by hand; docs/reference is the program's own word, and its examples name files of the reader's.
PAGES = [
    page
    for page in ROOT.rglob("*.md")
    if not {"node_modules", "build", "vectors", ".git", "reference"} & set(page.relative_to(ROOT).parts)
]


def exists(name: str) -> bool:
    """Whether there is such a file; of `file.py::Class::test`, whether the file defines what is named, too."""
    name, *inside = name.split("::")
    candidates = [name, f"src/sallyport/{name}", f"tests/scenarios/{name}", f"tests/{name}"]
    files = [file for candidate in candidates for file in ROOT.glob(candidate)]
    return any(all(re.search(rf"^ *(?:async def|def|class) {word}\b", file.read_text(), re.M) for word in inside) for file in files)


def test_named_files_exist():
    missing = []
    for page in PAGES:
        text = page.read_text()
        names = re.findall(r"`([A-Za-z0-9_./*-]+\.(?:h|cpp|py|yaml|md|json)(?:::\w+)*)`", text)
        names += [link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
        for name in names:
            if not exists(name) and not (page.parent / name).exists():
                missing.append(f"{page.relative_to(ROOT)}: {name}")
    assert not missing, "\n".join(missing)


def test_named_make_targets_exist():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    missing = []
    for page in PAGES:
        for target in re.findall(r"`make ([a-z0-9-]+)[^`]*`|^make ([a-z0-9-]+)", page.read_text(), re.M):
            name = target[0] or target[1]
            if name not in targets:
                missing.append(f"{page.relative_to(ROOT)}: make {name}")
    assert not missing, "\n".join(missing)
