"""The settings of a server process that a test starts."""

import os
from pathlib import Path

from chatsite.settings import *  # noqa: F403

ASGI_APPLICATION = os.environ["TEST_APPLICATION"]
STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])  # where nothing is collected yet; `make serve` has another
