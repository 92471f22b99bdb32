// Which samples are listed, and in which order.
const PER_PAGE = 50;
const ORDERS = {
  "": ["as asked", null],
  score: ["lowest score first", (place) => rows.score[place]],
  "-score": ["highest score first", (place) => rows.score[place]],
  length: ["shortest first", (place) => rows.length[place]],
  "-length": ["longest first", (place) => rows.length[place]],
  depth: ["from the start of the context", (place) => rows.depth[place]],
  model: ["by model", (place) => rows.model[place]],
  output: ["by answer", (place) => rows.output[place]],
};
let found = [];
const texts = []; // of each sample, in lower case, made when first searched
const textOf = (place) =>
  (texts[place] ??= [rows.id[place], ...rows.targets[place], rows.output[place] ?? "", rows.error[place] ?? ""]
    .join("\n")
    .toLowerCase());
const choices = () => ({
  task: data.tasks,
  model: data.models,
  length: data.length,
  depth: data.depth,
  kind: Object.keys(data.kinds),
});
const onlyTest = (side) => {
  const [a, b] = chosenPair(),
    [own, other] = side === "a" ? [a, b] : [b, a];
  return (place) => {
    if (rows.model[place] !== own || !isRight(place)) return false;
    const theirs = partner(place, other);
    return theirs !== undefined && rows.score[theirs] !== null && !isRight(theirs);
  };
};
const testsOf = (wanted) => {
  const known = choices(),
    tests = [];
  for (const name of ["task", "model", "length", "depth", "kind"])
    if (wanted[name]) {
      const at = known[name].indexOf(wanted[name]),
        column = rows[name];
      tests.push((place) => column[place] === at);
    }
  if (wanted.result === "prompt cut") tests.push((place) => rows.cut[place]);
  else if (wanted.result) tests.push((place) => RESULTS[resultOf(place)] === wanted.result);
  if (wanted.only === "a" || wanted.only === "b") tests.push(onlyTest(wanted.only));
  const words = (wanted.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  for (const word of words) tests.push((place) => textOf(place).includes(word));
  return tests;
};
const findSamples = () => {
  const tests = testsOf(state);
  if (state.cell) found = (byCell.get(state.cell) ?? []).filter((place) => tests.every((test) => test(place)));
  else {
    found = [];
    for (let place = 0; place < count; place++) if (tests.every((test) => test(place))) found.push(place);
  }
  const [, key] = ORDERS[state.sort ?? ""] ?? ORDERS[""];
  if (key) {
    const keys = new Map(found.map((place) => [place, key(place)])),
      sign = state.sort.startsWith("-") ? -1 : 1;
    found.sort((one, other) => compareKeys(keys.get(one), keys.get(other), sign));
  }
};
