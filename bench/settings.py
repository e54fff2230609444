"""The settings of a site whose static files are collected for the bench."""

import os
from pathlib import Path

from chatsite.settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["BENCH_STATIC_ROOT"])  # `make serve` has another
