"""The host's frontend with the pack in it, in headless Chromium, as a person opens it."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.InstalledVersion": "1.47.12",
    "Comfy.RightSidePanel.IsOpen": False,
    "Comfy.Execution.PreviewMethod": "default",
}
OFFLINE = ("ERR_NAME_NOT_RESOLVED", "404 (Not Found)", "accessed before initialization")  # the host's own, on any page
RENDERERS = {"argvalues": [False, True], "ids": ["classic nodes", "nodes 2.0"]}
# The WebGL contexts that a page has made.
COUNT_CONTEXTS = """
    window.contexts = [];
    const getContext = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        const context = getContext.call(this, kind, ...rest);
        if (context && kind.startsWith('webgl') && !window.contexts.includes(context)) window.contexts.push(context);
        return context;
    };
"""
READY = (
    "window.comfyAPI?.app?.app?.graph && window.comfyAPI.app.app.extensionManager"
    " && LiteGraph.registered_node_types['SynCamPlayer'] && !document.querySelector('#splash-loader')"
)


class Frontend:
    """Pages of one server in one browser. ``page.errors`` collects what the console calls an error, ``page.ours`` all
    that it says of the pack."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        self.contexts, self.shared = [], {}

    def open(self, nodes_2: bool = False, locale: str = "en", size=(1300, 900), settings=None, **options):
        """A fresh page, with a renderer, a language, a window (width, height) in pixels and options of a context."""
        values = {"Comfy.VueNodes.Enabled": nodes_2, "Comfy.Locale": locale, **(settings or {})}
        self.server.post("/api/settings", {**SETTINGS, **values})
        context = self.browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(COUNT_CONTEXTS)
        # What is on the server counts, not what an earlier test has seen of it.
        context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.errors, page.ours = [], []
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("console", lambda message: page.ours.append(message.text) if "syncam" in message.text.lower() else None)
        page.on("pageerror", lambda error: (page.errors.append(str(error)), page.ours.append(str(error))))
        page.goto(self.server.url, wait_until="domcontentloaded")
        wait_until_ready(page)
        return page

    def again(self, nodes_2: bool = False, size=(1300, 900)):
        """The page of an earlier test with a new, blank workflow: much sooner there than a fresh one.

        For tests that leave nothing in the page but what goes with its workflow.
        """
        key = nodes_2, size
        page = self.shared.pop(key, None)  # a test that fails does not give it back
        if page is None:
            page = self.open(nodes_2, size=size)
        else:
            in_app(page, "await app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
            page.wait_for_function("!window.comfyAPI.app.app.graph._nodes.length")
            in_app(page, "app.clean(); document.activeElement?.blur(); window.contexts.length = 0;")
            page.errors.clear()
            page.ours.clear()
        return page

    def give_back(self, page, nodes_2: bool = False, size=(1300, 900)) -> None:
        """A page that `again` gave out may be given out again."""
        self.shared[nodes_2, size] = page

    def close_others(self) -> None:
        """Close all pages but those that are given out again."""
        kept = {id(page.context) for page in self.shared.values()}
        for context in self.contexts:
            if id(context) not in kept:
                context.close()
        self.contexts = [context for context in self.contexts if id(context) in kept]


def wait_until_ready(page) -> None:
    """After a page was opened, or loaded again."""
    page.wait_for_function(READY, timeout=120_000)


def in_app(page, script: str, argument=None):
    """Run the body of an async function, with the host's `app` and one `argument`."""
    return page.evaluate(f"async (argument) => {{ const app = window.comfyAPI.app.app; {script} }}", argument)


def errors(page) -> list[str]:
    return [text for text in page.errors if not any(known in text for known in OFFLINE)]


def renderer(request) -> str:
    """The renderer of a test that runs in both."""
    return "vue" if "2.0" in request.node.name else "classic"


def picture(page, tmp_path_factory, name: str) -> None:
    """Keep a screenshot for people, in the folder SYNCAM_SCREENSHOTS if that is set."""
    folder = os.environ.get("SYNCAM_SCREENSHOTS") or tmp_path_factory.getbasetemp()
    page.screenshot(path=Path(folder) / f"{name}.png")
