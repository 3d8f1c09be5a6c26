"""ComfyUI-SynCam: one prompt and N cameras in, N synchronized videos of the same moment out."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """The node pack, as ComfyUI asks for it."""
    from .nodes import SynCamExtension
    from .nodes.host.model_folder import register_model_folder

    register_model_folder()
    return SynCamExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
