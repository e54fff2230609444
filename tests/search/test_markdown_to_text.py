"""What a search reads, and its results show, is the text without Markdown."""

import pytest

from chat.markdown_to_text import excerpt_to_text, markdown_to_text

ANSWERS = {
    "# Title #1\n\nSome **bold**, *italic*, ***both***, ~~struck~~ and __more__ text.": (
        "Title #1 Some bold, italic, both, struck and more text."
    ),
    "**注意：**これは**重要**です。": "注意：これは重要です。",
    "**a *nested* mark**": "a nested mark",
    "- one\n* two\n+ three\n  - [ ] open\n  - [x] done": "one two three open done",
    "1. first\n2) second": "1. first 2) second",
    "> a quote\n> > in a quote\n>no space": "a quote in a quote no space",
    "Use `__init__` and ``a * b``.": "Use __init__ and a * b.",
    "```python\ndef __init__(self):  # **not bold**\n    return a * b * c\n```\nafter": (
        "def __init__(self): # **not bold** return a * b * c after"
    ),
    "~~~\n```\n~~~": "```",
    "- in a list\n  ```sh\n  ls *.py\n  ```": "in a list ls *.py",
    "> ```\n> x\n> ```\n> **y**": "> x y",
    "```\nnever closed **x**": "never closed **x**",
    "````\n```\n**x**\n```\n````\n**y**": "``` **x** ``` y",
    "| a | b |\n|---|:-:|\n| **1** | x\\|y |": "a b 1 x|y",
    "Heading\n=======\nText\n\n---\n\n***\nmore": "Heading Text more",
    "[the *docs*](https://example.com/a_b_c) and ![a cat](https://example.com/cat.png)": (
        "the docs (https://example.com/a_b_c) and a cat"
    ),
    '[`code`](https://example.com/Foo_(bar) "Title")': "code (https://example.com/Foo_(bar))",
    "<https://example.com/_a_>": "https://example.com/_a_",
    r"\*not italic\* and C:\Users": r"*not italic* and C:\Users",
    "a&nbsp;b &lt;p&gt; &copy; AT&T &unknown;": "a b <p> © AT&T &unknown;",
    "2 * 3 * 4, snake_case_name, 10~20分, a ** b": "2 * 3 * 4, snake_case_name, 10~20分, a ** b",
    "H<sub>2</sub>O, x<SUP>2</SUP>, <kbd>Ctrl</kbd>+<kbd>C</kbd><br>and<br/>more": "H2O, x2, Ctrl+C and more",
    "<ruby>漢字<rt>かんじ</rt></ruby>を読む": "漢字かんじを読む",
    "<b> makes text bold, `<sub>x</sub>` lowers it, <div>this</div> stays": (
        "<b> makes text bold, <sub>x</sub> lowers it, <div>this</div> stays"
    ),
    "`open and [open](": "`open and [open](",
    "a\ue000b `c` \ue000": "a\ue000b c \ue000",
    "": "",
    " \n\t\n": "",
}
TYPED = {
    "# not a title, 2*3*4 and **stars** and a_b": "# not a title, 2*3*4 and **stars** and a_b",
    "- a\n- b\n---": "- a - b ---",
    "Why?\n```py\nprint('**')\n```\n`x` is y": "Why? print('**') x is y",
    "see [this](https://example.com/x)": "see this (https://example.com/x)",
    r"C:\*.txt &amp;": r"C:\*.txt &amp;",
}


@pytest.mark.parametrize("markdown", ANSWERS)
def test_answer_loses_its_marks_and_keeps_its_words(markdown):
    assert markdown_to_text(markdown) == ANSWERS[markdown]


@pytest.mark.parametrize("typed", TYPED)
def test_typed_text_loses_the_marks_that_the_page_draws(typed):
    assert markdown_to_text(typed, is_typed=True) == TYPED[typed]


@pytest.mark.parametrize("texts, is_typed", [(ANSWERS, False), (TYPED, True)])
@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n> "])
def test_excerpt_is_a_part_of_the_text(texts, is_typed, separator):
    text = separator.join(texts) + separator + separator.join(texts)
    whole = f"… {markdown_to_text(text, is_typed=is_typed)} …"
    for place in range(0, len(text), 7):
        excerpt = excerpt_to_text(text, place, 40, is_typed=is_typed)
        assert " ".join(excerpt.removeprefix("…").removesuffix("…").split()) in whole


def test_excerpt_has_whole_lines_around_the_place():
    text = "\n".join(f"**{number}**" for number in range(1000, 2000))
    assert excerpt_to_text(text, text.index("1500") + 1, 10) == "… 1499 1500 1501 …"
    assert excerpt_to_text(text, 0, 10) == "1000 1001 …"
    assert excerpt_to_text(text, len(text), 10) == "… 1998 1999"
    assert excerpt_to_text(text, 0, 10**6) == markdown_to_text(text)
