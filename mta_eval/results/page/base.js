// Helpers, the theme, and tables that stand in the page. All of the page's scripts share one scope.
// What a model said comes in through textContent and attributes alone: nothing of the data is ever read as HTML.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const SVG = "http://www.w3.org/2000/svg";
const fill = (made, { text, ...attributes }, children) => {
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const make = (tag, known = {}, ...children) => fill(document.createElement(tag), known, children);
const draw = (tag, known = {}, ...children) => fill(document.createElementNS(SVG, tag), known, children);
const button = (text, act, known = {}) => {
  const made = make("button", { type: "button", text, ...known });
  made.addEventListener("click", act);
  return made;
};
const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const points = (share) => {
  const size = Math.abs(100 * share);
  return `${share > 0 ? "+" : share < 0 ? "−" : ""}${size >= 0.95 ? Math.round(size) : +size.toPrecision(1)}`;
};
// only a true 0 or 1 is shown as 0 % or 100 %
const percent = (share) =>
  share === 0 || share === 1 || (share >= 0.005 && share < 0.995)
    ? `${Math.round(100 * share)} %`
    : `${Math.min(99.9, Math.max(0.1, 100 * share)).toFixed(1)} %`;
const interval = (low, high) => `[${Math.round(100 * low)}–${Math.round(100 * high)}]`;
const wholeRight = (mean, count) => Math.abs(mean * count - Math.round(mean * count)) < 1e-3 * Math.max(1, count / 10);
const rightOf = (mean, count) => (wholeRight(mean, count) ? `${Math.round(mean * count)}/${count}` : `n=${count}`);

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

// tables that can be sorted
const sortKey = (cell) => {
  const text = (cell.dataset.sort ?? cell.textContent).trim();
  const number = parseFloat(text);
  return text === "–" || text === "failed" ? null : Number.isNaN(number) ? text.toLowerCase() : number;
};
// what was not measured comes last, whichever way round
const compareKeys = (a, b, sign) => {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  if (typeof a !== typeof b) return typeof a === "number" ? -sign : sign;
  return a < b ? -sign : sign;
};
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const makeSortable = (table) => {
  if ($("[aria-sort]", table)) return;
  const body = table.tBodies[0],
    asWritten = [...body.rows],
    heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const made = make("button", { type: "button" });
    made.append(...head.childNodes);
    head.append(made);
    head.setAttribute("aria-sort", "none");
    made.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")],
        sign = order === "ascending" ? 1 : -1;
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      const keys = new Map(asWritten.map((row) => [row, sortKey(row.cells[column])]));
      body.append(
        ...(order === "none"
          ? asWritten
          : [...asWritten].sort((a, b) => compareKeys(keys.get(a), keys.get(b), sign))),
      );
    });
  });
};
$$("table.sortable").forEach(makeSortable);

// only what can scroll is worth a stop of the Tab key
const watched = new ResizeObserver((changes) =>
  changes.forEach(({ target }) => {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }),
);
const scrolling = (label, ...children) => {
  const made = make("div", { class: "scroll", role: "group", "aria-label": label }, ...children);
  watched.observe(made);
  return made;
};
$$(".scroll").forEach((part) => watched.observe(part));
