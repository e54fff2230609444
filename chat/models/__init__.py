"""The rows: assistants, conversations with their messages and runs, and what belongs to them."""

from ..errors import Refused
from .assistants import Assistant, SeededAssistant, ToolServer
from .attachments import Attachment
from .conversations import Conversation, Message, Run
from .ending import Ending, interrupts_for
from .journal import RunEvent, ServerProcess
from .shares import Share

__all__ = [
    "Assistant",
    "Attachment",
    "Conversation",
    "Ending",
    "Message",
    "Refused",
    "Run",
    "RunEvent",
    "SeededAssistant",
    "ServerProcess",
    "Share",
    "ToolServer",
    "interrupts_for",
]
