"""Images to upload."""

import io

from PIL import Image


def image_file(kind="PNG", size=(8, 4), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode != "L" else 7).save(file, kind, **options)
    return file.getvalue()


PICTURE = image_file()
