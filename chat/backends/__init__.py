"""Django's database backends, with bounds on waiting for a database that is locked, frozen or away."""

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """`answer_timeout`: seconds that PostgreSQL may take to answer a statement; None, as in migrations: no limit."""

    answer_timeout: float | None = None


limits = Limits()
