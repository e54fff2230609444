import pytest

# These helpers make assertions, which pytest is to explain as it explains those of the tests.
HELPERS = [
    "assertions",
    "events.event_logs",
    "live.event_stream",
    "providers.agent_runs",
    "providers.provider_runs",
    "rows",
    "server_process",
    "terminal.processes.command",
]
for helper in HELPERS:
    pytest.register_assert_rewrite(f"{__name__}.{helper}")
