"""Tokens, cookies and secrets are never in a log, a metric or an error: all that the gateway said while the whole suite ran, looked
through for every secret that the suite used. Runs last."""

from harness import secrets


def test_no_secret_was_said(world):
    assert not world.close()
    assert secrets.known() and secrets.heard()
    assert not secrets.leaks()


def test_every_line_was_json():
    """Whatever peers and tokens held, nobody could forge or break a line of the log."""
    assert not secrets.bad_lines


def test_a_secret_would_have_been_found():
    """The search itself works: what is said on purpose is found."""
    secrets.remember("bait", "abcdefghijklmnop.qrstuvwxyzabcdefgh")
    secrets.overhear("a trap", b'{"detail":"signature qrstuvwxyzabcdefgh is bad"}')
    assert secrets.leaks() == ["bait in a trap"]
