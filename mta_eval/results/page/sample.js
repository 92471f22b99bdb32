// One sample, the addresses that lead to samples, and the controls.
const blocks = new Map();
const blockOf = (number) => {
  if (!blocks.has(number)) {
    const bytes = Uint8Array.from(atob($("#block-" + number).textContent), (sign) => sign.charCodeAt(0));
    blocks.set(number, new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json());
  }
  return blocks.get(number);
};
const facts = (pairs, verbatim) =>
  make(
    "dl",
    {},
    ...pairs.flatMap(([name, value]) => [
      make("dt", { text: name }),
      make("dd", { text: value, class: verbatim ? "verbatim" : "" }),
    ]),
  );
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
    make("p", { class: "soft", text: where.filter(Boolean).join(" · ") }),
    make(
      "pre",
      { class: "verbatim", tabindex: "0" },
      kept ? around(before) : "",
      make("mark", asked ? { text } : { text, class: "other" }),
      kept ? around(after) : "",
    ),
  ];
};
const show = async (place) => {
  const row = rows[place],
    dialog = $("#sample"),
    body = $("#sample-body"),
    model = data.models[row[MODEL]];
  open = place;
  const here = found.indexOf(place);
  $("#earlier").disabled = here < 1;
  $("#later").disabled = here < 0 || here === found.length - 1;
  $("#sample-head").textContent = row[ID];
  const parts = [
    make(
      "p",
      { class: classOf(row) },
      make("strong", { text: `${SIGNS[resultOf(row)]} ${resultText(row)}` }),
      row[KIND] >= 0 && data.kinds[row[KIND]] !== "failed" ? `: ${data.kinds[row[KIND]]}` : "",
    ),
    facts([
      ["model", model],
      ["score", row[SCORE] === null ? "not measured" : row[SCORE].toFixed(2)],
      ...(row[CUT] ? [["prompt", "cut to the model's window"]] : []),
    ]),
    make("h3", { text: "Expected and answered" }),
    facts(
      [
        ["expected", row[TARGETS].join("\n")],
        ["answered", row[OUTPUT] === null ? "–" : row[OUTPUT].trim() ? row[OUTPUT] : "(nothing)"],
        ...(row[ERROR] !== null ? [["error", row[ERROR]]] : []),
      ],
      true,
    ),
  ];
  body.replaceChildren(...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  $("#sample-head").focus();
  const rest = await blockOf(Math.floor(place / data.block))
    .then((block) => block[place % data.block])
    .catch(() => null);
  if (open !== place) return;
  if (!rest)
    return body.append(
      make("p", {
        class: "note",
        text: "This browser cannot unpack the rest of the sample; one from 2023 or later can.",
      }),
    );
  const rules = Object.entries(rest.rules),
    needles = rest.needles;
  if (rest.thought)
    body.append(
      make(
        "details",
        { class: "thought" },
        make("summary", { text: "The model's thought, which is not scored" }),
        make("pre", { class: "verbatim", tabindex: "0", text: rest.thought }),
      ),
    );
  const kept = needles.every((needle) => needle[1] !== null && needle[2] !== null);
  body.append(
    make("h3", { text: "Score under every rule" }),
    rules.length
      ? make(
          "ul",
          { class: "rules" },
          ...rules.map(([rule, score]) =>
            make(
              "li",
              {},
              make("strong", { text: score === null ? "–" : score.toFixed(2) }),
              make("span", { text: rule }),
              make("span", { class: "soft", text: data.rules[rule] ?? "" }),
            ),
          ),
        )
      : make("p", { class: "soft", text: "No published rule applies to this sample." }),
    make("h3", { text: "The prompt around each needle" }),
  );
  if (!needles.length) body.append(make("p", { class: "soft", text: "This sample has no needles." }));
  if (!kept)
    body.append(
      make("p", {
        class: "note",
        text: "These records are of an older version, which did not keep the text around a needle; the command below makes the whole prompt again.",
      }),
    );
  body.append(
    ...needles.flatMap(needleOf),
    make("h3", { text: "The whole prompt" }),
    make("pre", { class: "verbatim", id: "command", tabindex: "0", text: rest.command }),
    make("p", {
      class: "soft",
      text: "This makes the prompt again, byte for byte; the word after “show” is the path of the run's folder.",
    }),
    make("h3", { text: "More" }),
    facts([
      ...Object.entries(rest.axes),
      ["prompt", `${rest.tokens.toLocaleString("en")} tokens`],
      ["answer", `at most ${rest.budget.toLocaleString("en")} tokens`],
      ...(rest.finish ? [["ended", rest.finish]] : []),
      ...(rest.unverified ? [["prompt", "unverified: the backend did not confirm how many tokens it read"]] : []),
      ...(rest.choices.length ? [["choices", rest.choices.join(" | ")]] : []),
      ["seconds", rest.seconds ?? "–"],
      ["peak memory", rest.memory === null ? "–" : `${(rest.memory / 1024 ** 3).toFixed(2)} GiB`],
    ]),
  );
};

// addresses
const places = new Map(rows.map((row, place) => [data.models[row[MODEL]] + "/" + row[ID], place]));
const decode = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
const read = () =>
  Object.fromEntries(
    location.hash
      .slice(1)
      .split("&")
      .filter((part) => part.includes("="))
      .map((part) => [part.slice(0, part.indexOf("=")), decode(part.slice(part.indexOf("=") + 1))]),
  );
const route = () => {
  const asked = read(),
    dialog = $("#sample");
  if ("sample" in asked) {
    if (places.has(asked.sample)) return void show(places.get(asked.sample));
    $("#found").textContent = `There is no sample ${asked.sample} in this report.`;
    return $("#samples").scrollIntoView();
  }
  open = -1;
  if (dialog.open) dialog.close();
  const known = Object.fromEntries(Object.entries(asked).filter(([name]) => name in NONE));
  if (!Object.keys(known).length) return;
  if (known.cell) known.cell = known.cell.replace(/^[^:]*/, (slug) => data.pictures[slug] ?? slug);
  want(known);
  $("#samples").scrollIntoView();
  $("#samples-head").focus({ preventScroll: true });
};
const go = (hash) => {
  if (location.hash === hash) route();
  else location.hash = hash;
};
addEventListener("hashchange", route);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='#']");
  if (!link) return;
  if (link.id === "all") {
    event.preventDefault();
    want({});
    keepHash();
    $("#samples-head").focus({ preventScroll: true });
  } else if (link.hash === location.hash) route();
});

