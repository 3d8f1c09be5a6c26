"""The edit as FCPXML, which Final Cut Pro and DaVinci Resolve read: a multicam clip and the film cut from it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from xml.etree.ElementTree import Element

from ..errors import UserError
from .cut_list import Cut
from .edit import Edit
from .edit_media import canvas, check_files, file_stem, file_url, names_of, sound_of
from .timecode import timecode_rate
from .view_files import SavedViews
from .xml_text import document, element

# In which an asset names its file itself, as every reader knows it; later programs read it, too.
VERSION = "1.8"
REC_709 = "1-1-1 (Rec. 709)"
CROSS_DISSOLVE = "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"  # of Final Cut Pro's own
# Its controls for a mix of the pictures as they are, as even as ours.
MIX = (("Look", 1, "11 (Video)"), ("Amount", 2, "50"), ("Ease", 50, "2 (In & Out)"), ("Ease Amount", 51, "0"))
FINAL_CUT_RATES = (24, 25, 30, 50, 60)  # nominal rates of its projects

Shot = Callable[[int, int, int], Element]  # (view, first frame, end) -> the clip in the spine


def fcpx_text(edit: Edit, files: SavedViews) -> str:
    """The library as the text of an .fcpxml file.

    One event with the multicam clip of as many angles as there are cameras, the project "<name> edit" cut from it, and
    "<name> edit, files" with the same cuts from the files themselves, for readers that know no multicam clip. Each
    cross-fade is a Cross Dissolve around its cut. A sound runs through from beginning to end. Times are exact fractions
    of seconds; the projects count as many frames per second as `timecode_rate` says, so that each frame of a film of 15
    is two of 30. Files are named by absolute URLs.

    Raises UserError with a sentence for a rate of which no project's is a multiple, and for files that are not the
    edit's.
    """
    check_files(edit, files)
    return document(_Writer(edit, files, fcpx_rate(edit.fps)).library(), "fcpxml")


def fcpx_rate(fps: Fraction) -> Fraction:
    """The frames per second of the projects. Raises UserError where there is no multiple of the edit's."""
    found = timecode_rate(fps)
    if found is None:
        raise UserError(
            f"FCPXML cannot say {float(fps):g} frames per second: projects have 24, 25, 30, 48, 50 or 60, and that is no "
            "multiple of it; use the .otio file, or another 'fps'."
        )
    return fps * found[1]


def fcpx_remark(edit: Edit) -> str:
    """A sentence about a rate that Final Cut Pro itself has not, though the format can say it."""
    rate = fcpx_rate(edit.fps)
    if round(rate) in FINAL_CUT_RATES:
        return ""
    return (
        f"the .fcpxml has projects of {float(rate):g} frames per second, which Final Cut Pro has not; for that program, use "
        "another 'fps'."
    )


def seconds(frames: int, fps: Fraction) -> str:
    """So many frames in seconds, "0s" or "1001/30000s"."""
    time = frames / fps
    return f"{time.numerator}s" if time.denominator == 1 else f"{time.numerator}/{time.denominator}s"


