"""What tests have measured, for whoever runs them."""

from __future__ import annotations


def say(config, title: str, times: dict[str, list[float]]) -> None:
    """Prints a table of seconds straight to the terminal, whatever is captured."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{title}")
        for name, measured in times.items():
            print(f"  {name:26} {min(measured):6.3f} to {max(measured):6.3f}", flush=True)
