import re

from django.core.files.base import ContentFile
from servestatic.storage import CompressedManifestStaticFilesStorage

# Comments that have lines of their own. They are a sixth of what the page would load.
COMMENTS = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)


# The frame that draws diagrams has no origin, so to a browser its scripts come from another site.
FRAME_SCRIPTS = re.compile(r"/(?:mermaid|mermaid_frame)\.(?:[0-9a-f]{12}\.)?js$")


def add_headers(headers, path: str, url: str) -> None:
    """Adds the headers with which browsers defend a static file."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if FRAME_SCRIPTS.search(url) else "same-origin"


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Compressed files with a hash in their names, which the imports of ES modules use too; our own without comments.

    Before the first `collectstatic` there are no such names, and files go by their own.
    """

    # Django's own `support_js_module_import_aggregation` misses imports that end without a semicolon.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "*.js",
            (
                (
                    r"""(?m)^(?P<matched>(?P<start>(?:import|export) (?:[^"';]*from )?)"(?P<url>\.[^"]+)")""",
                    '%(start)s"%(url)s"',
                ),
                (r"""(?P<matched>import\("(?P<url>\.[^"]+)"\))""", 'import("%(url)s")'),
            ),
        ),
    )
    # One pass for each step of the longest chain of imports, and one that finds no change.
    max_post_process_passes = 20

    def _save(self, name, content):
        """Django's hook for storages: writes a file, whether collected or with hashed imports."""
        if name.startswith("chat/") and name.endswith((".js", ".css")):
            content = ContentFile(COMMENTS.sub(b"", b"".join(content.chunks())))
        return super()._save(name, content)

    def stored_name(self, name):
        return super().stored_name(name) if self.hashed_files else name
