"""Make the font in which pages set formulas, a part of STIX Two Math: ``python docs/mathematics_font.py FONT``.

FONT is ``files/stix-two-math-latin-400-normal.woff`` of what ``npm pack @fontsource/stix-two-math`` fetches.
Its licence, the SIL Open Font License 1.1 without a reserved name, stands beside the result.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter, load_font, parse_unicodes, save_font
from fontTools.ttLib import TTFont

TARGET = Path(__file__).resolve().parents[1] / "implicit_bias" / "display" / "fonts" / "mathematics.woff"
# Latin and Greek, upright, italic and bold; script and double-struck capitals; operators, arrows and brackets.
CHARACTERS = (
    "20-7E,A0-FF,131,141,237,2C6,2C7,2D8-2DD,391-3A9,3B1-3C9,3D1,3D5,3D6,3F0,3F1,3F5,2002-200A,2013,2014,2016,2020,2026,"
    "2032-2034,2057,2102,210A,210B,210D,210E,2110,2112,2113,2115,2119-211B,211D,2124,212C,2130,2131,2133,2134,2190-2195,"
    "21A6,21D0-21D5,2200-222F,2234,2235,223C,2243,2245,2248,224D,2254,2255,225C,225F-2261,2264,2265,2268-226B,227A,227B,"
    "2282-228B,2295-2299,22A2-22A5,22C5,22C6,22EE-22F1,2308-230B,25B6,27E8,27E9,27F5-27FA,27FC,29F8,2A7D,2A7E,2AAF,2AB0,"
    "1D400-1D467,1D49C-1D4B5,1D538-1D550,1D6A8-1D71B,1D7CE-1D7E1"
)
PRIMES = (0x2032, 0x2033, 0x2034)
# The font raises primes, as text needs them. In a formula they are superscripts, smaller and raised already.
SCALE_OF_PRIMES, DROP_OF_PRIMES = 1.5, 560


def main(source: str) -> None:
    """Write the font."""
    options = Options(layout_features=[], hinting=False, flavor="woff")
    font = load_font(source, options)
    for character in PRIMES:
        _lower(font, font.getBestCmap()[character])
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=parse_unicodes(CHARACTERS))
    subsetter.subset(font)
    save_font(font, str(TARGET), options)
    print(f"wrote {TARGET}, {TARGET.stat().st_size} bytes")


def _lower(font: TTFont, name: str) -> None:
    """Draw a glyph larger and lower."""
    pen = TTGlyphPen(None)
    font.getGlyphSet()[name].draw(TransformPen(pen, (SCALE_OF_PRIMES, 0, 0, SCALE_OF_PRIMES, 0, -DROP_OF_PRIMES)))
    font["glyf"][name] = glyph = pen.glyph()
    glyph.recalcBounds(font["glyf"])
    width, bearing = font["hmtx"][name]
    font["hmtx"][name] = round(SCALE_OF_PRIMES * width), round(SCALE_OF_PRIMES * bearing)


if __name__ == "__main__":
    main(sys.argv[1])
