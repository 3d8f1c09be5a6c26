"""Words for the person who looks at a node, shown on the node itself."""

from __future__ import annotations


def say_on_node(node: type, text: str) -> None:
    """Show a text on the node that is running, the way the host's own nodes show their progress.

    `node` is the class given to `execute`, with `hidden=[io.Hidden.unique_id]` in its schema. Without a server (a node
    called from a script), or where the host does not know which node it is, nothing happens.
    """
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    unique_id = getattr(getattr(node, "hidden", None), "unique_id", None)
    if server is not None and unique_id is not None:
        server.send_progress_text(text, unique_id)
