"""The edit in Final Cut Pro 7's XML (xmeml 5), which Premiere Pro, DaVinci Resolve and Final Cut Pro 7 read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

from ..errors import UserError
from .cut_list import Cut
from .edit import Edit
from .edit_media import PROGRAMME, canvas, check_files, file_stem, localhost_url, names_of, sound_of
from .sound import SoundFormat
from .timecode import nominal_rate, timecode
from .view_files import SavedViews
from .xml_text import document, element

NTSC = Fraction(1000, 1001)
CROSS_DISSOLVE = {
    "name": "Cross Dissolve",
    "effectid": "Cross Dissolve",
    "effectcategory": "Dissolve",
    "effecttype": "transition",
    "mediatype": "video",
    "wipecode": "0",
    "wipeaccuracy": "100",
    "startratio": "0",
    "endratio": "1",
    "reverse": "FALSE",
}
PICTURES = {"anamorphic": "FALSE", "pixelaspectratio": "square", "fielddominance": "none"}
BETWEEN = -1  # in the place of a start or an end: where the transition beside it says


def fcp7_text(edit: Edit, files: SavedViews) -> str:
    """The project as the text of an .xml file.

    Its sequence has, from below, a track for each camera with its whole video, and the track "programme" with an item
    for each shot and a cross dissolve around each cut that has a cross-fade; a sound runs through from beginning to
    end. Beside the sequence stands a multiclip with an angle for each camera. Files are named by absolute URLs, as the
    format wants them.

    Raises UserError with a sentence for a rate that the format cannot say, and for files that are not the edit's.
    """
    check_files(edit, files)
    rate = fcp7_rate(edit.fps)
    return document(element("xmeml", _Writer(edit, files, rate).project(), version=5), "xmeml")


Span = tuple[int, int]  # the first frame, and the end (exclusive)


@dataclass(frozen=True)
class Rate:
    """Whole frames per second; where `ntsc`, they last 1.001 times as long."""

    timebase: int
    ntsc: bool


def fcp7_rate(fps: Fraction) -> Rate:
    """Raises UserError for what is neither a whole number nor one of NTSC's 1000/1001."""
    nominal = nominal_rate(fps)
    if fps not in (nominal, nominal * NTSC):
        raise UserError(
            f"Final Cut Pro 7's XML cannot say {float(fps):g} frames per second: it counts whole numbers of frames, or "
            f"1000/1001 of them; use the .otio file, or another 'fps'."
        )
    return Rate(nominal, fps != nominal)


