"""Files and names made to do harm, as (name, bytes): the same each time, small, and quick to make.

`SLOW` holds those that would cost minutes or gigabytes where nothing bounded them; they are functions, since
some are large.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

Item = tuple[str, bytes]

NAMES = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\config.jpg",
    "<img src=x onerror=alert(1)>.jpg",
    "nul\0byte.jpg",
    "new\nline\r\nresnet: forged\x1b[31m.jpg",
    "letters" * 715 + ".jpg",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "\N{ZERO WIDTH SPACE}\N{BYTE ORDER MARK}.jpg",
    "\u2028\u2029.jpg",
    "=cmd|' /C calc'!A0.jpg",
    "{0}{name}%s%n$(rm).jpg",
    "\udcff\ud800.jpg",
    "CON.jpg",
    "com1.tar.png",
    "\U00020000" * 200 + ".jpg",
    "a" * 79 + " .b.jpg",
    "...",
    "",
]


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def noise(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def valid() -> dict[str, bytes]:
    """A small file of each format and of the kinds of them that take different ways through a decoder."""
    image = noise()
    grey = image.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a photo"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [noise(8, 8, seed) for seed in range(3)]
    kinds = {
        "plain.jpg": encoded(image, "JPEG", exif=exif, icc_profile=profile, comment=b"a comment"),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "two.mpo": encoded(image, "MPO", save_all=True, append_images=[noise(seed=1)]),
        "plain.png": encoded(image, "PNG", exif=exif, icc_profile=profile),
        "palette.png": encoded(image.quantize(16), "PNG", transparency=0),
        "sixteen.png": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG"),
        "animated.png": encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "lossy.webp": encoded(image, "WEBP", exif=exif, icc_profile=profile),
        "lossless.webp": encoded(image.convert("RGBA"), "WEBP", lossless=True, method=0),
        "animated.webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0),
        "plain.gif": encoded(image, "GIF", comment=b"a comment", transparency=3),
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0),
        "plain.bmp": encoded(image, "BMP"),
        "run_lengths.bmp": bmp(8, 4, 1, b"\4\1\4\2\0\0" * 4 + b"\0\1"),
        "plain.tif": encoded(image, "TIFF", exif=exif, icc_profile=profile),
        "float.tif": encoded(Image.fromarray(np.asarray(grey, np.float32)), "TIFF"),
        "plain.avif": encoded(image, "AVIF", exif=exif, speed=10),
        "plain.heic": (Path(__file__).parent / "photos" / "quarters.heic").read_bytes(),
        "turned.heic": (Path(__file__).parent / "photos" / "turned.heic").read_bytes(),
    }
    # Not zstd: Pillow ends the process where it was built without.
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        kinds[f"{compression}.tif"] = encoded(image, "TIFF", compression=compression)
    kinds["group4.tif"] = encoded(image.convert("1"), "TIFF", compression="group4")
    return kinds


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def progressive_jpeg(width: int, height: int, scans: int, *, arithmetic: bool = False) -> bytes:
    """A JPEG of so many scans, each of some bytes that say "nothing changes" for all of the picture."""
    tables = segment(0xDB, b"\0" + bytes([1] * 64))
    frame = segment(
        0xCA if arithmetic else 0xC2,
        struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]),
    )
    if not arithmetic:
        tables += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
        tables += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    runs = ((width + 7) // 8) * ((height + 7) // 8) // 32767 + 1
    bits = ("0" + "1" * 14) * runs
    bits += "1" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + (b"\0" if arithmetic else body)
    return b"\xff\xd8" + tables + frame + scan * scans + b"\xff\xd9"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    before: bytes = b"",
    after: bytes = b"",
    full: bool = True,
) -> bytes:
    """A black PNG; unless `full`, its pixels end at once."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(1)
    row = bytes((width * samples * depth + 7) // 8 + 1) if full else b""
    pixels = b"".join(packer.compress(row) for _ in range(height if full else 1)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), before, chunk(b"IDAT", pixels), after, chunk(b"IEND", b""))
    )


def gif(before: bytes = b"", width: int = 1, height: int = 1) -> bytes:
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + b"\0\0\0" + before + b",\0\0\0\0" + size + b"\0\2\2D\1\0;"


