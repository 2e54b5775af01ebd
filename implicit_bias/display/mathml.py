r"""LaTeX as MathML, which browsers typeset by themselves, and the font that they need for it."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from latex2mathml.converter import convert

_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_SIZED = re.compile(r"\\[bB]igg?[lrm]?\s*(\\[{}|])")  # of which the converter shows the backslash
_ARGUMENT = re.compile(r"\\arg\s*\\(min|max)")  # whose arg the converter does not know
_WORDS = re.compile(r"\\text\{((?:[^{}\\$<>&]|\\%)*)\}")
_PRIMES = re.compile(r"(_(?:\w|\{[^{}]*\}))('+)")


# Letters and digits in bold have places of their own in Unicode, and browsers look for no others.
_BOLD = str.maketrans(
    {
        chr(ord(first) + k): chr(place + k)
        for first, place, count in (("A", 0x1D400, 26), ("a", 0x1D41A, 26), ("0", 0x1D7CE, 10))
        for k in range(count)
    }
)


def typeface() -> str:
    """CSS that sets formulas in the font that comes along, by value, so that a page has nothing to load.

    Without a font that has a table for mathematics a browser misplaces radicals, primes and tall brackets.
    """
    font = b64encode((Path(__file__).parent / "fonts" / "mathematics.woff").read_bytes()).decode("ascii")
    return (
        f"@font-face {{ font-family: Mathematics; src: url(data:font/woff;base64,{font}) format('woff'); }}\n"
        "math { font-family: Mathematics, 'STIX Two Math', 'Latin Modern Math', 'Cambria Math', math;\n"
        "  font-size: 1.1em; }"
    )


def mathml(latex: str, display: str = "inline") -> str:
    r"""A formula as MathML, or as it was written where the converter fails or gives anything else.

    Args:
        latex: The formula without dollar signs.
        display: ``inline`` or ``block``.
    """
    words = words_of(latex)
    if words is not None:  # which would not wrap as a formula
        return escape(words)
    root = xml(latex, display)
    if root is None:
        return f"<code>{escape(latex)}</code>"
    for element in root.iter():
        # HTML knows the namespace by the tag; without its address a page mentions no other site.
        element.tag = element.tag.removeprefix(_NAMESPACE)
        if element.get("mathvariant") == "bold" and element.text:
            element.text = element.text.translate(_BOLD)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def words_of(latex: str) -> str | None:
    r"""The words of a formula that is one ``\text{…}``, or None."""
    words = _WORDS.fullmatch(latex)
    return None if words is None else words[1].replace(r"\%", "%")


def xml(latex: str, display: str = "inline") -> ElementTree.Element | None:
    """The tree of a formula in MathML, or None where the converter fails or gives anything else."""
    # The converter sets primes after an index apart.
    plain = _ARGUMENT.sub(r"\\operatorname{arg\1}", _SIZED.sub(r"\1", latex))
    written = _PRIMES.sub(lambda found: found[1] + "^{" + r"\prime" * len(found[2]) + "}", plain)
    try:
        # The converter does not escape the contents of \text{…}, so its result is parsed and written anew.
        root = ElementTree.fromstring(convert(written, display=display))  # noqa: S314
    except Exception:  # the converter documents no base class for its errors
        return None
    return root if all(map(_is_plain_mathml, root.iter())) else None


def _is_plain_mathml(element: ElementTree.Element) -> bool:
    return bool(re.fullmatch(re.escape(_NAMESPACE) + "m[a-z]+", element.tag)) and not any(
        name.startswith("on") or "href" in name or name == "src" for name in element.attrib
    )


def words_or_mathml(written: str) -> str:
    """Words escaped, or LaTeX as MathML: words have no backslash, but several letters in a row."""
    is_words = "\\" not in written and re.search(r"[A-Za-z]{3,}", written)
    return escape(written) if is_words else mathml(written)
