"""The talk's four tables from reports, with the paper's own rows beside them when wanted."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UserError, check_choice
from .report import ReadReport, Told, value_of
from .suite import METRICS, UNPUBLISHED

NONE, PAPER = "-", " (paper)"
FORMATS = ("markdown", "csv", "latex")
Row = tuple[str, Sequence[float | None]]


@dataclass(frozen=True)
class Layout:
    """A table: its columns under their headings, and the rows of the paper (arXiv 2412.07760)."""

    title: str
    groups: Sequence[tuple[str, Sequence[str]]]  # heading, names of METRICS
    paper: Sequence[Row]

    @property
    def columns(self) -> list[str]:
        return [name for _, names in self.groups for name in names]


_QUALITY = ("Visual Quality", ("fid", "fvd", "clip_t", "clip_f"))
_SYNC = ("View Synchronization", ("mat_pix", "fvd_v", "clip_v"))
LAYOUTS: Mapping[str, Layout] = {
    "table1": Layout(
        "Table 1. View synchronization and visual quality",
        (_QUALITY, _SYNC),
        (
            ("M.V. Image + SVD-XT", (137.3, 1755, None, 97.56, 150.4, 1742, 89.14)),
            ("M.V. Image + CameraCtrl", (152.8, 2203, None, 98.32, 172.9, 1661, 89.33)),
            ("M.V. Image + I2V-Ours", (113.1, 1376, 33.48, 99.27, 116.8, 1930, 90.01)),
            ("SynCamMaster", (116.7, 1401, 33.40, 99.36, 527.1, 1470, 93.71)),
        ),
    ),
    "table2": Layout(
        "Table 2. Ablation of the joint training strategy",
        (_QUALITY, _SYNC),
        (
            ("M.V. Video", (149.9, 1971, 30.97, 99.37, 460.5, 1668, 89.68)),
            ("M.V. Video + M.V. Image", (121.5, 1655, 33.02, 99.36, 533.0, 1482, 93.15)),
            ("M.V. Video + General Video", (122.4, 1608, 32.54, 99.38, 471.9, 1514, 90.12)),
            ("M.V. Video + M.V. Image + General Video", (116.7, 1401, 33.40, 99.36, 527.1, 1470, 93.71)),
        ),
    ),
    "table3": Layout(
        "Table 3. Novel views of a given video",
        (("Against the true views", ("lpips", "psnr", "ssim")),),
        (
            ("s_V 1.2, s_T 5.0", (0.4899, 16.29, 0.4754)),
            ("s_V 1.2, s_T 7.5", (0.4901, 16.60, 0.4783)),
            ("s_V 1.8, s_T 7.5", (0.4761, 16.47, 0.4935)),
            ("s_V 2.5, s_T 7.5", (0.5022, 14.55, 0.4667)),
        ),
    ),
    "table4": Layout(
        "Table 4. Camera accuracy",
        (("Camera Accuracy", ("rot_err", "trans_err")),),
        (
            ("M.V. Image + SVD-XT", (0.25, 0.72)),
            ("M.V. Image + CameraCtrl", (0.16, 0.67)),
            ("M.V. Image + I2V-Ours", (0.26, 0.80)),
            ("SynCamMaster", (0.12, 0.58)),
        ),
    ),
}
LONGEST_REASON = 400  # characters
TEX = {sign: f"\\{sign}" for sign in "&%$#_{}"}
TEX |= {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\N{INFINITY}": "$\\infty$"}
PAPER_DECIMALS = {"mat_pix": 1, "rot_err": 2, "trans_err": 2}


@dataclass(frozen=True)
class Table:
    """Cells as text, under headings, with the notes that they refer to."""

    layout: Layout
    rows: Sequence[tuple[str, Sequence[str]]]
    notes: Sequence[str]

    def headings(self) -> list[str]:
        return [f"{METRICS[name].title} {METRICS[name].arrow}" for name in self.layout.columns]

    def best(self) -> set[tuple[int, int]]:
        """Row and column of the best number of each column among our own rows, where there are several."""
        found = set()
        for column, name in enumerate(self.layout.columns):
            numbers = {
                row: _number(cells[column])
                for row, (method, cells) in enumerate(self.rows)
                if not method.endswith(PAPER)
            }
            known = {row: number for row, number in numbers.items() if number is not None}
            if len(known) > 1:
                choose = max if METRICS[name].higher_is_better else min
                found |= {(row, column) for row, number in known.items() if number == choose(known.values())}
        return found

    def to_text(self, form: str = "markdown") -> str:
        """Markdown, CSV or LaTeX. Raises UserError for another form."""
        check_choice("format", form, FORMATS)
        return {"markdown": self._markdown, "csv": self._csv, "latex": self._latex}[form]()

    def _markdown(self) -> str:
        above = [
            f"**{heading}**" if at == 0 else "" for heading, names in self.layout.groups for at in range(len(names))
        ]
        lines = [
            f"### {self.layout.title}",
            "",
            _line(["", *above]),
            _line(["---", *["---:" for _ in above]]),
            _line(["Method", *self.headings()]),
            *(_line([_plain(name), *cells]) for name, cells in self.rows),
        ]
        return "\n".join([*lines, "", *(f"{note}  " for note in self.notes)])

    def _csv(self) -> str:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["Method", *self.headings()])
        table.writerows([name, *cells] for name, cells in self.rows)
        return text.getvalue() + "".join(f"# {note}\n" for note in self.notes)

    def _latex(self) -> str:
        groups = [f"\\multicolumn{{{len(names)}}}{{c}}{{{_tex(heading)}}}" for heading, names in self.layout.groups]
        headings = [h.replace("\u2191", "$\\uparrow$").replace("\u2193", "$\\downarrow$") for h in self.headings()]
        # a bracket at the beginning of a row would be the option of the line break before it
        rows = [" & ".join([_tex(name).replace("[", "{[}"), *map(_tex, cells)]) for name, cells in self.rows]
        body = [" & ".join(["", *groups]), " & ".join(["Method", *headings]), *rows]
        return "\n".join(
            [
                f"% {self.layout.title}",
                f"\\begin{{tabular}}{{l{'r' * len(self.layout.columns)}}}",
                *(f"{line} \\\\" for line in body),
                "\\end{tabular}",
                *(f"% {note}" for note in self.notes),
            ]
        )


def measured_table(title: str, reports: Sequence[tuple[str, ReadReport]]) -> Table:
    """Whatever was measured, a column for each metric of the first report, without the paper's rows."""
    columns = tuple(reports[0][1]["metrics"])
    return _table(Layout(title, (("Measured", columns),), ()), reports, False)


