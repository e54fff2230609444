"""Each note about a file has a sentence on the page, in both languages."""

import re

import pytest

from scripts.environment import ROOT

NOTE = re.compile(r"""\.note\(f?"([a-z_]+)""")
SENTENCES = re.compile(r"^const fileNotes = \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^  ([a-z_]+):", re.MULTILINE)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_note_has_a_sentence(language):
    notes = {code for path in (ROOT / "chat/extraction").glob("*.py") for code in NOTE.findall(path.read_text())}
    notes.add("first_frame")  # of an animated image: see chat.images
    strings = (ROOT / f"static/chat/js/i18n/strings.{language}.js").read_text()
    assert set(CODE.findall(SENTENCES.search(strings)[1])) == notes
