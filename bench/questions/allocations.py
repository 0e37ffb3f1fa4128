"""What does a relayed message allocate? The unit tests count it, with an allocator that counts; here they are run once more."""

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
        bench.complain(f"{PROGRAM.relative_to(ROOT)} is not there to count allocations; `make unit T=gateway` builds it")
        return {}
    run = subprocess.run([PROGRAM, f"--test-case={TESTS}"], capture_output=True, text=True, timeout=120)
    passed = re.search(r"test cases:\s*(\d+) \|\s*(\d+) passed", run.stdout)
    if run.returncode != 0 or not passed or passed[2] == "0":
        bench.complain("a relayed message allocates:\n" + run.stdout[-2000:])
        return {}
    return {"tests": int(passed[2]), "per_message": 0}
