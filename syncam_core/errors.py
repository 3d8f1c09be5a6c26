"""Mistakes of the person at the keyboard, apart from mistakes in the program."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(ValueError):
    """Something given cannot be used; the message is one sentence that says what it was, and what to change.

    Only this becomes a sentence on a node. Any other exception, a plain ``ValueError`` among them, is a fault of the
    program and is shown as one, with its trace. ``field`` is the name of the input that was wrong, ``place`` where in it,
    like ``cameras[0].c2w``; each is None where the sentence concerns no single one.
    """

    def __init__(self, sentence: str, *, field: str | None = None, place: str | None = None):
        super().__init__(sentence)
        self.field, self.place = field, place

    def told(self, sentence: str, *, field: str | None = None, place: str | None = None) -> UserError:
        """The same mistake in a longer sentence: what is known of its field and place stays."""
        return UserError(sentence, field=field or self.field, place=place or self.place)


def check_number(name: str, value: float, largest: float) -> None:
    """Raise UserError unless ``value`` is from 0 to ``largest``. Linked values bypass widgets' limits, and NaN passes them."""
    if not 0 <= value <= largest:
        raise UserError(f"'{name}' is {value}; give a number from 0 to {largest:g}.", field=name)


def check_choice(name: str, given: str, possible: Iterable[str]) -> None:
    if given not in possible:
        raise UserError(f"'{name}' is '{given}'; choose {', '.join(possible)}.", field=name)
