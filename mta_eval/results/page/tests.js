// Two models on the same samples: the tests that `mta-eval compare` makes, on pairs of scores.
const FULL_FLIPS = 13, // draws: 8192 ways
  RESAMPLES = 9999;
const logFactorial = (n) => {
  let sum = 0;
  for (let k = 2; k <= n; k++) sum += Math.log(k);
  return sum;
};
// the exact two-sided p of McNemar's test
const mcnemar = (onlyFirst, onlySecond) => {
  const n = onlyFirst + onlySecond,
    least = Math.min(onlyFirst, onlySecond);
  let p = 0;
  for (let k = 0; k <= least; k++)
    p += Math.exp(logFactorial(n) - logFactorial(k) - logFactorial(n - k) - n * Math.LN2);
  return Math.min(1, 2 * p);
};
// numbers from 0 to 1, the same every time (mulberry32)
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
// the two-sided p that differences are 0 in the mean, by flipping the signs of whole draws
const signFlip = (sums) => {
  const told = sums.filter((sum) => Math.abs(sum) > 1e-12),
    n = told.length,
    seen = Math.abs(told.reduce((a, b) => a + b, 0)) - 1e-9;
  if (n < 2) return 1;
  let as = 0;
  if (n <= FULL_FLIPS) {
    for (let way = 0; way < 1 << n; way++)
      as += Math.abs(told.reduce((sum, one, place) => sum + (way & (1 << place) ? one : -one), 0)) >= seen;
    return as / (1 << n);
  }
  const next = random(n);
  for (let turn = 0; turn < RESAMPLES; turn++)
    as += Math.abs(told.reduce((sum, one) => sum + (next() < 0.5 ? one : -one), 0)) >= seen;
  return (1 + as) / (1 + RESAMPLES);
};
// p values corrected for their number (Holm 1979)
const holm = (ps) => {
  const order = [...ps.keys()].sort((a, b) => ps[a] - ps[b]),
    corrected = [];
  let highest = 0;
  order.forEach((place, rank) => {
    highest = Math.max(highest, Math.min(1, (ps.length - rank) * ps[place]));
    corrected[place] = highest;
  });
  return corrected;
};
const pText = (p) => (p < 0.001 ? "<0.001" : String(+(p - 1e-9).toPrecision(2))); // half down, as Python has it
// What pairs [place of first, place of second] say: means, who alone is right, and p.
const measurePairs = (pairs) => {
  const scores = pairs.map(([a, b]) => [rows.score[a], rows.score[b]]),
    draws = new Map();
  let [first, second, onlyFirst, onlySecond, both, simple] = [0, 0, 0, 0, 0, true];
  pairs.forEach(([a], place) => {
    const [one, other] = scores[place];
    first += one;
    second += other;
    onlyFirst += one >= 1 && other < 1;
    onlySecond += one < 1 && other >= 1;
    both += one >= 1 && other >= 1;
    simple &&= (one === 0 || one === 1) && (other === 0 || other === 1);
    draws.set(rows.draw[a], (draws.get(rows.draw[a]) ?? 0) + other - one);
  });
  // McNemar's test takes pairs for independent, which those of one draw are not
  const p = simple && draws.size === pairs.length ? mcnemar(onlyFirst, onlySecond) : signFlip([...draws.values()]);
  const n = pairs.length;
  return { n, first: first / n, second: second / n, gap: (second - first) / n, onlyFirst, onlySecond, both, p, draws: draws.size };
};
