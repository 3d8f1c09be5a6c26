"""Makes the pictures of the documentation: one for each help page, the drawing of the conventions, and the thumbnails
of the rig workflows. All come from the code that users run: rigs from the builders, drawings from the preview, films
from the toy world's renderer. No model is needed.

python scripts/docs/pictures.py            all of them
python scripts/docs/pictures.py Ring Arc   those with one of these words in their names
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where syncam_core lies

from conventions import conventions
from drawing import ROOT, rig_picture
from node_pages import (
    apply_example,
    control_example,
    convert_example,
    decode_example,
    demo_example,
    encode_example,
    given_example,
    grid_example,
    guider_example,
    latent_example,
    parallel_example,
    prompts_example,
    recapture_example,
    sampler_example,
    save_views_example,
    score_example,
    source_example,
    trajectories_example,
    weights_example,
)
from rig_pages import (
    HELP_RIGS,
    WORKFLOWS,
    file_example,
    from_cameractrl_example,
    from_load3d_example,
    meter_example,
    preview_example,
    save_example,
    thumbnail,
    to_cameractrl_example,
    to_load3d_example,
)


def main(wanted: Sequence[str] = ()) -> None:
    for name, draw in PICTURES.items():
        if wanted and not any(word.lower() in name.lower() for word in wanted):
            continue
        path, image = ROOT / name, Image.fromarray(draw())
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".jpg":
            image.save(path, quality=84)
        elif name in FULL_COLOR:
            image.save(path, optimize=True)
        else:  # drawings have few colours
            image.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.stat().st_size / 1000:6.0f} kB  {name}")


HELP = "web/docs/pictures/SynCam"
PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "docs/conventions.png": partial(conventions, 1280, 660),
    **{f"{HELP}Rig{name}.png": lambda make=make: rig_picture(make()) for name, make in HELP_RIGS.items()},
    f"{HELP}RigPreview.jpg": preview_example,
    f"{HELP}RigMeter.png": meter_example,
    f"{HELP}LoadRig.png": file_example,
    f"{HELP}SaveRig.png": save_example,
    f"{HELP}RigFromLoad3D.png": from_load3d_example,
    f"{HELP}RigToLoad3D.png": to_load3d_example,
    f"{HELP}RigFromCameraCtrl.png": from_cameractrl_example,
    f"{HELP}RigToCameraCtrl.png": to_cameractrl_example,
    f"{HELP}EncodeCameras.png": encode_example,
    f"{HELP}EmptyLatent.png": latent_example,
    f"{HELP}EncodeTrajectories.png": trajectories_example,
    f"{HELP}SourceVideo.jpg": source_example,
    f"{HELP}ReCamApply.png": recapture_example,
    f"{HELP}Apply.png": apply_example,
    f"{HELP}LoadWeights.png": weights_example,
    f"{HELP}ConvertWeights.png": convert_example,
    f"{HELP}DemoModel.jpg": demo_example,
    f"{HELP}DecodeViews.jpg": decode_example,
    f"{HELP}Sampler.jpg": sampler_example,
    f"{HELP}GivenViews.jpg": given_example,
    f"{HELP}ViewParallel.png": parallel_example,
    f"{HELP}DualGuider.png": guider_example,
    f"{HELP}ViewPrompts.png": prompts_example,
    f"{HELP}ViewControl.png": control_example,
    f"{HELP}ViewGrid.jpg": grid_example,
    f"{HELP}SaveViews.jpg": save_views_example,
    f"{HELP}SyncScore.jpg": score_example,
    **{f"example_workflows/{name}.jpg": partial(thumbnail, *card) for name, card in WORKFLOWS.items()},
}
FULL_COLOR = ("docs/conventions.png",)


if __name__ == "__main__":
    main(sys.argv[1:])
