// Colours of scores (viridis: readable with every kind of colour vision, and in grey) and of differences, and of lines.
const SCORE_STOPS = "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725".split(" ");
const GAP_STOPS = "67001f b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac 053061".split(" ");
// Okabe and Ito; lines also differ by their marks and dashes
const LINE_COLOURS = ["0072b2", "d55e00", "009e73", "cc79a7", "56b4e9", "e69f00", "777777"];
const DASHES = ["", "6 3", "2 3"];
const MARKS = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "M-3.5-3.5h7v7h-7z", "M0-5 4.6 3.5H-4.6z", "M0-5 5 0 0 5-5 0z"];
const channels = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mixed = (stops, share) => {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1),
    low = Math.min(Math.floor(at), stops.length - 2);
  const [a, b] = [channels(stops[low]), channels(stops[low + 1])];
  return a.map((part, place) => Math.round(part + (b[place] - part) * (at - low)));
};
const css = (rgb) => "#" + rgb.map((part) => part.toString(16).padStart(2, "0")).join("");
const linear = (part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const inkOn = (rgb) => (light(rgb) > 0.18 ? "#000000" : "#ffffff");
const scoreColour = (share) => mixed(SCORE_STOPS, share);
const gapColour = (gap, limit) => mixed(GAP_STOPS, (gap / limit + 1) / 2);
const lineStyle = (number) => ({
  colour: "#" + LINE_COLOURS[number % LINE_COLOURS.length],
  dash: DASHES[Math.floor(number / LINE_COLOURS.length) % DASHES.length],
  mark: MARKS[number % MARKS.length],
});
