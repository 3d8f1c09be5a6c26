// The numbers of the chosen camera.

import { SHORTEST_M, poseAt } from "./camera.mjs";
import { h } from "../shared/dom.mjs";
import { NumberField, textField } from "./fields.mjs";

const DEGREES = { least: -100000, most: 100000 };
const METRES = { most: 100000, step: 0.1 };

export class Inspector {
  #editor;
  #gesture; // what fields of numbers have in common

  /** @param {import("./editor.mjs").Editor} editor */
  constructor(editor) {
    const { store, t } = editor;
    this.#editor = editor;
    const refuse = (text, least, most, value) =>
      editor.say(t(Number.isNaN(value) ? "noNumber" : "outOfReach", { text, least, most }), 6000);
    this.#gesture = { begin: () => store.begin(), end: () => store.end(), refuse };
    this.fields = {
      azimuth: this.#angle("azimuth", DEGREES),
      elevation: this.#angle("elevation", { least: -90, most: 90 }),
      distance: this.#distance(),
      roll: this.#angle("roll", DEGREES),
    };
    for (const field of Object.values(this.fields)) field.element.classList.add("sc-tall");
    this.target = [0, 1, 2].map((axis) => this.#target(axis));
    this.lens = this.#lens();
    this.color = this.#color();
    this.name = textField({ label: t("name"), name: "name", onchange: (text) => editor.rename(text) });
    this.name.element.append(this.color);
    this.name.element.classList.add("sc-three");
    this.element = h(
      "div",
      { class: "sc-fields", role: "group", "aria-label": t("cameras") },
      this.name.element,
      this.lens.element,
      ...Object.values(this.fields).map((field) => field.element),
      h("div", { class: "sc-field sc-caption", text: t("target"), "aria-hidden": "true" }),
      ...this.target.map((field) => field.element),
    );
  }

  #angle(key, limits) {
    const label = this.#editor.t(key);
    return this.#poseField({ label, name: key, unit: "°", title: label, ...limits }, (value) => ({ [key]: value }));
  }

  #distance() {
    const label = this.#editor.t("distance");
    const options = { label, name: "distance", unit: "m", title: label, least: SHORTEST_M, ...METRES };
    return this.#poseField(options, (distance) => ({ distance }));
  }

  #target(axis) {
    const title = this.#editor.t(["targetX", "targetY", "targetZ"][axis]);
    const options = { label: "xyz"[axis], name: `target${axis}`, unit: "m", title, least: -METRES.most, ...METRES };
    return this.#poseField(options, (value, pose) => ({
      target: pose.target.map((old, at) => (at === axis ? value : old)),
    }));
  }

  /** A number of the pose at the frame; `change` gives what a value changes of it. */
  #poseField(options, change) {
    const { store } = this.#editor;
    return new NumberField({
      ...options,
      ...this.#gesture,
      onchange: (value, how) =>
        store.pose(change(value, poseAt(store.camera, store.frame)), {
          kind: how === "stepped" ? `field ${options.name}` : "",
        }),
    });
  }

  #lens() {
    const { store, t } = this.#editor;
    return new NumberField({
      ...{ label: t("lens"), name: "lens", unit: "mm", least: 1, most: 2000, step: 1, ...this.#gesture },
      onchange: (focal_mm, how) => {
        const { camera, selected } = store;
        store.change(
          selected,
          { ...camera, lens: { ...camera.lens, focal_mm } },
          { kind: how === "stepped" ? "lens" : "" },
        );
      },
    });
  }

  #color() {
    const { store, t } = this.#editor;
    const input = h("input", {
      type: "color",
      name: "color",
      "aria-label": t("color"),
      title: t("color"),
      oninput: () => store.change(store.selected, { ...store.camera, color: input.value }, { kind: "color" }),
    });
    return input;
  }

  update() {
    const { store } = this.#editor;
    const { camera } = store;
    const now = poseAt(camera, store.frame);
    for (const [key, field] of Object.entries(this.fields)) field.show(now[key]);
    this.target.forEach((field, axis) => field.show(now.target[axis]));
    this.lens.show(camera.lens.focal_mm);
    this.name.show(camera.name);
    this.color.value = camera.color;
    this.element.style.setProperty("--color", camera.color);
  }
}
