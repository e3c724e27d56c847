import array
import struct
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros.encodings import PACKED, PLANAR, ImageError, decompress, to_bgr


def message(encoding: str, rows: list[bytes], width: int, step: int | None = None, big: bool = False) -> Any:
    """A message of rows of bytes, each padded with 0xAA to the step."""
    step = len(rows[0]) if step is None else step
    data = array.array("B", b"".join(row.ljust(step, b"\xaa") for row in rows))
    return SimpleNamespace(
        encoding=encoding, height=len(rows), width=width, step=step, is_bigendian=int(big), data=data
    )


def shorts(*values: int, big: bool = False) -> bytes:
    return struct.pack(f"{'>' if big else '<'}{len(values)}H", *values)


GREY = [[7, 7, 7], [250, 250, 250]]
COLOUR = [[3, 2, 1], [252, 251, 250]]
RECORDED = [
    ("mono8", bytes([7, 250]), GREY),
    ("8UC1", bytes([7, 250]), GREY),
    ("bgr8", bytes([3, 2, 1, 252, 251, 250]), COLOUR),
    ("8UC3", bytes([3, 2, 1, 252, 251, 250]), COLOUR),
    ("rgb8", bytes([1, 2, 3, 250, 251, 252]), COLOUR),
    ("bgra8", bytes([3, 2, 1, 9, 252, 251, 250, 9]), COLOUR),
    ("8UC4", bytes([3, 2, 1, 9, 252, 251, 250, 9]), COLOUR),
    ("rgba8", bytes([1, 2, 3, 9, 250, 251, 252, 9]), COLOUR),
    ("mono16", shorts(7 * 257, 250 * 257), GREY),
    ("mono16", shorts(7 * 257 + 100, 250 * 257 - 100), GREY),
    ("bgr16", shorts(*(257 * v for v in (3, 2, 1, 252, 251, 250))), COLOUR),
    ("rgb16", shorts(*(257 * v for v in (1, 2, 3, 250, 251, 252))), COLOUR),
    ("bgra16", shorts(*(257 * v for v in (3, 2, 1, 9, 252, 251, 250, 9))), COLOUR),
    ("rgba16", shorts(*(257 * v for v in (1, 2, 3, 9, 250, 251, 252, 9))), COLOUR),
    # Full red and full blue in BT.601: Y 81 and 41, U 90 and 240, V 240 and 110; two pixels share U and V.
    ("yuv422", bytes([90, 81, 240, 81]), [[0, 0, 254]] * 2),
    ("uyvy", bytes([90, 81, 240, 81]), [[0, 0, 254]] * 2),
    ("yuv422_yuy2", bytes([41, 240, 41, 110]), [[255, 0, 0]] * 2),
    ("yuyv", bytes([41, 240, 41, 110]), [[255, 0, 0]] * 2),
]
WIDE = [case for case in RECORDED if case[0].endswith("16")]


@pytest.mark.parametrize(
    ("encoding", "row", "expected"), RECORDED, ids=[f"{e}-{i}" for i, (e, *_) in enumerate(RECORDED)]
)
@pytest.mark.parametrize("padding", [0, 1, 13])
def test_encoding_becomes_bgr(encoding: str, row: bytes, expected: list[list[int]], padding: int) -> None:
    image = to_bgr(message(encoding, [row] * 3, 2, step=len(row) + padding))
    assert image.shape == (3, 2, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - [expected] * 3).max() <= (2 if "y" in encoding else 0)


@pytest.mark.parametrize(("encoding", "row", "expected"), WIDE, ids=[f"{e}-{i}" for i, (e, *_) in enumerate(WIDE)])
def test_big_endian_values_are_swapped(encoding: str, row: bytes, expected: list[list[int]]) -> None:
    swapped = np.frombuffer(row, "<u2").astype(">u2").tobytes()
    assert to_bgr(message(encoding, [swapped], 2, big=True)).tolist() == [expected]


