"""Which camera and which moment each picture of a scene is of, for formats that list pictures: COLMAP, transforms.json.

Told from the pictures' paths, and from what the file knows beside them: the lens of each picture (COLMAP's CAMERA_ID),
the time of each, and COLMAP's frames. What words say ("cam01/0003.png", "frame0003_cam01.png") counts as it stands. What
is only numbers has to add up: the same moments in all cameras, evenly spaced, one lens in each. Everything else is a
still camera per picture, since photos have numbers, too. The reader's `pictures` overrules the guess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeVar

from ..cameras.rig import MAX_VIEWS
from ..errors import UserError
from .files import chosen_of

Found = TypeVar("Found")

PICTURES = {
    "auto": "told from the pictures' names, lenses and times",
    "stills": "every picture is a camera that stands still",
    "moving": "pictures are the frames of moving cameras",
}

Cameras = dict[str, list[tuple[float, int]]]  # per camera its moments, and the index of the picture at each

_PLAIN_FOLDERS = {"images", "photos", "input"}  # what people call a folder of all their pictures
_SPLITS = {"train", "test", "val", "eval", "validation"}
# The folders and files of photo cameras (Design rule for Camera File system): their numbers count photos, not moments.
_CARD_FOLDER = re.compile("[1-9][0-9]{2}[A-Z0-9_]{5}")
_CARD_FILE = re.compile("(?=[A-Z0-9_]*[A-Z])[A-Z0-9_]{4}[0-9]{4}")

_CAMERA = r"(?:cam(?:era)?|view|c|v)[ _-]?[0-9]{1,9}"
_TIME = r"(?:frame|time|f|t)?[ _-]?([0-9]{1,15})"
_CAMERA_NAME = re.compile(_CAMERA, re.IGNORECASE)
_TIME_NAME = re.compile(_TIME, re.IGNORECASE)
_ENDING = re.compile("[A-Za-z][A-Za-z0-9]{0,4}")
_NO_PART = {"", ".", ".."}
_DIGITS, _MOST_DIGITS = "0123456789", 15
_CAMERA_THEN_TIME = re.compile(rf"({_CAMERA})[ _-]+{_TIME}", re.IGNORECASE)
_TIME_THEN_CAMERA = re.compile(rf"(?:frame|time|f|t)[ _-]?([0-9]{{1,15}})[ _-]+({_CAMERA})", re.IGNORECASE)
_EVEN = 0.01  # of a step, by which moments may miss their place

_STILLS_HINT = "if they are photos of one moment, set 'pictures' to stills"


@dataclass(frozen=True)
class Listed:
    """The pictures that a file lists, and what it says about each. Empty sequences: nothing."""

    paths: Sequence[str]
    said: Callable[[int], str]  # what sentences call the picture of an index
    lenses: Sequence[Hashable] = ()
    times: Sequence[float] = ()
    known: Sequence[tuple[str, float]] = ()  # camera and moment, beyond doubt
    sensors: Sequence[int] = ()  # of a COLMAP rig: the camera of each
    frames: Sequence[int] = ()  # and its frame


@dataclass(frozen=True)
class Chosen:
    """Indices of pictures: those of the chosen cameras, in the order of their moments, and one of every camera."""

    shots: dict[str, list[int]]
    first_of_each: list[int]


def choose_shots(listed: Listed, cameras: str | Sequence[str], pictures: str = "auto") -> Chosen:
    """The chosen cameras and their pictures.

    Only what is chosen is judged: raises UserError for two pictures of one camera and moment, and for moving cameras
    that lack moments which others have; also for cameras that are not there.
    """
    found = cameras_of(listed, pictures)
    if pictures == "auto" and isinstance(cameras, str) and cameras.strip() and not _are_named(cameras, found):
        stills = _stills(_parts_of(listed.paths))
        found = stills if _are_named(cameras, stills) else found  # whoever names pictures wants these
    names = [*found]
    too_many = " If they are the frames of moving cameras, set 'pictures' to moving." if pictures == "auto" else ""
    chosen = {names[index]: found[names[index]] for index in chosen_of(cameras, names, too_many)}
    _check_moments(chosen, listed.said, "" if pictures == "moving" else f"; {_STILLS_HINT}")
    return Chosen(
        {name: [index for _, index in sorted(shots)] for name, shots in chosen.items()},
        [min(shots)[1] for shots in found.values()],
    )


def cameras_of(listed: Listed, pictures: str = "auto") -> Cameras:
    """All cameras in the order of their first pictures. Raises UserError where it cannot be told when pictures were."""
    parts = _parts_of(listed.paths)
    if pictures == "stills":
        return _stills(parts)
    readings = _moving(parts, listed) if pictures == "moving" else _likely(parts, listed)
    found = next(filter(None, readings), None)
    if found is None and pictures == "moving":
        raise UserError(
            "the names of its pictures do not end in the numbers of frames, so they cannot be moving cameras; name them "
            "like 'cam01/0000.png', or set 'pictures' to stills.",
            field="pictures",
        )
    return found or _stills(parts)


def _likely(parts: list[list[str]], listed: Listed) -> Iterable[Cameras | None]:
    yield _of_file(parts, listed)
    yield _of_words(parts, listed)
    for reading in (_of_folders, _of_moment_folders, _of_prefixes):
        found = reading(parts, listed)
        yield found if found and _is_likely(found, parts, listed) else None
    yield _walk(parts, listed)
    yield _of_times(listed)


def _moving(parts: list[list[str]], listed: Listed) -> Iterable[Cameras | None]:
    yield _of_file(parts, listed)
    yield _of_words(parts, listed)
    readings = [reading(parts, listed) for reading in (_of_folders, _of_moment_folders, _of_prefixes)]
    several = [found for found in readings if found and len(found) > 1]
    yield from sorted(several, key=lambda found: not _one_lens_each(found, listed.lenses))
    single = (found for found in readings if found and not {name.lower() for name in found} & _PLAIN_FOLDERS)
    yield _of_times(listed) or next(single, None)
    numbers = _all_there([_number_behind(stem)[1] for *_, stem in parts])
    yield {"cam01": list(zip(numbers, range(len(parts)), strict=True))} if numbers is not None else None


# -- what names say --------------------------------------------------------------------------------------------------


def _parts_of(paths: Sequence[str]) -> list[list[str]]:
    """The folders and the name, without its ending, of each picture."""
    folders_of, is_ending = cache(_folders), cache(_ENDING.fullmatch)  # many pictures have few of either
    parts = []
    for index, path in enumerate(paths, start=1):
        above, _, name = (path.replace("\\", "/") if "\\" in path else path).rpartition("/")
        if name in _NO_PART:
            *folders, name = folders_of(above) or [f"cam{index:02d}"]
        else:
            folders = folders_of(above)
        stem, _, ending = name.rpartition(".")
        parts.append([*folders, stem if stem and is_ending(ending) else name])
    return parts


def _folders(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in _NO_PART]


def _number_behind(stem: str) -> tuple[str, float | None]:
    """What stands before the digits at the end of a name, and their number."""
    at = max(len(stem.rstrip(_DIGITS)), len(stem) - _MOST_DIGITS)
    return (stem[:at], float(stem[at:])) if at < len(stem) else (stem, None)


def _of_words(parts: list[list[str]], listed: Listed) -> Cameras | None:
    told = []
    for one in parts:
        if (shot := _words(one)) is None:
            return None
        told.append(shot)
    if len({*told}) < len(told):
        places: dict[tuple[str, float], list[str]] = {}
        for shot, (*folders, _) in zip(told, parts, strict=True):
            if places.setdefault(shot, folders) != folders:
                return None  # two folders above have a cam01 each
    return _grouped([name for name, _ in told], [moment for _, moment in told], listed)


def _words(parts: list[str]) -> tuple[str, float] | None:
    """Camera and moment of a picture whose path names both."""
    stem, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if not stem.isdigit():
        if found := _CAMERA_THEN_TIME.fullmatch(stem):
            return found[1], float(found[2])
        if found := _TIME_THEN_CAMERA.fullmatch(stem):
            return found[2], float(found[1])
    if _CAMERA_NAME.fullmatch(folder) and (moment := _number_behind(stem)[1]) is not None:
        return folder, moment
    if _CAMERA_NAME.fullmatch(stem) and (found := _TIME_NAME.fullmatch(folder)):
        return stem, float(found[1])
    return None


def _of_folders(parts: list[list[str]], listed: Listed) -> Cameras | None:
    """A folder per camera; moments are the numbers behind the names, or else the times."""
    folders = ["/".join(folders) for *folders, _ in parts]
    if "" in folders:
        return None
    moments = _all_there([_number_behind(stem)[1] for *_, stem in parts])
    if moments is None and not listed.times:
        return None
    found = _grouped(_without_common_folders(folders), moments, listed)
    return None if any(len({*dict(shots)}) < len(shots) for shots in found.values()) else found


def _of_moment_folders(parts: list[list[str]], listed: Listed) -> Cameras | None:
    """A folder per moment, in which every camera's picture has the camera's name."""
    found = _all_there([_TIME_NAME.fullmatch(one[-2]) if len(one) > 1 else None for one in parts])
    if found is None or len({one[-2] for one in parts}) < 2:
        return None
    names, moments = [one[-1] for one in parts], [float(match[1]) for match in found]
    if len({*zip(names, moments, strict=True)}) < len(names):
        return None
    if any(_number_behind(name)[0].strip("_- ") == "" for name in names):  # "000001/02": which is which?
        lenses = listed.lenses
        if not (_are_evidence(lenses) and _one_lens_each(_grouped(names, moments, listed), lenses)):
            return None
    return _grouped(names, moments, listed)


def _of_prefixes(parts: list[list[str]], listed: Listed) -> Cameras | None:
    """The camera before the number, in names whose folders say nothing: "left_0001", or all of them in images/."""
    in_one_folder = len({tuple(one[:-1]) for one in parts}) == 1
    told = [_number_behind(one[-1] if in_one_folder else "/".join(one)) for one in parts]
    names = [_camera_before(begin) for begin, _ in told]
    moments = _all_there([moment for _, moment in told])
    if "" in names or moments is None or len({*zip(names, moments, strict=True)}) < len(names):
        return None
    return _grouped(names, moments, listed)


def _camera_before(begin: str) -> str:
    """Of "cam01_" or "cam01_f": cam01. Nothing where there is a folder, no separator, or no letter in the name."""
    name = re.sub("(frame|f)$", "", begin.removesuffix("_") if begin.endswith("frame_") else begin)
    camera = name.rstrip("_-. ")
    return camera if camera != name and "/" not in camera and any(map(str.isalpha, camera)) else ""


def _walk(parts: list[list[str]], listed: Listed) -> Cameras | None:
    """The frames of one video that somebody walked with: "frame_00000" and so on, of one lens or too many for photos."""
    one_lens = bool(listed.lenses) and len({*listed.lenses}) == 1
    told = [_number_behind(stem) for *_, stem in parts]
    if len({(*one[:-1], begin) for one, (begin, _) in zip(parts, told, strict=True)}) > 1 or len(parts) < 2:
        return None
    moments = _all_there([moment for _, moment in told])
    if not re.search("frame[ _-]?$", told[0][0], re.IGNORECASE) or moments is None or not _are_even(moments):
        return None
    return {"cam01": list(zip(moments, range(len(parts)), strict=True))} if one_lens or len(parts) > MAX_VIEWS else None


def _of_times(listed: Listed) -> Cameras | None:
    """One camera, where every picture has a time and they all differ, as in D-NeRF's scenes."""
    times = listed.times
    if len(times) < 2 or len({*times}) == 1:
        return None
    if len({*times}) < len(times):
        first = next(index for index, time in enumerate(times) if times.count(time) > 1)
        second = times.index(times[first], first + 1)
        raise UserError(
            f"{listed.said(first)} and {listed.said(second)} have the same time, but their names do not tell which "
            f"camera each is of; name the pictures like 'cam01/0000.png', or {_STILLS_HINT}."
        )
    return {"cam01": list(zip(times, range(len(times)), strict=True))}


