"""Points that are found in several pictures, where the known cameras say that they are: COLMAP's triangulation.

Needs pycolmap: `pip install "pycolmap>=4"`. COLMAP takes the poses of the cameras as they stand and moves none. What it
needs for that: PINHOLE, a camera for each picture, numbers in the order of the pictures' names (which those in its database
have), and one thread, without which two runs do not give the same points.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import UserError
from ..formats.points import NO_POINTS, Points

LEAST_VIEWS = 2
_MAX_ERROR_PX = 2.0  # COLMAP's own filter is 4, for cameras that it has found itself


def pycolmap_module() -> ModuleType:
    """The library. Raises UserError with the way to get it."""
    try:
        import pycolmap
    except ImportError as problem:
        raise UserError(
            "'points' is triangulated, which needs a library that is not installed: pip install \"pycolmap>=4\"; or "
            "choose seeded.",
            field="points",
        ) from problem
    if int(pycolmap.__version__.split(".")[0]) < 4:
        raise UserError(
            f"'points' is triangulated, which needs pycolmap 4 or newer, but {pycolmap.__version__} is installed: "
            'pip install -U "pycolmap>=4"; or choose seeded.',
            field="points",
        )
    return pycolmap


def triangulated_points(
    images: Path,  # the folder of the pictures
    names: Sequence[str],  # of the views' pictures in it
    c2w: np.ndarray,  # (views, 4, 4) OpenCV axes, metres
    focals_px: Sequence[float],
    size: tuple[int, int],  # height, width
    masks: Path | None = None,  # a folder with <name>.png, black where nothing is to be found
    tick: Callable[[], None] = lambda: None,  # called after each picture, by whose exceptions the work can be ended
) -> Points:
    """The points of one moment, in the rig's world, with the pictures in which each was found.

    No points where nothing is found in two pictures. Raises UserError where the library is missing.
    """
    pycolmap = pycolmap_module()
    order = sorted(range(len(names)), key=lambda view: names[view])
    with tempfile.TemporaryDirectory() as folder, _quiet(pycolmap):
        database, out = Path(folder, "database.db"), Path(folder, "out")
        out.mkdir()
        for view in order:
            _find_features(pycolmap, database, images, names[view], masks)
            tick()
        views = _set_cameras(pycolmap, database, names, focals_px, size)
        options = pycolmap.FeatureMatchingOptions(num_threads=1, use_gpu=False)
        pycolmap.match_exhaustive(database, matching_options=options, device=pycolmap.Device.cpu)
        model = _posed(pycolmap, database, views, c2w)
        how = pycolmap.IncrementalPipelineOptions(num_threads=1)
        how.mapper.num_threads = 1
        how.mapper.filter_max_reproj_error = _MAX_ERROR_PX
        model = pycolmap.triangulate_points(model, database, images, out, options=how)
        return _points_of(model, views)


def _find_features(pycolmap: ModuleType, database: Path, images: Path, name: str, masks: Path | None) -> None:
    reader = pycolmap.ImageReaderOptions(camera_model="PINHOLE")
    if masks is not None:
        reader.mask_path = str(masks)
    pycolmap.extract_features(
        database,
        images,
        image_names=[name],
        camera_mode=pycolmap.CameraMode.PER_IMAGE,
        reader_options=reader,
        extraction_options=pycolmap.FeatureExtractionOptions(num_threads=1, use_gpu=False),
        device=pycolmap.Device.cpu,
    )


def _set_cameras(
    pycolmap: ModuleType, database: Path, names: Sequence[str], focals_px: Sequence[float], size: tuple[int, int]
) -> dict[int, int]:  # image number -> view
    """Give the database the lenses that are known, in place of those that it has guessed."""
    height, width = size
    views = {}
    with pycolmap.Database.open(database) as opened:
        for image in opened.read_all_images():
            view = names.index(image.name)
            camera = opened.read_camera(image.camera_id)
            camera.params = [focals_px[view], focals_px[view], width / 2, height / 2]
            camera.has_prior_focal_length = True
            opened.update_camera(camera)
            views[image.image_id] = view
    return views


def _posed(pycolmap: ModuleType, database: Path, views: dict[int, int], c2w: np.ndarray) -> object:
    """The database's images, where they were taken."""
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as opened:
        for number, view in views.items():
            kept = opened.read_image(number)
            model.add_camera_with_trivial_rig(opened.read_camera(kept.camera_id))
            image = pycolmap.Image(name=kept.name, camera_id=kept.camera_id, image_id=number)
            model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(np.linalg.inv(c2w[view])[:3]))
    return model


def _points_of(model: object, views: dict[int, int]) -> Points:
    found = [point for _, point in sorted(model.points3D.items())]  # type: ignore[attr-defined]
    if not found:
        return NO_POINTS
    tracks = []
    for point in found:
        elements = sorted((views[one.image_id], one.image_id, one.point2D_idx) for one in point.track.elements)
        pixels = [model.images[image].points2D[place].xy for _, image, place in elements]  # type: ignore[attr-defined]
        tracks.append(tuple((view, float(x), float(y)) for (view, _, _), (x, y) in zip(elements, pixels, strict=True)))
    xyz, rgb = np.array([point.xyz for point in found]), np.array([point.color for point in found], np.uint8)
    return Points(xyz, rgb, tuple(tracks), np.array([point.error for point in found]))


@contextmanager
def _quiet(pycolmap: ModuleType) -> Iterator[None]:
    """COLMAP says every step on the standard error, and warns twice of each frame in which it finds nothing."""
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
