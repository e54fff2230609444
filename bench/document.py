"""A long answer in Markdown, as models write it: sections with lists, tables and code; every tenth block is long."""

SECTION = """## {n}. What happens to an event

A run writes **events**, and readers *follow* them from any position. The function `follow(run, after={n})` reads the
stored ones first, then waits; see [the page about it](https://example.com/follow/{n}) for more, or ask. Losing a
connection is an ordinary day, not an error path, so nothing here counts on it.

- one point with `code` in it, and some words, so that it is longer than a line usually is
- another **important** point
  1. nested, the first
  2. nested, the second, with a [link](https://example.com/{n})
- a last point

{block}

> A quote that goes on for a while, so that there is a second line, and says that whatever is started is ended, too.

"""
PYTHON = '''```python
def fold(events, after={n}):
    """The message that a run's events tell."""
    text = []
    for event in events:
        if event.seq <= after:  # somebody has seen it
            continue
        if isinstance(event, Text):
            text.append(event.delta)
        elif event.type == "RUN_ERROR":
            raise RunError(f"run {{event.run_id}} failed: {{event.message!r}}")
    return "".join(text)
```'''
JAVASCRIPT = """```js
export const reduce = (state, event) => changes[event.type]?.(state, event) ?? state

const changes = {{
  TEXT_MESSAGE_CONTENT: (state, {{ delta }}) => ({{ ...state, text: `${{state.text}}${{delta}}` }}), // number {n}
  RUN_ERROR: (state, {{ message }}) => ({{ ...state, status: "failed", error: message }}),
}}
```"""


def table(n, rows):
    lines = "".join(f"| field_{row} | {row * n} | what **it** means to `reader {row}` |\n" for row in range(rows))
    return f"| name | value | meaning |\n|:--|--:|---|\n{lines}"


def code(n, lines):
    body = "".join(f"    total += weight({line}, after={n})  # the step number {line}\n" for line in range(lines))
    return f"```python\ndef weigh(total=0):\n{body}    return total\n```"


def points(n, count):
    return "\n".join(f"- point {point} of {n}, which has **some** weight and a `name`" for point in range(count))


def document(length):
    """Returns a document of this many characters."""
    text, n = "# Everything about events\n\n", 0
    while len(text) < length:
        n += 1
        is_long = n % 10 == 0
        blocks = [PYTHON.format(n=n), table(n, 80 if is_long else 6), JAVASCRIPT.format(n=n), table(n, 8)]
        block = blocks[n % 4] if not is_long else (code(n, 90), table(n, 70), points(n, 70))[n // 10 % 3]
        text += SECTION.format(n=n, block=block)
    return text[:length]


def document_ending_as_it_begins(length):
    """Returns a document of about this many characters whose end repeats its beginning, so that both cost the same."""
    beginning = document(min(10_000, length // 2))
    rest = document(length - len(beginning))
    return f"{rest[: rest.rindex('## ')]}{beginning}"
