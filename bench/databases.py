"""The PostgreSQL database of a run."""

import contextlib
import os

import psycopg

# A server on which we may create a database.
POSTGRES = os.environ.get("BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432")
DATABASE = "chat_bench"


@contextlib.contextmanager
def postgresql():
    """A connection to administer the server, and the address of a database of our own; None, None without a server."""
    try:
        admin = psycopg.connect(f"{POSTGRES}/postgres", autocommit=True)
    except psycopg.OperationalError:
        yield None, None
        return
    try:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.execute(f"create database {DATABASE}")
        yield admin, f"{POSTGRES}/{DATABASE}"
    finally:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.close()
