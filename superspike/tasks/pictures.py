"""Pictures and texts as spike trains: a row of pixels is a unit, columns are time, dark pixels spike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import ParameterError, check_memory, reading_file
from ..spikes.trains import Spikes

Array = NDArray[Any]

MAX_PIXELS = 50_000_000  # a picture beyond this is refused before it is decoded
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA")  # not EPS, for which Pillow starts another program


def read_picture(path: str) -> Any:
    """The picture in a file as a greyscale PIL image, upright, transparent parts white; ParameterError for anything else.

    Greys of more than 8 bits: 65535 is white in whole numbers, 1 in floating-point numbers.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ParameterError(f"{path}: must have at most {MAX_PIXELS:,} pixels, has {width} × {height}; make it smaller")
            upright: Any = ImageOps.exif_transpose(picture)
            if upright.mode == "F" or upright.mode.startswith("I"):
                grey, white = np.asarray(upright, float), 1 if upright.mode == "F" else 65535
                if not (grey.min() >= 0 and grey.max() <= white):
                    found = f"{grey.min():g} … {grey.max():g}"
                    raise ParameterError(f"{path}: must have greys in 0 … {white} (white), has {found}; save it with 8 bits")
                upright = Image.fromarray(np.round(255 / white * grey).astype(np.uint8))
            rgba = upright.convert("RGBA")
    except ParameterError:
        raise
    except FileNotFoundError:
        raise ParameterError(f"{path}: must be a picture, does not exist") from None
    except Exception as error:  # Pillow raises a dozen types for broken files
        raise ParameterError(f"{path}: must be a picture ({', '.join(FORMATS)}), cannot be read ({error})") from None
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")


def read_font(path: str) -> Any:
    """The font in a file, or the built-in one for no file. Raises ParameterError for anything else."""
    from PIL import ImageFont

    if not path:
        return ImageFont.load_default(size=96)
    with reading_file(path, "a font file (TTF, OTF)") as where:
        if not where.is_file():  # Pillow would look for the name elsewhere
            raise ParameterError(f"must be a font file (TTF, OTF), {'is no file' if where.exists() else 'does not exist'}")
        return ImageFont.truetype(path, size=96)


def lacking(font: Any, text: str) -> str:
    """The letters of a text that a font lacks: they look like one that no font has."""

    def look(letter: str) -> tuple[Any, ...]:
        mask = font.getmask(letter)
        return font.getlength(letter), mask.size, bytes(mask)

    missing = look("\uffff")  # no character, by Unicode's definition
    return "".join(letter for letter in dict.fromkeys(text) if not letter.isspace() and look(letter) == missing)


def text_picture(text: str, font_file: str = "") -> Any:
    """The text in black on white, cropped to its ink and given a margin, as a greyscale PIL image.

    Raises ParameterError for a text that cannot be printed, letters that the font lacks, and a font that cannot be read.
    """
    from PIL import Image, ImageDraw, ImageOps

    if not text.strip() or not text.isprintable() or len(text) > 200:
        raise ParameterError(f"Text.text: must be 1 to 200 printable characters, got {text!r}")
    font = read_font(font_file)
    with reading_file(font_file or "the built-in font", "a font file (TTF, OTF)"):  # a broken glyph is found when it is drawn
        letters, (left, top, right, bottom) = lacking(font, text), font.getbbox(text)
        if (right - left) * (bottom - top) > MAX_PIXELS:
            raise ParameterError(f"must draw at most {MAX_PIXELS:,} pixels, draws {right - left:.0f} × {bottom - top:.0f}")
        if right > left and bottom > top:
            page = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)), "white")
            ImageDraw.Draw(page).text((-left, -top), text, fill="black", font=font, stroke_width=1)
    if letters:
        where, other = (font_file, "another font") if font_file else ("the built-in font", "a font (--font FILE)")
        raise ParameterError(f"Text.text: must have letters of {where} only, which lacks {letters!r}; give {other} that has them")
    if right <= left or bottom <= top:
        raise ParameterError(f"Text.text: must leave ink on the page, got {text!r}")
    return ImageOps.expand(page, border=14, fill="white")


def ink_spikes(picture: Any, n: int, rate_hz: float, period_ms: float, rng: np.random.Generator) -> Spikes:
    """A spike train per row of pixels: black fires at ``rate_hz``, grey in proportion to its darkness, white not at all."""
    from PIL import Image

    columns = max(1, round(period_ms))  # of 1 ms
    check_memory("Task.period_ms", f"{period_ms:g} ms", 40 * n * columns)
    grey = np.asarray(picture.resize((columns, n), Image.Resampling.BOX), float)
    darkness = (np.clip(255.0 - grey, 0, None) / 255.0)[::-1]  # the top row is the last output
    if darkness.max() < 0.05:
        raise ParameterError("image: must have dark pixels on a lighter ground, is white all over")
    phase = rng.uniform(0, 1, (n, 1))
    passed = np.floor(np.cumsum(darkness * rate_hz / 1000, axis=1) + phase)
    ids, column = np.nonzero(np.diff(passed, axis=1, prepend=0) > 0)
    return Spikes(column * (period_ms / columns), ids, n)
