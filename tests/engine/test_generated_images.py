"""Images that a model makes: kept like those that users send, in the forms in which servers send them."""

import base64
import io
import json
import time

import pytest
from PIL import Image

from chat import engine
from chat.engine import reply_images
from chat.engine.reply_images import ReplyImages
from chat.errors import Refused
from chat.events import Finish, GeneratedImage, StoredImage, Text, fold
from chat.models import Assistant, Attachment, Run
from chat.providers.generated_images import image_pieces
from tests.assertions import without_seconds
from tests.images import PICTURE, image_file
from tests.upstream import END, RESET, chunk
from tests.waiting import wait_for_run

DATA = base64.b64encode(PICTURE).decode()
URL = f"data:image/jpeg;base64,{DATA}"
NOT_SHOWN = "An image in this answer cannot be shown."


# Found in a text ------------------------------------------------------------------------------------------------------


class Reader:
    """Reads deltas; `stored` are the images, and `text` has ‹n› where the nth image was."""

    def __init__(self, **limits):
        self.stored, self.text, self.limits = [], "", limits
        self.images = ReplyImages(self.save, lambda: self.text)

    async def save(self, data):
        self.stored.append(data)
        return {"id": str(len(self.stored))}

    async def read(self, *pieces):
        for piece in pieces:
            self.add(await self.images.read(Text(piece) if isinstance(piece, str) else piece))
        self.add(self.images.close())
        return self

    def add(self, pieces):
        for piece in pieces:
            if isinstance(piece, Text):
                self.text += piece.delta
            elif isinstance(piece, StoredImage):
                self.text += f"‹{piece.part['id']}›"


def markdown(data=b"picture", alt="", type="png"):
    return f"![{alt}](data:image/{type};base64,{base64.b64encode(data).decode()})"