def bmp(width: int, height: int, compression: int, body: bytes, bits: int = 8) -> bytes:
    palette = bytes(range(4 << bits & 0xFF)) if bits == 4 else bytes(1024)
    start = 14 + 40 + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + palette + body


def chained_profile(elements: int, size: int = 0) -> bytes:
    """A colour profile with a chain of elements that all name one matrix, filled up to a size in bytes."""
    matrix = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    head = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, elements)
    tag = head + struct.pack(">II", len(head) + 8 * elements, len(matrix)) * elements + matrix
    table = struct.pack(">I4sII", 1, b"D2B0", 144, len(tag))
    start = struct.pack(">I4xI", max(size, 144 + len(tag)), 0x04300000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    start = (start.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)).ljust(128, b"\0")
    return (start + table + tag).ljust(size, b"\0")


def tiff(
    width: int,
    height: int,
    tags: list[tuple[int, int, int, int]],
    body: bytes = b"",
    compression: int = 1,
    after: int = 0,
) -> bytes:
    """A grey TIFF with the given (tag, kind, count, value or offset); `body` starts behind the directory."""
    base = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)]
    entries = sorted({entry[0]: entry for entry in [*base, (277, 3, 1, 1), *tags]}.values())
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + struct.pack("<I", after) + body


def same_stretch(tags: int, size: int) -> bytes:
    """An EXIF block whose tags all hold the same bytes: the whole of it."""
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", tags)
    block += b"".join(struct.pack("<HHII", 500 + number, 7, size, 8) for number in range(tags)) + bytes(4)
    return block + bytes(max(0, size + 8 - len(block)))


def jpeg_with_exif(block: bytes) -> bytes:
    parts = b"".join(segment(0xE1, b"Exif\0\0" + block[at : at + 65000]) for at in range(0, len(block), 65000))
    content = encoded(noise(8, 8), "JPEG")
    return content[:2] + parts + content[20:]


def avif_with_exif(block: bytes) -> bytes:
    """Put in afterwards, since the encoder, too, would read the whole block."""
    empty = b"II*\0\x08\0\0\0" + bytes(len(block) - 8)
    return encoded(noise(), "AVIF", exif=empty, speed=10).replace(empty, block)


def truncated() -> Iterator[Item]:
    """Each valid file, ending at some twenty places: more of them in the header."""
    for name, content in valid().items():
        ends = {*range(1, 20, 4), *(int(len(content) * part / 16) for part in range(1, 16)), len(content) - 1}
        for end in sorted(ends):
            yield f"{end} bytes of {name}", content[:end]


def too_large() -> Iterator[Item]:
    """Few bytes that promise many pixels."""
    for side in (9_000, 65_535):
        yield f"{side}.png", png(side, side, full=False)
        yield f"{side}.gif", gif(width=side, height=side)
        yield f"{side}.bmp", bmp(side, side, 0, b"")
        yield f"{side}.bmp", bmp(side, side, 1, b"\xff\1" * 9)
        yield f"{side}.tif", tiff(side, side, [(273, 4, 1, 8), (278, 4, 1, side), (279, 4, 1, 100)])
        yield f"{side}.jpg", progressive_jpeg(side, side, 1)
    yield "2147483647.png", png(2**31 - 1, 2**31 - 1, full=False)
    yield "4294967295.tif", tiff(2**32 - 1, 2**32 - 1, [(273, 4, 1, 8), (279, 4, 1, 100)])
    yield "-2147483648.bmp", bmp(-(2**31), -(2**31), 0, b"")
    for name in ("lossless.webp", "lossy.webp", "plain.avif"):
        content = bytearray(valid()[name])
        for mark, place, size in (
            (b"VP8L", 9, b"\xff\xff\xff\x0f"),
            (b"VP8 ", 14, b"\xff\x3f\xff\x3f"),
            (b"ispe", 8, b"\0\0\x40\0" * 2),
        ):
            at = content.find(mark)
            if at >= 0:
                content[at + place : at + place + len(size)] = size
        yield f"large {name}", bytes(content)


