"""Streams as the servers of chat completions send them: shortened, with the peculiarities of each.

docs/providers.md lists them.
"""

from tests.providers.servers.self_hosted import SELF_HOSTED
from tests.providers.servers.services import SERVICES

SERVERS = SERVICES | SELF_HOSTED