def _of_file(parts: list[list[str]], listed: Listed) -> Cameras | None:
    """What the file says. COLMAP's cameras are called as their pictures call them, moments are counted or named so."""
    if listed.known:
        return _grouped([name for name, _ in listed.known], [moment for _, moment in listed.known], listed)
    sensors, frames = listed.sensors, listed.frames
    if not sensors:
        return None
    candidates: tuple[Callable[[], list[str]], ...] = (  # of the likeliest first, as each takes its time
        lambda: _without_common_folders(["/".join(one[:-1]) for one in parts]),
        lambda: [word[0] if word else "" for word in map(_words, parts)],
        lambda: [one[-1] for one in parts],
        lambda: [_camera_before(_number_behind("/".join(one))[0]) for one in parts],
    )
    names = next((names for make in candidates if _are_paired(names := make(), sensors)), None)
    number_behind = cache(_number_behind)  # each is that of several cameras
    moments = _all_there([number_behind(one[-1])[1] for one in parts])
    if moments is None or not _are_paired(moments, frames):
        order = {frame: place for place, frame in enumerate(sorted({*frames}))}
        moments = [float(order[frame]) for frame in frames]
    return _grouped(names or [f"cam{sensor:02d}" for sensor in sensors], moments, listed)


def _all_there(found: list[Found | None]) -> list[Found] | None:
    """None where one is missing."""
    there = [one for one in found if one is not None]
    return there if len(there) == len(found) else None


