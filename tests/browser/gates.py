"""Events by name, for which the provider and the tools wait. A test sets one with `open_gate`."""

import asyncio
from collections import defaultdict

gates = defaultdict(asyncio.Event)
