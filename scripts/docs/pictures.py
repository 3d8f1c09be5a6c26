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
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where syncam_core lies

from conventions import conventions
from drawing import ROOT, rig_picture, template
from node_pages import (
    accuracy_example,
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
    metrics_example,
    parallel_example,
    prompts_example,
    recapture_example,
    sampler_example,
    save_views_example,
    score_example,
    scout_example,
    source_example,
    table_example,
    trajectories_example,
    weights_example,
    world_example,
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
    to_wan_camera_example,
)


def main(wanted: Sequence[str] = ()) -> None:
    for name, draw in PICTURES.items():
        if wanted and not any(word.lower() in name.lower() for word in wanted):
            continue
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(drawn(name, draw))
        print(f"{path.stat().st_size / 1000:6.0f} kB  {name}")


def drawn(name: str, draw: Callable[[], np.ndarray]) -> bytes:
    """The picture's file."""
    file, suffix = BytesIO(), Path(name).suffix
    kind = CARD if name.startswith("example_workflows/") else SAVED[suffix]
    Image.fromarray(draw()).save(file, Image.registered_extensions()[suffix], **kind)
    return file.getvalue()


HELP = "web/docs/pictures/SynCam"
PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "docs/conventions.png": partial(conventions, 1280, 660),
    **{f"{HELP}Rig{name}.avif": lambda make=make: rig_picture(make()) for name, make in HELP_RIGS.items()},
    f"{HELP}RigPreview.avif": preview_example,
    f"{HELP}RigMeter.avif": meter_example,
    f"{HELP}LoadRig.avif": file_example,
    f"{HELP}SaveRig.avif": save_example,
    f"{HELP}RigFromLoad3D.avif": from_load3d_example,
    f"{HELP}RigToLoad3D.avif": to_load3d_example,
    f"{HELP}RigFromCameraCtrl.avif": from_cameractrl_example,
    f"{HELP}RigToCameraCtrl.avif": to_cameractrl_example,
    f"{HELP}EncodeCameras.avif": encode_example,
    f"{HELP}EmptyLatent.avif": latent_example,
    f"{HELP}EncodeTrajectories.avif": trajectories_example,
    f"{HELP}SourceVideo.avif": source_example,
    f"{HELP}ReCamApply.avif": recapture_example,
    f"{HELP}Apply.avif": apply_example,
    f"{HELP}LoadWeights.avif": weights_example,
    f"{HELP}ConvertWeights.avif": convert_example,
    f"{HELP}DemoModel.avif": demo_example,
    f"{HELP}DecodeViews.avif": decode_example,
    f"{HELP}SamplerStill.avif": sampler_example,
    f"{HELP}ScoutSeeds.avif": scout_example,
    f"{HELP}GivenViews.avif": given_example,
    f"{HELP}ViewParallel.avif": parallel_example,
    f"{HELP}DualGuider.avif": guider_example,
    f"{HELP}ViewPrompts.avif": prompts_example,
    f"{HELP}ViewControl.avif": control_example,
    f"{HELP}ViewGridStill.avif": grid_example,
    f"{HELP}SaveViews.avif": save_views_example,
    f"{HELP}SyncScore.avif": score_example,
    f"{HELP}RigToWanCamera.avif": to_wan_camera_example,
    f"{HELP}CameraAccuracy.avif": accuracy_example,
    f"{HELP}Metrics.avif": metrics_example,
    f"{HELP}MetricsTable.avif": table_example,
    f"{HELP}RenderWorld.avif": world_example,
    **{f"example_workflows/{template(name).stem}.jpg": partial(thumbnail, *card) for name, card in WORKFLOWS.items()},
}
# As small as they can be without being seen to be: all pictures go into the node pack's archive. The template browser
# asks for its cards as JPEG.
SAVED: dict[str, dict[str, int | bool | str]] = {
    ".avif": {"quality": 45, "speed": 4, "range": "limited"},
    ".jpg": {"quality": 72, "progressive": True, "optimize": True},
    ".png": {"optimize": True},
}
CARD: dict[str, int | bool | str] = {"quality": 40, "progressive": True, "optimize": True}  # 40 of them, shown small


if __name__ == "__main__":
    main(sys.argv[1:])
