"""What a model writes when it is asked for a title becomes a title, or is refused."""

import pytest

from chat.engine.title_text import MAX_TITLE_READ, read_title

QUESTION = "Where is the white castle?"
ANSWER = "It is in Himeji. The castle was built in 1333.\n\n# History of the castle\nLong."

TITLES = {  # what the model wrote -> the title
    # Quotation marks, Markdown and full stops around it
    '"White castle."': "White castle",
    "**White castle**\n\nIt fits, because…": "White castle",
    "# Title: White  castle": "White castle",
    "「白い城」。": "白い城",
    "“White castle”": "White castle",
    "`White castle`": "White castle",
    "**“White castle.”**": "White castle",
    "«Белый замок»": "Белый замок",
    "\n \nWhite castle": "White castle",
    '"White castle': "White castle",
    "White castle”": "White castle",
    "**White** castle": "White castle",
    "<title>White castle</title>": "White castle",
    "White castle<|im_end|>": "White castle",
    # Marks that belong to it
    "Introduction to C#": "Introduction to C#",
    ".NET basics": ".NET basics",
    "The U.S.": "The U.S.",
    "「城」と「寺」": "「城」と「寺」",
    '"Emma" and "Persuasion"': '"Emma" and "Persuasion"',
    "*args and **kwargs": "*args and **kwargs",
    "'90s music": "'90s music",
    "3.5 mm jack": "3.5 mm jack",
    "1984: a summary": "1984: a summary",
    "10 tips for Kyoto": "10 tips for Kyoto",
    "Python: lists and sets": "Python: lists and sets",
    "Titles of nobility: a guide": "Titles of nobility: a guide",
    "Hereditary diseases: an overview": "Hereditary diseases: an overview",
    "Let's Encrypt": "Let's Encrypt",
    "[WIP] White castle": "[WIP] White castle",
    "History of the castle": "History of the castle",  # a heading of the answer
    # JSON
    '```json\n{"title": "White castle"}\n```': "White castle",
    '{"title": "White castle"}': "White castle",
    '{\n  "language": "en",\n  "conversation_title": "White castle"\n}': "White castle",
    '["White castle", "Himeji"]': "White castle",
    "{'title': 'White castle'}": "White castle",
    '{"title": "White castle",}': "White castle",
    '{"タイトル": "白い城"}': "白い城",
    '{"result": {"titles": ["White castle"]}}': "White castle",
    "```\nWhite castle\n```": "White castle",
    "```text\nTitle: White castle\n```": "White castle",
    "```yaml\ntitle: White castle\n```": "White castle",
    # Labels
    "タイトル：白い城": "白い城",
    "タイトル: 「白い城」": "白い城",
    "会話のタイトル：白い城": "白い城",
    "**Title:** White castle": "White castle",
    "Conversation Title: White castle": "White castle",
    "Titre : Le château blanc": "Le château blanc",
    "Titel: Die weiße Burg": "Die weiße Burg",
    "Título: El castillo blanco": "El castillo blanco",
    "标题：白色城堡": "白色城堡",
    "제목: 하얀 성": "하얀 성",
    "Заголовок: Белый замок": "Белый замок",
    # Sentences before it
    "Here is a title for the conversation:\nWhite castle": "White castle",
    "Here is a title for the conversation:\n\n**White castle**": "White castle",
    "Sure! Here's a short title: White castle": "White castle",
    "Certainly!\nWhite castle": "White castle",
    "Sure, White castle": "White castle",
    'A good title would be "White castle".': "White castle",
    "Voici un titre pour la conversation : Le château blanc": "Le château blanc",
    "Hier ist ein passender Titel:\n„Die weiße Burg“": "Die weiße Burg",
    "Aquí tienes un título: El castillo blanco": "El castillo blanco",
    "以下は会話のタイトルです：\n白い城": "白い城",
    "はい、タイトルは「白い城」です。": "白い城",
    "この会話のタイトルは「白い城」が適切です。": "白い城",
    "好的，以下是标题：\n白色城堡": "白色城堡",
    # Lists
    "1. White castle\n2. Himeji": "White castle",
    "1) White castle": "White castle",
    "- White castle": "White castle",
    "• **White castle**": "White castle",
    "1．白い城": "白い城",
    "１．白い城": "白い城",
    "①白い城": "白い城",
    "1. **Title:** “White castle”": "White castle",
    # Thoughts
    "<think>They want a title.</think>White castle": "White castle",
    "<think>\nA title.\n\nMaybe “Himeji”.\n</think>\n\nWhite castle": "White castle",
    "</think>\n\nWhite castle": "White castle",
    "<thinking>Short.</thinking>\n# White castle": "White castle",
    "[THINK]Short.[/THINK]White castle": "White castle",
    "<|channel|>analysis<|message|>Short.<|end|><|channel|>final<|message|>White castle": "White castle",
    # Length
    "w" * 100: "w" * 79 + "…",
    "w" * 78 + "👩‍👩‍👧‍👦 and more": "w" * 78 + "…",
    "w" * 78 + "🇯🇵🇫🇷": "w" * 78 + "…",
    "White\u202e castle\x1b[2J": "White castle[2J",
}