class _Writer:
    def __init__(self, edit: Edit, files: SavedViews, rate: Fraction) -> None:
        self.edit, self.files, self.rate = edit, files, rate
        self.names = names_of(edit, files)
        self.name = file_stem(files)
        self.sound = sound_of(files)

    def library(self) -> Element:
        name, whole = self.name, self.time(self.edit.frames)
        event = element(
            "event",
            element("mc-clip", name=f"{name} multicam", ref="multicam", duration=whole),
            self.project(f"{name} edit", self.multicam_shot),
            self.project(f"{name} edit, files", self.file_shot),
            name=name,
        )
        resources = element("resources", *self.formats(), *self.assets(), self.multicam(), self.dissolve())
        return element("fcpxml", resources, element("library", event), version=VERSION)

    # ---- what the projects are made of

    def formats(self) -> list[Element]:
        """The projects' format, and that of each view's file: the rate of the edit itself."""
        made = [self.format("projects", canvas(self.files), self.rate)]
        for view in range(len(self.names)):
            made.append(self.format(f"format{view + 1}", self.files.video_size(view), self.edit.fps))
        return made

    def format(self, number: str, size: tuple[int, int], rate: Fraction) -> Element:
        lasting = seconds(1, rate)
        return element("format", id_=number, frameDuration=lasting, width=size[1], height=size[0], colorSpace=REC_709)

    def assets(self) -> list[Element]:
        made = []
        for view, name in enumerate(self.names):
            sound = self.files.sounds[view] if self.files.sounds else None
            heard: dict[str, str | int] = {}
            if sound:
                heard = {"hasAudio": 1, "audioSources": 1, "audioChannels": sound.channels, "audioRate": sound.rate}
            made.append(
                element(
                    "asset",
                    id_=asset(view),
                    name=name,
                    src=file_url(self.files, view),
                    start="0s",
                    duration=self.time(self.edit.frames),
                    format=f"format{view + 1}",
                    hasVideo=1,
                    **heard,
                )
            )
        return made

    def multicam(self) -> Element:
        angles = [
            element("mc-angle", self.file_clip(view, 0, self.edit.frames), name=name, angleID=angle(view))
            for view, name in enumerate(self.names)
        ]
        multicam = element("multicam", *angles, format="projects", tcStart="0s", tcFormat="NDF")
        return element("media", multicam, id_="multicam", name=f"{self.name} multicam")

    def dissolve(self) -> Element:
        return element("effect", id_="dissolve", name="Cross Dissolve", uid=CROSS_DISSOLVE)

    # ---- the projects

    def project(self, name: str, shot: Shot) -> Element:
        spine = element("spine")
        for cut, end in self.edit.shots:
            if cut.fade:
                spine.append(self.transition(cut))
            spine.append(shot(cut.view, cut.start, end))
        whole = self.time(self.edit.frames)
        sequence = element("sequence", spine, format="projects", duration=whole, tcStart="0s", tcFormat="NDF")
        return element("project", sequence, name=name)

    def multicam_shot(self, view: int, start: int, end: int) -> Element:
        """A stretch of the multicam clip in which one angle is seen, and one, maybe another, is heard."""
        heard = self.sound[0] if self.sound else None
        sources = [element("mc-source", angleID=angle(view), srcEnable="all" if heard == view else "video")]
        if heard not in (None, view):
            sources.append(element("mc-source", angleID=angle(heard), srcEnable="audio"))
        return element("mc-clip", *sources, name=self.names[view], ref="multicam", **self.place(start, end))

    def file_shot(self, view: int, start: int, end: int) -> Element:
        clip = self.file_clip(view, start, end, **({"srcEnable": "video"} if self.sound else {}))
        if start == 0 and self.sound:
            clip.append(self.file_clip(self.sound[0], 0, self.edit.frames, lane="-1", srcEnable="audio"))
        return clip

    def file_clip(self, view: int, start: int, end: int, **more: str) -> Element:
        # Frames of the file last several of the project's: they are held, and the clip is not played faster.
        held = [element("conform-rate", scaleEnabled=0)] if self.rate != self.edit.fps else []
        about = {"name": self.names[view], "ref": asset(view), "format": f"format{view + 1}"}
        return element("asset-clip", *held, **about, **self.place(start, end), **more)

    def transition(self, cut: Cut) -> Element:
        controls = [element("param", name=name, key=key, value=value) for name, key, value in MIX]
        mix = element("filter-video", *controls, ref="dissolve", name="Cross Dissolve")
        begins, lasts = self.time(cut.start - cut.before), self.time(cut.fade)
        return element("transition", mix, name="Cross Dissolve", offset=begins, duration=lasts)

    def place(self, start: int, end: int) -> dict[str, str]:
        """All cameras filmed the same moment: what is shown at a time is what was filmed at that time."""
        return {"offset": self.time(start), "start": self.time(start), "duration": self.time(end - start)}

    def time(self, frames: int) -> str:
        return seconds(frames, self.edit.fps)


def asset(view: int) -> str:
    return f"asset{view + 1}"


def angle(view: int) -> str:
    return f"angle{view + 1}"