def metadata() -> Iterator[Item]:
    """Broken and huge EXIF blocks, profiles and texts."""
    image = noise()
    other = {
        "LAB": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        "XYZ": ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes(),
        "random": np.random.default_rng(5).bytes(4000),
        "huge": bytes(900_000),
        "no size": b"\xff" * 128,
    }
    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other["cut"] = whole[:300]
    other["many tags"] = whole[:128] + b"\xff\xff\xff\xff" + whole[132:]
    for kind, profile in other.items():
        for format_name in ("PNG", "JPEG", "WEBP", "TIFF"):
            yield f"{kind} profile.{format_name}", encoded(image, format_name, icc_profile=profile)
    yield "grey with colour profile.png", encoded(image.convert("L"), "PNG", icc_profile=whole)
    yield "cmyk with colour profile.jpg", encoded(image.convert("CMYK"), "JPEG", icc_profile=whole)
    for kind, block in {
        "random": np.random.default_rng(6).bytes(500),
        "short": b"II*\0",
        "far": b"II*\0\xff\xff\xff\xff",
        "loop": b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8),
        "turned 99 times": b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 0x0112, 3, 1, 99 << 16) + bytes(4),
        "same stretch": same_stretch(300, 3000),
    }.items():
        yield f"{kind} exif.png", png(3, 2, before=chunk(b"eXIf", block))
        yield f"{kind} exif.jpg", jpeg_with_exif(block)
        yield f"{kind} exif.avif", avif_with_exif(block + bytes(32))
        yield f"{kind} exif.webp", encoded(image, "WEBP", exif=b"Exif\0\0" + block)
    many = zlib.compress(bytes(1_000_000))
    yield "text bombs.png", png(1, 1, before=b"".join(chunk(b"zTXt", b"k%d\0\0" % n + many) for n in range(80)))
    yield "text bomb.png", png(1, 1, after=chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(3_000_000))))
    yield "profile bomb.png", png(1, 1, before=chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(3_000_000))))
    yield "raw profile.png", png(1, 1, before=chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  zz\nno hex"))


def animations() -> Iterator[Item]:
    """10,000 tiny frames, of which the first counts."""
    first = gif()
    yield "frames.gif", first[:13] + first[13:-1] * 10_000 + b";"
    control = struct.pack(">IIIIHHBB", 1, 1, 0, 0, 1, 100, 0, 0)
    pixel = zlib.compress(b"\0\0\0\0")
    frames = b"".join(
        chunk(b"fcTL", struct.pack(">I", 2 * n + 1) + control) + chunk(b"fdAT", struct.pack(">I", 2 * n + 2) + pixel)
        for n in range(10_000)
    )
    start = chunk(b"acTL", struct.pack(">II", 10_001, 0)) + chunk(b"fcTL", bytes(4) + control)
    yield "frames.png", png(1, 1, before=start, after=frames)
    larger = chunk(b"acTL", struct.pack(">II", 1, 0))
    larger += chunk(b"fcTL", bytes(4) + struct.pack(">IIIIHHBB", 60_000, 60_000, 0, 0, 1, 100, 0, 0))
    yield "frame outside.png", png(1, 1, before=larger)
    small = encoded(Image.new("RGB", (1, 1)), "WEBP", save_all=True, append_images=[Image.new("RGB", (1, 1), "red")])
    at = small.index(b"ANMF")
    size = 8 + struct.unpack_from("<I", small, at + 4)[0]
    body = small[8:at] + small[at : at + size + size % 2] * 10_000
    yield "frames.webp", b"RIFF" + struct.pack("<I", len(body)) + body


def directories() -> Iterator[Item]:
    """TIFFs whose directories are the weapon."""
    strip = [(273, 4, 1, 8), (278, 4, 1, 1), (279, 4, 1, 1)]
    yield "loop.tif", tiff(1, 1, strip, after=8)
    yield "no end.tif", tiff(1, 1, strip, after=0xFFFFFFF0)
    yield "itself.tif", tiff(1, 1, [*strip, (330, 4, 1, 8), (0x8769, 4, 1, 8)], after=8)
    yield "many tags.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(100)
    yield "no tags.tif", b"II*\0\x08\0\0\0" + bytes(10)
    for kind, prefix in (("big", b"II+\0\x08\0\0\0"), ("big MM", b"MM\0+\0\x08\0\0")):
        yield f"{kind}.tif", prefix + struct.pack("<Q", 16) + struct.pack("<Q", 2**63) + bytes(40)
    yield "odd order.tif", b"MM*\0" + struct.pack(">I", 8) + b"\xff\xff" + bytes(200)
    yield "strips.tif", tiff(9, 9, [(273, 4, 2**30, 8), (278, 4, 1, 1), (279, 4, 2**30, 8)])
    yield "short strips.tif", tiff(9, 9, [(273, 3, 100_000, 8), (278, 4, 1, 1)], bytes(200_000))
    yield "huge strip.tif", tiff(9, 9, [(273, 4, 1, 8), (278, 4, 1, 2**32 - 1), (279, 4, 1, 2**32 - 1)])
    yield "tiles.tif", tiff(99, 99, [(322, 4, 1, 2**31), (323, 4, 1, 2**31), (324, 4, 1, 8), (325, 4, 1, 9)])
    yield "no tiles.tif", tiff(99, 99, [(322, 4, 1, 0), (323, 4, 1, 0), (324, 4, 1, 8), (325, 4, 1, 9)])
    yield "samples.tif", tiff(9, 9, [*strip, (277, 4, 1, 2**31), (258, 3, 60_000, 8)], bytes(120_000))
    for compression in (
        0,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        32766,
        32773,
        32809,
        34661,
        34676,
        34712,
        34887,
        34925,
        50000,
        50001,
    ):
        body = np.random.default_rng(compression).bytes(400)
        yield f"compression {compression}.tif", tiff(16, 16, [(273, 4, 1, 8), (279, 4, 1, 500)], body, compression)
    values = np.full((8, 8), np.nan, np.float32)
    yield "not a number.tif", encoded(Image.fromarray(values), "TIFF")
    values[:2], values[2:4], values[4:6] = np.inf, -np.inf, 3e38
    yield "infinite.tif", encoded(Image.fromarray(values), "TIFF")
    values[6:] = -3e38
    yield "beyond range.tif", encoded(Image.fromarray(values), "TIFF")
    yield "large integers.tif", encoded(Image.fromarray(np.array([[-(2**31), 2**31 - 1]], np.int32)), "TIFF")


def shapes() -> Iterator[Item]:
    for size in ((1, 1), (1, 50_000), (50_000, 1), (2, 3)):
        for format_name in ("PNG", "JPEG", "TIFF", "BMP", "GIF"):
            yield f"{size[0]}x{size[1]}.{format_name}", encoded(Image.new("L", size, 9), format_name)
    for size in ((1, 16_000), (16_000, 1)):
        yield f"{size[0]}x{size[1]}.webp", encoded(Image.new("RGB", size, "red"), "WEBP", method=0, quality=1)
    yield "0x9.gif", gif(width=0, height=9)
    yield "0x0.bmp", bmp(0, 0, 0, b"")
    yield "0x1.png", png(0, 1)
    for colour in (0, 2, 4, 6):
        yield f"16 bits, colour {colour}.png", png(33, 5, depth=16, colour=colour)


def jpegs() -> Iterator[Item]:
    image = noise()
    plain, cmyk = encoded(image, "JPEG"), encoded(image.convert("CMYK"), "JPEG")
    at = cmyk.index(b"\xff\xee")
    yield "cmyk without Adobe.jpg", cmyk[:at] + cmyk[at + 16 :]
    yield "inverted cmyk.jpg", cmyk[: at + 15] + b"\2" + cmyk[at + 16 :]
    scan = plain.index(b"\xff\xda")
    yield "restarts.jpg", plain[:-2] + b"\xff\xd0" * 200_000 + b"\xff\xd9"
    yield "restarts inside.jpg", plain[: scan + 14] + b"\xff\xd0\xff\xd7" * 100_000 + plain[scan + 14 :]
    yield "restart interval.jpg", plain[:2] + segment(0xDD, b"\0\1") + plain[2:]
    yield "fill bytes.jpg", plain[:2] + b"\xff" * 100_000 + plain[3:]
    yield "junk.jpg", plain[:2] + bytes(100_000) + plain[2:]
    yield "segments.jpg", plain[:2] + b"\xff\xfe\0\2" * 50_000 + plain[2:]
    yield "short segments.jpg", plain[:2] + b"\xff\xfe\0\0" * 100 + plain[2:]
    yield "no end.jpg", plain[:-2]
    yield "ends at once.jpg", plain[: scan + 14] + b"\xff\xd9"
    yield "frames.jpg", plain[:2] + segment(0xC0, bytes([8, 0, 9, 0, 9, 1, 1, 0x11, 0])) + plain[2:]
    yield "eight components.jpg", plain[:2] + segment(0xC0, bytes([8, 0, 9, 0, 9, 8]) + bytes([1, 0x11, 0] * 8))
    yield "scans.jpg", progressive_jpeg(64, 64, 5_000)
    yield "allowed scans.jpg", progressive_jpeg(640, 640, 100)
    yield "arithmetic.jpg", progressive_jpeg(64, 64, 20, arithmetic=True)
    mpo = valid()["two.mpo"]
    at = mpo.index(b"MPF\0")
    yield "many pictures.mpo", mpo[: at + 30] + b"\xff" * 20 + mpo[at + 50 :]


def disguises() -> Iterator[Item]:
    image = noise()
    for name, content in valid().items():
        yield f"no start {name}", b"\0\0\0\0" + content[4:]
    yield "empty.jpg", b""
    yield "zip.jpg", encoded(image, "JPEG") + b"PK\3\4" + bytes(26) + b"PK\5\6" + bytes(18)
    yield "script.gif", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)//;"
    yield "page.png", png(4, 4, before=chunk(b"tEXt", b"k\0<html><script>alert(1)</script>"))
    yield "page behind.png", png(4, 4) + b"<html><script>alert(1)</script>"
    yield "page.jpg", b"<!DOCTYPE html><html><script>alert(1)</script>"
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>x</script></svg>"
    yield "drawing.jpg", b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aaaa'>]><svg>&a;</svg>"
    yield "script.jpg", b"#!/bin/sh\nrm -rf /\n"
    yield "executable.jpg", b"MZ" + bytes(100)
    yield "document.jpg", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "large chunk.png", png(4, 4, before=struct.pack(">I", 2**31 - 1) + b"tEXt" + bytes(20))
    yield "negative chunk.png", png(4, 4, before=struct.pack(">I", 2**32 - 1) + b"tEXt" + bytes(20))
    yield "no palette.png", png(4, 4, colour=3)
    yield "comment.gif", gif(b"!\xfe" + (b"\xff" + b"a" * 255) * 300 + b"\0")
    yield "end of lines.bmp", bmp(5, 100, 1, b"\1\0\0\0" * 100)
    yield "jumps.bmp", bmp(5, 100, 1, b"\0\2\xff\xff" * 100)
    yield "four bits.bmp", bmp(5, 5, 2, b"\xff\x12\0\0" * 9, bits=4)
    yield "nothing.webp", b"RIFF\4\0\0\0WEBP"
    yield "nothing.avif", b"\0\0\0\x10ftypavif\0\0\0\0"


