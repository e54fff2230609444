"""The title in what a model wrote when it was asked for one.

Models put it into quotation marks, Markdown, a list or JSON, introduce it with a sentence, think aloud first, repeat
the question or the answer, or apologize. What is no title is refused: the conversation then keeps its first words.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from .. import events

MAX_TITLE_CHARS = 80
MAX_TITLE_READ = 1_000  # characters of the model's answer
MAX_LINE_LENGTH = 120  # characters; a longer line is no title
MAX_UNFINISHED_LENGTH = 240  # characters of a line that is not waited for to end
MIN_REPEATED_LENGTH = 40  # letters of a title with which the answer begins, so that it is the answer again
MAX_JSON_LEVELS = 5
MAX_ROUNDS = 4  # of removing what surrounds a title: “**Title.**”

THOUGHTS_START = re.compile(r"<(?:think|thinking|thought|reasoning)>|\[THINK\]|<\|channel\|>(?:analysis|commentary)")
THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|<\|channel\|>final<\|message\|>")
TAG = re.compile(r"</?(?:title|h[1-6]|b|strong|i|em|p)>|<\|[a-z_]{1,20}\|>|</?(?:s|eos|end_of_turn)>", re.IGNORECASE)
FENCE = re.compile(r"(?:```|~~~)[\w-]{0,20}")
BOLD = re.compile(r"\*\*([^*\n]*)\*\*")
LIST_MARK = re.compile(r"(?:#{1,6}|[>\-*+•●・–—])\s+|[(（]?[0-9０-９]{1,2}(?:[.)]\s+|[．）、]\s*)|[①-⑳]\s*")
BIDIRECTIONAL_CONTROL = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SENTENCE_END = re.compile(r"[.!?。！？．\n]")
JSON_TEXT = re.compile(r""":\s*(?:"([^"\n]+)"|'([^'\n]+)')""")
QUOTED = re.compile(r"""["“„「『《«]([^"“”„「」『』《》«»\n]{2,})["”“」』》»]""")

# The word for "title" in the languages of most users.
TITLE_WORD = re.compile(
    r"\b(?:title|titre|titel|tittel|t[ií]tulo|titolo|tytuł|titul|otsikko|τίτλος|başlık|judul|tiêu đề|заголовок"
    r"|название|назва|عنوان|العنوان|כותרת)\b"
    "|标题|標題|题目|題目|題名|タイトル|表題|見出し|件名|제목|शीर्षक|ชื่อเรื่อง",
    re.IGNORECASE,
)
AGREEMENT = re.compile(
    r"(?:sure|okay|ok|certainly|of course|absolutely|alright|bien sûr|natürlich|gerne|claro|por supuesto|certo"
    r"|конечно|tentu|はい|もちろんです|もちろん|承知しました|承知いたしました|わかりました|好的|当然|當然|没问题"
    r"|물론입니다|물론이죠|네)\s*[,!.，、。！]\s*",
    re.IGNORECASE,
)
INTRODUCTION = re.compile(
    r"here(?: is| are|['’]s)\b|voici\b|hier (?:ist|sind)\b|aquí (?:tienes|está)\b|ecco\b|aqui está\b|вот\b|berikut\b"
    "|以下|こちら|这是|這是|다음은",
    re.IGNORECASE,
)
VERBS_BEFORE_QUOTE = ("is", "be", "ist", "est", "es", "è", "é", "は", "、", "是", "为", "為", "은", "는", ":", "：")
NOT_A_TITLE = re.compile(
    r"i['’ ]a?m sorry|sorry,|i apologi[sz]e|as an ai\b|as a(?: large)? language model"
    r"|i (?:can['’]?t|cannot|can not|am unable to|['’]m unable to) (?:help|assist|provide|create|generate|give|fulfill)"
    r"|i['’]d be happy|thank you for|the user (?:is|wants|asks|asked|has|says|said|wrote)\b|we need to\b|hmm\b"
    r"|let me (?:think|see|know)\b|first, (?:i|let)\b|i (?:need|have) to\b|i should\b|(?:user|assistant|system):"
    "|申し訳|すみません|ごめんなさい|ユーザー[はが]|抱歉|很抱歉|对不起|對不起|用户[想要询问]|죄송|사용자[가는]"
    r"|lo siento\b|je suis désolé|désolé\b|es tut mir leid|entschuldigung\b|mi dispiace\b|desculpe\b|извините\b",
    re.IGNORECASE,
)
PLACEHOLDERS = {"untitled", "conversation", "newchat", "chat", "json", "none", "null", "na", "無題", "会話", "无题"}
PAIRS = {mark: mark for mark in "\"'`*_＂"} | {  # an opening mark -> the marks that may close it
    "“": "”",
    "„": "“”",
    "”": "”",
    "‘": "’",
    "「": "」",
    "『": "』",
    "《": "》",
    "〈": "〉",
    "【": "】",
    "«": "»",
    "‹": "›",
    "〝": "〟",
}


def read_title(text: str, is_whole: bool, question: str = "", answer: str = "") -> str | None:
    """Returns the title in the model's text so far, "" if there is none, or None if more has to be read first.

    `question` and `answer` are those of the conversation; one of them again is no title.
    """
    is_whole = is_whole or len(text) >= MAX_TITLE_READ
    text = events.clean_text(text[:MAX_TITLE_READ])
    thoughts = list(THOUGHTS_END.finditer(text))
    if thoughts:
        text = text[thoughts[-1].end() :]
    elif THOUGHTS_START.match(text.lstrip()):
        return "" if is_whole else None
    line = _line_with_title(TAG.sub("", text), is_whole)
    if line is None:
        return "" if is_whole else None
    return _checked(line, question, answer)


