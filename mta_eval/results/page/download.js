// Out of the page: the listed samples as JSONL or CSV, a figure as SVG. Made here; nothing is sent anywhere.
const saveFile = (name, text, type) => {
  const address = URL.createObjectURL(new Blob([text], { type })),
    made = make("a", { href: address, download: name });
  document.body.append(made);
  made.click();
  made.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
};
const fileName = (text) => text.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_|_$/g, "").toLowerCase().slice(0, 80) || "figure";
const plainSample = (place) => ({
  id: rows.id[place],
  task: data.tasks[rows.task[place]],
  model: data.models[rows.model[place]],
  length: data.length[rows.length[place]],
  depth: data.depth[rows.depth[place]],
  score: rows.score[place],
  result: resultText(place),
  mistake: rows.kind[place] < 0 ? null : Object.keys(data.kinds)[rows.kind[place]],
  truncated: Boolean(rows.cut[place]),
  targets: rows.targets[place],
  output: rows.output[place],
  error: rows.error[place],
});
const jsonLine = async (place) => {
  const { axes, question, thought, finish, seconds, needles, rules, command, tokens, made } = await restOf(place);
  const known = needles.map(([text, before, after, depth, start, asked]) => ({ text, before, after, depth, token_start: start, asked: Boolean(asked) }));
  const more = { axes, question, thought, finish, seconds, prompt_tokens: tokens, output_tokens: made, needles: known, rules, command };
  return JSON.stringify({ ...plainSample(place), ...more }) + "\n";
};
// a text that a spreadsheet would run has an apostrophe before it
const csvField = (value) => {
  const text = Array.isArray(value) ? value.join(" | ") : value === null ? "" : String(value);
  const harmless = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,%\s+\-–[\]]*$/.test(text) ? "'" + text : text;
  return /[",\n\r]/.test(harmless) ? `"${harmless.replace(/"/g, '""')}"` : harmless;
};
const saveSamples = async (form) => {
  if (form === "csv") {
    const lines = found.map((place) => Object.values(plainSample(place)).map(csvField).join(","));
    const head = found.length ? Object.keys(plainSample(found[0])).join(",") : "";
    return saveFile("samples.csv", [head, ...lines].join("\n") + "\n", "text/csv");
  }
  const lines = [];
  for (const place of found) lines.push(await jsonLine(place));
  return saveFile("samples.jsonl", lines.join(""), "application/jsonl");
};
// what the page's style says of figures, for a file that stands alone
const FIGURE_STYLE = `text{font-family:sans-serif;font-size:12px;fill:#1a1a1a}.tick,.axis{font-size:11px}.small{font-size:9px}
.gap{fill:#f4f4f4}.hatch{stroke:#bdbdbd}.rule{stroke:#dddddd}.ends{stroke-width:1.5;opacity:.5}.line{fill:none;stroke-width:1.6}
.framed{stroke:#000000;stroke-width:2}`;
const svgText = (svg, title) => {
  const copy = svg.cloneNode(true);
  for (const node of [copy, ...$$("*", copy)])
    for (const { name } of [...node.attributes])
      if (/^(data-|aria-|role$|tabindex$)/.test(name)) node.removeAttribute(name);
  copy.setAttribute("xmlns", SVG);
  copy.prepend(draw("title", { text: title }), draw("style", { text: FIGURE_STYLE }));
  return new XMLSerializer().serializeToString(copy) + "\n";
};
const saveButton = (svg, name) =>
  button("SVG", () => saveFile(fileName(name) + ".svg", svgText(svg, name), "image/svg+xml"), {
    class: "save",
    "aria-label": `Save as SVG: ${name}`,
  });