def corpus() -> Iterator[Item]:
    """All of it but what is slow, and a good photo under each evil name."""
    for items in (truncated, too_large, metadata, animations, directories, shapes, jpegs, disguises):
        yield from items()
    good = encoded(noise(), "PNG")
    for name in NAMES:
        yield name, good
        yield name, good[:60]


def many_items(count: int) -> bytes:
    """An AVIF that says it has so many items more."""
    content = encoded(noise(), "AVIF", speed=10)

    def find(kind: bytes) -> tuple[int, int]:
        at = content.index(kind) - 4
        return at, struct.unpack_from(">I", content, at)[0]

    (meta, meta_size), (items, items_size) = find(b"meta"), find(b"iinf")
    old, known = content[items + 14 : items + items_size], struct.unpack_from(">H", content, items + 12)[0]
    body = b"".join(struct.pack(">I4sIHH4sx", 21, b"infe", 2 << 24, 100 + n % 60_000, 0, b"none") for n in range(count))
    new = struct.pack(">I4sII", 16 + len(old) + len(body), b"iinf", 1 << 24, known + count) + old + body
    grown = struct.pack(">I", meta_size + len(new) - items_size)
    return content[:meta] + grown + content[meta + 4 : items] + new + content[items + items_size :]


def end_first(content: bytes) -> bytes:
    """A JPEG behind an end that ends nothing."""
    return b"\xff\xd8\xff\xd9" + content


