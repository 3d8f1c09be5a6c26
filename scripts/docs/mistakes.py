"""Makes docs/mistakes.md: mistakes that beginners make, each made over the API of a real ComfyUI, and what is said then.

COMFYUI_PATH=... python scripts/docs/mistakes.py
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from prompts import id_of, node_of, small  # noqa: E402

PAGE = ROOT / "docs" / "mistakes.md"
HEAD = """# Mistakes, and what is said then

Each row was run: `scripts/docs/mistakes.py` makes the mistakes over the API of a real ComfyUI and writes this page, and a
test makes them again. The sentence stands on the node, in both renderers. *Queued*: before anything runs. *Running*: when
the node's turn has come. *Goes on*: as a warning, the result comes all the same.

| mistake | what is said | on the node | when |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Mistake:
    """What somebody does, the prompt of it, and the files that it takes: (path below the server's folder, content)."""

    what: str
    prompt: Callable[[], dict]
    files: tuple[tuple[str, bytes], ...] = ()


def changed(**by_class: dict) -> Callable[[], dict]:
    """The demo, small, with other inputs of some nodes: class names without "SynCam"."""

    def prompt() -> dict:
        made = small()
        for name, inputs in by_class.items():
            node_of(made, name if name[0] == "_" else f"SynCam{name}").update(inputs)
        return made

    return prompt


def nodes(**given: tuple[str, dict]) -> Callable[[], dict]:
    """A prompt of (class, inputs) by name; the last one is shown, where it is not called "save"."""
    *_, last = given
    shown = {"show": ("PreviewAny", {"source": [last, 0]})} if last != "save" else {}
    return lambda: {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in {**given, **shown}.items()}


def orbit(azimuths: str = "0, 20", elevations: str = "10", distances: str = "3") -> tuple[str, dict]:
    return "SynCamRigOrbit", {"azimuths": azimuths, "elevations": elevations, "distances": distances}


def of_rig(kind: str, **inputs: object) -> Callable[[], dict]:
    return nodes(rig=orbit(), last=(kind, {"rig": ["rig", 0], **inputs}))


def of_views(kind: str, save: bool = False, **inputs: object) -> Callable[[], dict]:
    """A node behind two views of ten frames of 64 x 48 pixels."""
    pictures = ("EmptyImage", {"width": 64, "height": 48, "batch_size": 20, "color": 0})
    views = ("SynCamBatchToViews", {"images": ["pictures", 0], "count": 2})
    last = {"save" if save else "last": (kind, {"views": ["views", 0], **inputs})}
    return nodes(pictures=pictures, views=views, **last)


def of_json(rig: str) -> Callable[[], dict]:
    return nodes(rig=("SynCamRigJSON", {"rig_json": rig}))


def of_file(name: str, content: bytes, **inputs: object) -> tuple[Callable[[], dict], tuple[tuple[str, bytes], ...]]:
    given = {"file": name, "cameras": "", "format": "auto", "unit_m": 0.0, **inputs}
    return nodes(rig=("SynCamLoadRig", given)), ((f"input/{name}", content),)


def of_weights(name: str, content: bytes) -> tuple[Callable[[], dict], tuple[tuple[str, bytes], ...]]:
    return nodes(weights=("SynCamLoadWeights", {"weights_name": name})), ((f"models/syncam/{name}", content),)


def without_apply() -> dict:
    prompt = small()
    node_of(prompt, "SynCamSampler")["model"] = [id_of(prompt, "SynCamDemoModel"), 0]
    return prompt


def without_sampler() -> dict:
    """The host's bypass hands the latent on that the sampler is given."""
    prompt = small()
    node_of(prompt, "SynCamDecodeViews")["latent"] = [id_of(prompt, "SynCamEmptyLatent"), 0]
    del prompt[id_of(prompt, "SynCamSampler")]
    return prompt


def in_centimetres() -> dict:
    return nodes(rig=orbit(distances="300"), last=("SynCamEncodeCameras", {"rig": ["rig", 0], "length": 81}))()


def with_the_latent_of_an_image() -> dict:
    prompt = small()
    prompt["plain"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 48, "batch_size": 2}}
    node_of(prompt, "SynCamSampler")["latent"] = ["plain", 0]
    return prompt


def with_a_latent_of_other_cameras() -> dict:
    prompt = small()
    kind, inputs = orbit("0, 10, 20")
    prompt["three"] = {"class_type": kind, "inputs": inputs}
    prompt["encoded"] = {"class_type": "SynCamEncodeCameras", "inputs": {"rig": ["three", 0], "length": 5}}
    node_of(prompt, "SynCamEmptyLatent")["cameras"] = ["encoded", 0]
    return prompt


def decoded_by_the_core() -> dict:
    prompt = small()
    prompt[id_of(prompt, "SynCamDecodeViews")] = {
        "class_type": "VAEDecode",
        "inputs": {"samples": [id_of(prompt, "SynCamSampler"), 0], "vae": [id_of(prompt, "SynCamDemoModel"), 2]},
    }
    return prompt


