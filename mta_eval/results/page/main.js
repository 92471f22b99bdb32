// The page as a whole: which view stands, keys, printing, and the start.
const pane = $("#pane");
const openPane = () => {
  document.body.dataset.pane = "open";
};
const closePane = () => {
  delete document.body.dataset.pane;
};
const viewOf = () => {
  const view = state.view ?? "overview";
  return view.startsWith("task-") && sectionOf(view.slice(5)) ? ["task", sectionOf(view.slice(5))] : [view === "compare" && data.models.length > 1 ? "compare" : view === "run" ? "run" : "overview"];
};
const drawView = () => {
  const [view, section] = viewOf();
  for (const part of $$("[data-view]")) part.hidden = part.dataset.view !== view;
  for (const part of $$("figure[data-section]"))
    part.hidden = view === "overview" ? part.dataset.section !== "" : view !== "task" || part.dataset.section !== section.slug;
  for (const part of ["task", "compare"]) if (part !== view) $("#" + part).replaceChildren();
  if (view === "overview") showOverview();
  else leaveOverview();
  if (view === "task") showTask(section);
  if (view === "compare") showCompare();
  const address = "#view=" + (view === "task" ? "task-" + section.slug : view);
  for (const link of $$("nav[aria-label=Views] a"))
    if (link.getAttribute("href") === address) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
};
const differ = (names, one, other) => names.some((name) => (one[name] ?? "") !== (other[name] ?? ""));
const markCell = () => {
  for (const node of $$("[data-cell].chosen")) node.classList.remove("chosen");
  const cell = state.cell && $$("[data-cell]").find((node) => node.dataset.cell === state.cell);
  if (cell) cell.classList.add("chosen");
};
// Show what an address says; what it does not change stays as it is, the other pane above all.
const apply = (wanted) => {
  const before = state,
    first = !applied;
  state = wanted;
  applied = true;
  const newView = first || differ(["view", "a", "b"], before, state);
  if (newView) drawView();
  if (first || newView || differ([...LISTING, "page", "sample"], before, state)) refresh();
  const place = state.sample === undefined ? undefined : byName.get(state.sample);
  const had = $("#sample").hidden ? null : open;
  $("#sample").hidden = place === undefined;
  $("#list-view").hidden = place !== undefined;
  if (place !== undefined) {
    openPane();
    if (place !== had) {
      showSample(place);
      pane.scrollTop = 0;
      $("#sample-head").focus({ preventScroll: true });
    }
  } else {
    open = -1;
    if (had !== null) ($(`#list a[data-place="${had}"]`) ?? $("#samples-head")).focus();
    else if (!first && differ(["cell", "only"], before, state) && (state.cell || state.only)) $("#samples-head").focus({ preventScroll: true });
    if (differ(LISTING, before, state)) pane.scrollTop = 0;
  }
  if (!differ([...LISTING, "sample"], state, {})) closePane();
  else if (state.cell || state.only || differ(FILTERS, before, state)) openPane();
  if (newView && !first) {
    $("#content").scrollTop = 0;
    if (document.activeElement === document.body) $("#content").focus({ preventScroll: true });
  }
  markCell();
};
let applied = false;
const step = (by) => {
  const next = open < 0 ? found[0] : found[found.indexOf(open) + by];
  if (next === undefined) return;
  const page = Math.floor(found.indexOf(next) / PER_PAGE) + 1;
  go({ sample: nameOf(next), page: page > 1 ? String(page) : "" }, { replace: open >= 0 });
};
const KEYS_STEP = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
const onKey = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest?.("input, select, textarea, [data-mark], [data-cursor], .scroll, pre")) return;
  const letter = event.key === "j" || event.key === "k",
    inList = event.target.closest?.("#list, #sample-head");
  if (event.key === "Escape" && open >= 0) go({ sample: "" });
  else if (event.key in KEYS_STEP && (letter || (open >= 0 && event.key.match(/Left|Right/)) || inList)) {
    event.preventDefault();
    const links = $$("#list a"),
      at = links.indexOf(document.activeElement);
    if (inList && open < 0 && !letter) links[at + KEYS_STEP[event.key]]?.focus();
    else step(KEYS_STEP[event.key]);
  }
};
// printed is the whole report but its samples: every task, every fold open
let folded = [];
const beforePrint = () => {
  showOverview();
  for (const part of $$("[data-view=overview], [data-view=run], figure[data-section]")) part.hidden = false;
  $("#task").hidden = $("#compare").hidden = true;
  $("#all-tasks").replaceChildren(...data.sections.flatMap((section) => taskParts(section).map((part) => (part.removeAttribute("id"), part))));
  if (viewOf()[0] === "compare") $("#compare").hidden = false;
  $("#all-tasks").hidden = false;
  folded = $$("main details:not([open])");
  for (const part of folded) {
    part.open = true;
    part.dispatchEvent(new Event("toggle"));
  }
};
const afterPrint = () => {
  for (const part of folded) part.open = false;
  $("#all-tasks").replaceChildren();
  $("#all-tasks").hidden = true;
  drawView();
  markCell();
};
const start = () => {
  fillFields();
  wireList();
  pane.hidden = false;
  $("#earlier").addEventListener("click", () => step(-1));
  $("#later").addEventListener("click", () => step(1));
  $("#close").addEventListener("click", () => go({ sample: "" }));
  $("#leave").addEventListener("click", () => go(NO_FILTERS));
  document.addEventListener("keydown", onKey);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  const read = () => apply(readHash(location.hash || data.start));
  addEventListener("popstate", read);
  addEventListener("hashchange", () => differ(KEYS, readHash(location.hash || data.start), state) && read());
  read();
  document.documentElement.dataset.ready = "";
};
load().then(start, () => {
  $("#content").prepend(make("p", { class: "note", text: "This browser cannot unpack the report; one from 2023 or later can." }));
});
