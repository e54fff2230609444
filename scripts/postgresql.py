"""A PostgreSQL server for the tests."""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from .debian import install

LOCAL_URL = "postgres://postgres@127.0.0.1:5432/postgres"
TEMPORARY_PORT = 54329
TIMEOUT = 120  # seconds for a command


@contextlib.contextmanager
def server_url():
    """Yields the URL of a running server, or None if there is none and none can be started.

    The first of: the server that TEST_DATABASE_URL names, a temporary server that stops at the end of the block, the
    server on this machine. The temporary one does not wait for the disk, which halves the time of the tests.
    """
    named = os.environ.get("TEST_DATABASE_URL")
    if named and is_running(named):
        yield named
        return
    if not programs_folder() and not is_running(LOCAL_URL):
        install("postgresql")
    with contextlib.ExitStack() as stack:
        programs = programs_folder()
        if programs:
            server = stack.enter_context(TemporaryServer(programs))
            if is_running(server.url):
                yield server.url
                return
        yield LOCAL_URL if is_running(LOCAL_URL) else None


def is_running(url):
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error:
        return False
    return True


def programs_folder():
    """Returns the folder of `initdb` and `pg_ctl`, or None."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    if folders:
        return Path(folders[0])
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


class TemporaryServer:
    """A server of its own, with its data in a temporary folder. It does not wait for the disk.

    `options` are settings of PostgreSQL, such as `max_connections`.
    """

    def __init__(self, programs, port=TEMPORARY_PORT, **options):
        self.programs, self.port = programs, port
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        self.options = {"listen_addresses": "127.0.0.1", "fsync": "off"} | options

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="chat-postgresql-")
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()
        return self

    def __exit__(self, *error):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        options = {"unix_socket_directories": self.folder} | self.options
        words = " ".join(f"-c {name}={value}" for name, value in options.items())
        self._run("pg_ctl", "-o", f"-p {self.port} {words}", "-l", f"{self.folder}/log", "-w", "start")

    def stop(self):
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def processes(self):
        """Returns the ids of the server's processes; its parent comes first."""
        parent = int(Path(self.folder, "data/postmaster.pid").read_text().split()[0])
        children = [path.parent.name for path in Path("/proc").glob("[0-9]*/stat") if parent_of(path) == parent]
        return [parent, *map(int, children)]

    def _run(self, program, *arguments):
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*prefix, str(self.programs / program), "-D", f"{self.folder}/data", *arguments]
        # Who connects to a server notices that it did not start, and one that a test has stopped cannot stop again.
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=TIMEOUT, check=False)


def parent_of(path):
    """Returns the id of the parent of the process with this /proc/ID/stat, or None if it has ended."""
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
