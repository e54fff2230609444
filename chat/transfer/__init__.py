"""Export, import and copies of conversations.

The site's own format is one JSON object, `{"format": "chat-export", "version": 1, "conversations": [...]}`.
"""

from .copying import copy_share
from .export import export_all, export_json, export_markdown, stream, visible_branch
from .importing import import_file, import_in_background

__all__ = [
    "copy_share",
    "export_all",
    "export_json",
    "export_markdown",
    "import_file",
    "import_in_background",
    "stream",
    "visible_branch",
]
