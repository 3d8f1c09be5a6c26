#!/bin/bash
# PyAV 19.0.2 (PyPI): a clip that was trimmed without encoding it anew has more frames by its index than anybody sees.
#
# Expected: stream.frames of an mp4 is how many frames decoding gives, as for every other mp4.
# Seen:     phones and `ffmpeg -ss ... -c copy` cut by an edit list. It hides the first frames: decoding leaves them out,
#           while stream.frames (and the packets of demux) count them. A film of 10 frames says 14.
# So:       count frames by decoding, or packets that are not marked to be thrown away (packet.is_discard); poses and
#           pictures that are paired by stream.frames stand against each other otherwise.
#
# Needs network for the installation. PYTHON is a Python 3.12 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" av==19.0.2 numpy
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
from fractions import Fraction

import av
import numpy as np

SHOWN, HIDDEN, FPS = 10, 4, 15
options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
with av.open("trimmed.mp4", "w", options=options) as out:
    stream = out.add_stream("libx264", rate=FPS, options={"bf": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"

    def send(packets):
        for packet in packets:  # what lies before time 0 is hidden by the edit list
            shift = round(Fraction(HIDDEN, FPS) / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            out.mux(packet)

    for number in range(HIDDEN + SHOWN):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        send(stream.encode(frame))
    send(stream.encode(None))

with av.open("trimmed.mp4") as film:
    told = film.streams.video[0].frames
    packets = [packet for packet in film.demux(video=0) if packet.size]
with av.open("trimmed.mp4") as film:
    decoded = [frame.to_ndarray(format="rgb24").mean() for frame in film.decode(video=0)]
discarded = sum(packet.is_discard for packet in packets)
print(f"PyAV {av.__version__}: stream.frames {told}, packets {len(packets)} of which {discarded} are to be thrown away, decoded {len(decoded)}")
print(f"the first decoded frame has the grey {decoded[0]:.0f}, which is frame {round(decoded[0] / 10)} of the file")
raise SystemExit(0 if (told, len(decoded), round(decoded[0] / 10)) == (HIDDEN + SHOWN, SHOWN, HIDDEN) else 1)
EOF
