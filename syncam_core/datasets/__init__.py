"""Views with their cameras as a dataset on the disk: scenes that appear whole or not at all, written and read.

    <dataset>/<split>/scene00001/scene.json       names, colours and lenses of the cameras, layout, fps, frames, size
                                 caption.txt      where there is a caption
      syncamvideo                videos/cam01.mp4, ...   cameras/camera_extrinsics.json
      nerfstudio                 frame_00000/transforms.json   frame_00000/images/cam01.png, ...
      colmap                     frame_00000/sparse/0/{cameras,images,points3D,rigs,frames}.txt   frame_00000/images/cam01.png, ...
      nerfstudio_4d              transforms.json   images/cam01_00000.png, ...
      colmap_4d                  sparse/0/{cameras,images,points3D,rigs,frames}.txt   images/cam01_00000.png, ...
      dnerf                      transforms_train.json, _val, _test   train/cam01_00000.png, ...   test/cam02_00000.png, ...

The folders are the truth; there is no list of scenes that could disagree with them. `scene.json` holds what the camera
formats have no place for, and a scene of another program is read without it.
"""

from .place import append_scene
from .read import StoredScene, open_scene, scenes_in
from .scene_file import LAYOUTS, SceneFacts
from .write import POINTS, Training, check_take, pictures_and_points, write_take

__all__ = [
    "LAYOUTS",
    "POINTS",
    "SceneFacts",
    "StoredScene",
    "Training",
    "append_scene",
    "check_take",
    "open_scene",
    "pictures_and_points",
    "scenes_in",
    "write_take",
]
