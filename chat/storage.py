import re

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.base import ContentFile
from servestatic.storage import CompressedManifestStaticFilesStorage

# Comments on lines of their own. They are a sixth of the bytes that the page would load.
COMMENTS = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)

# The frame that draws diagrams has no origin, so to a browser its scripts come from another site.
FRAME_SCRIPTS = re.compile(r"/(?:mermaid|mermaid_frame)\.(?:[0-9a-f]{12}\.)?js$")


# The stylesheets of chat/css/ that pages load together, in their order. Collected, a group is one file of its name:
# many small files compress badly.
STYLESHEETS = {
    "site": ("fonts", "tokens", "base", "buttons", "forms", "accessibility"),
    "page": ("layout", "popovers", "messages", "steps", "composer", "home", "prose", "code", "sidebar", "dialogs"),
}


def stylesheet_names(group: str) -> list[str]:
    """Returns the static files of a group of stylesheets: one file once they are collected, several before."""
    joined = _stylesheet(group)
    is_collected = joined in getattr(staticfiles_storage, "hashed_files", ())
    return [joined] if is_collected else [_stylesheet(name) for name in STYLESHEETS[group]]


def _stylesheet(name):
    return f"chat/css/{name}.css"


def add_headers(headers, path: str, url: str) -> None:
    """Adds the headers that forbid MIME sniffing, and loading by other sites."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if FRAME_SCRIPTS.search(url) else "same-origin"


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Stores compressed files under hashed names, rewrites the imports of ES modules, and strips comments from our own.

    It also joins the groups of stylesheets.

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

    def post_process(self, paths, *args, **options):
        """Django calls this with the files that it has collected."""
        if not options.get("dry_run"):
            paths = paths | {_stylesheet(group): (self, self._join(group)) for group in STYLESHEETS}
        yield from super().post_process(paths, *args, **options)

    def _join(self, group):
        parts = []
        for name in STYLESHEETS[group]:
            with self.open(_stylesheet(name)) as file:
                parts.append(file.read())
        self.delete(_stylesheet(group))
        return self.save(_stylesheet(group), ContentFile(b"".join(parts)))

    def _save(self, name, content):
        """Django calls this for a file as it was collected, and again with hashed imports."""
        if name.startswith("chat/") and name.endswith((".js", ".css")):
            content = ContentFile(COMMENTS.sub(b"", b"".join(content.chunks())))
        return super()._save(name, content)

    def stored_name(self, name):
        return super().stored_name(name) if self.hashed_files else name
