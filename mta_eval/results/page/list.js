// The list of samples in the pane, and its controls.
const LONGEST_LISTED = 140;
const fields = Object.fromEntries([...FILTERS, "sort"].map((name) => [name, $("#f-" + name)]));
const fillFields = () => {
  const seenKinds = new Set(rows.kind),
    results = [...(rows.id.some((_, place) => wasRead(place)) ? RESULTS : RESULTS.slice(0, 4)), "prompt cut"];
  for (const [name, texts] of Object.entries({ ...choices(), result: results })) {
    fields[name].append(make("option", { text: "all", value: "" }));
    texts.forEach((text, place) => {
      if (name !== "kind" || seenKinds.has(place))
        fields[name].append(make("option", { text: name === "model" ? data.names[place] : text, value: text }));
    });
    fields[name].parentNode.hidden = fields[name].options.length < 3 && name !== "result";
  }
  for (const [value, [text]] of Object.entries(ORDERS)) fields.sort.append(make("option", { text, value }));
};
const link = (place) => hashOf(clean({ ...state, sample: nameOf(place) }));
const item = (place) => {
  const other = state.view === "compare" ? partner(place, chosenPair()[state.only === "b" ? 0 : 1]) : undefined;
  const about = [data.names[rows.model[place]], data.length[rows.length[place]], data.depth[rows.depth[place]]];
  return make(
    "li",
    {},
    make(
      "a",
      { href: link(place), "data-place": place, ...(state.sample === nameOf(place) ? { "aria-current": "true" } : {}) },
      make("span", { class: classOf(place), title: resultText(place), text: SIGNS[resultOf(place)] }),
      make("span", { class: "answered", text: cut(answerOf(place), LONGEST_LISTED) }),
      make("span", { class: "soft id", text: rows.id[place] + (rows.cut[place] ? " †" : "") }),
      make("span", {
        class: "soft about",
        text: `${resultText(place)} · ${about.join(" · ")} · expected ${cut(rows.targets[place].join(" | "), 60)}${other === undefined ? "" : ` · ${data.names[rows.model[other]]}: ${SIGNS[resultOf(other)]} ${cut(answerOf(other), 60)}`}`,
      }),
    ),
  );
};
const pageOf = () => Math.min(Math.max((parseInt(state.page, 10) || 1) - 1, 0), lastPage());
const lastPage = () => Math.max(0, Math.ceil(found.length / PER_PAGE) - 1);
const chosenText = () => {
  const cell = state.cell && readCell(state.cell);
  if (cell) return cellLabel(cell.section, cell.grid, cell.row, cell.column);
  if (state.cell) return state.cell;
  const [a, b] = chosenPair();
  return `only ${data.names[state.only === "a" ? a : b]} is right, not ${data.names[state.only === "a" ? b : a]}`;
};
const drawList = () => {
  const page = pageOf(),
    last = lastPage();
  $("#list").replaceChildren(...found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(item));
  $("#found").textContent =
    state.sample && !byName.has(state.sample)
      ? `There is no sample ${state.sample} in this report.`
      : `${found.length.toLocaleString("en")} of ${counted(count, "sample")}`;
  $("#page").textContent = `page ${(page + 1).toLocaleString("en")} of ${(last + 1).toLocaleString("en")}`;
  $("#pages").hidden = !last;
  $("#back").disabled = page === 0;
  $("#next").disabled = page === last;
  const special = state.cell || state.only;
  $("#chosen").hidden = !special;
  if (special) {
    const all = button("show all", () => list({}), { id: "all" });
    $("#chosen").replaceChildren(make("strong", { text: chosenText() }), " ", all);
  }
};
const refresh = () => {
  for (const [name, field] of Object.entries(fields)) if (document.activeElement !== field) field.value = state[name] ?? "";
  findSamples();
  drawList();
};
let typing;
const filter = (event) => {
  const wanted = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
  go({ ...wanted, page: "", sample: "" }, { replace: event.target === fields.q });
};
const wireList = () => {
  const form = $(".filters");
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    if (event.target === fields.q) typing = setTimeout(filter, 120, event);
    else filter(event);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    go(NO_FILTERS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    filter({ target: fields.q });
  });
  const turn = (by) => {
    go({ page: String(pageOf() + 1 + by) }, { replace: true });
    $("#found").scrollIntoView({ block: "nearest" });
  };
  $("#back").addEventListener("click", () => turn(-1));
  $("#next").addEventListener("click", () => turn(1));
  $("#as-jsonl").addEventListener("click", () => saveSamples("jsonl"));
  $("#as-csv").addEventListener("click", () => saveSamples("csv"));
};
