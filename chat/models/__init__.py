"""The rows: assistants, conversations with their messages and runs, and what belongs to them."""

from .approvals import interrupts_for, offers_always
from .assistants import Assistant, SeededAssistant, ToolServer
from .attachments import Attachment
from .conversations import Conversation, Message, Run
from .deletion import lock_runs  # noqa: F401  # connects it
from .ending import Ending
from .files import StoredFile
from .given_turns import GivenTurn
from .imports import Import
from .journal import ReadPosition, RunEvent, ServerProcess
from .lookups import NaturalKey
from .search_texts import SearchText, contains, plain_text
from .shares import Share, shared_name

__all__ = [
    "Assistant",
    "Attachment",
    "Conversation",
    "Ending",
    "GivenTurn",
    "Import",
    "Message",
    "NaturalKey",
    "ReadPosition",
    "Run",
    "RunEvent",
    "SearchText",
    "SeededAssistant",
    "ServerProcess",
    "Share",
    "StoredFile",
    "ToolServer",
    "contains",
    "interrupts_for",
    "offers_always",
    "plain_text",
    "shared_name",
]
