"""What does a relayed message allocate? Unit tests count it, over thousands of messages, and fail at the first allocation: they are run
once more here. So the figure is 0, or 1 for "at least one"."""

import pathlib
import re
import subprocess

NAME, TITLE = "allocations", "allocations per message"
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/asan/gateway_test"
TESTS = "a message*costs no allocation"


def estimate(bench) -> float:
    return 2


def ask(bench) -> dict:
    if not PROGRAM.exists():
        bench.complain(f"{PROGRAM.relative_to(ROOT)} is not there to count allocations; `make bench` builds it")
        return {}
    run = subprocess.run([PROGRAM, f"--test-case={TESTS}"], capture_output=True, text=True, timeout=120)
    passed = re.search(r"test cases:\s*(\d+) \|\s*(\d+) passed", run.stdout)
    if run.returncode != 0 or not passed or passed[2] == "0":
        bench.complain("a relayed message allocates:\n" + run.stdout[-2000:])
        return {"tests": 0, "per_message": 1}
    return {"tests": int(passed[2]), "per_message": 0}