class _Writer:
    def __init__(self, edit: Edit, files: SavedViews, rate: Rate) -> None:
        self.edit, self.files, self.rate = edit, files, rate
        self.names = names_of(edit, files)
        self.sound = sound_of(files)
        self.all: Span = (0, edit.frames)
        self.items = 0
        self.described: set[int] = set()

    def project(self) -> Element:
        name = file_stem(self.files)
        # Readers look a file up by its first mention, so the sequence, where it is described, comes first.
        children = [self._sequence(f"{name} edit")]
        if len(self.names) > 1:
            children.append(self._multicam(f"{name} multicam"))
        return element("project", element("name", name), element("children", *children))

    # ---- the sequence

    def _sequence(self, name: str) -> Element:
        start = timecode(0, self.edit.fps)
        video = element("video", element("format", self._pictures(*canvas(self.files))))
        for view, camera in enumerate(self.names):
            video.append(element("track", element("name", camera), *self._whole(view)))
        video.append(element("track", element("name", PROGRAMME), *self._programme()))
        return element(
            "sequence",
            element("name", name),
            element("duration", self.edit.frames),
            self._rate(),
            element(
                "timecode",
                self._rate(),
                element("string", start),
                element("frame", 0),
                element("displayformat", "NDF"),
            ),
            element("media", video, *self._audio()),
            id_="sequence-1",
        )

    def _whole(self, view: int) -> list[Element]:
        return [self._of_view(view, self.all, self.all)]

    def _programme(self) -> list[Element]:
        found = []
        shots = self.edit.shots
        for place, (cut, end) in enumerate(shots):
            after = shots[place + 1][0] if place + 1 < len(shots) else None
            fades_out = after is not None and after.fade > 0
            if cut.fade:
                found.append(self._dissolve(cut))
            shown = (BETWEEN if cut.fade else cut.start, BETWEEN if fades_out else end)
            source = (cut.start - cut.before, end + (after.after if after else 0))
            found.append(self._of_view(cut.view, shown, source))
        return found

    def _dissolve(self, cut: Cut) -> Element:
        return element(
            "transitionitem",
            element("start", cut.start - cut.before),
            element("end", cut.start + cut.after),
            element("alignment", "center" if cut.before else "start"),
            self._rate(),
            element("effect", *(element(key, value) for key, value in CROSS_DISSOLVE.items())),
        )

    def _audio(self) -> list[Element]:
        if self.sound is None:
            return []
        view, sound = self.sound
        tracks = []
        for channel in range(1, sound.channels + 1):
            item = self._of_view(view, self.all, self.all, channel)
            about = {"currentExplodedTrackIndex": channel - 1, "totalExplodedTrackCount": sound.channels}
            tracks.append(element("track", item, element("outputchannelindex", channel), **about))
        form = element("format", element("samplecharacteristics", *_samples(sound)))
        return [element("audio", element("numOutputChannels", sound.channels), form, *tracks)]

    # ---- the cameras as one

    def _multicam(self, name: str) -> Element:
        """A clip of the browser: one source of as many angles as there are cameras."""
        angles = []
        for view, camera in enumerate(self.names):
            angle = self._clip(f"angle-{view + 1}", camera, self._whole(view))
            active = "TRUE" if view == 0 else "FALSE"
            heard = "TRUE" if view == (self.sound[0] if self.sound else 0) else "FALSE"
            angles.append(
                element("angle", element("activevideoangle", active), element("activeaudioangle", heard), angle)
            )
        multiclip = element(
            "multiclip",
            element("name", name),
            element("collapsed", "FALSE"),
            element("synctype", 1),
            *angles,
            id_="multiclip-1",
        )
        return self._clip("multicam-1", name, [self._item(name, multiclip, self.all, self.all)])

    def _clip(self, number: str, name: str, items: list[Element]) -> Element:
        return element(
            "clip",
            element("name", name),
            element("duration", self.edit.frames),
            self._rate(),
            element("in", -1),
            element("out", -1),
            element("ismasterclip", "TRUE"),
            element("media", element("video", element("track", *items))),
            id_=number,
        )

    # ---- parts

    def _of_view(self, view: int, shown: Span, source: Span, channel: int = 0) -> Element:
        """A stretch of a view's file: its pictures, or a channel of its sound, counted from 1."""
        return self._item(self.names[view], self._file(view), shown, source, channel)

    def _item(self, name: str, content: Element, shown: Span, source: Span, channel: int = 0) -> Element:
        self.items += 1
        kind = "audio" if channel else "video"
        return element(
            "clipitem",
            element("name", name),
            element("enabled", "TRUE"),
            element("duration", self.edit.frames),
            self._rate(),
            element("start", shown[0]),
            element("end", shown[1]),
            element("in", source[0]),
            element("out", source[1]),
            content,
            element("sourcetrack", element("mediatype", kind), element("trackindex", channel or 1)),
            id_=f"clipitem-{self.items}",
        )

    def _file(self, view: int) -> Element:
        """Described where it is mentioned for the first time, by its id alone from then on."""
        if view in self.described:
            return element("file", id_=f"file-{view + 1}")
        self.described.add(view)
        name, (height, width) = self.files.files[view], self.files.video_size(view)
        media = [element("video", element("duration", self.edit.frames), self._pictures(height, width))]
        sound = self.files.sounds[view] if self.files.sounds else None
        if sound:
            media.append(
                element(
                    "audio", element("samplecharacteristics", *_samples(sound)), element("channelcount", sound.channels)
                )
            )
        return element(
            "file",
            element("name", name),
            element("pathurl", localhost_url(self.files, view)),
            self._rate(),
            element("duration", self.edit.frames),
            element("media", *media),
            id_=f"file-{view + 1}",
        )

    def _pictures(self, height: int, width: int) -> Element:
        said: dict[str, str | int] = {"width": width, "height": height, **PICTURES}
        return element("samplecharacteristics", self._rate(), *(element(key, value) for key, value in said.items()))

    def _rate(self) -> Element:
        ntsc = "TRUE" if self.rate.ntsc else "FALSE"
        return element("rate", element("timebase", self.rate.timebase), element("ntsc", ntsc))


def _samples(sound: SoundFormat) -> list[Element]:
    return [element("depth", 16), element("samplerate", sound.rate)]
