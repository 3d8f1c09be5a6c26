"""What every node of the pack is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from comfy_api.latest import io

from .errors import sentences_of, verdict


class SynCamNode(io.ComfyNode):
    """A node whose class is called like its id.

    What `execute` refuses begins with the id. An input that has a default there may be null, also in a list node: API
    clients and the official command line send null for what is not connected, and the default takes its place.
    """

    node_id: str

    def __init_subclass__(cls, **options) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("execute")
        # The host copies classes under other names, with what is wrapped already, and locks the copies.
        if own is not None and not hasattr(own.__func__, "__wrapped__"):
            cls.node_id = cls.__name__
            cls.execute = classmethod(_as_the_host_calls_it(own.__func__, cls.__name__))

    @classmethod
    def judged(cls, check: Callable[..., object], *values: object) -> bool | str:
        """What `validate_inputs` returns: True where `check` passes, else its sentence with the node's id in front."""
        return verdict(sentences_of(cls.node_id)(check), *values)


def told_as_required(node: type[io.ComfyNode], info: dict, name: str) -> dict:
    """What clients are told of a node, with one of its optional inputs among the required ones, in the schema's order.

    What a job is held against, the schema, asks for it no more than before.
    """
    given = info["input"]
    given["required"][name] = given["optional"].pop(name)
    given["required"] = {
        each.id: given["required"][each.id] for each in node.GET_SCHEMA().inputs if each.id in given["required"]
    }
    info["input"] = {kind: inputs for kind, inputs in given.items() if inputs}
    info["input_order"] = {kind: list(inputs) for kind, inputs in info["input"].items()}
    return info


def _as_the_host_calls_it(execute: Callable[..., io.NodeOutput], node_id: str) -> Callable[..., io.NodeOutput]:
    parameters = inspect.signature(execute).parameters.values()
    optional = {one.name for one in parameters if one.default is not inspect.Parameter.empty}

    @functools.wraps(execute)
    def called(cls: type[SynCamNode], *inputs: object, **named: object) -> io.NodeOutput:
        given = {name: value for name, value in named.items() if name not in optional or not _is_null(value)}
        with sentences_of(node_id):
            return execute(cls, *inputs, **given)

    return called


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 1 and value[0] is None)
