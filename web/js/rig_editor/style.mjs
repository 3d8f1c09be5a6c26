// How the editor looks: one calm dark panel in the node. Put into the page once.

const ID = "syncam-rig-editor-style";

const CSS = `
.sc-editor {
  --panel: #1b1e24; --field: #12151a; --line: #2d323c; --text: #d9dde4; --quiet: #8f98a6; --accent: #6cb4ff;
  --good: #3ecf9a; --edge: #f0b429; --bad: #ff6b5e;
  position: relative; display: flex; flex-direction: column; gap: 6px; box-sizing: border-box;
  width: 100%; height: 100%; min-height: 0; min-width: 0; padding: 6px; overflow: hidden; container-type: inline-size;
  border-radius: 8px; background: var(--panel); color: var(--text);
  font: 11px/1.35 Inter, system-ui, sans-serif; font-variant-numeric: tabular-nums; user-select: none; outline: none;
}
.sc-editor *, .sc-editor *::before { box-sizing: border-box; }
.sc-editor [hidden] { display: none !important; }
.sc-editor :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.sc-bar { display: flex; align-items: center; gap: 4px; flex: none; min-width: 0; }
.sc-group { display: flex; gap: 1px; padding: 1px; border-radius: 7px; background: var(--field); }
.sc-space { flex: 1 1 0; min-width: 0; }
.sc-button {
  display: inline-flex; align-items: center; justify-content: center; gap: 4px; min-width: 26px; height: 26px; padding: 0 5px;
  border: 0; border-radius: 6px; background: transparent; color: var(--quiet); font: inherit; cursor: pointer; white-space: nowrap;
}
.sc-button:hover:not(:disabled) { background: #2a2f38; color: var(--text); }
.sc-button:disabled { opacity: 0.3; cursor: default; }
.sc-button[aria-pressed="true"], .sc-button[aria-checked="true"], .sc-button[aria-expanded="true"] { background: #31455d; color: #d5e9ff; }
.sc-button.sc-strong { background: #2d6cb5; color: #fff; padding: 0 10px; }
.sc-button.sc-strong:hover { background: #3a7ecb; }
.sc-button.sc-plain { background: #2a2f38; color: var(--text); padding: 0 10px; }
.sc-icon { width: 16px; height: 16px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.4; stroke-linecap: round; stroke-linejoin: round; }
.sc-stage {
  position: relative; flex: 1 1 120px; min-height: 110px; overflow: hidden; border-radius: 6px; background: #14171c;
  touch-action: none; cursor: grab;
}
.sc-stage:active { cursor: grabbing; }
.sc-canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.sc-overlay { position: absolute; inset: 0; overflow: hidden; pointer-events: none; }
.sc-label { position: absolute; left: 0; top: 0; white-space: nowrap; }
.sc-label b {
  position: absolute; left: -8px; top: -8px; width: 16px; height: 16px; border-radius: 50%; text-align: center;
  font: 700 9.5px/16px Inter, system-ui, sans-serif; color: #fff; background: var(--color); text-shadow: 0 0 2px #000, 0 0 2px #000;
  box-shadow: 0 0 0 1.5px #14171c, 0 0 0 3px var(--verdict, transparent);
}
.sc-label[data-verdict="inside"] { --verdict: var(--good); }
.sc-label[data-verdict="edge"] { --verdict: var(--edge); }
.sc-label[data-verdict="outside"] { --verdict: var(--bad); }
.sc-label span { position: absolute; left: 13px; top: -8px; line-height: 16px; color: #c8cfda; text-shadow: 0 0 3px #000, 0 0 3px #000; }
.sc-crowded .sc-label:not(.sc-chosen) b { transform: scale(0.72); }
.sc-label.sc-chosen { z-index: 2; }
.sc-label.sc-chosen b { transform: scale(1.25); }
.sc-label.sc-chosen span { left: 16px; color: #fff; font-weight: 600; }
.sc-handle { position: absolute; left: -6px; top: -6px; width: 12px; height: 12px; }
.sc-handle::before { content: ""; position: absolute; inset: 1px; rotate: 45deg; background: #14171c; border: 2px solid var(--color); }
.sc-gate { position: absolute; border: 1px solid #ffffff55; }
.sc-gate i { position: absolute; background: #ffffff2e; }
.sc-gate i:nth-child(1) { left: 33.33%; top: 0; bottom: 0; width: 1px; } .sc-gate i:nth-child(2) { left: 66.67%; top: 0; bottom: 0; width: 1px; }
.sc-gate i:nth-child(3) { top: 33.33%; left: 0; right: 0; height: 1px; } .sc-gate i:nth-child(4) { top: 66.67%; left: 0; right: 0; height: 1px; }
.sc-corner { position: absolute; left: 6px; bottom: 5px; max-width: calc(100% - 12px); display: flex; align-items: center; gap: 5px; padding: 1px 7px; border-radius: 9px;
  background: #0d0f12b8; color: #c8cfda; pointer-events: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sc-dot { width: 8px; height: 8px; border-radius: 50%; flex: none; background: var(--quiet); }
.sc-dot[data-verdict="inside"] { background: var(--good); }
.sc-dot[data-verdict="edge"] { background: var(--edge); border-radius: 1px; rotate: 45deg; }
.sc-dot[data-verdict="outside"] { background: var(--bad); border-radius: 1px; }
.sc-dot[data-verdict=""] { display: none; }
.sc-note { display: flex; align-items: center; gap: 6px; flex: none; padding: 3px 4px 3px 8px; border-radius: 6px; background: #24303f; color: #cfe3fb; }
.sc-note.sc-bad { background: #44262a; color: #ffd7d2; user-select: text; }
.sc-note span { flex: 1 1 0; min-width: 0; overflow-wrap: anywhere; }
.sc-strip { display: flex; align-items: stretch; gap: 4px; flex: none; min-width: 0; }
.sc-list { display: flex; gap: 5px; flex: 1 1 0; min-width: 0; margin: 0; padding: 2px; overflow-x: auto; overflow-y: hidden; scrollbar-width: thin; scrollbar-color: #414956 transparent; outline-offset: -1px; }
.sc-card { position: relative; flex: none; width: 80px; border-radius: 6px; background: var(--field); border: 1px solid var(--line); cursor: pointer; overflow: hidden; touch-action: pan-x; }
.sc-card canvas { display: block; width: 100%; height: 45px; background: #343a45; }
.sc-card[aria-selected="true"] { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.sc-card[data-drop="before"] { box-shadow: -3px 0 0 var(--accent); } .sc-card[data-drop="after"] { box-shadow: 3px 0 0 var(--accent); }
.sc-card-name { display: flex; align-items: center; gap: 4px; height: 18px; padding: 0 5px; border-top: 2px solid var(--color); }
.sc-card-name span { flex: 1 1 0; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sc-number { position: absolute; left: 3px; top: 3px; padding: 0 4px; border-radius: 7px; background: #0d0f12c0; color: #fff; font-size: 9.5px; font-weight: 700; line-height: 14px; }
.sc-badge { position: absolute; right: 3px; top: 3px; padding: 0 4px; border-radius: 7px; background: #0d0f12c0; color: #ffe08a; font-size: 9.5px; line-height: 14px; }
.sc-tools { display: flex; flex-direction: column; justify-content: center; flex: none; gap: 1px; }
.sc-tools .sc-button { height: 21px; min-width: 24px; }
.sc-fields { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 4px 5px; flex: none; }
.sc-field { display: flex; align-items: center; min-width: 0; height: 24px; border: 1px solid transparent; border-radius: 6px; background: var(--field); overflow: hidden; }
.sc-field:focus-within { border-color: var(--accent); }
.sc-editor .sc-field :is(input, select):focus-visible { outline: none; }
.sc-field label { flex: 0 1 auto; min-width: 0; padding: 0 1px 0 6px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--quiet); cursor: ew-resize; touch-action: none; }
.sc-field.sc-word label { cursor: default; }
.sc-field input, .sc-field select { flex: 1 0 4ch; min-width: 0; width: 0; height: 100%; padding: 0 2px; border: 0; background: transparent; color: var(--text); font: inherit; text-align: right; outline: none; user-select: text; }
.sc-field select { text-align: left; padding: 0 3px; cursor: pointer; } .sc-field select option { background: #1b1e24; }
.sc-field.sc-word input { text-align: left; padding-left: 4px; }
.sc-field i { flex: none; padding: 0 5px 0 0; color: var(--quiet); font-style: normal; }
.sc-field input[type="color"] { flex: none; width: 26px; padding: 3px; cursor: pointer; }
.sc-field input[aria-invalid="true"] { color: var(--bad); }
@container (max-width: 560px) {
  .sc-tall { position: relative; height: 34px; }
  .sc-tall label { position: absolute; left: 0; right: 0; top: 2px; font-size: 10px; }
  .sc-tall input { padding-top: 12px; } .sc-tall i { align-self: flex-end; padding-bottom: 3px; }
}
.sc-three { grid-column: span 3; }
.sc-caption { justify-content: flex-end; padding: 0 6px; color: var(--quiet); background: transparent; }
.sc-check { display: flex; align-items: center; gap: 6px; height: 24px; }
.sc-time { display: flex; flex-direction: column; gap: 4px; flex: none; padding-top: 2px; }
.sc-track { position: relative; flex: 1 1 60px; min-width: 60px; height: 26px; border-radius: 6px; background: var(--field); cursor: pointer; touch-action: none; }
.sc-rail { position: absolute; inset: 0 10px; }
.sc-rail::before { content: ""; position: absolute; left: 0; right: 0; top: 12px; height: 2px; border-radius: 1px; background: var(--line); }
.sc-head { position: absolute; top: 2px; bottom: 2px; width: 2px; margin-left: -1px; border-radius: 1px; background: #fff; pointer-events: none; }
.sc-key { position: absolute; top: 6px; width: 14px; height: 14px; margin-left: -7px; padding: 0; border: 0; background: transparent; cursor: ew-resize; touch-action: none; }
.sc-key::before { content: ""; position: absolute; inset: 2px; rotate: 45deg; border-radius: 2px; background: var(--color); border: 1px solid #fff8; }
.sc-key[data-here="true"]::before { background: #fff; }
.sc-key[data-other="true"] { pointer-events: none; opacity: 0.35; transform: scale(0.6); }
.sc-time .sc-field { flex: none; } .sc-time .sc-field input { width: 30px; flex: none; }
.sc-time .sc-field.sc-grow { flex: 1 1 0; }
.sc-menu { position: absolute; z-index: 20; min-width: 170px; max-width: calc(100% - 12px); max-height: calc(100% - 46px); overflow-y: auto; padding: 5px; border: 1px solid #3a414d; border-radius: 8px; background: #22262e; box-shadow: 0 8px 24px #0009; scrollbar-width: thin; }
.sc-menu h4 { margin: 5px 8px 3px; color: var(--quiet); font: 600 9.5px/1.3 inherit; font-family: inherit; letter-spacing: 0.06em; text-transform: uppercase; }
.sc-menu .sc-item { display: flex; width: 100%; justify-content: flex-start; height: 25px; padding: 0 8px; border-radius: 5px; color: var(--text); }
.sc-menu .sc-item:focus { background: #31455d; outline: none; }
.sc-form { width: 250px; padding: 8px; } .sc-form h4 { margin: 0 0 8px; } .sc-form .sc-fields { grid-template-columns: 1fr 1fr; }
.sc-menu .sc-file { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; letter-spacing: 0; text-transform: none; }
.sc-form .sc-bar { margin-top: 8px; justify-content: flex-end; }
.sc-form textarea { width: 100%; height: 130px; resize: none; padding: 6px; border: 1px solid var(--line); border-radius: 6px; background: var(--field); color: var(--text); font: 10.5px/1.4 ui-monospace, monospace; }
.sc-problem { margin: 8px 0 0; padding: 4px 8px; border-radius: 6px; background: #44262a; color: #ffd7d2; overflow-wrap: anywhere; user-select: text; }
.sc-asked { margin: 0 0 8px; overflow-wrap: anywhere; user-select: text; }
.sc-form .sc-wide { grid-column: 1 / -1; } .sc-form .sc-wide input { text-align: left; flex: 1 1 8ch; padding-left: 6px; }
.sc-drop { position: absolute; inset: 6px; z-index: 30; display: grid; place-items: center; border: 2px dashed var(--accent); border-radius: 8px; background: #14202edd; color: #d5e9ff; font-size: 13px; pointer-events: none; }
.sc-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 330px) { .sc-fields { grid-template-columns: repeat(2, minmax(0, 1fr)); } .sc-optional { display: none; } }
@container (min-width: 640px) { .sc-card { width: 104px; } .sc-card canvas { height: 60px; } }
`;

export function addStyle() {
  if (document.getElementById(ID)) return;
  const style = document.createElement("style");
  style.id = ID;
  style.textContent = CSS;
  document.head.append(style);
}
