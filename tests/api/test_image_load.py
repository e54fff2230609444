"""Large images that one user sends again and again, and everybody else meanwhile."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from PIL import Image

from tests.memory import memory_bytes
from tests.server_process import Site

pytestmark = pytest.mark.process

ROUNDS = 3
IMAGES = 8
MAX_MEMORY_BYTES = 600_000_000  # of the server and its children together


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    yield site.start()
    site.close()


class Watch:
    """Measures in a thread of its own, while the block runs: the memory, and how long another user waits for a page."""

    def __init__(self, site, client):
        self.site, self.client = site, client
        self.memory, self.waits = [], []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        while not self._is_over.wait(0.05):  # between measurements
            self.memory.append(memory_bytes(self.site.process.pid))
            start = time.perf_counter()
            assert self.client.get("/api/conversations").status_code == 200
            self.waits.append(time.perf_counter() - start)


def test_large_images_of_one_user_leave_memory_and_time_to_others(site):
    file = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(file, "PNG")
    alice, charlie = site.login("alice"), site.login("charlie")
    small = io.BytesIO()
    Image.new("RGB", (64, 64)).save(small, "PNG")

    def upload(client, data):
        start = time.perf_counter()
        answer = client.post("/api/attachments", files={"file": data.getvalue()})
        assert answer.status_code == 201, answer.text
        return time.perf_counter() - start

    upload(charlie, small)
    usual = median(upload(charlie, small) for _ in range(5))
    at_rest = memory_bytes(site.process.pid)
    with Watch(site, charlie) as watch, ThreadPoolExecutor(IMAGES) as threads:
        uploads = [threads.submit(upload, alice, file) for _ in range(ROUNDS * IMAGES)]
        attacked = [upload(charlie, small) for _ in range(10)]
        took = max(future.result() for future in uploads)
    print(f"memory: {at_rest / 1e6:.0f} MB at rest, at most {max(watch.memory) / 1e6:.0f} MB")
    print(f"GET: p50 {median(watch.waits):.3f} s, at most {max(watch.waits):.3f} s")
    print(
        f"another user's image: p50 {median(attacked):.3f} s, usually {usual:.3f} s; a large one at most {took:.1f} s"
    )
    assert max(watch.memory) < MAX_MEMORY_BYTES
    assert median(watch.waits) < took / 10
    assert median(attacked) < took / 2
