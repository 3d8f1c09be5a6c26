"""The meter's findings as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from .findings import VERDICTS, Meter, PairMeter
from .verdicts import cost
from .words import degrees, hundredths, metres

MOST_PAIRS_IN_TEXT = 15


def to_text(meter: Meter) -> str:
    """The findings as lines of text for people."""
    views = meter.views
    counts = [sum(view.verdict == verdict for view in views) for verdict in VERDICTS]
    lines = [
        f"{len(views)} {'camera' if len(views) == 1 else 'cameras'}: {counts[0]} inside the training range, "
        f"{counts[1]} at its edge, {counts[2]} outside.",
        "",
    ]
    for number, view in enumerate(views, start=1):
        distance = "" if view.distance_m is None else f", {metres(view.distance_m)}"
        place = f"azimuth {degrees(view.azimuth_deg)}, elevation {degrees(view.elevation_deg)}{distance}"
        lines += [f"{number} {view.name}: {view.verdict.upper()}. {view.reason}", f"    {place}"]
    if meter.pairs and not meter.trajectories:
        lines += ["", "Pairs (azimuth, elevation, distance, overlap):"]
        shown: Sequence[PairMeter] = meter.pairs
        if len(shown) > MOST_PAIRS_IN_TEXT:
            worst_first = sorted(shown, key=lambda pair: -cost(pair.azimuth_deg, pair.elevation_deg))
            shown = worst_first[:MOST_PAIRS_IN_TEXT]
        for pair in shown:
            lines.append(
                f"{views[pair.first].name} - {views[pair.second].name}: {degrees(pair.azimuth_deg)}, "
                f"{degrees(pair.elevation_deg)}, {hundredths(pair.distance_m):+.2f} m, {100 * pair.overlap:.0f} %: {pair.verdict}"
            )
        if len(meter.pairs) > len(shown):
            lines.append(f"... these are the widest; {len(meter.pairs) - len(shown)} more are in the JSON.")
    lines.append("")
    if meter.best_reference:
        lines.append(f"Best reference: {views[meter.best_reference].name!r} instead of {views[0].name!r}.")
    elif len(views) > 1 and not meter.trajectories:
        lines.append(f"Best reference: {views[0].name!r}, as it is.")
    for bridge in meter.bridges:
        lines.append(
            f"Bridge camera between {bridge.between[0]!r} and {bridge.between[1]!r}: azimuth "
            f"{degrees(bridge.azimuth_deg)}, elevation {degrees(bridge.elevation_deg)}, {metres(bridge.distance_m)}."
        )
    return "\n".join([*lines, *meter.notes]).strip()


def to_document(meter: Meter) -> dict[str, object]:
    """The findings as a JSON object; `bridges[i].camera` can stand in the cameras of a rig JSON as it is."""
    document = asdict(meter)
    document["verdict"] = meter.verdict
    document["bridges"] = [
        {
            "camera": {
                "name": bridge.name,
                "azimuth": bridge.azimuth_deg,
                "elevation": bridge.elevation_deg,
                "distance": bridge.distance_m,
                "target": list(bridge.target),
            },
            "between": list(bridge.between),
        }
        for bridge in meter.bridges
    ]
    return document


def to_json(meter: Meter) -> str:
    """The text of `to_document`."""
    return json.dumps(to_document(meter), allow_nan=False, ensure_ascii=False)
