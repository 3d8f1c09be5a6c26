"""The nodes of the paper's tables: what can be measured of one take, and the tables made of several reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import comfy
import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.errors import UserError
from ...syncam_core.metrics.badges import badge_picture, table_picture
from ...syncam_core.metrics.bench import DEFAULT_EVERY, LENSES, Bench
from ...syncam_core.metrics.matched_pixels import AUTO, MATCHERS
from ...syncam_core.metrics.networks.files import Networks
from ...syncam_core.metrics.report import read_report, run, to_text
from ...syncam_core.metrics.suite import METRICS, SET_METRICS, check_bench, chosen
from ...syncam_core.metrics.tables import LAYOUTS, table_of
from ...syncam_core.metrics.takes import Take
from ...syncam_core.video.clip import BITS_8
from ..host.model_folder import metrics_folders
from ..host.video import clips_of
from ..shared.checks import names_and_colors
from ..shared.errors import refusal
from ..shared.inputs import NULL_TEXT, footage_input, in_order, members_input, rig_input
from ..shared.node import SynCamNode

MOST_REPORTS = 32
ALL = "all"
TABLES = {layout.replace("table", "table "): layout for layout in LAYOUTS}  # as the widget calls them


class SynCamMetrics(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamMetrics",
            display_name="SynCam Metrics",
            category="SynCam",
            description=(
                "Measures one run of views with the metrics of the paper's tables: Mat. Pix., RotErr, TransErr, CLIP-T, "
                "CLIP-F, CLIP-V, LPIPS, PSNR, SSIM. Each is a badge: green where it is as good as the paper's, amber "
                "where it is not, blue where nothing says what is good, grey with the reason where it cannot be "
                "measured. Networks are read from models/syncam_metrics and never downloaded."
            ),
            search_aliases=[
                "Mat. Pix.",
                "CLIP-V CLIP-T CLIP-F",
                "CLIP score",
                "RotErr TransErr",
                "FVD FID",
                "PSNR SSIM LPIPS",
                "evaluate multi view consistency",
                "do my views agree",
            ],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                footage_input(),
                rig_input("The rig that the views were made with. Without it nothing is said about cameras."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="The words that the views were made from, for CLIP-T, which reads the first 75 tokens.",
                ),
                io.MultiType.Input(
                    "truth",
                    types=[io.Image, io.Video],
                    optional=True,
                    tooltip="The same views as they should be, in the same order and size, for LPIPS, PSNR and SSIM.",
                ),
                io.String.Input(
                    "metrics",
                    default=ALL,
                    tooltip=f"Which ones, with commas between them: all, or of {', '.join(METRICS)}. The set metrics "
                    f"({', '.join(METRICS[name].title for name in SET_METRICS)}) compare many takes with a reference "
                    "set: use the command python -m syncam_core.metrics for them.",
                ),
                io.Combo.Input(
                    "matcher",
                    options=list(MATCHERS),
                    default=AUTO,
                    tooltip="What finds the same points in two views. auto takes the best whose files are there, sift "
                    "needs none. Numbers of different matchers cannot be compared.",
                ),
                io.Combo.Input(
                    "lens",
                    options=list(LENSES),
                    default=LENSES[0],
                    tooltip="Through which lens the views were made. The model paints as in its training data, whatever "
                    "the rig says; choose rig for renderings and footage.",
                ),
                io.Int.Input(
                    "every",
                    default=DEFAULT_EVERY,
                    min=1,
                    max=4096,
                    tooltip="Looks at every so many frames, from the first: 8 looks at 11 of 81 frames.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="table", tooltip="A line for each metric."),
                io.String.Output(
                    display_name="json",
                    tooltip="All numbers as JSON: for SynCam Metrics Table, the command, and 'scores' of SynCam Save Views.",
                ),
                io.Image.Output(display_name="picture", tooltip="The badges. The node shows them, too."),
            ],
        )

    @classmethod
    def validate_inputs(cls, metrics: list[str | None]) -> bool | str:
        return refusal("SynCamMetrics", names_of, metrics, str)

    @classmethod
    def execute(
        cls,
        views: list[Tensor | Input.Video],
        prompt: list[str],
        metrics: list[str],
        matcher: list[str],
        lens: list[str],
        every: list[int],
        rig: list[Rig] | None = None,
        truth: list[Tensor | Input.Video] | None = None,
    ) -> io.NodeOutput:
        chosen_metrics = names_of(metrics[0])
        names, _ = names_and_colors(rig, len(views))
        take = Take("views", tuple(clips_of(views, names, BITS_8)), rig[0] if rig else None, prompt[0].strip())
        progress = Progress(len(chosen_metrics))
        bench = Bench(
            Networks(metrics_folders(), comfy.model_management.get_torch_device(), [tokenizer_folder()]),
            every[0],
            matcher[0],
            lens[0],
            None
            if not truth
            else Take("truth", tuple(clips_of(truth, [f"truth {n}" for n in range(len(truth))], BITS_8))),
            progress=progress.tell,
        )
        check_bench(bench)
        report = run([take], chosen_metrics, bench, show=progress.begin)
        picture = badge_picture(report)[None]
        document = json.dumps(report, allow_nan=False)
        return io.NodeOutput(to_text(report), document, picture, ui=ui.PreviewImage(picture, cls=cls))


class Progress:
    """The host's bar over all metrics; between any two steps the interrupt button works."""

    STEPS = 100  # of one metric

    def __init__(self, metrics: int):
        self.bar, self.begun = comfy.utils.ProgressBar((metrics + 1) * self.STEPS), -1

    def begin(self, take: str, metric: str) -> None:
        self.begun += 1
        self.tell(0.0)

    def tell(self, share: float) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.bar.update_absolute(round((max(self.begun, 0) + share) * self.STEPS))


