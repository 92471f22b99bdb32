// The theme, the tables that can be sorted, and the cells of the pictures. All of the page's scripts share one scope.
// What a model said comes in through textContent alone: nothing of the data is ever read as HTML.
const PER_PAGE = 50,
  LONGEST_LISTED = 160;
const [ID, TASK, MODEL, LENGTH, DEPTH, SCORE, CUT, KIND, SECTION, GRID, ROW, COLUMN, TARGETS, OUTPUT, ERROR] =
  Array(15).keys();
const RESULTS = ["right", "partly right", "wrong", "failed", "read"],
  SIGNS = ["✓", "◐", "✗", "!", "·"];
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, { text, ...attributes } = {}, ...children) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

// theme
const theme = $("#theme"),
  system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const tellTheme = () => {
  theme.textContent = isDark() ? "Light theme" : "Dark theme";
};
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  tellTheme();
});
system.addEventListener("change", tellTheme);
theme.hidden = false;
tellTheme();

// tables that stand in the page
const sortKey = (cell) => {
  const text = (cell.dataset.sort ?? cell.textContent).trim();
  const number = parseFloat(text);
  return text === "–" || text === "failed" ? null : Number.isNaN(number) ? text.toLowerCase() : number;
};
// what was not measured comes last, whichever way round
const compare = (a, b, sign) =>
  a === b
    ? 0
    : a === null
      ? 1
      : b === null
        ? -1
        : typeof a !== typeof b
          ? typeof a === "number"
            ? -sign
            : sign
          : a < b
            ? -sign
            : sign;
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const addSorting = (heads, sort) =>
  heads.forEach((head, column) => {
    head.setAttribute("aria-sort", "none");
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      sort(head, column, order);
    });
  });
for (const table of $$("table.sortable")) {
  const body = table.tBodies[0],
    asWritten = [...body.rows];
  addSorting([...table.tHead.rows[0].cells], (_, column, order) => {
    const sign = order === "ascending" ? 1 : -1,
      keys = new Map(asWritten.map((row) => [row, sortKey(row.cells[column])]));
    body.append(
      ...(order === "none" ? asWritten : [...asWritten].sort((a, b) => compare(keys.get(a), keys.get(b), sign))),
    );
  });
}

// only what can scroll is worth a stop of the Tab key
const watch = new ResizeObserver((changes) =>
  changes.forEach(({ target }) => {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }),
);
$$(".scroll").forEach((part) => watch.observe(part));

// cells of the pictures
const labels = new Map($$("a[data-label]").map((link) => [link.hash.slice(6), link.dataset.label]));
for (const svg of $$(".picture svg")) {
  const cells = $$("[data-cell]", svg).filter((cell) => labels.has(cell.dataset.cell));
  if (!cells.length) continue;
  svg.setAttribute("role", "group");
  svg.setAttribute(
    "aria-label",
    svg.getAttribute("aria-label") + ". Arrow keys go from cell to cell, Enter shows its samples.",
  );
  const at = new Map(cells.map((cell) => [cell.dataset.cell, cell]));
  let current = cells[0];
  const choose = (cell) => {
    current.setAttribute("tabindex", "-1");
    current = cell;
    cell.setAttribute("tabindex", "0");
  };
  for (const cell of cells) {
    cell.setAttribute("role", "button");
    cell.setAttribute("tabindex", cell === current ? "0" : "-1");
    cell.setAttribute("aria-label", labels.get(cell.dataset.cell));
    cell.append(
      Object.assign(document.createElementNS(svg.namespaceURI, "title"), {
        textContent: labels.get(cell.dataset.cell),
      }),
    );
    cell.addEventListener("focus", () => choose(cell));
    cell.addEventListener("click", () => go("#cell=" + cell.dataset.cell));
    cell.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        go("#cell=" + cell.dataset.cell);
      }
      const [across, down] =
        { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [];
      if (across === undefined) return;
      event.preventDefault();
      const [slug, grid, row, column] = cell.dataset.cell.split(":");
      const step = (by) => at.get([slug, +grid + by, row, 0].join(":"));
      const near = at.get([slug, grid, +row + down, +column + across].join(":"));
      (near || (across > 0 ? step(1) : across && +column === 0 ? step(-1) : null) || cell).focus();
    });
  }
}
