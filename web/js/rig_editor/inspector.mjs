// The numbers of the chosen camera.

import { SHORTEST_M, poseAt } from "./camera.mjs";
import { h } from "../shared/dom.mjs";
import { numberField, numberOf, textField } from "./fields.mjs";

/** @param {import("./editor.mjs").Editor} editor */
export function createInspector(editor) {
  const { store, t } = editor;
  const refuse = (text, least, most) =>
    editor.say(t(Number.isNaN(numberOf(text)) ? "noNumber" : "outOfReach", { text, least, most }), 6000);
  const gesture = { begin: () => store.begin(), end: () => store.end(), refuse };
  const pose = (key, label, unit, limits, axis) =>
    numberField({
      ...{ label, name: axis === undefined ? key : `target${axis}`, unit, ...limits, ...gesture },
      title: axis === undefined ? t(key) : t(["targetX", "targetY", "targetZ"][axis]),
      onchange: (value, how) => {
        const now = poseAt(store.camera, store.frame);
        const change =
          axis === undefined ? { [key]: value } : { target: now.target.map((old, at) => (at === axis ? value : old)) };
        const kind = how === "stepped" ? `field ${key} ${axis}` : "";
        store.pose(change, { kind });
      },
    });
  const degrees = { least: -100000, most: 100000 };
  const fields = {
    azimuth: pose("azimuth", t("azimuth"), "°", degrees),
    elevation: pose("elevation", t("elevation"), "°", { least: -90, most: 90 }),
    distance: pose("distance", t("distance"), "m", { least: SHORTEST_M, most: 100000, step: 0.1 }),
    roll: pose("roll", t("roll"), "°", degrees),
  };
  for (const field of Object.values(fields)) field.element.classList.add("sc-tall");
  const target = [0, 1, 2].map((axis) =>
    pose("target", "xyz"[axis], "m", { least: -100000, most: 100000, step: 0.1 }, axis),
  );
  const lens = numberField({
    ...{ label: t("lens"), name: "lens", unit: "mm", least: 1, most: 2000, step: 1, ...gesture },
    onchange: (focal_mm, how) => {
      const { camera, selected } = store;
      store.change(
        selected,
        { ...camera, lens: { ...camera.lens, focal_mm } },
        { kind: how === "stepped" ? "lens" : "" },
      );
    },
  });
  const name = textField({ label: t("name"), name: "name", onchange: (text) => editor.rename(text) });
  const color = h("input", {
    type: "color",
    name: "color",
    "aria-label": t("color"),
    title: t("color"),
    oninput: () => store.change(store.selected, { ...store.camera, color: color.value }, { kind: "color" }),
  });
  name.element.append(color);
  name.element.classList.add("sc-three");
  const caption = h("div", { class: "sc-field sc-caption", text: t("target"), "aria-hidden": "true" });
  const element = h(
    "div",
    { class: "sc-fields", role: "group", "aria-label": t("cameras") },
    name.element,
    lens.element,
    fields.azimuth.element,
    fields.elevation.element,
    fields.distance.element,
    fields.roll.element,
    caption,
    ...target.map((field) => field.element),
  );

  const update = () => {
    const { camera } = store;
    const now = poseAt(camera, store.frame);
    for (const [key, field] of Object.entries(fields)) field.show(now[key]);
    target.forEach((field, axis) => field.show(now.target[axis]));
    lens.show(camera.lens.focal_mm);
    name.show(camera.name);
    color.value = camera.color;
    element.style.setProperty("--color", camera.color);
  };
  return { element, update, fields };
}
