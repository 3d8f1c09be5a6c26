#!/bin/bash
# PyAV 19.0.2 (PyPI): white of a YUV video, of 10 bits or of 8, is not white in 16-bit RGB.
#
# Expected: white of a usual video (its range is "limited": 940 of 1023) gives 65535 in "rgb48le".
# Seen:     65283, about 255 * 256: FFmpeg's swscale fills up 16 bits with zeros behind 8, where 8-bit RGB gives 255.
#           Divided by 65535, a white wall is 0.996, and the same film read in both forms does not fit together.
# So:       value + (value >> 8), cut at 65535, brings it to the whole range.
#
# Needs network for the installation. PYTHON is a Python 3.12 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" av==19.0.2 numpy
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
import av
import numpy as np

seen = {}
for depth, pixels, white in ((8, "yuv444p", 235), (10, "yuv444p10le", 940)):
    planes = np.full((3, 32, 32), 2 ** (depth - 1), np.uint8 if depth == 8 else np.uint16)
    planes[0] = white
    frame = av.VideoFrame(32, 32, pixels)
    for plane, values in zip(frame.planes, planes):
        rows = np.zeros((32, plane.line_size), np.uint8)
        rows[:, : 32 * values.itemsize] = values.view(np.uint8)
        plane.update(rows.tobytes())
    for form in ("rgb24", "rgb48le"):
        seen[depth, form] = frame.to_ndarray(format=form, src_color_range="MPEG", dst_color_range="JPEG")[16, 16].tolist()
print("PyAV", av.__version__)
for (depth, form), value in seen.items():
    print(f"white of {depth} bits as {form}: {value}")
deep = [value for (_, form), pixel in seen.items() if form == "rgb48le" for value in pixel]
plain = [value for (_, form), pixel in seen.items() if form == "rgb24" for value in pixel]
raise SystemExit(0 if {*plain} == {255} and all(65200 < value < 65300 for value in deep) else 1)
EOF