def test_byte_order_is_the_message_s() -> None:
    bright_or_dark = [bytes([0xFF, 0x00])]
    assert to_bgr(message("mono16", bright_or_dark, 1, big=True))[0, 0, 0] == 254
    assert to_bgr(message("mono16", bright_or_dark, 1, big=False))[0, 0, 0] == 1


def test_byte_order_means_nothing_to_single_bytes() -> None:
    assert to_bgr(message("rgb8", [bytes([1, 2, 3])], 1, big=True)).tolist() == [[[3, 2, 1]]]


def test_bgr8_costs_no_copy() -> None:
    sent = message("bgr8", [bytes(range(6))], 2)
    assert np.shares_memory(to_bgr(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("pattern", "corner"), [("rggb", "red"), ("bggr", "blue"), ("gbrg", "green"), ("grbg", "green")]
)
def test_bayer_patterns_begin_with_their_first_letter(pattern: str, corner: str, bits: int) -> None:
    """A scene of one colour: every cell of that colour is lit, and the picture shows it everywhere."""
    for letter, channel in (("b", 0), ("r", 2)):
        cells = np.array([[pattern[0] == letter, pattern[1] == letter], [pattern[2] == letter, pattern[3] == letter]])
        raw = np.tile(cells, (4, 4)).astype(f"<u{bits // 8}") * (2**bits - 1)
        image = to_bgr(message(f"bayer_{pattern}{bits}", [row.tobytes() for row in raw], 8))
        expected = np.zeros(3)
        expected[channel] = 255
        assert (image[2:-2, 2:-2] == expected).all(), (pattern, letter, corner)


@pytest.mark.parametrize("encoding", sorted(PLANAR))
@pytest.mark.parametrize("padding", [0, 6])
def test_planar_yuv_becomes_bgr(encoding: str, padding: int) -> None:
    """Left half red, right half blue."""
    height, width = 4, 8
    red, blue = (81, 90, 240), (41, 240, 110)
    brightness = [bytes([red[0]] * 4 + [blue[0]] * 4)] * height
    order = (2, 1) if encoding == "nv21" else (1, 2)
    pairs = 4 if encoding == "nv24" else 2
    colour = bytes([red[i] for i in order] * pairs + [blue[i] for i in order] * pairs)
    step = width + padding
    rows = brightness + ([colour] * height if encoding == "nv24" else [colour] * (height // 2))
    chroma_step = 2 * step if encoding == "nv24" else step
    data = b"".join(r.ljust(step, b"\0") for r in rows[:height]) + b"".join(
        r.ljust(chroma_step, b"\0") for r in rows[height:]
    )
    sent = message(encoding, [data], width)
    sent.height, sent.step = height, step
    expected = np.array([[[0, 0, 254]] * 4 + [[255, 0, 0]] * 4] * height)
    assert np.abs(to_bgr(sent).astype(int) - expected).max() <= 2
    if not padding:
        sent.step = 2 * width  # what some publishers say
        assert np.abs(to_bgr(sent).astype(int) - expected).max() <= 2


def test_values_without_a_range_of_their_own_need_one() -> None:
    sent = message("32FC1", [struct.pack("<4f", 0.5, 1.0, float("nan"), float("inf"))], 4)
    with pytest.raises(ImageError, match="32FC1.*value_range"):
        to_bgr(sent)
    assert to_bgr(sent, (0.0, 2.0))[0, :, 0].tolist() == [64, 128, 0, 255]
    assert to_bgr(sent, (2.0, 0.0))[0, :, 0].tolist() == [191, 128, 0, 0]


@pytest.mark.parametrize(
    ("encoding", "row", "expected"),
    [
        ("16UC1", struct.pack("<2H", 1000, 2000), [[0] * 3, [255] * 3]),
        ("16SC1", struct.pack("<2h", 1500, -5), [[128] * 3, [0] * 3]),
        ("32SC1", struct.pack("<2i", 10**9, 1250), [[255] * 3, [64] * 3]),
        ("64FC1", struct.pack("<2d", 1e300, 1000.0), [[255] * 3, [0] * 3]),
        ("32FC3", struct.pack("<6f", 1000, 1500, 2000, 0, 0, 0), [[0, 128, 255], [0] * 3]),
        ("8UC3", bytes(range(6)), [[0, 1, 2], [3, 4, 5]]),
    ],
)
def test_value_range_applies_to_all_but_bytes(encoding: str, row: bytes, expected: list[list[int]]) -> None:
    assert to_bgr(message(encoding, [row], 2), (1000.0, 2000.0)).tolist() == [expected]


@pytest.mark.parametrize("encoding", [*PACKED, "8UC1", "32FC1", *PLANAR])
def test_one_pixel_is_an_image_or_a_sentence(encoding: str) -> None:
    values = (
        2 if encoding.startswith(("yuv", "uyvy", "yuyv")) else {"rgb": 3, "bgr": 3}.get(encoding.rstrip("a1680"), 1)
    )
    values = 4 if encoding[:4] in ("rgba", "bgra") else values
    values = {"32FC1": 4, "nv24": 3}.get(encoding, values * (2 if encoding.endswith("16") else 1))
    sent = message(encoding, [bytes(values)], 1)
    if encoding in ("nv12", "nv21") or "y" in encoding.replace("bayer", ""):
        with pytest.raises(ImageError, match="even numbers"):
            to_bgr(sent)
    else:
        sent.step = 1 if encoding == "nv24" else sent.step
        assert to_bgr(sent, (0.0, 1.0)).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"encoding": "rgb9"}, "the encoding is 'rgb9'; expected mono8, bgr8, rgb8"),
        ({"encoding": ""}, "the encoding is ''"),
        ({"encoding": "16FC1"}, "the encoding is '16FC1'"),
        ({"encoding": "8UC2"}, "the encoding is '8UC2'"),
        ({"width": 0}, "0x2 pixels; expected at least 1x1"),
        ({"height": 0}, "3x0 pixels"),
        ({"step": 8}, "step is 8 bytes; 3 pixels of bgr8 need at least 9"),
        ({"step": 0}, "step is 0 bytes"),
        ({"step": 10}, "18 bytes; 2 rows of bgr8 with a step of 10 bytes need 20"),
        ({"height": 2**32 - 1, "step": 2**32 - 1}, "need 18446744065119617025"),
        ({"width": 2**32 - 1}, "4294967295 pixels"),
        ({"data": array.array("B")}, "the data has 0 bytes"),
        ({"data": array.array("B", bytes(17))}, "the data has 17 bytes"),
        ({"data": array.array("B", bytes(19))}, "the data has 19 bytes"),
        ({"encoding": "nv12", "step": 3}, "3x2 pixels; expected even numbers"),
        ({"encoding": "nv24", "step": 2}, "step is 2 bytes"),
        ({"encoding": "nv24", "step": 4}, "the data has 18 bytes"),
        (
            {"encoding": "yuyv", "step": 6, "data": array.array("B", bytes(12))},
            "an image of yuyv is 3x2 pixels; expected even numbers",
        ),
    ],
)
def test_a_broken_message_is_named_with_value_and_expectation(change: dict[str, Any], text: str) -> None:
    sent = message("bgr8", [bytes(9)] * 2, 3)
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(ImageError) as caught:
        to_bgr(sent)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


