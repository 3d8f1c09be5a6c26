"""What is seen while views are sampled: all of them in one picture, named, and moving over the frames of the clip."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import comfy.utils
import latent_preview
import numpy as np
from comfy.model_patcher import ModelPatcher
from einops import rearrange
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...syncam_core.cameras import CameraEncoding
from ...syncam_core.video.labels import LabelPlate, draw_plate, label_plate
from ...syncam_core.video.layout import grid_shape
from ..shared.checks import names_and_colors

Picture = Image.Image
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
EVENT = "syncam.live_preview"
MOST_MOMENTS = 10  # of the clip that the moving preview shows
MOST_PIXELS = 500_000  # of the picture that holds all moments of all views
JPEG_QUALITY = 80  # 50 to 100 kB for 8 views of 832 x 480 pixels
SMALLEST_TEXT_PX, STEP_TO_VIEW_HEIGHT = 10, 0.06


def all_views_callback(
    model: ModelPatcher,
    steps: int,
    first_step: int = 0,
    cameras: CameraEncoding | None = None,
    node_id: str | None = None,
) -> Callable[[int, Tensor, Tensor, int], None]:
    """The host's progress callback, with a preview of all views in place of view 0 alone.

    ``cameras`` may say the views' names and colours. The host's own channel carries a still for any
    client: all views at one moment, which moves on with every step. The page that queued the job gets the moments
    all at once besides, where ``node_id`` says on which node to play them.
    """
    previewer = previewer_of(model)
    bar = comfy.utils.ProgressBar(steps)
    if first_step:
        bar.update_absolute(first_step, steps)
    preview = LivePreview(previewer, cameras, node_id, later=later_previewer_of(model)) if previewer else None

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        still = preview.show(step, x0, total_steps) if preview else None
        bar.update_absolute(step + 1, total_steps, still)

    return callback


def previewer_of(model: ModelPatcher) -> latent_preview.LatentPreviewer | None:
    """The host's previewer, if its setting wants one; models with colours of their own are shown in any case."""
    latent_format = model.model.latent_format
    previewer = latent_preview.get_previewer(model.load_device, latent_format)
    if previewer is None and getattr(latent_format, "always_previewed", False):
        factors = latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias
        previewer = latent_preview.Latent2RGBPreviewer(*factors)
    return previewer


def later_previewer_of(model: ModelPatcher) -> latent_preview.Latent2RGBPreviewer | None:
    """For latent frames behind the first, of models that have other colours there."""
    factors = getattr(model.model.latent_format, "later_rgb_factors", None)
    if factors is None:
        return None
    return latent_preview.Latent2RGBPreviewer(factors, model.model.latent_format.later_rgb_factors_bias)


