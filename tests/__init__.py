import pytest

# These helpers make assertions, which pytest is to explain as it explains those of the tests.
HELPERS = [
    "assertions",
    "live.event_stream",
    "providers.agent_runs",
    "providers.provider_runs",
    "rows",
    "server_process",
]
for helper in HELPERS:
    pytest.register_assert_rewrite(f"{__name__}.{helper}")
