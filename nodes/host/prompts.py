"""What the conditionings of one sampling must be for its views."""

from __future__ import annotations

import re

from ...syncam_core.errors import UserError
from ..shared.checks import counted_noun


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
                    f"{node}: '{name}' holds prompts for {counted_noun(rows, 'view')}, but '{cameras}' of {node} has "
                    f"{counted_noun(views, 'view')}; connect the same {cameras} to SynCamViewPrompts.",
                    field=name,
                )


CAMERA_WORDS = re.compile(
    r"\b(camera|pan(s|ning)?( to the)? (left|right)|tilts? (up|down)|zoom(s|ing)?( in| out)?|dolly|handheld|hand-held|"
    r"steadicam|tracking shot|orbit(s|ing)? shot|crane shot|close-?up|wide shot|drone shot|fly-?through)\b",
    re.IGNORECASE,
)
TEXTS = ("text", "prompt", "string", "value")  # what inputs that hold a prompt are called


def remarks_on_prompt(prompt: dict | None, node_id: str | None, name: str = "positive") -> list[str]:
    """Sentences about the text that reaches an input of a node in the host's prompt: no text, words about the camera."""
    texts = texts_before(prompt or {}, node_id, name)
    if texts and not any(text.strip() for text in texts):
        return ["The prompt is empty: the views agree on something that nobody has asked for."]
    words = sorted({found[0].lower() for text in texts for found in CAMERA_WORDS.finditer(text)})
    if not words:
        return []
    listed = ", ".join(f"'{word}'" for word in words)
    return [
        f"The prompt speaks of the camera ({listed}): that works against the rig; say what happens, not how it is filmed."
    ]


def texts_before(prompt: dict, node_id: str | None, name: str) -> list[str]:
    """The texts typed in the nodes that an input comes from, through whatever stands between."""
    found: list[str] = []
    waiting, seen = [prompt.get(node_id or "", {}).get("inputs", {}).get(name)], set()
    while waiting:
        link = waiting.pop()
        if not isinstance(link, list) or len(link) != 2 or str(link[0]) in seen:
            continue
        seen.add(str(link[0]))
        inputs = prompt.get(str(link[0]), {}).get("inputs", {})
        found += [value for key, value in inputs.items() if key in TEXTS and isinstance(value, str)]
        waiting += inputs.values()
    return found
