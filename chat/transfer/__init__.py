"""Export and import of conversations.

The site's own format is one JSON object, `{"format": "chat-export", "version": 1, "conversations": [...]}`.
"""

from .export import export_all, export_json, export_markdown, stream, visible_branch
from .importing import import_file

__all__ = ["export_all", "export_json", "export_markdown", "import_file", "stream", "visible_branch"]
