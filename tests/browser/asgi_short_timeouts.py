"""The site of the browser tests, where a temporary chat is deleted seconds after its last page was closed."""

from tests.browser.asgi import application  # noqa: F401  # sets Django up

from chat.engine import temporary  # isort: skip
from chat.live import consumers  # isort: skip

temporary.SWEEP_INTERVAL = 0.2  # seconds
temporary.LEASE = 6
temporary.STOP_LEASE = 8
temporary.GRACE = 4
consumers.POLL_INTERVAL = 0.5
