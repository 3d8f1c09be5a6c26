// Rigs in and out: the clipboard, files that are dropped, opened or saved.

import { tidy } from "./camera.mjs";
import { h } from "../shared/dom.mjs";
import { isText } from "./keys.mjs";

const MEGABYTE = 2 ** 20;
const FILE_LIMIT = 64 * MEGABYTE; // of all files together; the server's, too
const VIDEO_SUFFIXES = [".mp4", ".mov", ".m4v", ".mkv", ".webm"]; // a rig may stand in their tags
const VIDEO_HEAD = 16 * MEGABYTE; // of a video: the tags come first
const MOST_ENTRIES = 2000; // of a dropped folder

/**
 * Reads camera files, or judges the text of a rig JSON: gives the text of a rig JSON, or a sentence and the names of
 * what is needed beside the files, "unit_m" or "cameras".
 *
 * @callback ReadRig
 * @param {{files?: File[], text?: string, unit_m?: string, cameras?: string}} said
 * @returns {Promise<{text: string} | {error: string, asks: string[]}>}
 */

/** Copy, paste and drop on the editor's element are about the rig, not about the host's nodes. */
export function listenForRigs(editor) {
  const { element } = editor;
  const { signal } = editor.gone;
  const listen = (kind, action) => element.addEventListener(kind, action, { signal });
  const taken = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  listen("copy", (event) => {
    if (isText(event.target)) return;
    taken(event);
    event.clipboardData.setData("text/plain", editor.text);
    editor.say(editor.t("copied"));
  });
  listen("paste", (event) => {
    if (isText(event.target)) return;
    taken(event);
    const text = event.clipboardData.getData("text/plain");
    if (text.trim()) editor.importText(text);
  });
  listen("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    taken(event);
    event.dataTransfer.dropEffect = "copy";
    editor.drop.hidden = false;
  });
  listen("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) editor.drop.hidden = true;
  });
  listen("drop", (event) => {
    editor.drop.hidden = true;
    if (!event.dataTransfer?.files.length) return;
    taken(event);
    const { items, files } = event.dataTransfer;
    // the entries are there in this event only
    const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const folders = entries.some((entry) => entry.isDirectory);
    openThose(editor, folders ? filesBelow(entries) : Promise.resolve([...files]));
  });
}

/** All files of dropped folders, however deep. */
async function filesBelow(entries) {
  const files = [];
  const rest = [...entries];
  for (let seen = 0; rest.length && seen < MOST_ENTRIES; seen += 1) {
    const entry = rest.shift();
    if (entry.isFile) {
      files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      continue;
    }
    const reader = entry.createReader();
    for (let part = null; !part || (part.length && rest.length < MOST_ENTRIES); ) {
      part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // some at a time
      rest.push(...part);
    }
  }
  return files;
}

/** Those of several files that may hold cameras: pictures, points and notes lie beside them. */
function cameraFiles(files, suffixes) {
  const names = files.map((file) => file.name.toLowerCase());
  const isModel = [".txt", ".bin"].some((kind) => names.includes(`cameras${kind}`) && names.includes(`images${kind}`));
  const wanted = (name) =>
    isModel ? /^(cameras|images)\.(txt|bin)$/.test(name) : suffixes.some((suffix) => name.endsWith(suffix));
  const chosen = files.filter((_, index) => wanted(names[index]));
  const transforms = chosen.filter((file) => file.name === "transforms.json");
  if (transforms.length === 1) return transforms;
  if (files.length && files.every(isVideo)) return files.slice(0, 1); // those of one run all carry the same rig
  return chosen.length ? chosen : files;
}

const isVideo = (file) => VIDEO_SUFFIXES.some((suffix) => file.name.toLowerCase().endsWith(suffix));

/** What is sent of a file: of a large video the beginning, which has the tags. */
const withoutPictures = (file) =>
  isVideo(file) && file.size > VIDEO_HEAD ? new File([file.slice(0, VIDEO_HEAD)], file.name) : file;

