"""Text as it is: what moves the cursor, colours a terminal or turns writing round is shown and does nothing."""

_PICTURES = 0x2400


def visible(value: object) -> str:
    """Return a text in which each character that draws nothing is written out: ␊ for a line feed, ⟨U+202E⟩ for others."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _written(one) for one in text)


def _written(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_PICTURES + code)
    return f"⟨U+{code:04X}⟩"
