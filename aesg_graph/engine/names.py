"""Names from texts: what a concept is called until somebody names it."""

from __future__ import annotations

from aesg_graph.concepts import DERIVED, Texts

WORDS, LENGTH = 6, 40
"""A name takes so many of a text's words, and so many characters, at most."""


def name_from(text: str | None) -> str | None:
    """A marked name from the first words of a text; None where it has none."""
    words = (text or "").split()
    if not words:
        return None
    some = " ".join(words[:WORDS])
    short = some if len(some) <= LENGTH else some[:LENGTH].rsplit(" ", 1)[0]
    whole = len(words) <= WORDS and short == some
    return DERIVED + (short.rstrip(" .;:,") or short if whole else short.rstrip(" .;:,") + "…")


def names_at_birth(names: Texts | None, texts: Texts | None) -> Texts | None:
    """The names given and, where there is none, those from the texts."""
    if texts is None:
        return names
    given = names or (None,) * len(texts)
    return tuple(name_from(text) if name is None else name for name, text in zip(given, texts, strict=True))
