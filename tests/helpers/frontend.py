"""The host's frontend with the pack in it, in headless Chromium, as a person opens it."""

from __future__ import annotations

import os
import time
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


# What a test leaves in a page that is no part of a workflow: remembered from here on.
REMEMBER = """
    if (window.ofTests) return;
    const { api } = window.comfyAPI.api;
    window.ofTests = { names: new Set(Object.getOwnPropertyNames(window)), listeners: [] };
    const { addEventListener } = api;
    api.addEventListener = function (kind, listener, options) {
        const caller = new Error().stack.split('\\n')[2] ?? '';
        if (!caller.includes('://')) window.ofTests.listeners.push([kind, listener, options]); // no script of the page
        return addEventListener.call(this, kind, listener, options);
    };
"""
# Two frames of the page: what was asked to be drawn has been.
DRAWN = "for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame);"
SETTINGS_NOW = """
    const { setting } = app.extensionManager;
    return Object.fromEntries(Object.keys(setting.settings).map((name) => [name, setting.get(name) ?? null]));
"""
CLEAN = """
    const { command, setting, toast, workflow } = app.extensionManager;
    await command.execute('Comfy.NewBlankWorkflow');
    for (const other of [...workflow.openWorkflows])
        if (other !== workflow.activeWorkflow) await workflow.closeWorkflow(other);
    for (const [name, value] of Object.entries(argument))
        if (JSON.stringify(setting.get(name) ?? null) !== JSON.stringify(value)) await setting.set(name, value ?? undefined);
    toast.removeAll?.(); // newer frontends have no such function: theirs go by themselves
    const { listeners, names } = window.ofTests;
    for (const given of listeners.splice(0)) window.comfyAPI.api.api.removeEventListener(...given);
    for (const name of Object.getOwnPropertyNames(window))
        if (!names.has(name) && name !== 'ofTests' && !name.startsWith('__')) delete window[name];
    app.clean();
    app.canvas.ds.reset();
    document.activeElement?.blur();
    window.contexts.length = 0;
"""


class Frontend:
    """Pages of one server in one browser. ``page.errors`` collects what the console calls an error, ``page.ours`` all
    that it says of the pack, ``page.loading`` the requests that are under way."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        self.contexts, self.shared, self.lent = [], {}, []

    def open(self, nodes_2: bool = False, locale: str = "en", size=(1300, 900), settings=None, **options):
        """A fresh page, with a renderer, a language, a window (width, height) in pixels and options of a context."""
        self.store(nodes_2, locale, settings)
        context = self.browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(COUNT_CONTEXTS)
        # With a route there is no cache: what is on the server counts, not what an earlier test has seen of it.
        page.route("**/view?*", lambda route: route.continue_())
        page.errors, page.ours, page.loading = [], [], set()
        page.on("request", lambda request: page.loading.add(request))
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: page.loading.discard(request))
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("console", lambda message: page.ours.append(message.text) if "syncam" in message.text.lower() else None)
        page.on("pageerror", lambda error: (page.errors.append(str(error)), page.ours.append(str(error))))
        page.goto(self.server.url, wait_until="domcontentloaded")
        wait_until_ready(page)
        return page

    def store(self, nodes_2: bool = False, locale: str = "en", settings=None) -> None:
        """Have the server keep the settings that a page reads when it is loaded."""
        values = {"Comfy.VueNodes.Enabled": nodes_2, "Comfy.Locale": locale, **(settings or {})}
        self.server.post("/api/settings", {**SETTINGS, **values})

    def again(self, nodes_2: bool = False, size=(1300, 900), settings=None):
        """The page of earlier tests, also of other files, with a new, blank workflow: a fresh one takes ten seconds.

        For tests that leave nothing in the page but workflows, settings, listeners on the host's ``api`` and names of
        ``window``, which `give_back` takes away. (Videos are not such a thing: Chromium keeps what a page has played,
        even when the file is gone.)
        """
        page = self.shared.pop(nodes_2, None)  # a test that fails does not give it back
        if page is None:
            page = self.open(nodes_2, size=size)
            page.settings = in_app(page, SETTINGS_NOW)
        else:
            self.store(nodes_2)  # the other page may have other ones, and this one may be loaded again
            page.set_viewport_size({"width": size[0], "height": size[1]})
        for setting in (settings or {}).items():
            in_app(page, "await app.extensionManager.setting.set(...argument)", setting)
        page.errors.clear()
        page.ours.clear()
        self.lent.append(page)
        return page

    def give_back(self, page, nodes_2: bool = False) -> None:
        """A page that `again` gave out may be given out again: it is made as it was."""
        self.server.finish()  # what still runs would be told to the next test
        page.context.clear_permissions()
        in_app(page, CLEAN, page.settings)
        page.wait_for_function("!window.comfyAPI.app.app.graph._nodes.length")
        self.lent.remove(page)
        if is_free(page):
            self.shared[nodes_2] = page

    def close_others(self) -> None:
        """Close all pages but those that are given out again, or are given out now."""
        kept = {id(page.context) for page in [*self.shared.values(), *self.lent]}
        for context in self.contexts:
            if id(context) not in kept:
                context.close()
        self.contexts = [context for context in self.contexts if id(context) in kept]


def is_free(page) -> bool:
    """Whether no dialog lies over the page's canvas; those that are open are closed as a person closes them."""
    dialogs = page.locator("[role=dialog]:visible")
    for _ in range(3):
        if not dialogs.count():
            return True
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
    return not dialogs.count()


def wait_until_ready(page) -> None:
    """After a page was opened, or loaded again."""
    page.wait_for_function(READY, timeout=120_000)
    in_app(page, REMEMBER)


def in_app(page, script: str, argument=None):
    """Run the body of an async function, with the host's `app` and one `argument`."""
    return page.evaluate(f"async (argument) => {{ const app = window.comfyAPI.app.app; {script} }}", argument)


def errors(page) -> list[str]:
    return [text for text in page.errors if not any(known in text for known in OFFLINE)]


def renderer(request) -> str:
    """The renderer of a test that runs in both."""
    return "vue" if "2.0" in request.node.name else "classic"


def picture(page, name: str, after_ms: int = 0) -> None:
    """Keep a screenshot for people where SYNCAM_SCREENSHOTS names a folder; each takes a second, and proves nothing."""
    if folder := os.environ.get("SYNCAM_SCREENSHOTS"):
        page.wait_for_timeout(after_ms)
        page.screenshot(path=Path(folder) / f"{name}.png")


def settled(page, look: str, quiet_s: float = 0.3, within_s: float = 10):
    """What the body of a function `look` gives once it has given the same for a while, with nothing still being loaded.

    After a change of the graph: nodes take their sizes when they are drawn, and again when their pictures have come.
    """
    began = since = time.monotonic()
    before = in_app(page, DRAWN + look)
    while time.monotonic() - since < quiet_s and time.monotonic() - began < within_s:
        page.wait_for_timeout(50)
        now = in_app(page, DRAWN + look)
        if now != before or page.loading:
            before, since = now, time.monotonic()
    return before