// controls
let typing;
const filter = () => {
  wanted = { ...wanted, ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])) };
  refresh();
  keepHash();
};
const form = $(".filters");
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  if (event.target === fields.q) typing = setTimeout(filter, 120);
  else filter();
});
form.addEventListener("reset", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  want({});
  keepHash();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  filter();
});
const turn = (by) => {
  page += by;
  draw();
  $("#found").scrollIntoView({ block: "nearest" });
};
$("#back").addEventListener("click", () => turn(-1));
$("#next").addEventListener("click", () => turn(1));
addSorting($$("#list thead th"), (head, _, sorted) => {
  order = { by: sorted === "none" ? "" : head.dataset.by, sign: sorted === "ascending" ? 1 : -1 };
  refresh();
});
const step = (by) => {
  const next = found[found.indexOf(open) + by];
  if (next !== undefined) {
    history.replaceState(null, "", sampleHash(rows[next]));
    show(next);
  }
};
$("#earlier").addEventListener("click", () => step(-1));
$("#later").addEventListener("click", () => step(1));
$("#close").addEventListener("click", () => $("#sample").close());
$("#sample").addEventListener("click", (event) => {
  if (event.target === event.currentTarget) event.currentTarget.close();
});
$("#sample").addEventListener("close", () => {
  if (open >= 0) {
    open = -1;
    keepHash();
  }
});
$("#explorer").hidden = false;
refresh();
route();