def table_of(
    layout: str,
    reports: Sequence[tuple[str, ReadReport]],  # with the names of their rows
    with_paper: bool = False,
) -> Table:
    """Raises UserError for a layout that there is not."""
    check_choice("layout", layout, LAYOUTS)
    return _table(LAYOUTS[layout], reports, with_paper)


def _table(chosen: Layout, reports: Sequence[tuple[str, ReadReport]], with_paper: bool) -> Table:
    rows: list[tuple[str, list[str]]] = []
    notes: list[str] = []
    reasons: dict[str, dict[str, list[str]]] = {}  # why, of which row, which columns
    if with_paper:
        for name, values in chosen.paper:
            rows.append((f"{name}{PAPER}", [_paper(c, v) for c, v in zip(chosen.columns, values, strict=True)]))
        if any(None in values for _, values in chosen.paper):
            notes.append(f"{NONE} in a row of the paper: the paper has no number there.")
    for name, report in reports:
        cells = []
        for column in chosen.columns:
            told = report["metrics"].get(column, {"not_measured": "it was not asked for"})
            cells.append(_cell(column, told))
            if cells[-1] == NONE:
                why = _shortened(str(told.get("not_measured", "no number")))
                reasons.setdefault(why, {}).setdefault(name, []).append(METRICS[column].title)
        rows.append((name, cells))
    for why, missing in reasons.items():
        of = "; ".join(f"{name}: {', '.join(titles)}" for name, titles in missing.items())
        notes.append(f"{NONE} {of}: {why}.")
    if with_paper and reports:
        notes.append(UNPUBLISHED)
    if not rows:
        raise UserError("a table needs a report, or the paper's rows.", field="reports")
    return Table(chosen, rows, notes)


def _cell(column: str, told: Told) -> str:
    try:
        value = value_of(told)
    except (KeyError, TypeError, ValueError):
        return NONE
    metric = METRICS[column]
    if math.isnan(value) or value == -math.inf:
        return NONE
    if all(isinstance(told.get(end), (int, float)) for end in ("low", "high")):
        return f"{metric.to_text(value)} [{metric.to_text(told['low'])}, {metric.to_text(told['high'])}]"
    return metric.to_text(value)


def _paper(column: str, value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.{PAPER_DECIMALS.get(column, METRICS[column].decimals)}f}"


def _number(cell: str) -> float | None:
    if cell == NONE:
        return None
    first = cell.split(" ")[0]
    return math.inf if first == "\N{INFINITY}" else float(first)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(name: str) -> str:
    return " ".join(name.replace("|", "/").split())


def _shortened(why: str) -> str:
    """On one line, as notes are, and of bounded length: reports may come from anywhere."""
    return textwrap.shorten(why[: 4 * LONGEST_REASON], LONGEST_REASON, placeholder=" ...")


def _tex(text: str) -> str:
    return "".join(TEX.get(sign, sign) for sign in " ".join(text.split()))