/** Open files, whatever becomes of them: nothing goes unsaid. */
async function openThose(editor, given) {
  const mine = (editor.opening = Symbol("the last one that is opened counts"));
  const stale = () => editor.opening !== mine;
  try {
    const files = cameraFiles(await given, editor.suffixes).map(withoutPictures);
    if (!stale()) await openFiles(editor, files, stale);
  } catch (problem) {
    if (!stale()) editor.complain(editor.t("cannotRead", { problem: problem.message }));
  }
}

async function openFiles(editor, files, stale) {
  const { t } = editor;
  editor.popover.close();
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > FILE_LIMIT) {
    const [megabytes, most] = [tidy(size / MEGABYTE, 0), FILE_LIMIT / MEGABYTE];
    editor.complain(t("tooLarge", { name: nameOf(files), size: megabytes, most }));
    return;
  }
  await readAndShow(editor, files, {}, stale);
}

const nameOf = (files) => (files.length > 1 ? `${files[0].name}, …` : files[0].name);

async function readAndShow(editor, files, said, stale) {
  const { t } = editor;
  editor.complain("");
  editor.say(t("reading", { name: nameOf(files) }), 60_000);
  let answer;
  try {
    answer = await editor.readRig({ files, ...said });
  } finally {
    if (!stale()) editor.say("", 0);
  }
  if (stale()) return;
  if (answer.text) editor.take(answer.text);
  else if (answer.asks.length)
    editor.popover.open(questionForm(editor, files, said, answer, stale), editor.toolbar.more);
  else editor.complain(t("cannotRead", { problem: answer.error }));
}

/** What a file does not say: how long its unit is, or which of too many cameras are meant. */
function questionForm(editor, files, said, { error, asks }, stale) {
  const { t, popover } = editor;
  const field = (name, placeholder) => {
    const input = h("input", {
      ...{ name, type: "text", autocomplete: "off", spellcheck: false, placeholder, value: said[name] ?? "" },
      "aria-label": t(name),
      oninput: () => input.removeAttribute("aria-invalid"),
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        event.stopPropagation();
        apply();
      },
    });
    if (name === "unit_m") input.inputMode = "decimal";
    const label = h("label", { text: t(name), "aria-hidden": "true" });
    return { input, element: h("div", { class: "sc-field sc-word sc-wide" }, label, input) };
  };
  const needsUnit = asks.includes("unit_m") || Boolean(said.unit_m);
  const unit = needsUnit && field("unit_m", t("unitExample"));
  const cameras = field("cameras", t("allCameras"));
  const apply = async () => {
    const unit_m = needsUnit ? unit.input.value.trim().replace(",", ".") : "";
    if (needsUnit && !(Number(unit_m) > 0 && Number.isFinite(Number(unit_m)))) {
      unit.input.setAttribute("aria-invalid", "true");
      unit.input.focus();
      return;
    }
    popover.close(true);
    try {
      await readAndShow(editor, files, { unit_m, cameras: cameras.input.value.trim() }, stale);
    } catch (problem) {
      if (!stale()) editor.complain(t("cannotRead", { problem: problem.message }));
    }
  };
  return h(
    "div",
    { class: "sc-form", role: "dialog", "aria-label": t("openFile") },
    h("h4", { class: "sc-file", text: nameOf(files) }),
    h("p", { class: "sc-asked", role: "status", text: asks.includes("unit_m") ? t("askUnit") : error }),
    h("div", { class: "sc-fields" }, unit && unit.element, cameras.element),
    h(
      "div",
      { class: "sc-bar" },
      h("button", { class: "sc-button sc-plain", text: t("cancel"), onclick: () => popover.close(true) }),
      h("button", { class: "sc-button sc-strong", text: t("apply"), onclick: apply, data: { action: "apply" } }),
    ),
  );
}

export function chooseFile(editor) {
  const input = h("input", { type: "file", multiple: true, accept: [...editor.suffixes, ...VIDEO_SUFFIXES].join() });
  input.addEventListener("change", () => input.files.length && openThose(editor, Promise.resolve([...input.files])));
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
