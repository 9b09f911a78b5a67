"""Makes text from outside harmless to show: control characters, terminal escapes, bidirectional overrides and surrogates become visible.

Names and messages are data of somebody else: printed as they are, they could move the cursor, retitle the window or forge a line.
"""

from __future__ import annotations

import json
from typing import Any


def shown(text: object, *, longest: int | None = None) -> str:
    r"""`text` on one line, every character that is not printable as an escape such as `\x1b`; beyond `longest`, cut and said so."""
    whole = str(text)
    cut = whole if longest is None or len(whole) <= longest else whole[:longest]
    safe = cut if cut.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in cut)
    return safe if cut is whole else f"{safe}… ({len(whole)} characters)"


def json_text(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON that is safe to show. Letters of any script stay; what is not printable is escaped as JSON does it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Everything outside strings is printable ASCII or a line break of the indentation: a replacement can only meet the inside of strings.
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def _escaped(char: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if short is not None:
        return short
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
