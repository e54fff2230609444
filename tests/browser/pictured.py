"""The site as the pictures show it: with an assistant that answers one question as a good model would."""

import asyncio
import json
import re

from chat import providers
from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage

PACE = 0.06  # seconds between the pieces

ENGLISH = {
    "assistant": "Astra",
    "question": "How long does sunlight take to reach each planet?",
    "title": "Light from the Sun",
    "thought": "Divide each mean distance by the speed of light.",
    "answer": """Light covers about **300,000 km every second**, so divide a planet's distance from the Sun by that:

$$t = \\frac{d}{c}, \\qquad c = 299\\,792\\ \\mathrm{km/s}$$

| Planet | Distance | Light needs |
|---|--:|--:|
| Mercury | 57.9 million km | 3 min 13 s |
| Earth | 149.6 million km | **8 min 19 s** |
| Jupiter | 778.5 million km | 43 min 17 s |
| Neptune | 4.5 billion km | 4 h 10 min |

For any other distance:

```python
def minutes_of_light(kilometres):
    return kilometres / 299_792 / 60
```

So the sunset you watch ended eight minutes ago.
""",
    "others": [
        ("Trip to Kyoto in autumn", "pinned", 0),
        ("Plan the team's offsite", "", 0),
        ("Why is my query slow?", "", 1),
        ("Letter to the landlord", "", 1),
        ("Sourdough at 78 % water", "", 3),
        ("Regex for ISO dates", "", 4),
        ("Birthday poem for Ada", "", 6),
        ("Explain monads, gently", "", 12),
        ("Names for a grey cat", "", 18),
    ],
}
JAPANESE = {
    "assistant": "アストラ",
    "question": "太陽の光が各惑星に届くまで、どのくらいかかりますか？",
    "title": "太陽の光が届く時間",
    "thought": "平均距離を光の速さで割ればよい。",
    "answer": """光は1秒間に**約30万km**進みます。太陽から惑星までの距離を、この速さで割ると求められます。

$$t = \\frac{d}{c}, \\qquad c = 299\\,792\\ \\mathrm{km/s}$$

| 惑星 | 距離 | 光が届くまで |
|---|--:|--:|
| 水星 | 5,790万 km | 3分13秒 |
| 地球 | 1億4,960万 km | **8分19秒** |
| 木星 | 7億7,850万 km | 43分17秒 |
| 海王星 | 45億 km | 4時間10分 |

ほかの距離も、次の関数で計算できます。

```python
def minutes_of_light(kilometres):
    return kilometres / 299_792 / 60
```

いま見ている夕日は、8分前の太陽の姿です。
""",
    "others": [
        ("秋の京都旅行", "pinned", 0),
        ("チーム合宿の計画", "", 0),
        ("クエリが遅い理由", "", 1),
        ("大家さんへの手紙", "", 1),
        ("加水率78%のパン", "", 3),
        ("ISO日付の正規表現", "", 4),
        ("誕生日に贈る詩", "", 6),
        ("モナドをやさしく説明して", "", 12),
        ("灰色の猫の名前", "", 18),
    ],
}
providers.REGISTRY["pictured"] = "tests.browser.pictured"


async def reply(request):
    question = "".join(part["text"] for part in request.turns[-1][1] if part["type"] == "text")
    words = JAPANESE if re.search("[\u3040-\u30ff]", question) else ENGLISH
    yield Reasoning(words["thought"])
    yield ToolCallStart("call_1", "calculator")
    yield ToolCallArgs("call_1", json.dumps({"expression": "149600000 / 299792 / 60"}))
    yield ToolCallEnd("call_1")
    await asyncio.sleep(0.4)
    yield ToolCallResult("call_1", "8.316877746348579")
    for piece in re.findall(r"\s*\S{1,6}", words["answer"]):
        yield Text(piece)
        await asyncio.sleep(PACE)
    yield Usage(212, 187, 399)
    yield Finish("stop")


def __getattr__(name):
    """The site, when a server asks for it: the script beside this wants the words alone."""
    if name != "application":
        raise AttributeError(name)
    from chatsite.asgi import application

    return application
