"""Plays the scenarios of this folder: every *.yaml below it is collected as a test, one for each row of its `each` table.

`pytest tests/scenarios -k revocation` runs a part; SALLYPORT_BUILD names another build than build/release;
SALLYPORT_FULL=1 makes the numbers of the load tests those of the promises."""

from __future__ import annotations

import pathlib
import resource
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.gateway import BINARY  # noqa: E402
from harness.steps import Scene, StepFailed  # noqa: E402
from harness.world import World  # noqa: E402

WORDS = {"why", "config", "gateway", "backend", "key_source", "each", "steps"}


def pytest_collect_file(file_path: pathlib.Path, parent):
    if file_path.suffix == ".yaml" and file_path.name != "base.yaml" and pathlib.Path(__file__).parent in file_path.parents:
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(items):
    """Whether a secret got out is known only when everything has been said."""
    items.sort(key=lambda item: item.path.name == "test_secrets.py")


class ScenarioFile(pytest.File):
    def collect(self):
        for number, scenario in enumerate(yaml.safe_load_all(self.path.read_text()), 1):
            unknown = set(scenario) - WORDS
            assert not unknown, f"{self.path}: a scenario has no {unknown}"
            assert scenario.get("why"), f"{self.path}: say why"
            for row in scenario.get("each") or [{}]:
                name = self.path.stem + (f".{number}" if number > 1 else "")
                if row:
                    name += f"[{row.get('what') or ', '.join(str(value) for value in row.values())}]"
                yield ScenarioItem.from_parent(self, name=name, scenario=scenario, row=row)


class ScenarioItem(pytest.Item):
    def __init__(self, *, scenario: dict, row: dict, **other):
        super().__init__(**other)
        self.scenario, self.row = scenario, row

    def runtest(self):
        world = the_world(self.config)
        world.run(Scene(world, self.scenario, self.row).play())

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, (StepFailed, AssertionError)):
            return f"{self.path.name}: {self.scenario['why'].strip()}\n\n{excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"{self.path.parent.name}/{self.name}"


def the_world(config) -> World:
    world = getattr(config, "_world", None)
    if world is None:
        if not BINARY.exists():
            pytest.exit(f"there is no gateway at {BINARY}; build it first: make build")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        world = config._world = World(pathlib.Path(config._tmp_path_factory.mktemp("world")))
    return world


def pytest_terminal_summary(terminalreporter, config):
    table = getattr(config, "_auth_matrix", [])
    if not table:
        return
    states = list(table[0][3])
    notes: list[str] = []

    def cell(text: str) -> str:
        if text[:1].isdigit() or text in ("in", "TLS"):
            return text
        if text not in notes:
            notes.append(text)
        return f"- [{notes.index(text) + 1}]"

    rows = [["mechanism", "timing", "transport", *states]]
    rows += [[mechanism, timing, transport, *(cell(found[state]) for state in states)] for mechanism, timing, transport, found in table]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    terminalreporter.section("who is let in")
    for row in rows:
        terminalreporter.line("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    for number, note in enumerate(notes, 1):
        terminalreporter.line(f"[{number}] {note}")


def pytest_sessionfinish(session):
    world = getattr(session.config, "_world", None)
    if world is not None:
        troubles = world.close()
        for trouble in troubles:
            print(f"\n{trouble}", file=sys.stderr)
        if troubles:
            session.exitstatus = 1


@pytest.fixture(scope="session")
def world(request) -> World:
    return the_world(request.config)
