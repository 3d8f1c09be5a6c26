"""From cameras and a prompt to the latent of all views."""

from . import (
    apply,
    cameras,
    demo_model,
    dual_guider,
    given_views,
    parallel,
    recapture,
    sampler,
    scout,
    view_control,
    weights,
)

MODULES = (
    cameras,
    weights,
    apply,
    view_control,
    parallel,
    given_views,
    sampler,
    scout,
    dual_guider,
    recapture,
    demo_model,
)
NODES = [node for module in MODULES for node in module.NODES]
