"""How strongly, when and in which blocks each view is synchronized."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..cameras.spoken import parse_numbers, whole_numbers
from ..errors import UserError

STRONGEST = 2.0

_LIMITS = {"strengths": STRONGEST, "starts": 1.0, "ends": 1.0}


@dataclass(frozen=True)
class ViewControl:
    """What view i receives from the others: times ``strengths[i]``, while the sampling is between ``starts[i]`` and
    ``ends[i]`` (0 is its beginning, 1 its end), in the transformer's ``blocks``.

    Each tuple holds one number for all views, or one for each; ``blocks`` None are all blocks. A view of strength 0
    receives nothing and is made by the plain model, while the others go on looking at it. As it stands this changes
    nothing.
    """

    strengths: tuple[float, ...] = (1.0,)
    starts: tuple[float, ...] = (0.0,)
    ends: tuple[float, ...] = (1.0,)
    blocks: tuple[int, ...] | None = None

    @property
    def changes_nothing(self) -> bool:
        numbers = (set(self.strengths), set(self.starts), set(self.ends))
        return numbers == ({1.0}, {0.0}, {1.0}) and self.blocks is None

    def spread(self, views: int, depth: int) -> ViewControl:
        """The same with one number for each of ``views``.

        Raises UserError where the numbers are for another number of views, and for a block that a transformer of
        ``depth`` blocks does not have.
        """
        lists = {name: getattr(self, name) for name in _LIMITS}
        for name, numbers in lists.items():
            if len(numbers) not in (1, views):
                raise UserError(
                    f"'{name}' lists {len(numbers)} numbers, but there are {views} views; give 1 number for all views, "
                    f"or {views}.",
                    field=name,
                )
        if self.blocks and self.blocks[-1] >= depth:
            raise UserError(
                f"'blocks' names block {self.blocks[-1]}, but the model has {depth}; name blocks from 0 to {depth - 1}.",
                field="blocks",
            )
        return replace(self, **{name: n if len(n) == views else n * views for name, n in lists.items()})


def view_control(strengths: str = "1", starts: str = "0", ends: str = "1", blocks: str = "") -> ViewControl:
    """Lists as a person types them: one number for all views, or one for each ("1, 0.5"); blocks as `parse_blocks`.

    Raises UserError for anything but numbers, numbers out of range (strengths 0 to 2, starts and ends 0 to 1), lists
    for different numbers of views, and a view that would end before it starts.
    """
    texts = {"strengths": strengths, "starts": starts, "ends": ends}
    lists = {name: _numbers(text, name) for name, text in texts.items()}
    views = max(map(len, lists.values()))
    longest = next(name for name, numbers in lists.items() if len(numbers) == views)
    for name, numbers in lists.items():
        if len(numbers) not in (1, views):
            raise UserError(
                f"'{name}' lists {len(numbers)} numbers but '{longest}' {views}; give '{name}' 1 number for all views, "
                f"or {views}.",
                field=name,
            )
    control = ViewControl(lists["strengths"], lists["starts"], lists["ends"])
    for view in range(views):
        start, end = (numbers[view if len(numbers) > 1 else 0] for numbers in (control.starts, control.ends))
        if start > end:
            raise UserError(
                f"'starts' holds {start:g} for a view whose number in 'ends' is {end:g}; a view cannot end before it "
                "starts, so make the start smaller.",
                field="starts",
            )
    return replace(control, blocks=parse_blocks(blocks))


def parse_blocks(text: str) -> tuple[int, ...] | None:
    """Blocks of a transformer, in order: "0-9, 20" are the first ten and the one numbered 20. Nothing means all: None.

    Raises UserError for anything but numbers and rising ranges of them.
    """
    return tuple(sorted(set(whole_numbers(text, "blocks")))) or None


def _numbers(text: str, name: str) -> tuple[float, ...]:
    if not text.strip():
        raise UserError(f"'{name}' is empty; give one number for all views, or one for each.", field=name)
    numbers = parse_numbers(text, name, "1, 0.5")
    for number in numbers:
        if not 0 <= number <= _LIMITS[name]:
            raise UserError(
                f"'{name}' holds {number:g}, but numbers from 0 to {_LIMITS[name]:g} are possible.", field=name
            )
    return tuple(numbers)
