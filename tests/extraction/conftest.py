import json

import pytest

from chat.extraction import task


class Extracted:
    """What was read from a file."""

    def __init__(self, result, units):
        self.media_type, self.unit, self.count = result["media_type"], result["unit"], result["count"]
        self.notes = result["notes"]
        self.units = units

    @property
    def labels(self):
        return [unit["label"] for unit in self.units]

    @property
    def text(self):
        return "\n".join(unit["text"] for unit in self.units)


@pytest.fixture
def extract(tmp_path):
    """`extract(data, name)`: the result of the task for a file with this content, in this process."""

    def run(data, name="file", max_characters=1_000_000, max_units=1000, cpu_seconds=60):
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(data if isinstance(data, bytes) else data.encode())
        result = task.run(str(source), str(target), name, max_characters, max_units, cpu_seconds)
        with target.open(encoding="utf-8") as units:
            return Extracted(result, list(map(json.loads, units)))

    return run
