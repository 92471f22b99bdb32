// Heatmaps: large ones, whose cells are marks, and small ones of a few nodes with a cursor.
const WIDE = 48,
  HIGH = 32,
  TICK = 11,
  LETTER = 6.4;
const longest = (texts) => Math.max(0, ...texts.map((text) => text.length));
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const MOST_TALL = 500; // cells of a figure; of more, only the first line of each is drawn
// A heatmap of `cells` (row by row, each {colour, lines, label, act, address, framed}; no colour: nothing was measured),
// beside `panels` others like it.
const heatmap = (title, { x, y, xs, ys }, cells, panels = 1) => {
  const tall = cells.length * panels <= MOST_TALL;
  const slanted = longest(xs) > 7,
    left = 16 + Math.min(26, longest(ys)) * LETTER + 8,
    under = (slanted ? Math.min(26, longest(xs)) * LETTER * 0.62 + 14 : 16) + 16;
  const wide = left + xs.length * WIDE + (slanted ? 0 : 4),
    high = ys.length * HIGH + under;
  const svg = draw("svg", {
    viewBox: `0 0 ${wide} ${high}`,
    width: wide,
    height: high,
    role: "group",
    "aria-label": `${title}. Arrow keys go from cell to cell, Enter shows its samples.`,
  });
  const texts = ys.map(() => draw("text", { "text-anchor": "middle", "aria-hidden": "true" }));
  cells.forEach((cell, number) => {
    const row = Math.floor(number / xs.length),
      column = number % xs.length;
    const [atX, atY] = [left + column * WIDE, row * HIGH];
    const rect = draw("rect", { x: atX + 0.5, y: atY + 0.5, width: WIDE - 1, height: HIGH - 1 });
    if (cell.colour) rect.setAttribute("fill", css(cell.colour));
    else rect.setAttribute("class", "gap");
    if (cell.address) rect.setAttribute("data-cell", cell.address);
    if (cell.framed) rect.setAttribute("class", "framed");
    svg.append(mark(rect, cell.label, row, column, cell.act));
    if (!cell.colour) svg.append(draw("path", { class: "hatch", d: `M${atX + 1} ${atY + HIGH - 1}l${WIDE - 2} ${2 - HIGH}` }));
    (cell.lines ?? []).slice(0, tall ? 2 : 1).forEach((line, place) =>
      texts[row].append(
        draw("tspan", {
          x: atX + WIDE / 2,
          y: atY + (tall ? 14 + 12 * place : 20),
          class: place ? "small" : null,
          fill: inkOn(cell.colour),
          text: line,
        }),
      ),
    );
  });
  svg.append(...texts.filter((text) => text.firstChild));
  const label = (text, known) => draw("text", { "aria-hidden": "true", class: "tick", text: cut(text, 26), ...known });
  ys.forEach((text, row) =>
    svg.append(label(text, { x: left - 6, y: row * HIGH + HIGH / 2 + 4, "text-anchor": "end" })),
  );
  xs.forEach((text, column) => {
    const [atX, atY] = [left + (column + 0.5) * WIDE, ys.length * HIGH + 14];
    svg.append(
      label(
        text,
        slanted
          ? { "text-anchor": "end", transform: `translate(${atX + 4} ${atY - 4}) rotate(-35)` }
          : { x: atX, y: atY, "text-anchor": "middle" },
      ),
    );
  });
  svg.append(
    label(x, { x: left + (xs.length * WIDE) / 2, y: high - 4, "text-anchor": "middle", class: "axis" }),
    label(y, { "text-anchor": "middle", class: "axis", transform: `translate(11 ${(ys.length * HIGH) / 2}) rotate(-90)` }),
  );
  return finish(svg);
};
// the cells of one grid of a section, with their samples behind them
const gridCells = (section, grid) => {
  const { xs, grids } = section.heat;
  return grids[grid].cells.map((cell, number) => {
    const row = Math.floor(number / xs.length),
      column = number % xs.length,
      address = `${section.slug}:${grid}:${row}:${column}`,
      label = cellLabel(section, grid, row, column);
    const act = byCell.has(address) ? () => list({ cell: address }) : null;
    if (!cell) return { label: act ? label.replace("not measured", "not measured, all failed") : label, act, address };
    const [mean, , , n, cutCount] = cell;
    return {
      colour: scoreColour(mean),
      lines: [percent(mean).replace(" %", ""), rightOf(mean, n) + (cutCount ? "†" : "")],
      label,
      act,
      address,
    };
  });
};

// A small heatmap: one path for each colour, a cursor for hover and arrow keys.
const SMALL = { wide: 9, high: 6 };
const miniature = (section, grid) => {
  const { xs, ys, grids } = section.heat,
    { wide, high } = SMALL,
    byColour = new Map();
  grids[grid].cells.forEach((cell, number) => {
    const colour = cell ? css(scoreColour(Math.round(20 * cell[0]) / 20)) : "gap";
    const d = `M${(number % xs.length) * wide} ${Math.floor(number / xs.length) * high}h${wide}v${high}h${-wide}z`;
    byColour.set(colour, (byColour.get(colour) ?? "") + d);
  });
  const whole = `${section.text}, ${grids[grid].title}`;
  const svg = draw("svg", {
    viewBox: `0 0 ${xs.length * wide} ${ys.length * high}`,
    width: xs.length * wide,
    height: ys.length * high,
    role: "application",
    "aria-roledescription": "heatmap",
    "aria-label": `${whole}: heatmap. Arrow keys go through its cells, Enter shows the samples of one.`,
    tabindex: "0",
    preserveAspectRatio: "none",
    "data-cursor": `${section.slug}:${grid}`,
  });
  for (const [colour, d] of byColour)
    svg.append(draw("path", colour === "gap" ? { d, class: "gap" } : { d, fill: colour }));
  const cursor = draw("rect", { class: "cursor", width: wide, height: high, visibility: "hidden" });
  svg.append(cursor);
  let [row, column] = [0, 0];
  const point = (r, c, speak) => {
    [row, column] = [Math.min(Math.max(r, 0), ys.length - 1), Math.min(Math.max(c, 0), xs.length - 1)];
    cursor.setAttribute("x", column * wide);
    cursor.setAttribute("y", row * high);
    cursor.setAttribute("visibility", "visible");
    const text = cellLabel(section, grid, row, column);
    showTip(text, cursor.getBoundingClientRect());
    if (speak) said.textContent = text;
  };
  const leave = () => {
    cursor.setAttribute("visibility", "hidden");
    hideTip();
  };
  const open = () => {
    const address = `${section.slug}:${grid}:${row}:${column}`;
    if (byCell.has(address)) list({ cell: address });
  };
  const under = (event) => {
    const box = svg.getBoundingClientRect();
    return [
      Math.floor(((event.clientY - box.top) / box.height) * ys.length),
      Math.floor(((event.clientX - box.left) / box.width) * xs.length),
    ];
  };
  svg.addEventListener("mousemove", (event) => point(...under(event)));
  svg.addEventListener("mouseleave", leave);
  svg.addEventListener("focus", () => svg.matches(":focus-visible") && point(row, column, true));
  svg.addEventListener("blur", leave);
  svg.addEventListener("click", (event) => {
    point(...under(event));
    open();
  });
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") open();
    else if (event.key in STEPS) point(row + STEPS[event.key][0], column + STEPS[event.key][1], true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return svg;
};
