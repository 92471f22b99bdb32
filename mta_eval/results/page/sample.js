// One sample: what was asked, expected and answered, where its needles stand, and how rules score it.
const pairsList = (pairs, verbatim) =>
  make(
    "dl",
    { class: verbatim ? "verbatim" : "" },
    ...pairs.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", {}, value)]),
  );
const verbatim = (text) => make("pre", { class: "verbatim", tabindex: "0", text });
const needleOf = ([text, before, after, depth, start, asked], number, all) => {
  const where = [
    `needle ${number + 1} of ${all.length}`,
    depth && `at ${depth}`,
    start !== null && `token ${start.toLocaleString("en")}`,
    asked ? "asked for" : "not asked for",
  ];
  const kept = before !== null && after !== null;
  const around = (side) => make("span", { class: "around", text: side });
  return [
    make("p", { class: "soft", id: `needle-${number}`, text: where.filter(Boolean).join(" · ") }),
    make(
      "pre",
      { class: "verbatim", tabindex: "0" },
      kept ? around(before) : "",
      make("mark", asked ? { text } : { text, class: "other" }),
      kept ? around(after) : "",
    ),
  ];
};
// the whole context as a strip, and where in it each needle stands
const strip = ({ needles, tokens }) => {
  const placed = needles.filter((needle) => needle[4] !== null);
  const svg = draw("svg", {
    class: "strip",
    viewBox: "0 0 400 30",
    role: "img",
    "aria-label": `The context of ${counted(tokens, "token")}: ${placed.map(([text, , , depth, start, asked]) => `${asked ? "asked for" : "other"} at token ${start} (${depth}), ${text}`).join("; ")}`,
  });
  svg.append(draw("rect", { x: 0, y: 10, width: 400, height: 10, rx: 3 }));
  for (const [, , , , start, asked] of placed)
    svg.append(
      draw("path", { class: asked ? "asked" : "other", d: `M${Math.min(398, Math.max(2, (400 * start) / Math.max(1, tokens)))} ${asked ? 3 : 8}v${asked ? 24 : 14}` }),
    );
  return make("div", {}, svg, make("p", { class: "soft scale" }, make("span", { text: "start" }), make("span", { text: `${counted(tokens, "token")}` })));
};
const result = (place) => {
  const kind = rows.kind[place] >= 0 ? Object.keys(data.kinds)[rows.kind[place]] : "";
  return make(
    "p",
    { class: classOf(place) },
    make("strong", { text: `${SIGNS[resultOf(place)]} ${resultText(place)}` }),
    kind && kind !== "failed" ? `: ${kind}` : "",
    rows.score[place] === null ? "" : ` · score ${rows.score[place].toFixed(2)}`,
  );
};
const answerPart = (place) => [
  ["answered", verbatim(rows.output[place] === null ? "–" : rows.output[place].trim() ? rows.output[place] : "(nothing)")],
  ...(rows.error[place] === null ? [] : [["error", verbatim(rows.error[place])]]),
];
// what the other models answered under the same prompt; the one that is compared stands first
const others = (place) => {
  const [a, b] = chosenPair(),
    compared = state.view === "compare" ? (rows.model[place] === a ? b : a) : -1;
  const all = byPrompt.get(promptOf(place)).filter((other) => other !== place);
  all.sort((one, other) => (rows.model[other] === compared) - (rows.model[one] === compared));
  const shown = compared >= 0 ? all.filter((other) => rows.model[other] === compared) : all;
  if (!shown.length) return [];
  const parts = shown.map((other) =>
    make(
      "li",
      {},
      make("a", { href: link(other), text: data.names[rows.model[other]] }),
      result(other),
      verbatim(answerOf(other)),
    ),
  );
  const body = make("ul", { class: "others" }, ...parts);
  if (compared >= 0) return [make("h3", { text: "The other model, under the same prompt" }), body];
  return [make("details", {}, make("summary", {}, make("h3", { text: `Other models under the same prompt (${shown.length})` })), body)];
};
const scoresUnderRules = (rules) =>
  rules.length
    ? make(
        "ul",
        { class: "rules" },
        ...rules.map(([rule, score]) =>
          make("li", {}, make("strong", { text: score === null ? "–" : score.toFixed(2) }), make("span", { text: rule }), make("span", { class: "soft", text: data.rules[rule] ?? "" })),
        ),
      )
    : make("p", { class: "soft", text: "No published rule applies to this sample." });
const promptParts = (rest) => {
  const kept = rest.needles.every((needle) => needle[1] !== null && needle[2] !== null);
  if (!rest.needles.length) return [make("p", { class: "soft", text: "This sample has no needles." })];
  return [
    strip(rest),
    ...(kept ? [] : [make("p", { class: "note", text: "These records are of an older version, which did not keep the text around a needle; the command below makes the whole prompt again." })]),
    make("h3", { text: "The prompt around each needle" }),
    ...rest.needles.flatMap(needleOf),
  ];
};
const commandParts = (rest) =>
  rest.command
    ? [
        make("h3", { text: "The whole prompt" }),
        make("pre", { class: "verbatim", id: "command", tabindex: "0", text: rest.command }),
        make("p", { class: "soft", text: "This makes the prompt again, byte for byte, where the run's folder is." }),
      ]
    : [];
const moreParts = (rest) => [
  make("h3", { text: "More" }),
  pairsList([
    ...Object.entries(rest.axes),
    ["prompt", `${counted(rest.tokens, "token")}${rest.unverified ? ", unverified: the backend did not confirm how many it read" : ""}`],
    ["answer", `${rest.made === null ? "" : `${rest.made.toLocaleString("en")} of `}at most ${counted(rest.budget, "token")}`],
    ...(rest.finish ? [["ended", rest.finish]] : []),
    ...(rest.choices.length ? [["choices", rest.choices.join(" | ")]] : []),
    ["seconds", String(rest.seconds ?? "–")],
    ["peak memory", rest.memory === null ? "–" : `${(rest.memory / 1024 ** 3).toFixed(2)} GiB`],
  ]),
];
let open = -1;
const showSample = async (place) => {
  const body = $("#sample-body");
  open = place;
  const here = found.indexOf(place);
  $("#earlier").disabled = here < 1;
  $("#later").disabled = here < 0 || here === found.length - 1;
  $("#sample-head").textContent = rows.id[place];
  const rest = await restOf(place);
  if (open !== place) return;
  body.replaceChildren(
    result(place),
    make("p", { class: "soft", title: data.specs[data.models[rows.model[place]]] ?? data.models[rows.model[place]], text: data.names[rows.model[place]] + (rows.cut[place] ? " · prompt cut to the model's window" : "") }),
    pairsList(
      [
        ["question", rest.question ? verbatim(rest.question) : make("span", { class: "soft", text: wasRead(place) ? "none: a text was read" : "not kept in records of this version; the command below makes the prompt again" })],
        ["expected", verbatim(rows.targets[place].join("\n"))],
        ...answerPart(place),
      ],
      true,
    ),
    ...(rest.thought ? [make("details", { class: "thought" }, make("summary", { text: "The model's thought, which is not scored" }), verbatim(rest.thought))] : []),
    ...others(place),
    ...promptParts(rest),
    make("h3", { text: "Score under every rule" }),
    scoresUnderRules(Object.entries(rest.rules)),
    ...commandParts(rest),
    ...moreParts(rest),
  );
};
