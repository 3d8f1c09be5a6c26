"""The socket types of the pack."""

from comfy_api.latest import io

RigType = io.Custom("SYNCAM_RIG")  # syncam_core.cameras.Rig
CamerasType = io.Custom("SYNCAM_CAMERAS")  # syncam_core.cameras.CameraEncoding
TrajectoriesType = io.Custom("SYNCAM_TRAJECTORIES")  # syncam_core.cameras.TrajectoryEncoding
WeightsType = io.Custom("SYNCAM_WEIGHTS")  # the host's ModelPatcher around a view_sync.ViewSync or recapture.ReCapture
ControlType = io.Custom("SYNCAM_CONTROL")  # syncam_core.view_sync.control.ViewControl
LayoutType = io.Custom("SYNCAM_LAYOUT")  # syncam_core.video.layout.Layout
InterpolationType = io.Custom("INTERP_MODEL")  # of the host's Load Frame Interpolation Model
FilesType = io.Custom("SYNCAM_FILES")  # syncam_core.video.view_files.SavedViews
EditType = io.Custom("SYNCAM_EDIT")  # syncam_core.video.edit.Edit
GeometryType = io.Custom("DA3_GEOMETRY")  # of the host's Run Depth Anything 3
