"""Mistakes that beginners make, as changes of a prompt that works: docs/mistakes.md has the sentence of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prompts import id_of, node_of, small

FOUR = '{"format": "syncam-rig", "version": 1, "cameras": [%s]}'
ONE = '{"name": "a", "azimuth": 0, "elevation": 0, "distance": 3}'


@dataclass(frozen=True)
class Mistake:
    what: str  # as the table says it
    change: Callable[[dict], None]  # of small(), two views of the demo


def given(class_type: str, **inputs) -> Callable[[dict], None]:
    return lambda prompt: node_of(prompt, class_type).update(inputs)


def instead(class_type: str, other: str, **inputs) -> Callable[[dict], None]:
    """Another node in the place of one."""

    def change(prompt: dict) -> None:
        prompt[id_of(prompt, class_type)] = {"class_type": other, "inputs": inputs}

    return change


def behind(class_type: str, socket: str = "views", **inputs) -> Callable[[dict], None]:
    """A further node that takes the decoded views, and something that looks at what it gives."""

    def change(prompt: dict) -> None:
        views = node_of(prompt, "SynCamSaveViews")["views"]
        prompt["90"] = {"class_type": class_type, "inputs": {socket: views, **inputs}}
        prompt["91"] = {"class_type": "PreviewAny", "inputs": {"source": ["90", 0]}}

    return change


def rig_text(text: str) -> Callable[[dict], None]:
    return instead("SynCamRigOrbit", "SynCamRigJSON", rig_json=text)


def file(name: str, **inputs) -> Callable[[dict], None]:
    return instead("SynCamRigOrbit", "SynCamLoadRig", file=name, **{"cameras": "", **inputs})


def rig_through(class_type: str, **inputs) -> Callable[[dict], None]:
    def change(prompt: dict) -> None:
        rig = id_of(prompt, "SynCamRigOrbit")
        prompt["80"] = {"class_type": class_type, "inputs": {"rig": [rig, 0], **inputs}}
        node_of(prompt, "SynCamEncodeCameras")["rig"] = ["80", 0]

    return change


def without_apply(prompt: dict) -> None:
    node_of(prompt, "SynCamSampler")["model"] = node_of(prompt, "SynCamApply")["model"]


def latent_of_other_cameras(prompt: dict) -> None:
    prompt["70"] = {"class_type": "SynCamRigRing", "inputs": {"count": 3, "elevation": 10.0, "distance": 3.0}}
    prompt["71"] = {"class_type": "SynCamEncodeCameras", "inputs": {"rig": ["70", 0], "length": 5}}
    node_of(prompt, "SynCamEmptyLatent")["cameras"] = ["71", 0]


def the_cores_decoder(prompt: dict) -> None:
    prompt[id_of(prompt, "SynCamDecodeViews")]["class_type"] = "VAEDecode"
    decoded = node_of(prompt, "VAEDecode")
    decoded["samples"] = decoded.pop("latent")


def no_cameras_at_the_latent(prompt: dict) -> None:
    del node_of(prompt, "SynCamEmptyLatent")["cameras"]


def a_long_move(prompt: dict) -> None:
    key = '{"name": "b", "keyframes": [{"frame": 0, "azimuth": 0, "elevation": 0, "distance": 3}, %s]}'
    end = '{"frame": 80, "azimuth": 30, "elevation": 0, "distance": 3}'
    rig_text(FOUR.replace('"version": 1', '"version": 1, "frames": 81') % f"{ONE}, {key % end}")(prompt)


def prompts_for_three(prompt: dict) -> None:
    latent_cameras = node_of(prompt, "SynCamEmptyLatent")["cameras"]
    clip = [id_of(prompt, "SynCamDemoModel"), 1]
    inputs = {"clip": clip, "cameras": latent_cameras, "prompt": "a red ball", "suffixes": "one\ntwo\nthree"}
    prompt["60"] = {"class_type": "SynCamViewPrompts", "inputs": inputs}
    node_of(prompt, "SynCamSampler")["positive"] = ["60", 0]


def text(words: str) -> Callable[[dict], None]:
    def change(prompt: dict) -> None:
        number, _ = node_of(prompt, "SynCamSampler")["positive"]
        prompt[number]["inputs"]["text"] = words

    return change


def broken(mistake: Mistake) -> dict:
    prompt = small(steps=1)
    mistake.change(prompt)
    return prompt


MISTAKES = (
    Mistake("SynCam Apply left out, or bypassed", without_apply),
    Mistake("a latent made for other cameras", latent_of_other_cameras),
    Mistake("another length in the latent than in the cameras", given("SynCamEmptyLatent", length=9)),
    Mistake("18 frames", given("SynCamEncodeCameras", length=18)),
    Mistake("a width of 65", given("SynCamEmptyLatent", width=65)),
    Mistake("a latent without cameras", no_cameras_at_the_latent),
    Mistake("a guidance scale of 500", given("SynCamSampler", cfg=500.0)),
    Mistake("a noise order that is no list of numbers", given("SynCamSampler", noise_order="x")),
    Mistake("a noise order for more views than there are", given("SynCamSampler", noise_order="0, 1, 2")),
    Mistake("a coupling that does not exist", given("SynCamApply", coupling="all")),
    Mistake(
        "weights that are not in the folder", instead("SynCamDemoModel", "SynCamLoadWeights", weights_name="x.ckpt")
    ),
    Mistake("no camera at all", given("SynCamRigOrbit", azimuths="")),
    Mistake("words in place of angles", given("SynCamRigOrbit", azimuths="front, right")),
    Mistake("degree signs", given("SynCamRigOrbit", azimuths="0°, 30°")),
    Mistake("two elevations for three azimuths", given("SynCamRigOrbit", azimuths="0, 20, 30", elevations="0, 10")),
    Mistake("an elevation of 95", given("SynCamRigOrbit", elevations="95")),
    Mistake("a distance of 0", given("SynCamRigOrbit", distances="0")),
    Mistake("65 cameras", given("SynCamRigOrbit", azimuths=", ".join(map(str, range(65))))),
    Mistake("a ring of no cameras", instead("SynCamRigOrbit", "SynCamRigRing", count=0, elevation=0.0, distance=3.0)),
    Mistake("a rig JSON that is no JSON", rig_text("cameras: front, right")),
    Mistake("two cameras of one name", rig_text(FOUR % f"{ONE}, {ONE}")),
    Mistake("a misspelt key in a rig JSON", rig_text(FOUR % ONE.replace("azimuth", "azimut"))),
    Mistake("a camera without a distance", rig_text(FOUR % ONE.replace(', "distance": 3', ""))),
    Mistake("a camera file that is not there", file("nothing.json")),
    Mistake("a camera file outside of the input folder", file("../../secret.json")),
    Mistake("an empty camera file", file("empty.json")),
    Mistake("an FBX file", file("scene.fbx.json")),
    Mistake("a file that does not say its unit", file("syncam_transforms.json")),
    Mistake("a camera that the file does not have", file("syncam_demo_cameras.json", cameras="1, 99")),
    Mistake("a camera that the rig does not have", rig_through("SynCamRigReorder", order="1, 7")),
    Mistake("a move longer than the video", a_long_move),
    Mistake("one camera only", given("SynCamRigOrbit", azimuths="0")),
    Mistake("two cameras in one place", given("SynCamRigOrbit", azimuths="0, 0")),
    Mistake("no prompt", text(" ")),
    Mistake("camera words in the prompt", text("a red ball, handheld camera, zoom in")),
    Mistake("prompts for another number of views", prompts_for_three),
    Mistake("the core's VAE Decode, and the rig connected", the_cores_decoder),
    Mistake("a prefix that leads out of the output folder", given("SynCamSaveViews", filename_prefix="../mine")),
    Mistake("no prefix", given("SynCamSaveViews", filename_prefix="")),
    Mistake("a frame rate of 0", given("SynCamSaveViews", fps=0.0)),
    Mistake("a cut list that is none", behind("SynCamEdit", cuts="x", fps=15.0, timecode=False)),
    Mistake("a cut to a camera that is not there", behind("SynCamEdit", cuts="0 A; 2 E", fps=15.0, timecode=False)),
    Mistake("a cut behind the end", behind("SynCamEdit", cuts="0 A; 90 B", fps=15.0, timecode=False)),
    Mistake("a bad cut list in the player", behind("SynCamPlayer", cuts="0", fps=15.0)),
    Mistake("views to pick that are not there", behind("SynCamPickViews", pick="5")),
)
