// One task: its models beside each other, lines, hits, mistakes, numbers.
const heatPanels = (section, heat, cellsOf) =>
  make(
    "div",
    { class: "panels" },
    ...heat.grids.map((grid, number) => {
      const svg = heatmap(`${section.text}, ${grid.title}`, heat, cellsOf(number), heat.grids.length);
      return panel(grid.title, svg, `heatmap ${section.name} ${grid.title}`);
    }),
  );
// hits by needle: a cell opens the samples of its model (and length), which are more than its own needle
const hitCells = (section, figure, number) =>
  figure.grids[number].cells.map((cell, place) => {
    const column = place % figure.xs.length,
      row = Math.floor(place / figure.xs.length),
      grid = figure.grids[number];
    const label = `${grid.title}, ${figure.y} ${figure.ys[row]}, ${figure.x} ${figure.xs[column]}: ${cellText(cell).replace(" right", " found")}`;
    const length = data.length[figure.lengths[column]];
    const act = () =>
      list({ task: data.tasks[figure.task], model: data.models[grid.model], ...(length ? { length } : {}) });
    return cell
      ? { label, act, colour: scoreColour(cell[0]), lines: [percent(cell[0]).replace(" %", ""), rightOf(cell[0], cell[3])] }
      : { label };
  });
const figureOfTask = (section, figure) =>
  figure.kind === "lines"
    ? linesFigure({ ...figure, section: data.tasks[section.task] })
    : make(
        "section",
        { class: "figure", "aria-label": figure.title },
        make("h3", { text: figure.title }),
        make("p", { class: "soft", text: figure.note }),
        heatPanels(section, figure, (number) => hitCells(section, figure, number)),
      );
const tableOf = (caption, head, body) => {
  const made = make(
    "table",
    { class: "numbers sortable" },
    make("caption", { text: caption }),
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col", text })))),
    make("tbody", {}, ...body.map((row) => make("tr", {}, ...row))),
  );
  return scrolling(caption, made);
};
const linkTo = (wanted, text, label) => make("a", { href: hashOf({ ...clean({ view: state.view }), ...wanted }), text, "aria-label": label ?? null });
const rowHead = (text) => make("th", { scope: "row", text });
// made when it is opened: numbers are most of the nodes of a task
const fold = (title, build, open = false) => {
  const details = make("details", {}, make("summary", {}, make("h3", { text: title })));
  const filled = () => {
    if (!details.open || details.children.length > 1) return;
    details.append(...build());
    $$("table.sortable", details).forEach(makeSortable);
  };
  details.addEventListener("toggle", filled);
  details.open = open;
  filled();
  return details;
};
const FEW = 4; // tables that are made at once
const numbers = (section) => {
  const { x, y, xs, ys, grids } = section.heat;
  const tables = grids.map((grid, number) => () =>
    tableOf(
      grid.title,
      [`${y} \\ ${x}`, ...xs],
      ys.map((text, row) => [
        rowHead(text),
        ...xs.map((_, column) => {
          const cell = grid.cells[row * xs.length + column],
            address = `${section.slug}:${number}:${row}:${column}`;
          const shown = cell ? `${percent(cell[0])} ${interval(cell[1], cell[2])}, n=${cell[3]}${cell[4] ? " †" : ""}` : byCell.has(address) ? "failed" : "–";
          return make("td", {}, byCell.has(address) ? linkTo({ cell: address }, shown, `${cellLabel(section, number, row, column)}; ${shown}`) : shown);
        }),
      ]),
    ),
  );
  if (grids.length <= FEW) return tables.map((build) => build());
  return tables.map((build, number) => fold(grids[number].title, () => [build()]));
};
const mistakes = (section) => [
  tableOf(
    "Samples without the full score",
    ["kind", ...section.mistakes[0][1].map(([model]) => data.names[model]), "what it is"],
    section.mistakes.map(([kind, counts]) => [
      rowHead(kind),
      ...counts.map(([model, n]) =>
        make("td", {}, n ? linkTo({ ...taskFilter(section), model: data.models[model], kind }, String(n), `${n}, ${kind}, ${data.names[model]}`) : "0"),
      ),
      make("td", { class: "name soft", text: data.kinds[kind] }),
    ]),
  ),
];
const errors = (section) => [
  tableOf(
    "Samples that failed, by error",
    ["samples", "error"],
    section.errors.map(([error, n]) => [
      make("td", {}, linkTo({ ...taskFilter(section), result: "failed", q: error.slice(0, 80) }, String(n), `${counted(n, "sample")}: ${cut(error, 200)}`)),
      make("td", { class: "name", text: cut(error, 400) }),
    ]),
  ),
];
const taskFilter = (section) => (section.task < 0 ? {} : { task: data.tasks[section.task] });
const taskParts = (section) => {
  const head = make("h2", { id: "task-head", tabindex: "-1", text: section.text });
  const note = section.failed === section.count
    ? [make("p", { class: "note", text: `Nothing was scored: all ${section.failed} samples failed. Their errors stand below.` })]
    : [];
  const measure = section.read ? "1 / perplexity" : "Accuracy";
  const cutAny = section.heat.grids.some((grid) => grid.cells.some((cell) => cell && cell[4]));
  const related = data.families.filter((one) => one.tasks.includes(section.task));
  const parts = [
    head,
    ...note,
    make("p", { class: "soft", text: `${measure} by ${section.heat.x} and ${section.heat.y}; below it how many of how many samples are right (of many cells: on hover and focus). Hatched: not measured.${cutAny ? " † some prompts were cut to the model's window." : ""}` }),
    scoreBar(),
    heatPanels(section, section.heat, (number) => gridCells(section, number)),
    ...section.figures.map((figure) => figureOfTask(section, figure)),
  ];
  if (related.length) parts.push(fold("Beside tasks that differ in one option", () => related.map(linesFigure)));
  if (section.mistakes.length) parts.push(fold("Mistakes by kind", () => mistakes(section), true));
  if (section.errors.length) parts.push(fold(`Errors (${counted(section.failed, "sample")} failed)`, () => errors(section), true));
  parts.push(fold("Numbers with 95 % intervals", () => numbers(section)));
  return parts;
};
const scoreBar = () =>
  make(
    "p",
    { class: "bar soft", "aria-hidden": "true" },
    "0 % ",
    draw("svg", { width: 160, height: 10 }, ...SCORE_STOPS.map((stop, place) => draw("rect", { x: (place * 160) / 11, width: 15, height: 10, fill: "#" + stop }))),
    " 100 %",
  );
const showTask = (section) => {
  $("#task").replaceChildren(...taskParts(section));
};