def pictures_in_a_jpeg(tags: int) -> bytes:
    """A JPEG with a list of further pictures whose tags all hold the same bytes."""
    content = encoded(noise(8, 8), "JPEG")
    return content[:2] + segment(0xE2, b"MPF\0" + same_stretch(tags, 64_900).replace(b"\7\0", b"\3\0")) + content[2:]


SLOW: dict[str, Callable[[], bytes]] = {
    "comment.gif": lambda: gif(b"!\xfe" + (b"\xff" + b"a" * 255) * 70_000 + b"\0"),
    "comments.gif": lambda: gif(b"!\xfe\1a\0" * 1_000_000),
    "extensions.gif": lambda: gif(b"!\xfd\0\0" * 4_000_000),
    "scans.jpg": lambda: progressive_jpeg(7000, 7000, 100_000),
    "allowed scans.jpg": lambda: progressive_jpeg(7000, 7000, 100),
    "fill bytes.jpg": lambda: b"\xff\xd8" + b"\xff" * 18_000_000 + b"\0",
    "chained profile.png": lambda: encoded(noise(), "PNG", icc_profile=chained_profile(100_000)),
    "chained profile.jpg": lambda: encoded(noise(), "JPEG", icc_profile=chained_profile(400_000)),
    "end first, scans.jpg": lambda: end_first(progressive_jpeg(7000, 7000, 1_000)),
    "end first, exif.jpg": lambda: end_first(jpeg_with_exif(same_stretch(5_000, 18_000_000))),
    "pictures.jpg": lambda: pictures_in_a_jpeg(4_000),
    "components.jpg": lambda: b"\xff\xd8" + segment(0xC0, bytes([8, 0, 9, 0, 9, 255]) + bytes(63_000)) * 300,
    "items.avif": lambda: many_items(200_000),
    "profiles.png": lambda: png(1, 1, before=chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 19_000),
    "signed bytes.tif": lambda: tiff(1, 1, [(273, 6, 18_000_000, 200), (279, 4, 1, 1)], bytes(18_001_000)),
    "segments.jpg": lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 4_900_000,
    "exif.jpg": lambda: jpeg_with_exif(same_stretch(5_000, 18_000_000)),
    "exif.png": lambda: png(1, 1, before=chunk(b"eXIf", same_stretch(65_000, 18_000_000))),
    "exif.webp": lambda: encoded(noise(), "WEBP", exif=b"Exif\0\0" + same_stretch(5_000, 18_000_000)),
    "exif.avif": lambda: avif_with_exif(same_stretch(65_000, 18_000_000)),
    "chunks.png": lambda: png(1, 1, before=chunk(b"abCd", b"") * 1_600_000),
    "tags.tif": lambda: tiff(
        1, 1, [(273, 4, 1, 8), (279, 4, 1, 1), *((999 + n, 7, 18_000_000, 8) for n in range(60_000))], bytes(18_000_000)
    ),
    "few tags.tif": lambda: tiff(
        1, 1, [(273, 4, 1, 8), (279, 4, 1, 1), *((1000 + n, 5, 2_250_000, 8) for n in range(900))], bytes(18_000_000)
    ),
    "pixel tags.tif": lambda: tiff(
        1, 2, [(273, 4, 1, 8), *((tag, 7, 18_000_000, 8) for tag in (292, 332, 347, 519, 529, 532, 34675))],
        bytes(18_000_000),
    ),
    "strips.tif": lambda: tiff(1, 2, [(273, 3, 9_000_000, 200), (278, 4, 1, 1)], b"\1\0" * 9_000_000),
    "allowed strips.tif": lambda: tiff(1, 2, [(273, 3, 200_000, 200), (278, 4, 1, 1)], b"\1\0" * 200_000),
    "runs.bmp": lambda: bmp(1, 7000, 1, b"\1\0" * 9_500_000),
    "lines.bmp": lambda: bmp(40_000_000, 1, 1, b"\1\0\0\0"),
    "sixteen bits.png": lambda: png(7000, 7000, depth=16, colour=6),
    "float.tif": lambda: encoded(Image.new("F", (4000, 4000), float("nan")), "TIFF", compression="tiff_lzw"),
}  # fmt: skip
