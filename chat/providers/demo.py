"""`demo:` — needs no key and no network. Says that it is a demonstration, and shows everything a reply can contain."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncGenerator, Iterator

from .. import tools
from ..events import Finish, Piece, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from .base import Request

TOKEN_DELAY = 0.02  # seconds between tokens, about as a fast model

ENGLISH = {
    "thought": "Nobody is thinking here. A real model would weigh the question now, and this text would be its notes.",
    "quote": "You wrote:",
    "text": """**This is a demonstration.** No model reads what you write; this text is always the same. \
It is streamed and saved in the same way as a real answer, so you can reload the page now, open a second tab, or \
press Stop.

{quote}

The clock tool says it is **{time}**.

| An answer can contain | Such as |
|---|---|
| lists and tables | this one |
| code | the function below |
| mathematics | $e^{{i\\pi}} + 1 = 0$ |
| diagrams | the flowchart at the end |

```python
def fold(events):
    "Returns the text of a run's events."
    return "".join(event.delta for event in events)
```

The sum of the first $n$ numbers:

$$\\sum_{{k=1}}^{{n}} k = \\frac{{n(n+1)}}{{2}}$$

```mermaid
flowchart LR
    you[You] --> run[A run] --> log[Its log] --> tab1[This tab]
    log --> tab2[Another tab]
```

To talk to a real model, set `OPENAI_API_KEY` and restart the site, or ask your staff to add an assistant in the admin.
""",
}
JAPANESE = {
    "thought": "ここでは誰も考えていません。本物のモデルなら、いま質問を検討し、その過程がここに表示されます。",
    "quote": "あなたのメッセージ：",
    "text": """**これはデモです。** 入力された文章を読むモデルはなく、この返答はいつも同じです。\
本物の返答と同じ仕組みで配信されるので、いまページを再読み込みしても、別のタブで開いても、停止ボタンを押してもかまいません。

{quote}

時計ツールによると、現在は **{time}** です。

| 返答に含められるもの | 例 |
|---|---|
| 箇条書きと表 | この表 |
| コード | 下の関数 |
| 数式 | $e^{{i\\pi}} + 1 = 0$ |
| 図 | 最後のフローチャート |

```python
def fold(events):
    "イベントの列を一つのメッセージにまとめる。"
    return "".join(event.delta for event in events)
```

1 から $n$ までの和：

$$\\sum_{{k=1}}^{{n}} k = \\frac{{n(n+1)}}{{2}}$$

```mermaid
flowchart LR
    you[あなた] --> run[実行] --> log[ログ] --> tab1[このタブ]
    log --> tab2[別のタブ]
```

本物のモデルと話すには、`OPENAI_API_KEY` を設定して起動し直すか、管理画面でアシスタントを追加してください。
""",
}


async def reply(request: Request) -> AsyncGenerator[Piece, None]:
    question = "".join(part["text"] for part in request.turns[-1][1] if part["type"] == "text")
    script = JAPANESE if re.search(r"[぀-ヿ㐀-鿿]", question) else ENGLISH
    output_tokens = 0
    for token in tokens(script["thought"]):
        output_tokens += 1
        yield Reasoning(token)
        await asyncio.sleep(TOKEN_DELAY)

    call = f"call_{secrets.token_hex(6)}"
    arguments = {"time_zone": "Asia/Tokyo" if script is JAPANESE else "UTC"}
    yield ToolCallStart(call, "clock")
    for token in tokens(json.dumps(arguments)):
        yield ToolCallArgs(call, token)
        await asyncio.sleep(TOKEN_DELAY)
    yield ToolCallEnd(call)
    time = tools.get_tool("clock")(**arguments)
    yield ToolCallResult(call, time)

    first_line = " ".join(question.split())[:200]
    escaped = re.sub(r"([!-/:-@[-`{-~])", r"\\\1", first_line)  # everything that Markdown may interpret
    quote = f"{script['quote']}\n\n> {escaped}"
    for token in tokens(script["text"].format(quote=quote, time=time)):
        output_tokens += 1
        yield Text(token)
        await asyncio.sleep(TOKEN_DELAY)
    input_tokens = sum((len(part.get("text", "")) + 3) // 4 for _, parts in request.turns for part in parts)
    yield Usage(input_tokens, output_tokens, input_tokens + output_tokens)
    yield Finish("stop")


def tokens(text: str) -> Iterator[str]:
    """Yields the text in pieces of about a model's token; joined they are the text."""
    return (match[0] for match in re.finditer(r"\s*[^\s]{1,6}|\s+$", text))