PHOTO = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.uint8), (0, 0), 4)


def compressed(extension: str, image: Any = PHOTO) -> Any:
    data = array.array("B", cv2.imencode(extension, image)[1].tobytes())
    return SimpleNamespace(format=extension.lstrip("."), data=data)


@pytest.mark.parametrize(("extension", "tolerance"), [(".png", 0), (".jpg", 12), (".bmp", 0)])
def test_compressed_image_is_decoded(extension: str, tolerance: int) -> None:
    assert np.abs(decompress(compressed(extension)).astype(int) - PHOTO).max() <= tolerance


def test_compressed_grey_alpha_and_16_bit_become_bgr() -> None:
    assert (decompress(compressed(".png", PHOTO[..., 0])) == PHOTO[..., :1]).all()
    assert (decompress(compressed(".png", np.dstack([PHOTO, PHOTO[..., 0]]))) == PHOTO).all()
    assert (decompress(compressed(".png", PHOTO.astype(np.uint16) * 257)) == PHOTO).all()


def test_exif_does_not_turn_the_picture() -> None:
    """It would no longer be the one that camera_info describes."""
    jpeg = compressed(".jpg").data.tobytes()
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + jpeg[2:]
    sent = SimpleNamespace(format="jpeg", data=array.array("B", turned))
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (80, 60, 3)
    assert decompress(sent).shape == (60, 80, 3)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.1, 0.01])
