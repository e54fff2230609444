"""What servers report when a conversation does not fit into the model's context window."""

from tests.providers.overflows.self_hosted import SELF_HOSTED
from tests.providers.overflows.services import SERVICES

# Server -> (status, body, the window that it tells, the size of the input that it tells)
OVERFLOWS = SERVICES | SELF_HOSTED