TEXTS = {  # text -> what is left of it
    markdown(): "‹1›",
    f"Here: {markdown(alt='a cat')} Nice!": "Here: ‹1› Nice!",
    f"{markdown(b'one')}\n\n{markdown(b'two')}!": "‹1›\n\n‹2›!",
    f"Wow! ![x](/y.png) {markdown(type='svg+xml')}": "Wow! ![x](/y.png) ‹1›",
    f"`code` {markdown()}": "`code` ‹1›",
    f"```\ncode\n```\n{markdown()}": "```\ncode\n```\n‹1›",
    f"!!{markdown()}!!": "!!‹1›!!",
    f"![a]{markdown()}": "![a]‹1›",
}
UNCHANGED = [
    "Hello! How are you?!",
    "![a cat](https://example.com/cat.png)",
    "![a cat](data:text/html;base64,AAAA)",
    "![a cat](data:image/png,plain)",
    "if (!list[0]) return !![1](x)",
    "an end with ![",
    "an end with ![a](data:image/pn",
    f"```html\n{markdown()}\n```",
    f"~~~\n{markdown()}\n~~~",
    f"Write `{markdown()}` for an image.",
    f"![{'long ' * 100}](data:image/png;base64,AAAA)",
    "[a](data:image/png;base64,AAAA)",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_images_in_markdown_are_found_wherever_the_text_is_cut(text):
    for size in (1, 2, 3, 7, 20, 1000):
        reader = await Reader().read(*(text[start : start + size] for start in range(0, len(text), size)))
        assert reader.text == TEXTS[text]
    for cut in range(len(text)):
        assert (await Reader().read(text[:cut], text[cut:])).text == TEXTS[text]


@pytest.mark.parametrize("text", UNCHANGED)
async def test_other_text_stays_as_it_is_wherever_it_is_cut(text):
    for cut in range(len(text)):
        reader = await Reader().read(text[:cut], text[cut:])
        assert (reader.text, reader.stored) == (text, [])
    assert (await Reader().read(*text)).text == text


async def test_text_full_of_openings_is_read_in_one_pass():
    for text in ("![" * 500_000, "!" * 1_000_000, f"![{'a' * 199}" * 5_000):
        start = time.thread_time()
        reader = await Reader().read(text)
        assert reader.text == text
        assert time.thread_time() - start < 5
    code = f"```\n{markdown() * 1_000}"
    assert (await Reader().read(*(code[start : start + 50] for start in range(0, len(code), 50)))).text == code


async def test_text_is_held_back_only_where_an_image_may_begin():
    images = Reader().images
    assert await images.read(Text("Hello! And")) == [Text("Hello! And")]
    assert await images.read(Text("Hello!")) == [Text("Hello")]
    assert images.is_open
    assert await images.read(Text(" And")) == [Text("! And")]
    assert not images.is_open
    assert await images.read(Text("So!")) == [Text("So")]
    assert await images.read(Finish("stop")) == [Text("!"), Finish("stop")]


async def test_image_in_markdown_without_an_end_is_reported():
    reader = await Reader().read("Here: ", markdown()[:-1])
    assert (reader.text, reader.stored) == (f"Here: \n\n*{NOT_SHOWN}*\n\n", [])


async def test_image_that_is_sent_twice_is_stored_once():
    reader = await Reader().read(markdown(b"one"), markdown(b"two"), GeneratedImage(base64.b64encode(b"one").decode()))
    assert (reader.text, reader.stored) == ("‹1›‹2›", [b"one", b"two"])


async def test_images_of_a_reply_are_limited_in_number_and_size(monkeypatch, settings):
    monkeypatch.setattr(reply_images, "MAX_IMAGES", 2)
    reader = await Reader().read(*(markdown(bytes([number])) for number in range(3)))
    assert reader.text == "‹1›‹2›\n\n*This answer has more images than can be shown.*\n\n"
    settings.MAX_IMAGE_BYTES = 10
    large = b"x" * 100
    reader = await Reader().read(markdown(large), markdown(b"small"), GeneratedImage(base64.b64encode(large).decode()))
    assert reader.text == f"\n\n*{NOT_SHOWN}*\n\n‹1›\n\n*{NOT_SHOWN}*\n\n"


@pytest.mark.parametrize(("code", "shown"), [("storage_full", "Your images"), ("not_an_image", NOT_SHOWN)])
async def test_image_that_is_refused_is_reported(code, shown):
    async def refuse(data):
        raise Refused("Your images take up too much space.", code, 413)

    reader = Reader()
    reader.images.save = refuse
    assert f"*{shown}" in (await reader.read(markdown())).text


async def test_image_that_is_not_base64_is_reported():
    assert NOT_SHOWN in (await Reader().read(GeneratedImage("a"))).text


SENT = {  # what a server sends -> the pieces
    "openrouter": (
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}],
        [GeneratedImage("QQ==")],
    ),
    "an object": ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}, [GeneratedImage("QQ==")]),
    "a text": ({"image_url": "data:image/png;base64,QQ=="}, [GeneratedImage("QQ==")]),
    "texts": (
        ["data:image/png;base64,QQ==", "data:image/png;base64,Qg=="],
        [GeneratedImage("QQ=="), GeneratedImage("Qg==")],
    ),
    "openai": ([{"b64_json": "QQ=="}], [GeneratedImage("QQ==")]),
    "langchain": ({"type": "image", "base64": "QQ==", "mime_type": "image/png"}, [GeneratedImage("QQ==")]),
    "an address": ([{"image_url": {"url": "https://x/a.png"}}], [Text("\n\n![](https://x/a.png)\n\n")]),
    "an odd address": ([{"url": "https://x/a)b.png"}, {"url": "javascript:x"}, "QQ=="], []),
    "nothing": ([{}, None, 5, {"image_url": None}, {"url": {"url": 5}}, "data:image/png,x", "data:"], []),
}


@pytest.mark.parametrize("name", SENT)
def test_images_are_read_in_the_forms_of_servers(name):
    sent, pieces = SENT[name]
    assert list(image_pieces(sent)) == pieces


# Through the site -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def painter(alice, upstream):
    fields = {"slug": "m", "name": "M", "model": "openai:m", "params": {"base_url": upstream.base_url}}
    return await Assistant.objects.acreate(**fields, sees_images=True, context_window=100_000)


def delta_of(url):
    return chunk({"content": "", "images": [{"type": "image_url", "image_url": {"url": url}, "index": 0}]})


FORMS = {
    "beside the content": (delta_of(URL),),
    "alone": (chunk({"images": [{"image_url": {"url": URL}}]}),),
    "among the parts of the content": (chunk({"content": [{"type": "image_url", "image_url": {"url": URL}}]}),),
    "in markdown": (f"![a cat]({URL})",),
    "in markdown, in pieces": (*(f"![a cat]({URL})"[start : start + 50] for start in range(0, len(URL) + 20, 50)),),
}


