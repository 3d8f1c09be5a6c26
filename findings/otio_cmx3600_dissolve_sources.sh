#!/bin/bash
# otio-cmx3600-adapter 1.0.0 (PyPI) with OpenTimelineIO 0.18.1: behind a dissolve, an EDL that it wrote has the wrong file.
#
# Expected: a.mp4 dissolves into b.mp4; written as an EDL and read back, the second shot is of b.mp4.
# Seen:     the event of the dissolve has "* FROM CLIP: a.mp4" for the outgoing shot, and the reader takes that for the
#           file of the incoming one. Names and reels come back right, so nothing looks wrong until the film is played.
# So:       leave "FROM CLIP:" lines out of events with a dissolve, or go by reels and clip names.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" opentimelineio==0.18.1 otio-cmx3600-adapter==1.0.0
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
import opentimelineio as otio


def span(start, length):
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, 24), otio.opentime.RationalTime(length, 24))


def clip(name, start):
    media = otio.schema.ExternalReference(target_url=f"{name}.mp4", available_range=span(0, 48))
    return otio.schema.Clip(name=name, media_reference=media, source_range=span(start, 24))


time = otio.opentime.RationalTime(4, 24)
fade = otio.schema.Transition(transition_type="SMPTE_Dissolve", in_offset=time, out_offset=time)
timeline = otio.schema.Timeline("t")
timeline.tracks.append(otio.schema.Track("v", kind="Video", children=[clip("a", 0), fade, clip("b", 24)]))
text = otio.adapters.write_to_string(timeline, "cmx_3600", rate=24)
print(text)
clips = list(otio.adapters.read_from_string(text, "cmx_3600", rate=24).find_clips())
files = [(one.name, getattr(one.media_reference, "target_url", None)) for one in clips]
print("read back:", files)
raise SystemExit(0 if files[-1] == ("b", "a.mp4") else 1)
EOF