@dataclass
class LivePreview:
    """Makes the pictures of one sampling."""

    previewer: latent_preview.LatentPreviewer
    cameras: CameraEncoding | None = None
    node_id: str | None = None
    tiles: list[list[Picture]] = field(default_factory=list)  # [view][moment]
    plates: list[LabelPlate | None] | None = None
    font: Font | None = None
    later: latent_preview.Latent2RGBPreviewer | None = None  # for all latent frames but the first

    def show(self, step: int, x0: Tensor, steps: int) -> tuple[str, Picture, int]:
        """Send the moving preview, and return the still as (format, picture, size limit) for the host's bar."""
        moments = moments_of(x0.shape[2])
        shown = step % len(moments)
        self.tiles = self.decoded(x0, moments, shown)
        names, colors = names_and_colors_of(self.cameras, x0.shape[0])
        self.send(names, colors, step + 1, steps)
        limit = latent_preview.MAX_PREVIEW_RESOLUTION
        return ("JPEG", self.still(shown, names, colors, f"{step + 1} / {steps}", limit), limit)

    def decoded(self, x0: Tensor, moments: Sequence[int], shown: int) -> list[list[Picture]]:
        views = x0.shape[0]
        if isinstance(self.previewer, latent_preview.Latent2RGBPreviewer):
            # Every pixel by itself: one call, and one wait for the device, for all moments of all views.
            height, width = x0.shape[-2:]
            tiled = rearrange(x0[:, :, list(moments)], "v c t h w -> 1 c 1 (v h) (t w)")
            sheet = decode(self.previewer, tiled)
            if self.later is not None and moments[0] == 0:
                first = sheet.crop((0, 0, width, views * height))
                sheet = decode(self.later, tiled)
                sheet.paste(first, (0, 0))
            return [
                [sheet.crop((t * width, v * height, (t + 1) * width, (v + 1) * height)) for t in range(len(moments))]
                for v in range(views)
            ]
        # A network: one moment of each view in each step, as many calls as a still needs; the others stay as they were.
        frame = moments[shown]
        now = [decode(self.previewer, x0[v : v + 1, :, frame : frame + 1]) for v in range(views)]
        before = self.tiles or [[picture] * len(moments) for picture in now]
        return [[*row[:shown], picture, *row[shown + 1 :]] for row, picture in zip(before, now, strict=True)]

    def still(self, moment: int, names: list[str], colors: list[str], step: str, limit: int) -> Picture:
        """All views at one moment in a grid, with their names, and the step in the corner."""
        views = [row[moment] for row in self.tiles]
        rows, columns = grid_shape(len(views), 0, views[0].width / views[0].height)
        scale = limit / max(columns * views[0].width, rows * views[0].height)
        width, height = (max(1, round(side * scale)) for side in views[0].size)
        sheet = Image.new("RGB", (columns * width, rows * height))
        for i, view in enumerate(views):
            sheet.paste(
                view.resize((width, height), Image.Resampling.BILINEAR), (i % columns * width, i // columns * height)
            )
        if self.plates is None:
            self.plates = [plate_of(name, color, height, width) for name, color in zip(names, colors, strict=True)]
        picture = np.array(sheet)
        for i, plate in enumerate(self.plates):
            if plate is not None:
                draw_plate(picture, plate, i // columns * height, i % columns * width)
        sheet = Image.fromarray(picture)
        if any(self.plates):
            self.font = self.font or ImageFont.load_default(max(SMALLEST_TEXT_PX, round(height * STEP_TO_VIEW_HEIGHT)))
            write_in_corner(sheet, step, self.font)
        return sheet

    def send(self, names: list[str], colors: list[str], step: int, steps: int) -> None:
        """All moments to the page that queued the job: web/js/live_preview plays them on the node."""
        from server import PromptServer

        server = getattr(PromptServer, "instance", None)
        client = getattr(server, "client_id", None)
        if self.node_id is None or server is None or client is None:
            return
        width, height = self.tiles[0][0].size
        rows, _ = grid_shape(len(self.tiles), 0, width / height)
        message = {
            "node": self.node_id,
            "step": step,
            "steps": steps,
            "rows": rows,
            "aspect": width / height,
            "moments": len(self.tiles[0]),
            "views": [{"name": name, "color": color} for name, color in zip(names, colors, strict=True)],
            "picture": "data:image/jpeg;base64," + base64.b64encode(sprite(self.tiles)).decode("ascii"),
        }
        server.send_sync(EVENT, message, client)


def moments_of(latent_frames: int) -> list[int]:
    """Which latent frames are shown: all of a short clip, else evenly spaced ones with the first and the last."""
    if latent_frames <= MOST_MOMENTS:
        return list(range(latent_frames))
    return [round(i * (latent_frames - 1) / (MOST_MOMENTS - 1)) for i in range(MOST_MOMENTS)]


def names_and_colors_of(cameras: CameraEncoding | None, views: int) -> tuple[list[str], list[str]]:
    """The cameras' names and colours, or plain ones where the cameras are not known."""
    if cameras is None or len(cameras.names) != views or len(cameras.colors) != views:
        return names_and_colors(None, views)
    return list(cameras.names), list(cameras.colors)


def decode(previewer: latent_preview.LatentPreviewer, latent: Tensor) -> Picture:
    return previewer.decode_latent_to_preview_image("JPEG", latent)[1]


def plate_of(text: str, color: str, height: int, width: int) -> LabelPlate | None:
    """A label, or None where it cannot be drawn: no preview is worth a sampling."""
    try:
        return label_plate(text, color, height, width)
    except (ValueError, OSError):
        return None


def write_in_corner(picture: Picture, text: str, font: Font) -> None:
    """Write white on dark into the lower right corner; drawn anew in every step, so by the quickest means."""
    draw, padding = ImageDraw.Draw(picture), 4
    left, top, right, bottom = font.getbbox(text)
    x, y = picture.width - right - 2 * padding, picture.height - bottom - 2 * padding
    draw.rectangle(
        (x + left - padding, y + top - padding, x + right + padding, y + bottom + padding), fill=(12, 12, 14)
    )
    draw.text((x, y), text, fill=(255, 255, 255), font=font)


def sprite(tiles: list[list[Picture]]) -> bytes:
    """A JPEG with a row for each view and a column for each moment, of bounded size."""
    width, height = tiles[0][0].size
    share = min(1.0, (MOST_PIXELS / (width * height * len(tiles) * len(tiles[0]))) ** 0.5)
    width, height = (max(1, int(side * share)) for side in (width, height))
    sheet = Image.new("RGB", (len(tiles[0]) * width, len(tiles) * height))
    for v, row in enumerate(tiles):
        for t, picture in enumerate(row):
            sheet.paste(picture if share == 1 else picture.resize((width, height)), (t * width, v * height))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()
