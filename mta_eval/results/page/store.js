// The data block, unpacked once, and the rest of samples, unpacked as they are opened.
const RESULTS = ["right", "partly right", "wrong", "failed", "read"],
  SIGNS = ["✓", "◐", "✗", "!", "·"];
let data, rows, count, byName, byCell, byPrompt;
const unpack = (text) => {
  const raw = atob(text),
    bytes = new Uint8Array(raw.length);
  for (let place = 0; place < raw.length; place++) bytes[place] = raw.charCodeAt(place);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
};
const blocks = new Map();
const restOf = async (place) => {
  const number = Math.floor(place / data.block);
  if (!blocks.has(number)) blocks.set(number, unpack($("#block-" + number).textContent));
  return (await blocks.get(number))[place % data.block];
};
const nameOf = (place) => data.models[rows.model[place]] + "/" + rows.id[place];
const cellOf = (place) =>
  `${data.sections[rows.section[place]].slug}:${rows.grid[place]}:${rows.row[place]}:${rows.column[place]}`;
const load = async () => {
  data = await unpack($("#data").textContent);
  rows = data.columns;
  count = rows.id.length;
  byName = new Map();
  byCell = new Map();
  byPrompt = new Map(); // what all models were asked under one prompt
  const add = (map, key, place) => (map.has(key) ? map.get(key).push(place) : map.set(key, [place]));
  for (let place = 0; place < count; place++) {
    byName.set(nameOf(place), place);
    add(byCell, cellOf(place), place);
    add(byPrompt, promptOf(place), place);
  }
};
const promptOf = (place) => `${rows.task[place]}\n${rows.id[place]}\n${rows.prompt[place]}`;
const partner = (place, model) => (byPrompt.get(promptOf(place)) ?? []).find((one) => rows.model[one] === model);
const wasRead = (place) => rows.score[place] !== null && rows.output[place] === null; // a text, which nobody answers
const resultOf = (place) => {
  const score = rows.score[place];
  if (score === null) return 3;
  return wasRead(place) ? 4 : score >= 1 ? 0 : score > 0 ? 1 : 2;
};
const isRight = (place) => resultOf(place) === 0;
const classOf = (place) => (wasRead(place) ? "" : resultOf(place) ? "wrong" : "right");
const resultText = (place) =>
  rows.score[place] === null && rows.error[place] === null ? "not scored" : RESULTS[resultOf(place)];
const answerOf = (place) => {
  if (rows.error[place] !== null) return "error: " + rows.error[place];
  const output = rows.output[place];
  return output === null ? "–" : output.trim() ? output : "(nothing)";
};
const sectionOf = (slug) => data.sections.find((section) => section.slug === slug);
// "niah:0:1:2" -> the section, its grid, and the place in that
const readCell = (address) => {
  const [slug, grid, row, column] = address.split(":"),
    section = sectionOf(slug);
  return section && section.heat.grids[grid] ? { section, grid: +grid, row: +row, column: +column } : null;
};
const valueText = (axis, text) => (axis === "task" || axis === "model" ? text : `${axis} ${text}`);
// A cell in words: "niah, smollm2, length 4K, depth 50 %: 75 % [30–95], 3/4 right"
const cellLabel = (section, grid, row, column) => {
  const heat = section.heat,
    axes = [heat.x, heat.y];
  const names = [
    ...(axes.includes("task") ? [] : [section.text]),
    ...(axes.includes("model") ? [] : [heat.grids[grid].title]),
    valueText(heat.x, heat.xs[column]),
    valueText(heat.y, heat.ys[row]),
  ];
  return `${names.join(", ")}: ${cellText(heat.grids[grid].cells[row * heat.xs.length + column], section.read)}`;
};
const cellText = (cell, read) => {
  if (!cell) return "not measured";
  const [mean, low, high, n, cut] = cell;
  const right = wholeRight(mean, n) && !read ? `${Math.round(mean * n)} of ${n} right` : `mean of ${n}`;
  return `${percent(mean)} ${interval(low, high)}, ${right}${cut ? `; † ${cut} prompts cut` : ""}`;
};