def _are_paired(names: Sequence[Hashable], keys: Sequence[int]) -> bool:
    """Whether each name stands for one key and each key has one name."""
    pairs = {*zip(names, keys, strict=True)}
    return "" not in names and None not in names and len(pairs) == len({*names}) == len({*keys})


def _stills(parts: list[list[str]]) -> Cameras:
    names = [one[-1] for one in parts]
    found: Cameras = {}
    for index, name in enumerate(names if len({*names}) == len(names) else ["/".join(one) for one in parts]):
        found.setdefault(name, []).append((0.0, index))
    return found


def _without_common_folders(folders: Sequence[str]) -> list[str]:
    """Folders that all cameras share, before or behind their own, are no part of their names."""
    parts = {folder: folder.split("/") for folder in folders}
    while min(map(len, parts.values())) > 1 and len({one[0] for one in parts.values()}) == 1:
        parts = {folder: one[1:] for folder, one in parts.items()}
    while len(parts) > 1 and min(map(len, parts.values())) > 1 and len({one[-1] for one in parts.values()}) == 1:
        parts = {folder: one[:-1] for folder, one in parts.items()}
    names = {folder: "/".join(one) for folder, one in parts.items()}
    return [names[folder] for folder in folders]


def _grouped(names: Sequence[str], numbers: Sequence[float] | None, listed: Listed) -> Cameras:
    """Cameras by their names; where the numbers of their moments do not match but the times do, these are the moments."""

    def by(moments: Sequence[float]) -> Cameras:
        found: Cameras = {}
        for index, (name, moment) in enumerate(zip(names, moments, strict=True)):
            found.setdefault(name, []).append((moment, index))
        return found

    if not listed.times or (numbers is not None and _have_same_moments(by(numbers))):
        return by(numbers or listed.times)
    return by(listed.times) if numbers is None or _have_same_moments(by(listed.times)) else by(numbers)