def with_prompt(text: str) -> Callable[[], dict]:
    def prompt() -> dict:
        made = small()
        made[node_of(made, "SynCamSampler")["positive"][0]]["inputs"]["text"] = text
        return made

    return prompt


def moved(frames: int, length: int) -> Callable[[], dict]:
    keys = [{"frame": frame, "azimuth": azimuth, "distance": 3} for frame, azimuth in ((0, 0), (frames - 1, 30))]
    cameras = [{"name": "a", "azimuth": 0, "distance": 3}, {"name": "b", "keyframes": keys}]
    rig = json.dumps({"format": "syncam-rig", "version": 1, "frames": frames, "cameras": cameras})
    return nodes(
        rig=("SynCamRigJSON", {"rig_json": rig}), last=("SynCamEncodeCameras", {"rig": ["rig", 0], "length": length})
    )


def rig_json(*cameras: dict) -> str:
    return json.dumps({"format": "syncam-rig", "version": 1, "cameras": list(cameras)})


ONE, TWO = {"name": "a", "azimuth": 0, "distance": 3}, {"name": "b", "azimuth": 20, "distance": 3}
NERF = json.dumps(
    {"frames": [{"file_path": f"{n}.png", "transform_matrix": [[1, 0, 0, n], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]}
     for n in range(2)], "fl_x": 50, "w": 64, "h": 48}
).encode()  # fmt: skip
MOVE = {
    "move": "orbit",
    "amount": 30.0,
    "ease": "in_out",
    "length": 81,
    "cameras": "",
    "together": False,
    "target": "0, 0, 0",
}
TRANSFORM = {"scale": 1.0, "turn": "0, 0, 0", "pivot": "0, 0, 0", "look_at": "", "cameras": ""}
EDIT = {"fps": 15.0, "timecode": False}
BULLET = {
    "from_view": "",
    "to_view": "",
    "order": "rig",
    "frames_per_view": 2,
    "hold": 0,
    "between": "cuts",
    "ease": "none",
}
BULLET |= {"ping_pong": False, "then": "continue", "fps": 15.0}
STEREO = {"format": "side by side", "cross_eyed": False, "fps": 15.0}
DATASET = {"below": "output", "scene": 1, "cameras": "", "first_frame": 0, "frames": 0, "layout": "auto", "unit_m": 0.0}

