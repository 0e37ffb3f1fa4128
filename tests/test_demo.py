"""The demo, as a newcomer runs it: its story in the terminal, and its page in a real browser."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
GATEWAY = pathlib.Path(os.environ.get("SALLYPORT_BUILD", "build/release")) / "sallyport"


def play(*arguments: str, **environment: str) -> None:
    environment = {**os.environ, "SALLYPORT": str(GATEWAY), **environment}
    result = subprocess.run([ROOT / "scripts/demo", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_story_in_the_terminal():
    play(HEADLESS="1")


def test_page_in_chromium():
    if not shutil.which("chromium"):
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    play("browser")
