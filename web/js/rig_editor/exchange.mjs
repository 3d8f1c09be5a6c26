// Rigs in and out: the clipboard, files that are dropped, opened or saved.

import { tidy } from "./camera.mjs";
import { h } from "./dom.mjs";
import { isText } from "./keys.mjs";

const FILE_LIMIT = 20 * 2 ** 20;

/** Copy, paste and drop on the editor's element are about the rig, not about the host's nodes. */
export function listenForRigs(editor) {
  const { element } = editor;
  const taken = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  element.addEventListener("copy", (event) => {
    if (isText(event.target)) return;
    taken(event);
    event.clipboardData.setData("text/plain", editor.text);
    editor.say(editor.t("copied"));
  });
  element.addEventListener("paste", (event) => {
    if (isText(event.target)) return;
    taken(event);
    const text = event.clipboardData.getData("text/plain");
    if (text.trim()) editor.importText(text);
  });
  element.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    taken(event);
    event.dataTransfer.dropEffect = "copy";
    editor.drop.hidden = false;
  });
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) editor.drop.hidden = true;
  });
  element.addEventListener("drop", (event) => {
    editor.drop.hidden = true;
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    taken(event);
    openFile(editor, file);
  });
}

async function openFile(editor, file) {
  if (file.size <= FILE_LIMIT) editor.importText(await file.text());
  else editor.complain(editor.t("notARig", { problem: `${file.name}, ${tidy(file.size / 2 ** 20, 0)} MB` }));
}

export function chooseFile(editor) {
  const input = h("input", { type: "file", accept: ".json,application/json" });
  input.addEventListener("change", () => input.files[0] && openFile(editor, input.files[0]));
  input.click();
}

export function saveFile(editor) {
  const url = URL.createObjectURL(new Blob([editor.text], { type: "application/json" }));
  h("a", { href: url, download: "rig.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function copyJson(editor) {
  try {
    await navigator.clipboard.writeText(editor.text);
    editor.say(editor.t("copied"));
  } catch {
    // a page that is not served securely may copy only in the event of a copy: so make one
    editor.stage.focus();
    document.execCommand("copy");
  }
}
