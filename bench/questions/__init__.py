"""One file per question. Each has NAME, TITLE, `estimate(bench)` in seconds and `ask(bench)`, which gives the part of the results."""

from . import allocations, handshakes, latency, loops, many, memory, messages, revocation, start, tokens

QUESTIONS = (memory, start, revocation, messages, many, latency, handshakes, tokens, loops, allocations)
