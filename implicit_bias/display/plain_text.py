r"""LaTeX as a line of text for a terminal: ``\frac{1}{2} x_{t}^{2} \ge 0`` is ``1/2 x_t² ≥ 0``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple
from xml.etree.ElementTree import Element

from implicit_bias.display.mathml import words_of, xml

_RAISED = dict(zip("0123456789+−-nT⊤'′″*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿᵀᵀ′′″*", strict=True))
_LOWERED = dict(zip("0123456789+−-", "₀₁₂₃₄₅₆₇₈₉₊₋₋", strict=True))
_ACCENTS = {"~": "\u0303", "^": "\u0302", "¯": "\u0304", "˙": "\u0307", "→": "\u20d7"}
_SPACED = set("=~≠<>≤≥≪≫∼≈≃≍∝≡∈∉⊂⊆⪰≻⪯≺+−-±∓⊙∘∧∨↦→←↓⇒⟹⟸⟺⇔:")
_MARKS = "".join({*_RAISED.values(), *_LOWERED.values()}) + "\u0302\u0303\u0304\u0307"
_LETTER = re.compile(rf"(\d+|[^\W\d_][{_MARKS}]*)")  # with its powers: such factors need no space between them
_FACTOR = re.compile(rf"[^\W\d_][{_MARKS}]*([_^].*)?")
_BARS = {"|", "‖", "∥", "∣"}


class _Kind(Enum):
    """What decides where a space stands: beside words and operators, not inside brackets."""

    WORD = auto()  # letters and digits, with their indices
    FRACTION = auto()
    OPERATOR = auto()
    OPENS = auto()
    CLOSES = auto()
    COMMA = auto()
    TIGHT = auto()  # no space on either side
    WRITTEN = auto()  # text and spaces, as they are


class _Piece(NamedTuple):
    text: str
    kind: _Kind


def plain_text(latex: str) -> str:
    """A formula as one line of text, or as it was written where it cannot be read.

    Args:
        latex: The formula without dollar signs.
    """
    words = words_of(latex)
    if words is not None:
        return words
    root = xml(latex)
    text = latex if root is None else _joined(_pieces(root))
    return latex if "\\" in text else text  # a command that the converter does not know


def _pieces(element: Element) -> Iterator[_Piece]:
    match element.tag.rpartition("}")[2], list(element):
        case "mi" | "mn" | "mo", _:
            yield _named(element.text or "")
        case "mtext", _:
            yield _Piece((element.text or "").replace("\xa0", " "), _Kind.WRITTEN)
        case "mspace", _:
            yield _Piece(" ", _Kind.WRITTEN)
        case "mfrac", [above, below]:
            yield _Piece(f"{_one(above)}/{_one(below)}", _Kind.FRACTION)
        case "msqrt", _:
            yield _Piece(f"√{_one(element)}", _Kind.WORD)
        case "mroot", [inside, degree]:
            yield _Piece(f"{_script(degree, _RAISED, '')}√{_one(inside)}", _Kind.WORD)
        case "mover", [base, above] if _text(above) in _ACCENTS:
            yield _Piece(_text(base) + _ACCENTS[_text(above)], _Kind.WORD)
        case "msub" | "munder", [base, below]:
            yield from _marked(base, _script(below, _LOWERED, "_"))
        case "msup" | "mover", [base, above]:
            yield from _marked(base, _script(above, _RAISED, "^"))
        case "msubsup" | "munderover", [base, below, above]:
            yield from _marked(base, _script(below, _LOWERED, "_") + _script(above, _RAISED, "^"))
        case "mtable", lines:
            cells = ("  ".join(map(_text, each)) for each in lines)
            yield _Piece("; ".join(cells), _Kind.WORD)
        case _, inside:
            for each in inside:
                yield from _pieces(each)


def _named(text: str) -> _Piece:
    if text in _SPACED:
        return _Piece(text, _Kind.OPERATOR)
    letters = {"([{⟨⌊⌈": _Kind.OPENS, ")]}⟩⌋⌉": _Kind.CLOSES, ",;": _Kind.COMMA, "/∇∂": _Kind.TIGHT}
    found = (kind for each, kind in letters.items() if text and text in each)
    return _Piece(text, next(found, _Kind.WORD))


def _marked(base: Element, marks: str) -> Iterator[_Piece]:
    """The pieces of a base, the last of which bears the indices."""
    pieces, text = list(_pieces(base)), _text(base)
    if len(pieces) == 1 and pieces[0].kind is not _Kind.FRACTION:
        kind = pieces[0].kind
        yield _Piece(text + marks, _Kind.WORD if kind is _Kind.OPERATOR else kind)
    else:
        is_word = all(each.get("mathvariant") for each in base.iter() if each.tag.endswith("}mi")) and text.isalpha()
        is_bracketed = len(pieces) > 1 and pieces[0].kind is _Kind.OPENS and pieces[-1].kind is _Kind.CLOSES
        yield _Piece((text if is_word or is_bracketed else f"({text})") + marks, _Kind.WORD)


def _script(element: Element, small: dict[str, str], sign: str) -> str:
    """An index or a power: in small letters where there are such, else behind a sign."""
    text = _joined(_pieces(element), sep="")
    if text and all(letter in small for letter in text):
        return "".join(small[letter] for letter in text)
    return f"{sign}{text}" if len(text) <= 1 else f"{sign}({text})"


def _text(element: Element) -> str:
    return _joined(_pieces(element))


def _one(element: Element) -> str:
    """An expression in brackets, unless it is a single name or number."""
    pieces = list(_pieces(element)) if element.tag.rpartition("}")[2] != "msqrt" else list(_inside(element))
    text = _joined(pieces)
    is_differential = text[:1] in "d∂" and len(pieces) <= 2 and pieces[-1].kind is _Kind.WORD
    return text if is_differential or (len(pieces) == 1 and pieces[0].kind is _Kind.WORD) else f"({text})"


def _inside(element: Element) -> Iterator[_Piece]:
    for each in element:
        yield from _pieces(each)


def _joined(pieces: Iterable[_Piece], sep: str = " ") -> str:
    """The pieces in a line, with a space (or nothing) around operators."""
    line = list(_with_bars(pieces))
    written = ""
    for k, (text, kind) in enumerate(line):
        before = line[k - 1].kind if k else None
        after = line[k + 1].kind if k + 1 < len(line) else None
        if kind is _Kind.OPERATOR:
            is_sign = text in "+−-±∓" and before in (None, _Kind.OPENS, _Kind.COMMA, _Kind.OPERATOR)
            ends_words = text == ":" and after is _Kind.WRITTEN
            written += text if is_sign or ends_words else f"{sep}{text}{sep}"
        elif kind is _Kind.COMMA:
            written += f"{text}{sep}"
        elif kind is _Kind.FRACTION:
            is_number = re.fullmatch(r"\d+/\d+", text) is not None
            beside = before in (_Kind.WORD, _Kind.CLOSES, _Kind.FRACTION) or (
                after in (_Kind.WORD, _Kind.OPENS, _Kind.FRACTION) and not is_number
            )
            space = " " if before in (_Kind.WORD, _Kind.CLOSES, _Kind.FRACTION) else ""
            written += space + (f"({text})" if beside else text)
        elif kind is _Kind.WORD and before in (_Kind.WORD, _Kind.FRACTION, _Kind.CLOSES):
            is_product = _LETTER.fullmatch(line[k - 1].text) and _FACTOR.fullmatch(text)
            written += text if is_product or not text.strip("′") else f" {text}"
        elif kind is _Kind.OPENS and before is _Kind.FRACTION:
            written += f" {text}"
        else:
            written += text
    return re.sub(" +", " ", written).strip() if sep else written.strip()


def _with_bars(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """The pieces, with every second bar closing what the one before it opened."""
    is_open = False
    for text, kind in pieces:
        if text[:1] in _BARS:
            is_open = not is_open
            yield _Piece(text.replace("∥", "‖").replace("∣", "|"), _Kind.OPENS if is_open else _Kind.CLOSES)
        else:
            yield _Piece(text, kind)
