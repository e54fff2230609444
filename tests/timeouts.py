"""How long a test waits for what is sure to come. Nothing here says how fast it has to be."""

HANG_TIMEOUT = 120  # seconds until a wait has failed; what it waits for takes milliseconds, on a busy machine seconds
GATE_TIMEOUT = 2 * HANG_TIMEOUT  # of a thread that a test lets go on; longer, so that whoever waits for it fails first