def test_truncated_picture_is_refused(extension: str, share: float) -> None:
    sent = compressed(extension)
    sent.data = sent.data[: int(len(sent.data) * share)]
    with pytest.raises(ImageError, match="truncated|cannot be decoded"):
        decompress(sent)


def test_a_thumbnail_does_not_make_a_truncated_jpeg_whole() -> None:
    """Older OpenCV paints the missing part grey, so the end marker counts: the picture's, not the thumbnail's."""
    jpeg, thumbnail = compressed(".jpg").data.tobytes(), compressed(".jpg", PHOTO[:8, :8]).data.tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    sent = SimpleNamespace(format="jpeg", data=array.array("B", jpeg[:2] + segment + jpeg[2:]))
    assert decompress(sent).shape == PHOTO.shape
    sent.data = sent.data[:-20]
    with pytest.raises(ImageError, match="truncated: its end marker is missing"):
        decompress(sent)


def test_padding_after_the_end_marker_is_harmless() -> None:
    sent = compressed(".jpg")
    sent.data.extend(bytes(100))
    assert decompress(sent).shape == PHOTO.shape


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"", "jpeg", "0 bytes cannot be decoded"),
        (b"not a picture", "jpeg", "cannot be decoded; expected a whole jpeg, png"),
        (b"\xff\xd8\xff", "jpeg", "truncated"),
        (b"\xff\xd8" + b"\xff\xe1\0\0" * 5, "jpeg", "truncated"),
        (b"\x89PNG\r\n", "png", "truncated"),
        (bytes(50), "16UC1; compressedDepth png", "holds depth"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, kind: str, text: str) -> None:
    sent = SimpleNamespace(format=kind, data=array.array("B", data))
    with pytest.raises(ImageError) as caught:
        decompress(sent)
    assert text in str(caught.value)


class Recorder:
    encodings = frozenset({"mono16", "rgb8"})

    def __init__(self) -> None:
        self.asked: list[str] = []

    def to_bgr(self, message: Any) -> Any:
        self.asked.append(message.encoding)
        return np.zeros((1, 2, 3), np.uint8)


def test_cv_bridge_gets_only_what_it_converts_rightly() -> None:
    bridge = Recorder()
    to_bgr(message("rgb8", [bytes(6)], 2), bridge=bridge)
    assert bridge.asked == ["rgb8"]
    to_bgr(message("rgb8", [bytes(6)] * 2, 2, step=7), bridge=bridge)  # rows with odd padding
    to_bgr(message("mono16", [bytes(4)], 2, big=True), bridge=bridge)
    to_bgr(message("bgr8", [bytes(6)], 2), bridge=bridge)
    to_bgr(message("8UC1", [bytes(2)], 2), bridge=bridge)
    assert bridge.asked == ["rgb8"]
    with pytest.raises(ImageError):
        to_bgr(message("rgb8", [bytes(5)], 2), bridge=bridge)
