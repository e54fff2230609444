"""What an image file becomes: its size, its colors, its transparency; and what it may cost."""

import io
import random

import pytest
from PIL import Image, ImageCms

from chat import image_codec
from chat.worker_process import TaskRefused
from chat.workers import Pool
from tests.images import PICTURE, image_file
from tests.timeouts import HANG_TIMEOUT


def reduce(data):
    """Returns what is stored, as an opened image, and its fields."""
    output = io.BytesIO()
    fields = image_codec.reduce(io.BytesIO(data), output)
    image = Image.open(output)
    assert (image.size, Image.MIME[image.format]) == ((fields["width"], fields["height"]), fields["media_type"])
    return image


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(color, other, tolerance=3):
    return all(abs(a - b) <= tolerance for a, b in zip(color, other, strict=True))


def refusal(data):
    with pytest.raises(TaskRefused) as refused:
        reduce(data)
    return refused.value.code


# Size -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize(
    ("size", "stored"),
    [
        ((8, 4), (8, 4)),
        ((2048, 2048), (2048, 2048)),
        ((2049, 3), (2048, 3)),
        ((4095, 40), (2048, 20)),
        ((4096, 40), (2048, 20)),
        ((7001, 1), (2048, 1)),
        ((3, 9999), (1, 2048)),
        ((2200, 5000), (901, 2048)),
    ],
)
def test_size_is_scaled_down_evenly(kind, size, stored):
    assert reduce(image_file(kind, size)).size == stored


def test_size_keeps_every_part_of_a_large_image():
    """It is reduced in strips: none of them may be lost or displaced."""
    image = Image.new("RGB", (6000, 5000))
    for row in range(10):
        image.paste((row * 25, 255 - row * 25, 0), (0, row * 500, 6000, row * 500 + 500))
    stored = reduce(encode(image, compress_level=1))
    for row in range(10):
        color = stored.getpixel((1000, int((row + 0.5) * stored.height / 10)))
        assert near(color, (row * 25, 255 - row * 25, 0)), row


# Colors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (5000, 10)])
def test_16_bit_grey_keeps_its_tones(size):
    for value in (0, 1, 128, 255):
        stored = reduce(encode(Image.new("I;16", size, value * 257)))
        assert near(stored.convert("RGB").getpixel((2, 2)), (value,) * 3), value


def profile_with_red_and_green_exchanged():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = profile.replace(b"rXYZ", b"....", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"....", b"gXYZ", 1)
    assert len(tags) == len(profile) and tags != profile
    return tags


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(8, 8), (5000, 10)])
def test_colors_follow_the_profile_and_the_profile_is_dropped(kind, size):
    data = image_file(kind, size, icc_profile=profile_with_red_and_green_exchanged())
    stored = reduce(data)
    assert near(stored.convert("RGB").getpixel((2, 2)), (0, 255, 0), 8)
    assert "icc_profile" not in stored.info


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_colors_follow_the_profile_of_transparent_images(mode):
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 128)).convert(mode)
    stored = reduce(encode(image, icc_profile=profile_with_red_and_green_exchanged()))
    *color, alpha = stored.convert("RGBA").getpixel((2, 2))
    assert near(color, (0, 255, 0), 8)
    assert alpha == 128


@pytest.mark.parametrize("profile", [b"nonsense", bytes(200)])
def test_colors_stay_where_the_profile_cannot_be_read(profile):
    assert near(reduce(image_file(icc_profile=profile)).getpixel((2, 2)), (255, 0, 0))


def test_colors_stay_where_the_profile_is_for_another_kind_of_image():
    profile = profile_with_red_and_green_exchanged()
    assert near(reduce(image_file("PNG", mode="L", icc_profile=profile)).convert("RGB").getpixel((2, 2)), (7, 7, 7))


def test_colors_of_cmyk_are_converted():
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert near(reduce(encode(image, "JPEG")).getpixel((2, 2)), (254, 0, 0), 8)


# Transparency, rotation, frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (5000, 10)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparency_is_kept(mode, size):
    options = {}
    if mode in ("RGBA", "LA"):
        image = Image.new("RGBA", size, (0, 0, 0, 0)).convert(mode)
    else:
        image = Image.new(mode, size, 0)
        options["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    stored = reduce(encode(image, **options))
    assert (stored.mode, stored.getpixel((2, 2))[3]) == ("RGBA", 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_is_applied(orientation):
    """The corner that a viewer shows at the top left is white."""
    corners = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
    image = Image.new("RGB", (64, 32))
    x, y = corners[orientation]
    image.paste("white", (x * 48, y * 16, x * 48 + 16, y * 16 + 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = reduce(encode(image, "JPEG", exif=exif))
    assert stored.size == ((32, 64) if orientation > 4 else (64, 32))
    assert near(stored.getpixel((2, 2)), (255, 255, 255), 30)
    assert not stored.getexif()


def test_animation_keeps_its_first_frame():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        assert near(reduce(data).convert("RGB").getpixel((2, 2)), (255, 0, 0), 8), kind


# What cannot be read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_damaged_image_is_refused_or_read(kind):
    """Whatever the bytes are: the decoders raise all kinds of errors, and none of them gets out."""
    random.seed(kind)
    image = Image.effect_noise((60, 40), 80).convert("RGB")
    photo = encode(image, kind, icc_profile=profile_with_red_and_green_exchanged())
    for _ in range(150):
        data = bytearray(photo)
        for _ in range(random.randint(1, 8)):
            data[random.randrange(len(data))] = random.randrange(256)
        del data[random.choice([len(data), random.randrange(len(data))]) :]
        try:
            reduce(bytes(data))
        except TaskRefused as refused:
            assert refused.code in ("not_an_image", "too_large")


def test_image_with_too_many_pixels_is_refused_before_it_is_decoded():
    assert refusal(image_file(size=(10_000, 5_001), mode="1")) == "too_large"
    header = bytearray(PICTURE)
    header[16:24] = bytes([0x7F, 0xFF, 0xFF, 0xFF]) * 2  # its width and height
    assert refusal(bytes(header)) in ("too_large", "not_an_image")


def test_other_formats_are_refused():
    for data in (b"", b"Hello", image_file("BMP"), image_file("TIFF"), image_file("ICO")):
        assert refusal(data) == "not_an_image"


# What it costs --------------------------------------------------------------------------------------------------------


LARGE = {
    "RGB": {},
    "RGBA": {},
    "P": {},
    "I;16": {},
    "1": {},
    "JPEG": {"kind": "JPEG"},
    "progressive JPEG": {"kind": "JPEG", "progressive": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
async def test_image_of_49_megapixels_fits_in_a_worker_process(name, tmp_path):
    options = {"kind": "PNG", **LARGE[name]}
    mode = name if options["kind"] == "PNG" else "RGB"
    kind = options.pop("kind")
    image = Image.new(mode, (7000, 7000))
    image.save(
        tmp_path / "large", kind, compress_level=1, **options
    )  # the level is for PNG, which is made fast with it
    del image
    pool = Pool("test", 1)
    arguments = {"source": str(tmp_path / "large"), "target": str(tmp_path / "small"), "cpu_seconds": 60}
    try:
        result = await pool.run(lambda task: task("image", 5 * HANG_TIMEOUT, **arguments))
    finally:
        pool.end_idle()
    assert (result["width"], result["height"]) == (2048, 2048)
