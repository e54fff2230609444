import re

from django.core.files.base import ContentFile
from servestatic.storage import CompressedManifestStaticFilesStorage

# Comments on lines of their own. They are a sixth of the bytes that the page would load.
COMMENTS = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)

# The frame that draws diagrams has no origin, so to a browser its scripts come from another site.
FRAME_SCRIPTS = re.compile(r"/(?:mermaid|mermaid_frame)\.(?:[0-9a-f]{12}\.)?js$")


def add_headers(headers, path: str, url: str) -> None:
    """Adds the headers that forbid MIME sniffing, and loading by other sites."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if FRAME_SCRIPTS.search(url) else "same-origin"


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Stores compressed files under hashed names, rewrites the imports of ES modules, and strips comments from our own.

    Before the first `collectstatic` there are no hashed names, and URLs use the original ones.
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
        """Django calls this for a file as it was collected, and again with hashed imports."""
        if name.startswith("chat/") and name.endswith((".js", ".css")):
            content = ContentFile(COMMENTS.sub(b"", b"".join(content.chunks())))
        return super()._save(name, content)

    def stored_name(self, name):
        return super().stored_name(name) if self.hashed_files else name
