"""What the browser tests of Markdown share."""

FLOWCHART = "```mermaid\nflowchart LR\n  you[You] --> run[A run] --> log[Its log]\n```"


def say(chat, text, assistant="echo"):
    """Have it said; gives the place of the answer's text."""
    chat.choose(assistant).send(text)
    chat.wait_for_end()
    return chat.replies.last.locator(".prose")
