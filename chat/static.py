from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Compressed files with a hash in their names, in the imports of ES modules too."""

    support_js_module_import_aggregation = True