NO_TITLES = [
    "",
    "  ",
    "“”",
    "---",
    "```json",
    "```json\n```",
    "{}",
    "[]",
    '{"title": ""}',
    '{"title": null}',
    "Title:",
    "タイトル：",
    "Title",
    "Untitled",
    "New chat",
    "無題",
    "Here is a title for the conversation:",
    "Sure!",
    "<think>They want a title.",
    "<think>\nThey want a title.\nWhite castle",
    "w" * 300,
    "It is in Himeji.",  # the answer again
    "It is in Himeji",
    "**It is in Himeji.**",
    "The castle was built in 1333.",
    "Where is the white castle?",  # the question again
    '"where is the white castle"',
    "Title: Where is the white castle?",
    "The castle that you mean is in Himeji, west of Osaka, and its other name, White Heron Castle, " * 2,
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot name this.",
    "As an AI language model, I have no titles.",
    "申し訳ありませんが、お答えできません。",
    "Es tut mir leid, das kann ich nicht.",
    "Okay, the user wants a title for this conversation",
    "The user asks about a castle",
    "We need to give a title",
    "Assistant: It is in Himeji.",
]


@pytest.mark.parametrize("text", TITLES)
def test_title_is_read_from_what_models_write(text):
    assert read_title(text, True, QUESTION, ANSWER) == TITLES[text]


@pytest.mark.parametrize("text", NO_TITLES)
def test_text_that_is_not_a_title_is_refused(text):
    assert read_title(text, True, QUESTION, ANSWER) == ""


@pytest.mark.parametrize("text", TITLES)
def test_title_is_the_same_wherever_the_stream_is_cut(text):
    """What is read early, so that the model can stop, is what the whole text says."""
    for end in range(len(text) + 1):
        early = read_title(text[:end], False, QUESTION, ANSWER)
        assert early in (None, TITLES[text])
    assert read_title(text + "\n", False, QUESTION, ANSWER) in (None, TITLES[text])


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("White castle", None),
        ("White castle\n", "White castle"),
        ("\n\n", None),
        ("Here is a title:\n", None),
        ("```\n", None),
        ("1. White castle\n", "White castle"),
        ('{"title": "White castle"}', "White castle"),
        ('{"title": "White', None),
        ("<think>\nWhite castle\n", None),
        ("I'm sorry, but no.\n", ""),
        ("w" * 200 + "\n", ""),
        ("The castle is old. " * 10, None),
        ("The castle is old. " * 13, ""),
        ('{"text": "' + "w" * 300, None),
        ("<think>" + "w" * 300, None),
        ("w" * MAX_TITLE_READ, ""),
        ("<think>" + "w\n" * MAX_TITLE_READ, ""),
    ],
)
def test_title_is_known_as_soon_as_its_line_is(text, title):
    assert read_title(text, False, QUESTION, ANSWER) == title


def test_heading_and_short_answer_may_be_the_title():
    assert read_title("White castle", True, "Which?", "# White castle\nIt is in Himeji.") == "White castle"
    assert read_title("White castle", True, "Which?", "**White castle**: it is in Himeji.") == "White castle"
    assert read_title("White castle", True, "Which?", "White castle.") == ""


def test_deeply_nested_lists_make_no_title():
    assert read_title("[" * 999, True) == ""
    assert read_title("[" * 400 + '"x"' + "]" * 400, True) == ""
