#!/bin/bash
# otio-fcpx-xml-adapter 1.0.0 (PyPI) with OpenTimelineIO 0.18.1: an FCPXML of 29.97 frames per second is read as one of 29.
#
# Expected: a clip of 3003/1000 s in a project whose frames last 1001/30000 s has 90 frames at 29.97 per second.
# Seen:     87 frames at 29: the rate of a format is cut to a whole number, and times are counted with it. 23.976 becomes
#           23, 59.94 becomes 59. At whole rates a time is cut, too: 29/25 s of 25 are 28 frames, one of them lost.
# So:       read FCPXML times as fractions of seconds yourself, or hand that adapter whole rates and look at its frames.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" opentimelineio==0.18.1 otio-fcpx-xml-adapter==1.0.0
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
from fractions import Fraction

import opentimelineio as otio

DOCUMENT = """<fcpxml version="1.8"><resources><format id="r1" frameDuration="{frame}s" width="64" height="48"/>
<asset id="r2" name="a" src="file:///a.mp4" start="0s" duration="{time}s" format="r1" hasVideo="1"/></resources>
<library><event name="e"><project name="p"><sequence format="r1"><spine>
<asset-clip name="a" ref="r2" offset="0s" start="0s" duration="{time}s"/>
</spine></sequence></project></event></library></fcpxml>"""


def read(frames, fps):
    text = DOCUMENT.format(frame=1 / fps, time=frames / fps)
    (clip,) = otio.adapters.read_from_string(text, "fcpx_xml")[0].tracks[0]
    return clip.source_range.duration.value, clip.source_range.duration.rate


ntsc = read(90, Fraction(30000, 1001))
lost = [frames for frames in range(1, 200) if read(frames, Fraction(25))[0] != frames]
print(f"90 frames at 30000/1001 are read as {ntsc[0]:g} at {ntsc[1]:g}; at 25, {len(lost)} of 199 lengths are wrong: {lost[:5]} ...")
raise SystemExit(0 if ntsc == (87, 29) and 29 in lost else 1)
EOF
