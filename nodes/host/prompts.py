"""What the conditionings of one sampling must be for its views."""

from __future__ import annotations

from ...syncam_core.errors import UserError


def check_prompts(
    conds: dict[str, list[dict]], views: int, node: str = "SynCamApply", cameras: str = "cameras"
) -> None:
    """Raise UserError for a conditioning of a guider that is made for another number of views.

    The host would repeat or cut its rows to fit, and views would get each other's prompts.
    """
    for name, entries in conds.items():
        for entry in entries:
            rows = len(entry["cross_attn"]) if entry.get("cross_attn") is not None else 1
            if rows not in (1, views):
                raise UserError(
                    f"{node}: '{name}' holds prompts for {rows} views, but '{cameras}' of {node} has {views} "
                    f"views; connect the same {cameras} to SynCamViewPrompts.",
                    field=name,
                )
