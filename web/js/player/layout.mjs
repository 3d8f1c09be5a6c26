// Where pictures stand on the stage.

/** @returns {{x: number, y: number, width: number, height: number}} the largest picture of an aspect ratio in a box */
export function fitted(box, aspect) {
  const width = Math.min(box.width, box.height * aspect);
  const height = width / aspect;
  return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height };
}

/** Places of views, of width / height ratios, that show each of them as large as possible. */
export function gridded(box, aspects, gap = 4) {
  const widest = Math.max(...aspects);
  let best = null;
  for (let columns = 1; columns <= aspects.length; columns += 1) {
    const rows = Math.ceil(aspects.length / columns);
    const cell = { width: (box.width - gap * (columns - 1)) / columns, height: (box.height - gap * (rows - 1)) / rows };
    const size = Math.min(cell.width, cell.height * widest);
    if (!best || size > best.size + 0.5) best = { size, columns, cell };
  }
  const { columns, cell } = best;
  return aspects.map((aspect, index) =>
    fitted(
      {
        x: box.x + (index % columns) * (cell.width + gap),
        y: box.y + Math.floor(index / columns) * (cell.height + gap),
        ...cell,
      },
      aspect,
    ),
  );
}
