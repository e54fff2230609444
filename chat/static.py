from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Compressed files with a hash in their names, in the imports of ES modules too.

    Before the first `collectstatic` there are no such names: files then go by their own.
    """

    support_js_module_import_aggregation = True
    max_post_process_passes = (
        20  # one for each step of the longest way through the imports, and one that finds no change
    )

    def stored_name(self, name):
        return super().stored_name(name) if self.hashed_files else name