@pytest.mark.parametrize("form", FORMS)
async def test_image_becomes_a_part_that_its_owner_sees(painter, upstream, ask, client_of, alice, charlie, form):
    upstream.answers("Here:\n\n", *FORMS[form], " Nice.", *END)
    run = await ask(painter, "Draw a cat.")
    events = [event for _, event in await wait_for_run(run)]
    assert (run.status, run.finish_reason) == ("completed", "stop")
    row = await Attachment.objects.aget()
    assert fold(events) == run.message.parts
    assert run.message.parts == [
        {"type": "text", "text": "Here:\n\n"},
        row.as_part(),
        {"type": "text", "text": " Nice."},
    ]
    assert (row.message_id, row.owner_id) == (run.message_id, alice.pk)
    assert Image.open(io.BytesIO(bytes(row.data))).size == (8, 4)
    assert bytes(row.data) != PICTURE  # it was encoded again
    path = f"/api/attachments/{row.pk}"
    assert (await client_of(alice).get(path)).status_code == 200
    assert (await client_of(charlie).get(path)).status_code == 404


async def test_image_alone_is_an_answer(painter, upstream, ask):
    upstream.answers(delta_of(URL), *END)
    run = await ask(painter, "Draw a cat.")
    await wait_for_run(run)
    assert (run.status, run.finish_reason, run.notice) == ("completed", "stop", None)
    assert [part["type"] for part in run.message.parts] == ["image"]


async def test_image_goes_to_the_model_with_the_next_question(painter, upstream, ask):
    upstream.answers("Here:", delta_of(URL), *END)
    upstream.answers("It is blue now.", *END)
    run = await ask(painter, "Draw a cat.")
    await wait_for_run(run)
    again = await run.conversation.ask("Make it blue.")
    await engine.start(again)
    await wait_for_run(again)
    _, answer, question = upstream.requests[-1].body["messages"]
    assert answer["content"] == "Here:[You made an image here. It comes with the next message.]\n"
    image, text = question["content"]
    assert image["image_url"]["url"].startswith("data:image/")
    assert text["text"] == "Make it blue."


async def test_image_is_not_sent_to_a_model_that_cannot_see(painter, upstream, ask):
    await Assistant.objects.aupdate(sees_images=False)
    await painter.arefresh_from_db()
    upstream.answers(delta_of(URL), *END)
    run = await ask(painter, "Draw a cat.")
    await wait_for_run(run)
    again = await run.conversation.ask("And now?")
    await engine.start(again)
    await wait_for_run(again)
    assert "data:image" not in json.dumps(upstream.requests[-1].body)
    assert [message["role"] for message in upstream.requests[-1].body["messages"]] == ["user", "assistant", "user"]


async def test_image_that_cannot_be_read_is_reported_and_the_answer_continues(painter, upstream, ask):
    upstream.answers(delta_of("data:image/png;base64,AAAA"), "Nice.", *END)
    run = await ask(painter)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", f"\n\n*{NOT_SHOWN}*\n\nNice.")
    assert not await Attachment.objects.aexists()


async def test_svg_image_is_not_kept(painter, upstream, ask):
    svg = base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>').decode()
    upstream.answers(f"![x](data:image/svg+xml;base64,{svg})", *END)
    run = await ask(painter)
    await wait_for_run(run)
    assert NOT_SHOWN in run.message.text
    assert "svg" not in json.dumps(run.message.parts)


async def test_text_that_is_held_back_is_kept_when_the_stream_breaks(painter, upstream, ask):
    upstream.answers("Hello!", RESET)
    run = await ask(painter)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("interrupted", "Hello!")


async def test_shared_conversation_shows_the_image(painter, upstream, ask, client_of, charlie):
    upstream.answers(delta_of(URL), *END)
    run = await ask(painter)
    await wait_for_run(run)
    run = await Run.objects.select_related("conversation").aget(pk=run.pk)
    share = await run.conversation.share()
    assert [part["type"] for part in share.messages[-1]["parts"]] == ["image"]
    row = await Attachment.objects.aget()
    assert (await client_of(charlie).get(f"/s/{share.pk}/images/{row.pk}")).status_code == 200


async def test_image_is_deleted_with_its_conversation(painter, upstream, ask):
    upstream.answers(delta_of(URL), *END)
    run = await ask(painter)
    await wait_for_run(run)
    await run.conversation.adelete()
    assert not await Attachment.objects.aexists()


async def test_images_of_a_function_are_kept(script, ask):
    other = base64.b64encode(image_file("WEBP")).decode()
    run = await ask(await script("plain", Text("One:"), GeneratedImage(DATA), GeneratedImage(other), Finish("stop")))
    await wait_for_run(run)
    assert [part["type"] for part in without_seconds(run.message.parts)] == ["text", "image", "image"]
