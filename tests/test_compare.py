"""The counter of instructions reads what callgrind writes and refuses what became dearer."""

import json
import os
import pathlib
import subprocess
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release")
sys.path.insert(0, str(ROOT / "bench"))
import compare  # noqa: E402

MACHINE = {"architecture": "x86_64", "avx2": True, "libssl3": "3.0.1"}


def committed(total=1000, own=100, **machine):
    return {"machine": {**MACHINE, **machine}, "figures": {"message": {"total": total, "own": own}}}


def judged(total, own, known=None, here=MACHINE):
    return compare.judge({"message": {"total": total, "own": own}}, known or committed(), here, 0.05)


def test_a_small_rise_passes():
    lines, failures = judged(1050, 100)
    assert not failures
    assert "+5.0 %" in lines[0]


def test_a_rise_above_the_limit_fails():
    _, failures = judged(1051, 100)
    assert failures == ["message: 1,051 instructions instead of 1,000, +5.1 % (at most +5 %)"]


def test_with_another_library_only_own_instructions_count():
    other = {**MACHINE, "libssl3": "3.0.2"}
    lines, failures = judged(2000, 105, here=other)
    assert not failures
    assert "libssl3" in lines[0]
    assert judged(1000, 106, here=other)[1] == ["message: 106 instructions instead of 100, +6.0 % (at most +5 %)"]


@pytest.mark.parametrize("ci, status", [("", 0), ("1", 1)])
def test_another_architecture_is_said_and_fails_in_ci(ci, status, tmp_path, monkeypatch, capsys):
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(committed()))
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(compare, "machine", lambda: {**MACHINE, "architecture": "aarch64"})
    assert compare.check(types.SimpleNamespace(figures=figures)) == status
    assert "NOT CHECKED  the committed figures are of x86_64" in capsys.readouterr().out


def test_what_has_no_committed_figure_fails():
    known = committed()
    known["figures"] = {}
    assert judged(1, 1, known)[1] == ["message: has no committed figure"]


def test_each_load_has_a_committed_figure():
    figures = json.loads(compare.FIGURES.read_text())["figures"]
    assert {load.name for load in compare.LOADS} == set(figures)


def test_a_profile_is_read_without_the_cost_of_calls():
    text = """\
ob=(1) /usr/lib/libssl.so.3
fl=(1) ???
fn=(1) SSL_read
0 7
+3 5
cob=(2) /build/sallyport
cfn=(2) sallyport::f()
calls=2 0
* 1000

ob=(2)
fn=(2)
0 11
fn=(3) sallyport::f()'2
16 1
totals: 24
"""
    assert compare.parse_profile(text) == {("libssl.so.3", "SSL_read"): 12, ("sallyport", "sallyport::f()"): 12}


def test_the_check_finds_a_slower_program(tmp_path):
    """The present program is the slower one: the figures are made up so that a refusal cost a tenth less than it does."""
    if not (PROGRAMS / "bench_load").exists():
        assert "CI" not in os.environ, "bench_load is not built"
        pytest.skip("bench_load is not built; `make bench-check` builds it")
    figures = tmp_path / "figures.json"
    command = [sys.executable, ROOT / "bench/compare.py"]
    options = ["--programs", PROGRAMS, "--sallyport", PROGRAMS / "sallyport", "--figures", figures, "--only", "origin refused", "--rounds", "1"]
    subprocess.run([*command, "baseline", *options], check=True, capture_output=True)

    good = subprocess.run([*command, "check", *options], capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr

    told = json.loads(figures.read_text())
    for figure in told["figures"].values():
        figure.update({kind: round(cost / 1.1) for kind, cost in figure.items()})
    figures.write_text(json.dumps(told))
    bad = subprocess.run([*command, "check", *options], capture_output=True, text=True)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "TOO DEAR  handshake, origin refused" in bad.stdout
    assert "make bench-compare BASE=" in bad.stdout
    assert "make bench-baseline" in bad.stdout