def _line_with_title(text: str, is_whole: bool) -> str | None:
    """Returns the first line with a title in it, without what introduces it; None if there is none yet."""
    document = text.strip()
    if fence := FENCE.match(document):
        document = document[fence.end() :].strip()
    if document.startswith(("{", "[")):
        if title := _title_in_document(document):
            return title
        if document[0] == "{" or not is_whole:
            return None
    return _first_candidate(text, is_whole)


def _title_in_document(document: str) -> str | None:
    """Returns the title in JSON, or in what was meant to be JSON; None if it is not complete or has no text."""
    try:
        value, _ = json.JSONDecoder().raw_decode(document)
    except (ValueError, RecursionError):
        is_object = document.startswith("{") and document.rstrip("`~ \n").endswith("}")
        match = JSON_TEXT.search(document) if is_object else None
        return match and (match[1] or match[2])
    return next(_texts(value), None)


def _texts(value: Any, level: int = 0) -> Iterator[str]:
    """Yields the texts in a JSON value, those of a key with a word for "title" first."""
    if isinstance(value, str):
        yield value
    elif level < MAX_JSON_LEVELS:
        items = list(value.items()) if isinstance(value, dict) else []
        items.sort(key=lambda item: not TITLE_WORD.search(item[0].replace("_", " ")))
        for inner in [inner for _, inner in items] if items else value if isinstance(value, list) else []:
            yield from _texts(inner, level + 1)


def _first_candidate(text: str, is_whole: bool) -> str | None:
    lines = text.split("\n")
    for line in lines if is_whole else lines[:-1]:
        line = line.strip()
        if not FENCE.fullmatch(line) and (words := _without_introduction(_without_markup(line))):
            return words
    return lines[-1] if len(lines[-1]) > MAX_UNFINISHED_LENGTH else None


def _without_markup(line: str) -> str:
    line = BOLD.sub(r"\1", line).removeprefix("**").strip()
    while mark := LIST_MARK.match(line):
        line = line[mark.end() :]
    return line


def _without_introduction(line: str) -> str:
    """Returns the line without “Title:”, “Sure! Here is a title:” and the like; "" if nothing is left."""
    while agreement := AGREEMENT.match(line):
        line = line[agreement.end() :]
    head, colon, rest = _split_at_colon(line)
    word = TITLE_WORD.search(head)
    if colon and (INTRODUCTION.match(head) or (word and (not head[: word.start()].strip() or word.end() == len(head)))):
        return rest
    if colon and not rest:
        return ""
    quote = QUOTED.search(line)
    if quote and TITLE_WORD.search(line[: quote.start()]):
        if line[: quote.start()].rstrip().casefold().endswith(VERBS_BEFORE_QUOTE):
            return quote[1]
    return line if any(letter.isalnum() for letter in line) else ""


def _split_at_colon(line: str) -> tuple[str, str, str]:
    """Returns what is before the first colon, without Markdown at its end, the colon, and what follows it."""
    head, colon, rest = line.replace("：", ":", 1).partition(":")
    return head.strip(" *_#`"), colon, rest.strip(" *_`") if rest.strip(" *_`") == "" else rest.strip()


def _checked(line: str, question: str, answer: str) -> str:
    """Returns the title, shortened if it is long, or "" if the line is none."""
    title = _without_surroundings(line)
    key = _letters(title)
    if len(title) > MAX_LINE_LENGTH or not key or key in PLACEHOLDERS or TITLE_WORD.fullmatch(title):
        return ""
    if NOT_A_TITLE.match(title) or _is_repeated(key, question, answer):
        return ""
    return events.shorten(title, MAX_TITLE_CHARS)


def _without_surroundings(line: str) -> str:
    """Returns the words without quotation marks, Markdown and a full stop around them."""
    line = BIDIRECTIONAL_CONTROL.sub("", line)
    line = "".join(letter for letter in line if letter.isspace() or unicodedata.category(letter) != "Cc")
    line = _without_markup(" ".join(line.split()))
    for _ in range(MAX_ROUNDS):
        before = line
        line = _without_full_stop(_unquoted(line.strip()))
        if line == before:
            break
    return line


def _without_full_stop(line: str) -> str:
    is_abbreviation = line[-3:-2] == "." or line.endswith("..")  # U.S., …
    return line if is_abbreviation else line.rstrip("。．").removesuffix(".")


def _unquoted(line: str) -> str:
    """Returns the line without a pair of marks around the whole of it, and without a mark that has no partner."""
    if not line:
        return line
    opening, closing = line[0], line[-1]
    inner = line[1:-1]
    if closing in PAIRS.get(opening, "") and len(line) > 2 and opening not in inner and closing not in inner:
        return inner
    if opening in '"“„「『《«' and not {'"', *PAIRS[opening]} & set(line[1:]):
        return line[1:]
    if closing in '"”」』》»' and not any(closing in PAIRS.get(mark, "") for mark in line[:-1]):
        return line[:-1]
    return line


def _is_repeated(key: str, question: str, answer: str) -> bool:
    """Whether a title with these letters is the question, a sentence of the answer or its beginning."""
    if key == _letters(question):
        return True
    sentences = set()
    for line in answer.splitlines():
        if not line.lstrip().startswith(("#", "**")):  # a heading may well be the title
            sentences |= {_letters(sentence) for sentence in [line, *SENTENCE_END.split(line)]}
    is_beginning = len(key) >= MIN_REPEATED_LENGTH and _letters(answer).startswith(key)
    return key in sentences or (is_beginning and not answer.lstrip().startswith(("#", "**")))


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
