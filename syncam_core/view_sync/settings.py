"""How views are synchronized, apart from the cameras and the weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..cameras.rig import MAX_VIEWS
from ..errors import UserError, check_choice, check_number
from .control import STRONGEST, ViewControl
from .coupling import COUPLINGS
from .memory import MEMORY_CHOICES


@dataclass(frozen=True)
class Settings:
    """Synchronization with ``strength`` (1 is as trained) while the sampling is between ``start_percent`` and
    ``end_percent`` (0 is its beginning, 1 its end), in the groups of ``coupling``, of ``group_size`` views where it asks
    for a size.

    ``memory`` says in which pieces the blocks work: "whole" in one, "low" in the smallest, "auto" in pieces that cost no
    time, smaller ones where memory is short. ``control`` has a strength and a range of its own for each view, and says
    which blocks synchronize.

    Raises UserError, naming the field, for what is out of range.
    """

    strength: float = 1.0
    start_percent: float = 0.0
    end_percent: float = 1.0
    coupling: str = "joint"
    group_size: int = 2
    memory: str = "auto"
    control: ViewControl | None = None

    def __post_init__(self) -> None:
        for name, largest in (("strength", STRONGEST), ("start_percent", 1.0), ("end_percent", 1.0)):
            check_number(name, getattr(self, name), largest)
        if self.start_percent > self.end_percent:
            raise UserError(
                f"'start_percent' is {self.start_percent}, after 'end_percent' {self.end_percent}; "
                "set it to a smaller number.",
                field="start_percent",
            )
        check_choice("coupling", self.coupling, COUPLINGS)
        check_choice("memory", self.memory, MEMORY_CHOICES)
        if not 2 <= self.group_size <= MAX_VIEWS:
            raise UserError(
                f"'group_size' is {self.group_size}; give a number from 2 to {MAX_VIEWS}.", field="group_size"
            )

    def spread(self, views: int, depth: int) -> Settings:
        """The same with one number of the control for each of ``views``, or without a control that changes nothing.

        Raises UserError where the control is for another number of views, or names a block beyond ``depth``.
        """
        if self.control is None:
            return self
        control = self.control.spread(views, depth)
        return replace(self, control=None if control.changes_nothing else control)
