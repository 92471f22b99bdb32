// The samples: filtered, searched, sorted, and drawn a page at a time.
const data = JSON.parse($("#data").textContent),
  rows = data.rows;
const NONE = { q: "", task: "", model: "", length: "", depth: "", result: "", kind: "", cell: "" };
const fields = Object.fromEntries(
  Object.keys(NONE)
    .filter((name) => name !== "cell")
    .map((name) => [name, $("#f-" + name)]),
);
const wasRead = (row) => row[SCORE] !== null && row[OUTPUT] === null; // a text, which nobody answers
const choices = {
  task: data.tasks,
  model: data.models,
  length: data.length,
  depth: data.depth,
  kind: data.kinds,
  result: [...(rows.some(wasRead) ? RESULTS : RESULTS.slice(0, 4)), "prompt cut"],
};
let wanted = { ...NONE },
  order = { by: "", sign: 1 },
  found = [],
  page = 0,
  open = -1;
const seen = new Set(rows.map((row) => row[KIND]));
for (const [name, texts] of Object.entries(choices)) {
  fields[name].append(make("option", { text: "all", value: "" }));
  texts.forEach((text, place) => {
    if (name !== "kind" || seen.has(place)) fields[name].append(make("option", { text, value: text }));
  });
  fields[name].parentNode.hidden = fields[name].options.length < 3 && name !== "result";
}
const resultOf = (row) =>
  row[SCORE] === null ? 3 : wasRead(row) ? 4 : row[SCORE] >= 1 ? 0 : row[SCORE] > 0 ? 1 : 2;
const classOf = (row) => (wasRead(row) ? "" : resultOf(row) ? "wrong" : "right");
const resultText = (row) => (row[SCORE] === null && row[ERROR] === null ? "not scored" : RESULTS[resultOf(row)]);
const cellOf = (row) => [data.sections[row[SECTION]], row[GRID], row[ROW], row[COLUMN]].join(":");
const texts = []; // of each sample, in lower case, made when first searched
const textOf = (place) =>
  (texts[place] ??= [rows[place][ID], ...rows[place][TARGETS], rows[place][OUTPUT] ?? "", rows[place][ERROR] ?? ""]
    .join("\n")
    .toLowerCase());
const KEYS = {
  id: (row) => row[ID],
  model: (row) => row[MODEL],
  length: (row) => row[LENGTH],
  depth: (row) => row[DEPTH],
  score: (row) => row[SCORE],
  result: (row) => resultOf(row),
  target: (row) => row[TARGETS].join(" | "),
  output: (row) => row[OUTPUT],
};

const find = () => {
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = [
    ["task", TASK],
    ["model", MODEL],
    ["length", LENGTH],
    ["depth", DEPTH],
    ["kind", KIND],
  ]
    .filter(([name]) => wanted[name])
    .map(([name, field]) => {
      const place = choices[name].indexOf(wanted[name]);
      return (row) => row[field] === place;
    });
  if (wanted.result === "prompt cut") tests.push((row) => row[CUT]);
  else if (wanted.result) tests.push((row) => RESULTS[resultOf(row)] === wanted.result);
  if (wanted.cell) tests.push((row) => cellOf(row) === wanted.cell);
  found = [];
  rows.forEach((row, place) => {
    if (tests.every((test) => test(row)) && words.every((word) => textOf(place).includes(word))) found.push(place);
  });
  if (order.by) {
    const keys = new Map(found.map((place) => [place, KEYS[order.by](rows[place])]));
    found.sort((a, b) => compare(keys.get(a), keys.get(b), order.sign));
  }
};
const shortened = (text) => (text.length > LONGEST_LISTED ? text.slice(0, LONGEST_LISTED) + "…" : text);
// names and ids differ at their ends as often as at their starts
const middleOut = (text, most) =>
  text.length > most ? `${text.slice(0, most / 3)}…${text.slice(1 - (most * 2) / 3)}` : text;
const answerOf = (row) =>
  row[ERROR] !== null
    ? "error: " + row[ERROR]
    : row[OUTPUT] === null
      ? "–"
      : row[OUTPUT].trim()
        ? row[OUTPUT]
        : "(nothing)";
const sampleHash = (row) => "#sample=" + encodeURIComponent(data.models[row[MODEL]] + "/" + row[ID]);
const line = (place) => {
  const row = rows[place],
    result = resultOf(row),
    model = data.models[row[MODEL]];
  return make(
    "tr",
    {},
    make(
      "td",
      { title: row[ID] },
      make("a", { href: sampleHash(row), text: middleOut(row[ID], 28), "aria-label": row[ID] }),
      make("span", { class: "small soft", text: middleOut(model, 20) }),
    ),
    make("td", { class: "roomy", text: middleOut(model, 20), title: model }),
    make("td", { class: "number roomy", text: data.length[row[LENGTH]] }),
    make("td", { class: "number roomy", text: data.depth[row[DEPTH]] }),
    make("td", { class: "number roomy", text: row[SCORE] === null ? "–" : row[SCORE].toFixed(2) }),
    make("td", {
      class: classOf(row),
      text: `${SIGNS[result]} ${resultText(row)}${row[CUT] ? " †" : ""}`,
    }),
    make("td", { class: "roomy", text: shortened(row[TARGETS].join(" | ")) }),
    make("td", { text: shortened(answerOf(row)) }),
  );
};
const draw = () => {
  const last = Math.max(0, Math.ceil(found.length / PER_PAGE) - 1);
  page = Math.min(Math.max(page, 0), last);
  $("#list tbody").replaceChildren(...found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(line));
  $("#found").textContent =
    `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} samples` +
    (rows.some((row) => row[CUT]) ? " · † the prompt was cut to the model's window" : "");
  $("#page").textContent = `page ${(page + 1).toLocaleString("en")} of ${(last + 1).toLocaleString("en")}`;
  $("#pages").hidden = !last;
  $("#back").disabled = page === 0;
  $("#next").disabled = page === last;
  $("#chosen").hidden = !wanted.cell;
  if (wanted.cell)
    $("#chosen").replaceChildren(
      "Cell: ",
      make("strong", { text: labels.get(wanted.cell) ?? wanted.cell }),
      " · ",
      make("a", { href: "#samples", id: "all", text: "show all samples" }),
    );
};
const refresh = () => {
  find();
  page = 0;
  draw();
};
const listHash = () =>
  Object.entries(wanted)
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}=${name === "cell" ? value : encodeURIComponent(value)}`)
    .join("&");
const keepHash = () =>
  history.replaceState(null, "", listHash() ? "#" + listHash() : location.pathname + location.search);
const want = (more) => {
  wanted = { ...NONE, ...more };
  for (const [name, field] of Object.entries(fields)) field.value = wanted[name];
  refresh();
};