# -- what adds up ----------------------------------------------------------------------------------------------------


def _is_likely(found: Cameras, parts: list[list[str]], listed: Listed) -> bool:
    """Whether names that only have numbers surely mean cameras and moments: photos of one moment have numbers, too."""
    if not _one_lens_each(found, listed.lenses):
        return False
    if _lenses_tell_apart(found, listed.lenses):
        counts = Counter(moment for shots in found.values() for moment, _ in shots)
        return max(counts.values()) > 1  # judged, and refused where one lacks a moment
    last_folders = {one[-2] for one in parts if len(one) > 1}
    if any(_CARD_FOLDER.fullmatch(one) or one.lower() in _SPLITS for one in last_folders):
        return False
    if all(_CARD_FILE.fullmatch(one[-1]) for one in parts):
        return False
    if len(found) > 1:
        return _have_same_moments(found)
    ((name, shots),) = found.items()
    moments = [moment for moment, _ in shots]
    if not last_folders:  # cam01_0001, cam01_0002; not IMG_0001, IMG_0002
        return (
            name[-1].isdigit()
            and len(moments) > 1
            and _are_even(moments)
            and max(moments) - min(moments) < len(moments)
        )
    bare = all(_TIME_NAME.fullmatch(one[-1]) for one in parts)
    return bare and not {one.lower() for one in last_folders} & _PLAIN_FOLDERS and _are_even(moments)


