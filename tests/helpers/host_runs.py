"""Nodes run by the host's own way from what a prompt and its links give to `execute`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import torch


def optional_inputs(node) -> list[str]:
    return [one.id for one in node.GET_SCHEMA().inputs if one.optional]


def listed_inputs(node, given: Mapping[str, object]) -> dict[str, list]:
    """A list for every input, as the host hands them out, with the widgets' defaults where nothing is given.

    What is a list already, in a node that takes lists, stays as it is. Optional inputs are left out unless given.
    """
    schema, missing = node.GET_SCHEMA(), optional_inputs(node)
    usual = {one.id: one.default for one in schema.inputs if getattr(one, "default", None) is not None}
    inputs = {name: value for name, value in usual.items() if name not in missing} | dict(given)
    return {
        name: value if schema.is_input_list and isinstance(value, list) else [value] for name, value in inputs.items()
    }


def run_as_the_host_does(comfy, node_id: str, inputs: dict[str, list]) -> tuple[list, dict]:
    """Every output as the list that the host makes of it, and what is shown."""
    import execution

    node = comfy.nodes[node_id]
    _, _, about = execution.get_input_data(dict.fromkeys(inputs), node, "7", None, None, {"extra_pnginfo": {}})
    with torch.inference_mode():
        outputs, shown, *_ = asyncio.run(execution.get_output_data("job", "7", node(), inputs, v3_data=about))
    return outputs, shown
