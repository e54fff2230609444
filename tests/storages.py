"""A storage like those of object stores: elsewhere, without paths, with errors of its own."""

from django.core.files.base import ContentFile
from django.core.files.storage import Storage


class RemoteError(Exception):
    """Of a kind that only the storage's own package knows."""


class RemoteStorage(Storage):
    """Has what `Storage` demands of its subclasses, and `listdir` for the tests.

    Deleting what is not there is no error, as in S3.
    """

    def __init__(self, location=""):
        self.objects = {}
        self.is_away = False

    def _save(self, name, content):
        self._reach()
        self.objects[name] = b"".join(content.chunks())
        return name

    def _open(self, name, mode="rb"):
        self._reach()
        if name not in self.objects:
            raise FileNotFoundError(name)
        return ContentFile(self.objects[name])

    def exists(self, name):
        self._reach()
        return name in self.objects

    def delete(self, name):
        self._reach()
        self.objects.pop(name, None)

    def listdir(self, path):
        self._reach()
        names = [name.removeprefix(f"{path}/").split("/") for name in self.objects if name.startswith(path)]
        return sorted({name[0] for name in names if name[1:]}), [name[0] for name in names if not name[1:]]

    def _reach(self):
        if self.is_away:
            raise RemoteError("the bucket cannot be reached")
