// Colours of the pack's own types on sockets and wires, in both node renderers. The host knows none for them, and forgets
// those of all types that its palette does not name when the palette is changed.

import { app } from "../../../scripts/app.js";

const COLORS = {
  SYNCAM_RIG: "#41b3e0",
  SYNCAM_CAMERAS: "#57d18b",
  SYNCAM_TRAJECTORIES: "#b392f0",
  SYNCAM_WEIGHTS: "#f79b57",
  SYNCAM_CONTROL: "#e3c63f",
  SYNCAM_LAYOUT: "#f075ac",
  SYNCAM_FILES: "#c9a27c",
  SYNCAM_EDIT: "#f2685f",
};

/** Give a map of colours one that stays until somebody sets another. */
function setLasting(map, type, color) {
  let own = "";
  Object.defineProperty(map, type, {
    get: () => own || color,
    set: (value) => (own = value),
    enumerable: true,
    configurable: true,
  });
}

app.registerExtension({
  name: "syncam.Colors",
  setup() {
    const maps = [app.canvas.default_connection_color_byType, window.LGraphCanvas?.link_type_colors];
    for (const map of maps.filter(Boolean)) {
      for (const [type, color] of Object.entries(COLORS)) setLasting(map, type, color);
    }
    const rules = Object.entries(COLORS).map(([type, color]) => `--color-datatype-${type}: ${color};`);
    document.head.append(
      Object.assign(document.createElement("style"), { textContent: `:root { ${rules.join(" ")} }` }),
    );
  },
});