def names_of(metrics: str) -> list[str]:
    """The metrics that are asked for. Raises UserError for set metrics alone, which one take has not."""
    names = chosen(metrics)
    if all(name in SET_METRICS for name in names):
        titles = ", ".join(METRICS[name].title for name in names)
        raise UserError(
            f"'metrics' asks for {titles}, which compare a set of takes with a reference set, and this is one take; use "
            "python -m syncam_core.metrics run TAKES... --reference FOLDER, or name other metrics.",
            field="metrics",
        )
    return names


def tokenizer_folder() -> Path:
    """Where the host keeps CLIP's words."""
    return Path(comfy.__path__[0]) / "sd1_tokenizer"


class SynCamMetricsTable(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamMetricsTable",
            display_name="SynCam Metrics Table",
            category="SynCam",
            description=(
                "Puts reports of SynCam Metrics into a table of the paper (1: synchronization and quality, 2: ablation, "
                "3: novel views, 4: camera accuracy), with the paper's own rows above. A number that is missing is a "
                "dash, with the reason below the table."
            ),
            search_aliases=["compare methods", "paper table", "ablation table", "leaderboard", "metrics markdown"],
            is_output_node=True,
            inputs=[
                members_input(
                    "reports",
                    io.String.Input("report", force_input=True, tooltip="The json of a SynCam Metrics."),
                    MOST_REPORTS,
                    f"The reports, a row each; a new socket appears with each, up to {MOST_REPORTS}.",
                ),
                io.Combo.Input(
                    "layout", options=list(TABLES), default=next(iter(TABLES)), tooltip="Whose columns the table has."
                ),
                io.String.Input(
                    "names",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="The names of the rows, one per line, in the order of the reports. Without them: report 1, "
                    "report 2.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="The table as Markdown, for a page or a text file."),
                io.Image.Output(display_name="picture", tooltip="The table as a picture. The node shows it, too."),
            ],
        )

    @classmethod
    def execute(cls, reports: Mapping[str, str | None], layout: str, names: str = "") -> io.NodeOutput:
        texts = in_order(reports)
        lines = "" if names == NULL_TEXT else names
        given = [line.strip() for line in lines.splitlines() if line.strip()]
        if len(given) > len(texts):
            raise UserError(f"'names' has {len(given)} lines, but there are {len(texts)} reports.", field="names")
        called = [*given, *(f"report {number + 1}" for number in range(len(given), len(texts)))]
        rows = [(name, read_report(text, name)) for name, text in zip(called, texts, strict=True)]
        if layout not in TABLES:
            raise UserError(f"'layout' is {layout!r}; possible are {', '.join(TABLES)}.", field="layout")
        table = table_of(TABLES[layout], rows, with_paper=True)
        picture = torch.from_numpy(table_picture(table))[None]
        return io.NodeOutput(table.to_text(), picture, ui=ui.PreviewImage(picture, cls=cls))


NODES = (SynCamMetrics, SynCamMetricsTable)
