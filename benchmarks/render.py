"""Memory of rendering views to files: SynCam Render Views against decoding everything first.

Random latents and a random Wan2.1 VAE of width 1, so that what is measured is what is done with the frames and not the
decoder. "everything first" is what core nodes do: VAE Decode of all views, a grid of all of them, Save Video of each and
of the grid. Each run has a process of its own; its peak of resident memory is counted over what it held before.

    COMFYUI_PATH=... python benchmarks/render.py            8 views, 81 frames, 832 x 480: half an hour on one core
    COMFYUI_PATH=... python benchmarks/render.py --frames 17 --height 128 --width 192

Writes benchmarks/RENDER.md. Linux only, as it asks the kernel for peaks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACK))
OURS, EVERYTHING_FIRST = "SynCam Render Views", "everything first"
BYTES_OF_A_FLOAT = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--frames", type=int, default=81, help="4n + 1")
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=832)
    parser.add_argument("--output", type=Path, default=PACK / "benchmarks" / "RENDER.md")
    parser.add_argument("--one", choices=(OURS, EVERYTHING_FIRST), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options)))
        return
    fewer = max(1, options.views // 4)
    runs = [(OURS, fewer), (OURS, options.views), (EVERYTHING_FIRST, options.views)]
    results = [(way, views, in_own_process(options, way, views)) for way, views in runs]
    text = page(options, results)
    options.output.write_text(text, encoding="utf-8")
    print(text)


def in_own_process(options: argparse.Namespace, way: str, views: int) -> dict:
    sizes = [f"--{name}={getattr(options, name)}" for name in ("frames", "height", "width")]
    command = [sys.executable, __file__, f"--one={way}", f"--views={views}", *sizes]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_run(options: argparse.Namespace) -> dict:
    from host import load_host

    run = load_host("--cpu")
    import folder_paths
    import torch
    from measure import memory_line, resident_peak_of

    torch.set_num_threads(1)
    render = render_ours if options.one == OURS else render_everything_first
    try:
        with torch.inference_mode():
            vae = narrow_vae()
            render(run, vae, latents(2, 5, 64, 64))  # what the first run keeps for good
            samples = latents(options.views, options.frames, options.height, options.width)
            base, started = memory_line("VmRSS"), time.monotonic()
            peak = resident_peak_of(lambda: render(run, vae, samples))
        import comfyui_version

        return {
            "peak": peak,
            "seconds": time.monotonic() - started,
            "base": base,
            "versions": f"PyTorch {torch.__version__}, ComfyUI {comfyui_version.__version__}",
        }
    finally:
        shutil.rmtree(folder_paths.base_path, ignore_errors=True)


def narrow_vae():
    """The host's VAE with random weights, recognized from them as Wan2.1's."""
    import comfy.sd
    import torch
    from comfy.ldm.wan.vae import WanVAE

    shape = {"dim": 1, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    model = WanVAE(**shape, temperal_downsample=[False, True, True], dropout=0.0)
    generator = torch.Generator().manual_seed(0)
    state = {key: 0.05 * torch.randn(value.shape, generator=generator) for key, value in model.state_dict().items()}
    return comfy.sd.VAE(sd=state)


def latents(views: int, frames: int, height: int, width: int) -> dict:
    import torch

    generator = torch.Generator().manual_seed(0)
    return {"samples": torch.randn(views, 16, (frames + 3) // 4, height // 8, width // 8, generator=generator)}


def render_ours(run, vae, samples: dict) -> None:
    codec = {"codec": "h264", "bit_depth": "8", "crf": 18.0}
    run("SynCamRenderViews", latent=samples, vae=vae, filename_prefix="ours", fps=15.0, codec=codec)


def render_everything_first(run, vae, samples: dict) -> None:
    import folder_paths
    from einops import rearrange

    views = len(samples["samples"])
    (images,) = run("VAEDecode", samples=samples, vae=vae)
    rows = 2 if views % 2 == 0 else 1
    grid = rearrange(images, "(row column frame) h w c -> frame (row h) (column w) c", row=rows, column=views // rows)
    films = [*rearrange(images, "(view frame) h w c -> view frame h w c", view=views), grid]
    for number, film in enumerate(films):
        (video,) = run("CreateVideo", images=film, fps=15.0)
        video.save_to(os.path.join(folder_paths.get_output_directory(), f"first_{len(film)}_{number}.mp4"), crf=18)


def page(options: argparse.Namespace, results: list[tuple[str, int, dict]]) -> str:
    one_view = options.frames * options.height * options.width * 3 * BYTES_OF_A_FLOAT
    rows = [
        f"| {way} | {views} | {result['peak'] / 1e6:.0f} MB | {result['peak'] / one_view:.1f} | "
        f"{result['seconds']:.0f} s |"
        for way, views, result in results
    ]
    (_, fewer, few), (_, most, many), (_, _, first) = results
    return "\n".join(
        [
            "# What rendering views costs",
            "",
            f"Written by `python benchmarks/render.py`, {date.today()}: {options.frames} frames of {options.width} x "
            f"{options.height}, random latents, a random Wan2.1 VAE of width 1, H.264; CPU ({platform.machine()}), one "
            f"thread for PyTorch, Python {platform.python_version()}, {results[0][2]['versions']}. Peak is resident memory over what the process held before the run; one view "
            f"is its frames as floats, {one_view / 1e6:.0f} MB. Every run has a process of its own. Other work ran on the "
            "machine, so the seconds say little.",
            "",
            "| | views | peak | in views | time |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"- {EVERYTHING_FIRST} needs **{first['peak'] / many['peak']:.1f} times** the memory of {OURS} for {most} views.",
            f"- {OURS} stays within {max(few['peak'], many['peak']) / one_view:.1f} views, and {most} views take "
            f"{many['peak'] / few['peak']:.2f} times what {fewer} take: what grows with the views is the grid's encoder, "
            "which looks ahead some dozens of frames, whatever the length of the film.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
