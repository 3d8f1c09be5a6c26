// How the player looks: the calm dark panel of the rig editor. Put into the page once.

const ID = "syncam-player-style";

const CSS = `
.sp-player {
  --panel: #1b1e24; --field: #12151a; --line: #2d323c; --text: #d9dde4; --quiet: #8f98a6; --accent: #6cb4ff; --air: #ff5247;
  position: relative; display: flex; flex-direction: column; gap: 6px; box-sizing: border-box; container-type: inline-size;
  width: 100%; height: 100%; min-height: 0; min-width: 0; padding: 6px; overflow: hidden; border-radius: 8px;
  background: var(--panel); color: var(--text); font: 11px/1.35 Inter, system-ui, sans-serif;
  font-variant-numeric: tabular-nums; user-select: none; outline: none;
}
.sp-player *, .sp-player *::before { box-sizing: border-box; }
.sp-player [hidden] { display: none !important; }
.sp-player :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.sp-bar { display: flex; align-items: center; gap: 4px; flex: none; min-width: 0; }
.sp-group { display: flex; gap: 1px; padding: 1px; border-radius: 7px; background: var(--field); flex: none; }
.sp-space { flex: 1 1 0; min-width: 0; }
.sp-button {
  display: inline-flex; align-items: center; justify-content: center; gap: 4px; min-width: 25px; height: 25px; padding: 0 5px;
  border: 0; border-radius: 6px; background: transparent; color: var(--quiet); font: inherit; cursor: pointer;
  white-space: nowrap; text-decoration: none;
}
.sp-button:hover:not(:disabled) { background: #2a2f38; color: var(--text); }
.sp-button:disabled { opacity: 0.3; cursor: default; }
.sp-button[aria-pressed="true"], .sp-button[aria-checked="true"] { background: #31455d; color: #d5e9ff; }
.sp-record[aria-pressed="true"] { background: #5b1f1f; color: #fff; }
.sp-record i { width: 10px; height: 10px; border-radius: 50%; background: var(--air); }
.sp-icon { width: 16px; height: 16px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.4; stroke-linecap: round; stroke-linejoin: round; }
.sp-stage { position: relative; flex: 1 1 140px; min-height: 120px; overflow: hidden; border-radius: 6px; background: #0b0d10; touch-action: none; }
.sp-stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.sp-tile { position: absolute; padding: 0; border: 0; background: transparent; cursor: pointer; outline-offset: -2px; }
.sp-tile[aria-pressed="true"]::after { content: ""; position: absolute; inset: 0; border: 2px solid var(--color); pointer-events: none; }
.sp-air .sp-tile[aria-pressed="true"]::after { border: 3px solid var(--air); }
.sp-name {
  position: absolute; left: 5px; top: 5px; max-width: calc(100% - 10px); padding: 1px 6px 1px 1px; border-radius: 5px; background: #0c0c0ee0;
  color: #fff; font-family: Inter, system-ui, sans-serif; font-size: 11px; line-height: 16px; text-align: left;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; pointer-events: none;
}
.sp-number { display: inline-block; min-width: 16px; margin-right: 5px; padding: 0 4px; border-radius: 4px; background: var(--color); color: #fff; text-shadow: 0 0 2px #000, 0 0 2px #000; font-size: 10px; font-weight: 700; line-height: 15px; text-align: center; }
.sp-name.sp-right { left: auto; right: 5px; }
.sp-name small { color: #c8cfda; font-weight: 400; font-size: 10px; }
.sp-divider { position: absolute; width: 16px; margin-left: -8px; cursor: ew-resize; touch-action: none; }
.sp-divider::before { content: ""; position: absolute; left: 7px; top: 0; bottom: 0; width: 2px; background: #fff; box-shadow: 0 0 3px #000; }
.sp-divider::after { content: ""; position: absolute; left: 1px; top: calc(50% - 7px); width: 14px; height: 14px; border-radius: 50%; background: #fff; box-shadow: 0 0 3px #000; }
.sp-note { flex: none; padding: 4px 8px; border-radius: 6px; background: #24303f; color: #cfe3fb; overflow-wrap: anywhere; user-select: text; }
.sp-note[role="alert"] { background: #44262a; color: #ffd7d2; }
.sp-views { display: flex; gap: 4px; flex: none; min-width: 0; overflow-x: auto; scrollbar-width: thin; scrollbar-color: #414956 transparent; padding: 1px; }
.sp-chip { display: inline-flex; align-items: center; gap: 5px; flex: none; max-width: 190px; height: 24px; padding: 0 8px 0 4px; border: 1px solid var(--line); border-radius: 6px; background: var(--field); color: var(--text); font: inherit; cursor: pointer; }
.sp-chip .sp-number { margin: 0; }
.sp-chip span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sp-chip[aria-checked="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.sp-track { position: relative; flex: none; height: 30px; border-radius: 6px; background: var(--field); cursor: pointer; touch-action: none; outline-offset: -1px; }
.sp-rail { position: absolute; inset: 0 9px; pointer-events: none; }
.sp-rail > * { position: absolute; }
.sp-loaded { left: 0; right: 0; top: 8px; height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; }
.sp-loaded i { position: absolute; top: 0; bottom: 0; background: #4f7f63; }
.sp-loop { top: 2px; bottom: 2px; border: 1px solid #f0b429aa; border-width: 0 2px; background: #f0b42914; }
.sp-cuts { left: 0; right: 0; bottom: 4px; height: 9px; }
.sp-cuts i { position: absolute; top: 0; bottom: 0; padding-left: 3px; border-radius: 2px; background: var(--color); color: #fff; font-size: 8px; font-style: normal; font-weight: 700; line-height: 9px; text-shadow: 0 0 2px #000; overflow: hidden; border-left: 1px solid #0009; }
.sp-head { top: 1px; bottom: 1px; width: 2px; margin-left: -1px; border-radius: 1px; background: #fff; box-shadow: 0 0 2px #000; }
.sp-readout { flex: 0 1 auto; min-width: 0; padding: 0 4px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sp-readout b { font-weight: 600; } .sp-readout span { color: var(--quiet); }
.sp-speed { height: 25px; padding: 0 2px; border: 0; border-radius: 6px; background: var(--field); color: var(--text); font: inherit; cursor: pointer; }
.sp-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 470px) { .sp-optional { display: none; } }
`;

export function addStyle() {
  if (document.getElementById(ID)) return;
  const style = document.createElement("style");
  style.id = ID;
  style.textContent = CSS;
  document.head.append(style);
}
