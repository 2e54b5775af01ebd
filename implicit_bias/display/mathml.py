r"""LaTeX as MathML, which browsers typeset by themselves."""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

from latex2mathml.converter import convert

_PRIMES = re.compile(r"(_(?:\w|\{[^{}]*\}))('+)")


def mathml(latex: str, display: str = "inline") -> str:
    r"""A formula as MathML; one that cannot be converted, or leads to anything else, is shown as it was written.

    Args:
        latex: The formula without dollar signs.
        display: ``inline`` or ``block``.
    """
    # The converter sets primes after an index apart.
    written = _PRIMES.sub(lambda found: found[1] + "^{" + r"\prime" * len(found[2]) + "}", latex)
    try:
        converted = convert(written, display=display)
        # The converter copies \text{…} without escaping it, so its result is read again.
        harmless = all(map(_is_plain_mathml, ElementTree.fromstring(converted).iter()))  # noqa: S314
    except Exception:  # the converter documents no base class for its errors
        converted, harmless = "", False
    if not harmless:
        return f"<code>{escape(latex)}</code>"
    # HTML knows the namespace by the tag; without its address a page names no other site at all.
    return converted.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1)


def _is_plain_mathml(element: ElementTree.Element) -> bool:
    return bool(re.fullmatch(r"\{[^}]*MathML\}m[a-z]+", element.tag)) and not any(
        name.startswith("on") or "href" in name or name == "src" for name in element.attrib
    )


def words_or_mathml(written: str) -> str:
    """What is either words or LaTeX: words have no backslash, but several letters in a row."""
    is_words = "\\" not in written and re.search(r"[A-Za-z]{3,}", written)
    return escape(written) if is_words else mathml(written)
