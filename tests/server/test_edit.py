"""The edit over HTTP: from views to a film, a timeline and an edit decision list."""

from __future__ import annotations

import json
from pathlib import Path

import av
import opentimelineio as otio
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "example_workflows" / "api" / "multicam_edit.json"
SAMPLED = {"4", "5", "6", "8"}  # the nodes of the example that only the sampling needs


def prompt(folder: str, **inputs) -> dict:
    """The example without its sampling: four grey views of 17 frames, saved in a folder of their own."""
    nodes = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    kept = {number: node for number, node in nodes.items() if number not in SAMPLED}
    kept["9"]["inputs"]["latent"] = ["7", 0]
    for node in kept.values():
        if "filename_prefix" in node["inputs"]:
            node["inputs"]["filename_prefix"] = f"{folder}/{node['class_type'].lower()}"
        if node["class_type"] == "SynCamEdit":
            node["inputs"].update(inputs)
    return kept


def test_the_example_makes_the_film_and_the_files_of_the_edit(server):
    outcome = server.run(prompt("edit_example"))
    assert outcome.status == "success", outcome.message
    texts = [output[key][0] for output in outcome.outputs.values() for key in ("text", "saved") if key in output]
    assert "0 A; 5 B; 10 C; 15 D" in texts

    folder = server.folder / "output" / "edit_example"
    with av.open(str(folder / "savevideo_00001_.mp4")) as film:
        frames = list(film.decode(video=0))
        assert (len(frames), film.streams.video[0].average_rate) == (17, 8)

    saved = [item["filename"] for output in outcome.outputs.values() for item in output.get("files", ())]
    assert {"syncamsaveviews_00001_edit.otio", "syncamsaveviews_00001_edit.edl"} <= set(saved)
    timeline = otio.adapters.read_from_file(str(folder / "syncamsaveviews_00001_edit.otio"))
    programme = timeline.tracks[-1]
    shots = [(clip.name, clip.source_range.start_time.value) for clip in programme.find_clips()]
    assert shots == [("cam01", 0), ("cam02", 4), ("cam03", 8), ("cam04", 13)]
    for clip in programme.find_clips():
        with av.open(str(folder / clip.media_reference.target_url)) as video:
            assert video.streams.video[0].frames == clip.available_range().duration.value == 17
            assert video.streams.video[0].average_rate == clip.source_range.duration.rate == 8

    events = otio.adapters.read_from_file(str(folder / "syncamsaveviews_00001_edit.edl"), rate=24)
    assert [clip.metadata["cmx_3600"]["reel"] for clip in events.find_clips()] == ["CAM01", "CAM02", "CAM03", "CAM04"]


def test_the_automatic_list_can_be_connected(server):
    outcome = server.run(prompt("edit_automatic", cuts=["16", 0]))
    assert outcome.status == "success", outcome.message
    folder = server.folder / "output" / "edit_automatic"
    timeline = otio.adapters.read_from_file(str(folder / "syncamsaveviews_00001_edit.otio"))
    assert timeline.metadata["syncam"]["cuts"] == "0 A; 5 B; 10 C; 15 D"


@pytest.mark.parametrize(
    ("cuts", "sentence"),
    [
        ("0 A; 00:00:00;04 B", "SynCamEdit: '00:00:00;04' is drop-frame timecode"),
        ("0 A; four B", "SynCamEdit: the entry 'four B' begins with no time"),
    ],
)
def test_a_list_that_is_none_is_refused_before_anything_runs(server, cuts, sentence):
    nodes = prompt("edit_refused", cuts=cuts)
    outcome = server.run({number: nodes[number] for number in ("1", "2", "3", "7", "9", "10", "15", "18")})
    assert outcome.status == "refused"
    assert outcome.node_type == "SynCamEdit"
    assert outcome.message.count(sentence) == 1
    assert not (server.folder / "output" / "edit_refused").exists()


def test_a_list_that_does_not_fit_the_views_is_refused_in_a_sentence(server):
    outcome = server.run(prompt("edit_too_long", cuts="0 A; 17 B"))
    assert outcome.status == "error"
    assert outcome.message.endswith(
        "SynCamEdit: the entry '17 B' begins at frame 17, but the views have 17 frames; use 0 to 16."
    )
