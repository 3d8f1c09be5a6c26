"""The host's AUDIO and the sound in its VIDEOs: as the core's sounds on the way in, as AUDIO on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import torch
from comfy_api.latest import Input, InputImpl

from ...syncam_core.errors import UserError
from ...syncam_core.video.sound import Sound, sound_of_samples, sound_of_video
from .video import is_video, parts_of, trim_window

Heard = tuple[list[Sound | None], list[str]]  # of each view; a sentence for each that is left out


def heard(
    audio: Mapping[str, object] | None,  # what the input has; it is the sound of all views then
    views: Sequence[object],  # IMAGE or VIDEO
    names: Sequence[str],
    frames: int,
    fps: Fraction,
) -> Heard:
    """The sound of each view, as long as its frames. Raises UserError for an AUDIO that is none."""
    if audio is not None:
        return [given_sound(audio).lasting(frames, fps)] * len(names), []
    sounds: list[Sound | None] = []
    sentences = []
    for view, name in zip(views, names, strict=True):
        try:
            sounds.append(sound_in(view, name, frames, fps) if is_video(view) else None)
        except UserError as problem:
            sounds.append(None)
            sentences.append(f"No sound of '{name}': {problem}.")
    return sounds, sentences


def given_sound(audio: Mapping[str, object]) -> Sound:
    """Raises UserError with a sentence for what is no AUDIO of one sound."""
    waveform, rate = audio.get("waveform"), audio.get("sample_rate")
    if not isinstance(waveform, torch.Tensor) or waveform.ndim != 3 or len(waveform) != 1 or not isinstance(rate, int):
        raise UserError(
            "'audio' is not one sound; connect the audio of Get Video Components or Load Audio.", field="audio"
        )
    try:
        return sound_of_samples(waveform[0].float().cpu().numpy(), rate)
    except UserError as problem:
        raise UserError(f"'audio' {problem}; give another one.", field="audio") from problem


def sound_in(video: Input.Video, name: str, frames: int, fps: Fraction) -> Sound | None:
    """The sound in a VIDEO. Raises UserError with half a sentence where it is not in time with the frames, or unreadable."""
    parts = parts_of(video)
    if len(parts) > 1:
        if all(_sound(part, Fraction(1, 1000)) is None for part in parts):
            return None
        raise UserError("its video is joined of several; connect the sound to 'audio'")
    sound = _sound(parts[0], frames / fps)
    if sound is None:
        return None
    own = parts[0].get_frame_rate()
    if abs(own / fps - 1) * frames >= Fraction(1, 2):  # half a frame at the end
        raise UserError(f"its video has {float(own):g} frames per second, and 'fps' is {float(fps):g}")
    return sound.lasting(frames, fps)


def _sound(video: Input.Video, length_s: Fraction) -> Sound | None:
    if isinstance(video, InputImpl.VideoFromFile):
        return sound_of_video(video.get_stream_source(), trim_window(video)[0], length_s)
    audio = video.get_components().audio
    return None if audio is None else given_sound(audio)


def as_audio(sound: Sound | None) -> dict[str, object] | None:
    return None if sound is None else {"waveform": torch.from_numpy(sound.samples)[None], "sample_rate": sound.rate}
