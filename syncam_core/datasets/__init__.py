"""Views with their cameras as a dataset on the disk: scenes that appear whole or not at all, written and read.

    <dataset>/<split>/scene00001/scene.json       names, colours and lenses of the cameras, layout, fps, frames, size
                                 caption.txt      where there is a caption
      syncamvideo                videos/cam01.mp4, ...   cameras/camera_extrinsics.json
      nerfstudio                 frame_00000/transforms.json   frame_00000/images/cam01.png, ...
      colmap                     frame_00000/sparse/0/{cameras,images,points3D}.txt   frame_00000/images/cam01.png, ...

The folders are the truth; there is no list of scenes that could disagree with them. `scene.json` holds what the camera
formats have no place for, and a scene of another program is read without it.
"""

from .place import append_scene
from .read import StoredScene, open_scene, scenes_in
from .scene_file import LAYOUTS, SceneFacts
from .write import check_take, write_take

__all__ = [
    "LAYOUTS",
    "SceneFacts",
    "StoredScene",
    "append_scene",
    "check_take",
    "open_scene",
    "scenes_in",
    "write_take",
]
