"""The decoder: every format and mode in, upright sRGB out, and a sentence for what is none."""

import io
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from resnet.errors import ImageError
from resnet.photo import images
from resnet.photo.colours import MAXIMUM_PROFILE_BYTES, NO_PROFILE
from resnet.photo.images import read_photo
from resnet.text import printable
from tests.photo import hostile
from tests.photo.hostile import chained_profile

QUARTERS = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 0)]]


def quarters(width=64, height=48):
    """Red, green / blue, yellow: any turn or flip is seen."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for row, colours in enumerate(QUARTERS):
        for column, colour in enumerate(colours):
            pixels[row * height // 2 : (row + 1) * height // 2, column * width // 2 : (column + 1) * width // 2] = (
                colour
            )
    return Image.fromarray(pixels)


def encoded(image, format_name, **options):
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def corners(image):
    """The colours in the middle of the four quarters."""
    width, height = image.size
    return [
        [image.getpixel((width * (1 + 2 * column) // 4, height * (1 + 2 * row) // 4)) for column in (0, 1)]
        for row in (0, 1)
    ]


def assert_quarters(image, tolerance=0):
    assert image.mode == "RGB"
    assert np.abs(np.array(corners(image), int) - QUARTERS).max() <= tolerance


@pytest.mark.parametrize(
    ("format_name", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("AVIF", {"quality": 95}, 12),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_format_is_read(format_name, options, tolerance):
    photo = read_photo(encoded(quarters(), format_name, **options), "photo")
    assert photo.size == (64, 48)
    assert photo.format == format_name
    assert_quarters(photo.image, tolerance)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation, format_name):
    upright = quarters()
    # What a camera stores for each value: the inverse of what the value asks a viewer to do.
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if inverse is None else upright.transpose(inverse)
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {"quality": 95} if format_name in ("JPEG", "WEBP", "AVIF") else {}
    photo = read_photo(encoded(stored, format_name, exif=exif, **quality))
    assert photo.size == (64, 48)
    assert photo.image.size == (64, 48)
    assert_quarters(photo.image, 12)


def test_first_frame_of_an_animation_counts():
    frames = [quarters(), Image.new("RGB", (64, 48), "black")]
    for format_name in ("GIF", "WEBP"):
        content = encoded(frames[0], format_name, save_all=True, append_images=frames[1:], lossless=True)
        assert_quarters(read_photo(content).image)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_lies_over_white(mode):
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 20))
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    # No format here stores a palette with alpha, but a program can hand one over.
    photo = read_photo(image if mode == "PA" else encoded(image, "PNG"))
    assert photo.image.getpixel((5, 10)) == (255, 255, 255)
    assert photo.image.getpixel((35, 10)) == (0, 0, 0)


def test_a_transparent_colour_survives_reduction():
    image = Image.new("RGB", (3000, 2000), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 1500, 2000))
    photo = read_photo(encoded(image, "PNG", transparency=(255, 0, 0)))
    assert photo.image.getpixel((900, 300)) == (255, 255, 255)
    assert photo.image.getpixel((100, 300)) == (0, 0, 255)


def test_half_transparency_is_blended():
    photo = read_photo(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert abs(photo.image.getpixel((1, 1))[0] - 127) <= 1


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_tones(format_name):
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(4, axis=0)
    photo = read_photo(encoded(Image.fromarray(ramp), format_name))
    shown = np.asarray(photo.image)[0, :, 0].astype(int)
    assert np.abs(shown - np.arange(256)).max() <= 1


def test_floating_point_with_nan_is_shown():
    values = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(4, axis=0)
    values[0, 0] = np.nan
    shown = np.asarray(read_photo(encoded(Image.fromarray(values), "TIFF")).image)
    assert shown[1, 63].tolist() == [255, 255, 255]
    assert shown[0, 0].tolist() == [0, 0, 0]


def test_one_bit_and_grey_become_rgb():
    for mode in ("1", "L"):
        image = Image.new(mode, (10, 10), 1 if mode == "1" else 255)
        assert read_photo(encoded(image, "PNG")).image.getpixel((5, 5)) == (255, 255, 255)


def test_cmyk_is_converted():
    photo = read_photo(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = photo.image.getpixel((8, 8))
    assert red > 200
    assert max(green, blue) < 60


def swapped_profile():
    """An RGB profile like sRGB, but with the primaries of red and green exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", content, 128)[0]
    places = {bytes(content[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    content[red : red + 4], content[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(content)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_icc_profile_is_applied(format_name):
    options = {"lossless": True} if format_name == "WEBP" else {"quality": 95} if format_name == "JPEG" else {}
    content = encoded(Image.new("RGB", (16, 16), (255, 0, 0)), format_name, icc_profile=swapped_profile(), **options)
    assert read_photo(content).image.getpixel((8, 8)) == pytest.approx((0, 255, 0), abs=4)


def test_lab_is_converted():
    grey = Image.new("LAB", (8, 8), (128, 128, 128))
    red, green, blue = read_photo(encoded(grey, "TIFF")).image.getpixel((4, 4))
    assert max(red, green, blue) - min(red, green, blue) <= 3
    assert 100 < green < 140  # L* of 50 is about 119 in sRGB


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_a_profile_that_is_not_used_is_named(format_name):
    good = swapped_profile()
    assert read_photo(encoded(quarters(), format_name, icc_profile=good)).notes == ()
    assert read_photo(encoded(quarters(), format_name)).notes == ()
    profiles = [
        b"this is no profile",
        good[:100],
        good[:128] + b"\xff" * 4 + good[132:],  # more tags than it can have
        good.ljust(MAXIMUM_PROFILE_BYTES + 1, b"\0"),
        chained_profile(3),
    ]
    for profile in profiles if format_name == "TIFF" else [one for one in profiles if len(one) < 1_000_000]:
        photo = read_photo(encoded(quarters(), format_name, icc_profile=profile))
        assert_quarters(photo.image)
        assert photo.notes == (NO_PROFILE,)


@pytest.mark.parametrize(
    ("size", "reduced"),
    [((4000, 3000), (1000, 750)), ((6000, 3000), (1024, 512)), ((300, 9000), (300, 9000)), ((999, 700), (999, 700))],
    ids=str,
)
@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_large_photos_are_reduced_but_keep_their_size(format_name, size, reduced):
    photo = read_photo(encoded(Image.new("RGB", size, "teal"), format_name))
    assert photo.size == size
    assert photo.image.size == reduced


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (3, 2)], ids=str)
def test_extreme_sizes_are_read(size):
    photo = read_photo(encoded(Image.new("RGB", size, "red"), "PNG"))
    assert photo.size == size
    assert photo.image.getpixel((0, 0)) == (255, 0, 0)


def test_equal_content_has_an_equal_digest(make_photo):
    first, same = make_photo("a.png", seed=1), make_photo("b.png", seed=1)
    other = make_photo("c.png", seed=2)
    assert read_photo(first).digest == read_photo(same).digest != read_photo(other).digest


def test_large_sixteen_bit_pictures_need_little_memory():
    """A file of some kilobytes must not cost many times its pixels."""
    import tracemalloc

    content = encoded(Image.fromarray(np.zeros((5000, 5000), np.uint16)), "PNG")
    tracemalloc.start()
    read_photo(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 5000 * 5000


def test_names_hold_no_control_characters():
    with pytest.raises(ImageError) as raised:
        read_photo(b"", "a\nresnet: forged\x1b[31m.jpg")
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["猫\u3000一.jpg", "10.00\u202fAM.png", "猫\u00a0.jpg", "\U0001f468\u200d\U0001f4bb.jpg", "naïve.png"]
)
def test_names_keep_the_blanks_that_keyboards_and_cameras_write(name):
    assert printable(name) == name


@pytest.mark.parametrize("letter", ["\n", "\x1b", "\u2028", "\u202e", "\ue000", "\udce9", "\x9b"])
def test_what_could_forge_output_is_left_out_of_names(letter):
    assert printable(f"a{letter}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_a_pil_image_is_taken_as_it_is():
    assert_quarters(read_photo(quarters(), "mine").image)


def test_pil_images_of_equal_indices_and_other_palettes_differ():
    red, blue = (Image.new("RGB", (8, 8), colour).quantize(2) for colour in ("red", "blue"))
    assert red.tobytes() == blue.tobytes()
    assert read_photo(red).digest != read_photo(blue).digest


def test_a_pil_image_is_not_changed():
    image = Image.open(io.BytesIO(encoded(Image.new("RGB", (4000, 3000), "teal"), "JPEG")))
    first, second = read_photo(image), read_photo(image)
    assert image.size == first.size == second.size == (4000, 3000)
    assert first.digest == second.digest


def test_a_truncated_pil_image_gets_a_sentence():
    content = encoded(Image.effect_noise((200, 200), 80), "JPEG")
    with pytest.raises(ImageError, match="image is damaged: it ends too early"):
        read_photo(Image.open(io.BytesIO(content[: len(content) // 2])))


def bomb(width, height):
    """A PNG of a few bytes whose header promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"bad\.jpg is empty \(0 bytes\)"),
        (b"hello, I am a letter", r"bad\.jpg is text, not a photo; please use JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", r"bad\.jpg is an SVG drawing; please export"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", r"bad\.jpg is an SVG drawing"),
        (b"\0\1\2\3" * 100, r"bad\.jpg is not a picture in a known format"),
        (b"PK\3\4" + b"\0" * 100, r"bad\.jpg is a ZIP archive or an office document, not a photo"),
        (bomb(9000, 9000), r"bad\.jpg has 9000 x 9000 = 81 million pixels; a photo may have at most 50 million"),
        (bomb(60_000, 60_000), r"bad\.jpg has .* pixels.*at most 50 million"),
        (b"\xff\xd8\xff\xe0garbage", r"bad\.jpg is (damaged|not a picture)"),
    ],
    ids=["empty", "text", "svg", "svg with BOM", "noise", "zip", "too many pixels", "bomb", "broken header"],
)
def test_what_is_no_photo_gets_a_sentence(content, sentence):
    with pytest.raises(ImageError, match=sentence):
        read_photo(content, "bad.jpg")


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_truncated_file_is_refused_wherever_it_ends(format_name):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    content = encoded(noise, format_name)
    for share in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match=r"^cut\.img is (damaged|not a picture|text)"):
            read_photo(content[: int(len(content) * share)], "cut.img")


def test_too_many_bytes_are_refused(monkeypatch, make_photo):
    monkeypatch.setattr(images, "MAXIMUM_BYTES", 1000)
    with pytest.raises(ImageError, match=r"photo\.png has 0\.0 MB; a photo may have at most 0 MB"):
        read_photo(make_photo())


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.jpg cannot be read: No such file"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match=f"{tmp_path.name} is a folder, not a photo"):
        read_photo(tmp_path)


def test_a_null_byte_in_the_path_is_refused():
    with pytest.raises(ImageError, match="cannot be read"):
        read_photo("a\0b.jpg")


def test_a_path_that_cannot_be_looked_up_gets_a_sentence():
    with pytest.raises(ImageError, match="cannot be read: File name too long"):
        read_photo("a" * 300 + ".jpg")


def test_few_large_photos_are_decoded_at_a_time(monkeypatch):
    decode, lock, now, most = images._decode, threading.Lock(), [], []

    def watched(*arguments):
        with lock:
            now.append(None)
            most.append(len(now))
        time.sleep(0.05)
        with lock:
            now.pop()
        return decode(*arguments)

    monkeypatch.setattr(images, "_decode", watched)
    for limit, within in ((100, True), (10_000, False)):
        monkeypatch.setattr(images, "LARGE_PIXELS", limit)
        most.clear()
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(read_photo, [encoded(Image.new("RGB", (20, 20)), "PNG")] * 18))
        assert (max(most) <= images.MOST_LARGE) == within


def gradient():
    """A photo without grey of 128, which is what a decoder fills in."""
    rows, columns = np.mgrid[0:240, 0:320]
    return Image.fromarray(np.stack([rows // 2 + 130, columns // 3 + 20, 250 - rows], axis=2).astype(np.uint8))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_a_jpeg_without_its_end_mark_is_read_without_a_word(options):
    content = encoded(gradient(), "JPEG", quality=90, **options)
    assert content.endswith(b"\xff\xd9")
    photo = read_photo(content[:-2])
    assert photo.notes == ()
    np.testing.assert_array_equal(np.asarray(photo.image), np.asarray(read_photo(content).image))


@pytest.mark.parametrize("format_name", ["RGB", "L"])
def test_a_jpeg_that_lacks_its_last_rows_is_read_with_a_note_and_one_that_lacks_more_is_refused(format_name):
    content = encoded(gradient().convert(format_name), "JPEG", quality=90)
    scan = content.index(b"\xff\xda") + 14
    whole = np.asarray(read_photo(content).image).astype(int)
    sentences = []
    for part in np.linspace(0.02, 0.99, 40):
        try:
            photo = read_photo(content[: scan + int((len(content) - scan) * part)], "cut.jpg")
        except ImageError as error:
            sentences.append(str(error))
            continue
        (note,) = photo.notes
        lost = float(str(note).split("the last ")[1].split("%")[0]) / 100
        assert 0 < lost <= 0.1
        kept = round(240 * (1 - lost)) - 16
        assert np.abs(np.asarray(photo.image)[:kept].astype(int) - whole[:kept]).max() <= 30
        assert part > 0.8
    assert set(sentences) == {"cut.jpg is damaged: it ends too early."}
    assert 25 <= len(sentences) <= 38


@pytest.mark.parametrize("name", ["quarters", "turned"])
def test_heic_photos_are_read_upright(name):
    photo = read_photo(Path(__file__).parent / "photos" / f"{name}.heic")
    assert (photo.size, photo.format) == ((64, 48), "HEIF")
    assert_quarters(photo.image, 30)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"P6\n4 4\n255\n" + bytes(48), "a Netpbm picture"),
        (b"P3\n1 1\n255\n1 2 3\n", "a Netpbm picture"),
        (b"see <svg> in this letter", "text"),
        (b"<html><body><svg></svg></body></html>", "a web page"),
        (b"\xff\x0a" + bytes(50), "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "a JPEG 2000 picture"),
        (b"\0\0\0\x18ftypmp42" + bytes(50), "a video"),
        (bytes(128) + b"DICM" + bytes(50), "a DICOM picture"),
        (b"8BPS\0\1" + bytes(50), "a Photoshop file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_file_is_is_told_by_its_first_bytes(content, kind):
    with pytest.raises(ImageError, match=f"photo.jpg is {kind}, not a photo; please use"):
        read_photo(content, "photo.jpg")


@pytest.mark.parametrize(
    ("bands", "dtype", "words"),
    [
        (5, "u1", "5 bands of 8 bits (integers)"),
        (3, "f4", "3 bands of 32 bits (floating point)"),
        (13, "u2", "13 bands of 16 bits (integers)"),
        (3, "i4", "3 bands of 32 bits (signed integers)"),
        (1, "c8", "1 bands of 64 bits (complex numbers)"),
    ],
)
def test_an_unusual_tiff_is_described(bands, dtype, words):
    numbers = {"u": 1, "i": 2, "f": 3, "c": 6}[dtype[0]]
    bits = 8 * np.dtype(dtype).itemsize
    body = np.zeros((4, 4, bands), dtype).tobytes()
    content = hostile.tiff(
        4, 4, [(277, 3, 1, bands), (258, 3, 1, bits), (262, 3, 1, 1 if bands == 1 else 2), (273, 4, 1, 200),
               (279, 4, 1, len(body)), (339, 3, 1, numbers)], bytes(300) + body
    )  # fmt: skip
    with pytest.raises(ImageError) as caught:
        read_photo(content, "scan.tif")
    assert f"scan.tif is a TIFF of {words}; a photo has one band, or 3 or 4" in str(caught.value)
