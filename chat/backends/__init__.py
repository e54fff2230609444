"""Django's database backends, with bounds on waiting for a database that is locked, frozen or away."""

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """Of PostgreSQL, in seconds; None, as in migrations: no limit.

    `answer_timeout` is how long it may take to answer a statement. `idle_timeout` is how long a transaction may wait
    for its next one before the server ends it: a process that is frozen there holds locks for which others wait.
    """

    answer_timeout: float | None = None
    idle_timeout: float | None = None

    def set_for_servers(self) -> None:
        """Sets what holds in the processes of the site, which are not the commands of an operator."""
        self.answer_timeout = 10  # longer than any statement of a request
        self.idle_timeout = 5  # longer than any pause in a transaction


limits = Limits()