def _have_same_moments(found: Cameras) -> bool:
    """Whether cameras of several moments share them, evenly spaced, and those of one have one of these."""
    moments = [{moment for moment, _ in shots} for shots in found.values()]
    longest = max(moments, key=len)
    same = all(one == longest or (len(one) == 1 and (len(longest) == 1 or one < longest)) for one in moments)
    return same and _are_even(longest)


def _are_even(moments: Iterable[float]) -> bool:
    steps = [after - before for before, after in pairwise(sorted(moments))]
    return not steps or max(steps) - min(steps) <= _EVEN * min(steps)


def _are_evidence(lenses: Sequence[Hashable]) -> bool:
    """A lens for all says nothing, and neither does one for each picture, which COLMAP gives without being told."""
    return 1 < len({*lenses}) < len(lenses)


def _one_lens_each(found: Cameras, lenses: Sequence[Hashable]) -> bool:
    return not _are_evidence(lenses) or all(len({lenses[index] for _, index in shots}) == 1 for shots in found.values())


def _lenses_tell_apart(found: Cameras, lenses: Sequence[Hashable]) -> bool:
    return (
        len(found) > 1
        and _are_evidence(lenses)
        and len({lenses[shots[0][1]] for shots in found.values()}) == len(found)
    )


def _are_named(cameras: str, names: Iterable[str]) -> bool:
    """Whether a text asks for cameras by these names, and not just by numbers."""
    return {*filter(None, re.split(r"[,;\s]+", cameras))} <= {*names}


def _check_moments(cameras: Cameras, said: Callable[[int], str], hint: str) -> None:
    for name, shots in cameras.items():
        seen: dict[float, int] = {}
        for moment, index in shots:
            if moment in seen:
                raise UserError(
                    f"{said(seen[moment])} and {said(index)} are both camera {name[:60]!r} at {moment:g}; leave one out."
                )
            seen[moment] = index
    moving = {name: {moment for moment, _ in shots} for name, shots in cameras.items() if len(shots) > 1}
    every = sorted(set().union(*moving.values()))
    for name, moments in moving.items():
        missing = next((moment for moment in every if moment not in moments), None)
        if missing is not None:
            raise UserError(
                f"camera {name[:60]!r} has {len(moments)} frames, and frame {missing:g}, which another camera has, is not "
                f"among them; every moving camera needs every frame, so add it, or leave the camera out{hint}."
            )
    if not _are_even(every):
        step = min(after - before for before, after in pairwise(every))
        before = next(before for before, after in pairwise(every) if after - before > (1 + _EVEN) * step)
        raise UserError(
            f"frame {before + step:g} is missing in all cameras; frames must be equally far apart, so add it{hint}."
        )
