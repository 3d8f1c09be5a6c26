#!/bin/bash
# Chromium 156.0.8078.108 without a graphics card (SwiftShader): a WebGL line with one end behind the eye is not drawn.
#
# Expected: a line is clipped at the near plane, as triangles are: what lies before the eye is seen.
# Seen:     with w < 0 at one end the whole line is gone, however little of it is behind. A floor grid of long lines
#           loses all lines that run towards the camera, in headless tests and on machines without a driver; with the end
#           moved to just before the eye the same line is there.
# So:       draw long lines in pieces; judge no line drawing by a headless browser's picture alone.
#
# Needs network for the installation, and a Chromium: CHROMIUM names it. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" playwright==1.65.2
cd "$folder"
PYTHONPATH=$folder CHROMIUM=${CHROMIUM:-chromium} "${PYTHON:-python3}" - <<'EOF'
import os
import shutil

from playwright.sync_api import sync_playwright

LIT = """
(end) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
    const gl = canvas.getContext('webgl2', { antialias: false });
    const program = gl.createProgram();
    const add = (kind, text) => {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, text);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
    };
    add(gl.VERTEX_SHADER, 'attribute vec4 p; void main() { gl_Position = p; }');
    add(gl.FRAGMENT_SHADER, 'precision mediump float; void main() { gl_FragColor = vec4(1.0); }');
    gl.linkProgram(program);
    gl.useProgram(program);
    const [near, far] = [0.1, 100];
    // a line on the floor, in clip space, at so many metres before the eye
    const at = (depth) => [0.2, -1, ((far + near) * depth - 2 * far * near) / (far - near), depth];
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([...at(10), ...at(end)]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 4, gl.FLOAT, false, 0, 0);
    gl.drawArrays(gl.LINES, 0, 2);
    const pixels = new Uint8Array(64 * 64 * 4);
    gl.readPixels(0, 0, 64, 64, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    return pixels.filter((value, index) => index % 4 === 0 && value > 0).length;
}
"""
flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which(os.environ["CHROMIUM"]), args=flags)
    page = browser.new_page()
    lit = {end: page.evaluate(LIT, end) for end in (0.11, -0.01, -5)}
    print(f"Chromium {browser.version}: pixels of a line from 10 m before the eye to")
    for end, pixels in lit.items():
        print(f"  {end} m: {pixels}")
    browser.close()
raise SystemExit(0 if lit[0.11] > 20 and lit[-0.01] == lit[-5] == 0 else 1)
EOF