MISTAKES = [
    # cameras
    Mistake("words for an angle", changed(RigOrbit={"azimuths": "front, right"})),
    Mistake("a degree sign", changed(RigOrbit={"azimuths": "0°, 30°"})),
    Mistake("a decimal comma", changed(RigOrbit={"distances": "3,5; 4,5"})),
    Mistake("a camera above the zenith", changed(RigOrbit={"elevations": "95"})),
    Mistake(
        "two elevations for four cameras", changed(RigOrbit={"azimuths": "0, 90, 180, 270", "elevations": "0, 20"})
    ),
    Mistake("a camera inside of the subject", changed(RigOrbit={"distances": "0"})),
    Mistake("a unit behind a distance", changed(RigOrbit={"distances": "3m"})),
    Mistake("distances in centimetres", in_centimetres),
    Mistake("one camera alone", changed(RigOrbit={"azimuths": "0"})),
    Mistake("two cameras in one place", changed(RigOrbit={"azimuths": "10, 10"})),
    Mistake("a camera by a number that there is not", of_rig("SynCamRigReorder", cameras="3, 1", others="follow")),
    Mistake("cameras counted from 0", of_rig("SynCamRigReorder", cameras="0, 1", others="follow")),
    Mistake("a camera by a name that there is not", of_rig("SynCamRigReorder", cameras="left", others="follow")),
    Mistake("a move that ends before it begins", of_rig("SynCamRigMove", **MOVE, start_frame=40, end_frame=10)),
    Mistake("a move longer than the video", moved(81, 17)),
    Mistake("a point as one number", of_rig("SynCamRigTransform", **TRANSFORM, move="1")),
    Mistake("a move that goes on behind the last frame", of_rig("SynCamRigMove", **MOVE, start_frame=0, end_frame=81)),
    Mistake(
        "a target in words", of_rig("SynCamRigMove", **{**MOVE, "target": "the actor"}, start_frame=0, end_frame=-1)
    ),
    # rigs as text and as files
    Mistake("a comment in a rig's JSON", of_json('{"cameras": [ // left to right\n]}')),
    Mistake("Python's words in a rig's JSON", of_json('{"cameras": [{"name": "a", "lens": None}]}')),
    Mistake("a file's name in place of a rig's JSON", of_json("C:\\rigs\\interview.json")),
    Mistake("a comma too many in a rig's JSON", of_json('{"format": "syncam-rig", "version": 1, "cameras": [],}')),
    Mistake("a misspelt key in a rig's JSON", of_json(rig_json(ONE, {**TWO, "azimut": 20}))),
    Mistake("two cameras of one name", of_json(rig_json(ONE, {**TWO, "name": "a"}))),
    Mistake("a camera without a distance", of_json(rig_json(ONE, {"name": "b", "azimuth": 20}))),
    Mistake("a file of cameras without a unit", *of_file("walk.json", NERF)),
    Mistake("a camera that the file has not", *of_file("walk.json", NERF, unit_m=1.0, cameras="1, 7")),
    Mistake("an FBX file", *of_file("shot.fbx", b"Kaydara FBX Binary  \0\x1a\0" + bytes(64))),
    Mistake("a file that is not there", nodes(rig=("SynCamLoadRig", {"file": "my_rig.json"}))),
    Mistake("one file of a COLMAP model alone", *of_file("images.txt", b"# Image list\n1 1 0 0 0 0 0 3 1 a.jpg\n\n")),
    Mistake("COLMAP's database", *of_file("database.db", b"SQLite format 3\0" + bytes(64))),
    Mistake("a picture as a file of cameras", *of_file("still.png", b"\x89PNG\r\n\x1a\n" + bytes(64))),
    Mistake("a point cloud as a file of cameras", *of_file("cloud.ply", b"ply\nformat ascii 1.0\n")),
    Mistake("a workflow as a file of cameras", *of_file("flow.json", b'{"nodes": [], "links": [], "version": 0.4}')),
    Mistake("a transforms.json of no frames", *of_file("transforms.json", b'{"camera_angle_x": 0.7, "frames": []}')),
    # model and weights
    Mistake("SynCam Apply forgotten or bypassed", without_apply),
    Mistake("no weights in the folder", nodes(weights=("SynCamLoadWeights", {"weights_name": "step20000.ckpt"}))),
    Mistake(
        "a web page saved as weights", *of_weights("page.ckpt", b"<!DOCTYPE html><html><body>Sign in</body></html>")
    ),
    Mistake("a download that stopped at once", *of_weights("empty.ckpt", b"")),
    Mistake("synchronization ends before it begins", changed(Apply={"start_percent": 0.8, "end_percent": 0.2})),
    # sampling
    Mistake("a length that Wan has not", changed(EncodeCameras={"length": 18}, EmptyLatent={"length": 18})),
    Mistake("two different lengths", changed(EmptyLatent={"length": 9})),
    Mistake("a width that is no multiple of 8", changed(EmptyLatent={"width": 65})),
    Mistake("a latent made for other cameras", with_a_latent_of_other_cameras),
    Mistake("the latent of an image model", with_the_latent_of_an_image),
    Mistake("an order of noise that is none", changed(Sampler={"noise": "mixed", "noise_order": "first, second"})),
    Mistake("the camera's move in the prompt", with_prompt("a red ball, camera pans left, handheld")),
    Mistake("an empty prompt", with_prompt("")),
    Mistake("the sampler bypassed", without_sampler),
    # views and films
    Mistake("the core's VAE Decode for several views", decoded_by_the_core),
    Mistake("a list of cuts that is none", of_views("SynCamEdit", cuts="first the wide shot", **EDIT)),
    Mistake("commas between cuts", of_views("SynCamEdit", cuts="0 A, 5 B", **EDIT)),
    Mistake("the camera before the time", of_views("SynCamEdit", cuts="A 0; B 5", **EDIT)),
    Mistake("a cut to a view that there is not", of_views("SynCamEdit", cuts="0 1; 5 4", **EDIT)),
    Mistake("cuts in the wrong order", of_views("SynCamEdit", cuts="0 1; 8 2; 4 1", **EDIT)),
    Mistake("a frozen moment after the end", of_views("SynCamBulletTime", **BULLET, freeze_frame=30)),
    Mistake("one eye only", of_views("SynCamStereo", left="1", right="1", **STEREO)),
    Mistake("a quilt with more tiles than views", of_views("SynCamQuilt", columns=4, rows=2, order="rig", fps=15.0)),
    Mistake("a file name that leads out of the folder", of_views("SynCamSaveViews", True, filename_prefix="../take")),
    Mistake("a dataset that there is not", nodes(views=("SynCamLoadDataset", {"dataset": "nothing/here", **DATASET}))),
]


def said(server, mistake: Mistake) -> tuple[str, str, str]:
    """The sentence, the node's class and the moment. Raises ValueError where nothing is said at all."""
    for path, content in mistake.files:
        file = server.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    prompt = mistake.prompt()
    outcome = server.run(prompt)
    if outcome.status == "refused":
        return outcome.message, outcome.node_type, "queued"
    if outcome.status == "error":
        return outcome.message, outcome.node_type, "running"
    for number, output in outcome.outputs.items():
        words = [line for key in ("warning", "remarks") for line in output.get(key, ())]
        if words:
            return " ".join(words), prompt[number]["class_type"], "goes on"
    raise ValueError(f"{mistake.what}: nothing is said")


def row(server, mistake: Mistake) -> str:
    sentence, node, moment = said(server, mistake)
    sentence = sentence.split(f"{node}: ", 1)[-1].replace("|", "\\|").replace("\n", " ")
    return f"| {mistake.what} | {sentence} | {node} | {moment} |"


def main() -> None:
    import comfy_server

    with tempfile.TemporaryDirectory() as folder:
        server = comfy_server.Server(Path(os.environ["COMFYUI_PATH"]), Path(folder))
        try:
            rows = [row(server, mistake) for mistake in MISTAKES]
        finally:
            server.stop()
    PAGE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
