"""Where what the page's tests look at waits until a test goes on: name -> Event. tests.browser.asgi opens them."""

import asyncio
from collections import defaultdict

gates = defaultdict(asyncio.Event)
