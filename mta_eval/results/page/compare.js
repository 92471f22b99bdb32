// Two models on the same samples: a verdict for each task, who alone is right, and where they differ.
const chosenPair = () => {
  const place = (text, other) => {
    const found = data.models.indexOf(text);
    return found < 0 ? other : found;
  };
  const a = place(state.a, 0);
  return [a, place(state.b, a === 1 ? 0 : 1)];
};
const pairsOf = (number, a, b) => {
  const found = [];
  for (let place = 0; place < count; place++) {
    if (rows.section[place] !== number || rows.model[place] !== a || rows.score[place] === null) continue;
    const other = partner(place, b);
    if (other !== undefined && rows.score[other] !== null && !wasRead(place)) found.push([place, other]);
  }
  return found;
};
const written = (section, a, b) => {
  const known = data.verdicts[`${Math.min(a, b)}:${Math.max(a, b)}`];
  const text = known?.[section.name];
  return text && a > b ? `${text} (scores in the order ${data.names[b]}, ${data.names[a]})` : text;
};
const madeVerdict = (section, found, p, a, b) => {
  const better = found.gap > 0 ? b : a;
  const seen = `${percent(found.first)} and ${percent(found.second)}, ${points(found.gap)} points, p ${pText(p)}; ${found.n} pairs of ${found.draws} draws`;
  return `${section.text}: ${p < 0.05 ? `${data.names[better]} is better` : "no sure difference"}: ${seen}. mta-eval compare tells the interval.`;
};
const onlyLink = (section, side, n) =>
  make("a", { href: hashOf(clean({ view: "compare", a: state.a, b: state.b, only: side, ...taskFilter(section) })), text: String(n) });
const LIMITS = [0.1, 0.25, 0.5, 1];
const differenceCells = (section, pairs, a, b) => {
  const { xs, ys, grids } = section.heat,
    groups = new Map();
  for (const pair of pairs) {
    const number = rows.row[pair[0]] * xs.length + rows.column[pair[0]];
    groups.set(number, [...(groups.get(number) ?? []), pair]);
  }
  const measured = new Map([...groups].map(([number, group]) => [number, measurePairs(group)]));
  const corrected = new Map([...measured.keys()].map((number, place) => [number, holm([...measured.values()].map((one) => one.p))[place]]));
  const most = Math.max(0, ...[...measured.values()].map((one) => Math.abs(one.gap)));
  const limit = LIMITS.find((one) => one >= most - 1e-9) ?? 1;
  const at = (model) => grids.findIndex((grid) => grid.model === model);
  return ys.flatMap((_, row) =>
    xs.map((_, column) => {
      const number = row * xs.length + column,
        found = measured.get(number);
      const names = `${section.text}, ${valueText(section.heat.x, xs[column])}, ${valueText(section.heat.y, ys[row])}`;
      if (!found) return { label: `${names}: no sample of both` };
      const own = (model) => cellText(grids[at(model)].cells[number]);
      const p = corrected.get(number);
      return {
        colour: gapColour(found.gap, limit),
        lines: [points(found.gap), `${found.onlyFirst}:${found.onlySecond}`],
        framed: p < 0.05,
        label: `${names}: ${points(found.gap)} points; ${data.names[a]} ${own(a)}; ${data.names[b]} ${own(b)}; of ${counted(found.n, "pair")} only ${data.names[a]} right ${found.onlyFirst}, only ${data.names[b]} right ${found.onlySecond}; p ${pText(found.p)}, corrected ${pText(p)}`,
        act: () => list({ cell: `${section.slug}:${at(a)}:${row}:${column}` }),
        address: `difference:${section.slug}:${row}:${column}`,
      };
    }),
  );
};
const pickModel = (side, chosen) => {
  const field = make(
    "select",
    { id: `pick-${side}` },
    ...data.names.map((text, place) => make("option", { text, value: data.models[place], ...(place === chosen ? { selected: "" } : {}) })),
  );
  field.addEventListener("change", () => go({ view: "compare", [side]: field.value, only: "", cell: "", sample: "" }));
  return make("div", {}, make("label", { for: `pick-${side}`, text: side === "a" ? "First model (A)" : "Second model (B)" }), field);
};
const showCompare = () => {
  const [a, b] = chosenPair(),
    parts = data.sections.map((section, number) => ({ section, pairs: pairsOf(number, a, b) })),
    shared = parts.filter(({ pairs }) => pairs.length);
  const found = shared.map(({ pairs }) => measurePairs(pairs)),
    corrected = holm(found.map((one) => one.p));
  const why = data.verdicts[`${Math.min(a, b)}:${Math.max(a, b)}`]?.[""];
  const body = [
    make("h2", { id: "compare-head", tabindex: "-1", text: "Two models on the same samples" }),
    make("div", { class: "filters grid" }, pickModel("a", a), pickModel("b", b)),
  ];
  if (a === b) body.push(make("p", { class: "note", text: "These are the same model: choose another one." }));
  else if (!shared.length) body.push(make("p", { class: "note", text: why ?? "They answered no sample under the same prompt." }));
  else
    body.push(
      make("ul", { class: "verdicts" }, ...shared.map(({ section }, n) => make("li", { text: written(section, a, b) ?? madeVerdict(section, found[n], corrected[n], a, b) }))),
      tableOf(
        "Pairs of answers to the same prompts",
        ["task", "pairs", "A", "B", "B − A", "only A right", "only B right", "both right", "p (Holm)"],
        shared.map(({ section }, n) => {
          const one = found[n];
          return [
            rowHead(section.text),
            ...[String(one.n), percent(one.first), percent(one.second), points(one.gap)].map((text) => make("td", { text })),
            make("td", {}, onlyLink(section, "a", one.onlyFirst)),
            make("td", {}, onlyLink(section, "b", one.onlySecond)),
            ...[String(one.both), pText(corrected[n])].map((text) => make("td", { text })),
          ];
        }),
      ),
      make("p", { class: "soft", text: "Each heatmap: B minus A in points, below it how many only A and only B has right; framed cells differ after Holm's correction (exact McNemar test, or signs of whole draws flipped). Blue: B is better." }),
      make(
        "div",
        { class: "panels" },
        ...shared
          .filter(({ section }) => section.mini)
          .map(({ section, pairs }) => {
            const svg = heatmap(`${section.text}, B minus A`, section.heat, differenceCells(section, pairs, a, b), shared.length);
            return panel(section.text, svg, `difference ${section.name}`);
          }),
      ),
    );
  $("#compare").replaceChildren(...body);
  $$("#compare table.sortable").forEach(makeSortable);
};
