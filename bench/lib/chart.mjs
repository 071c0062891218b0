/** Curves as an SVG picture: a panel for each, logarithmic axes, time in blue and memory in gray. */

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [300, 220, 56, 34, 28];
const COLUMNS = 3;

/**
 * @typedef {{ title: string, unit: string, points: { n: number, ms: number, peakMb: number }[] }} Curve
 * @param {readonly Curve[]} curves
 * @returns {string}
 */
export function chart(curves) {
  const rows = Math.ceil(curves.length / COLUMNS);
  const panels = curves.map((curve, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">${panel(curve)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${COLUMNS * WIDTH}" height="${rows * HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

/** @param {Curve} curve */
function panel({ title, unit, points }) {
  const [w, h] = [WIDTH - LEFT - 16, HEIGHT - TOP - BOTTOM];
  const values = points.flatMap(({ ms, peakMb }) => [ms, peakMb]);
  const [xs, ys] = [decades(points.map(({ n }) => n)), decades(values)];
  const x = (n) => LEFT + w * share(n, xs);
  const y = (v) => TOP + h * (1 - share(v, ys));
  const line = (what, color) => {
    const at = points.map((point) => `${x(point.n).toFixed(1)},${y(point[what]).toFixed(1)}`);
    const dots = at.map(
      (pair) => `<circle cx="${pair.split(",")[0]}" cy="${pair.split(",")[1]}" r="2.5" fill="${color}"/>`,
    );
    return `<polyline points="${at.join(" ")}" fill="none" stroke="${color}" stroke-width="1.5"/>${dots.join("")}`;
  };
  const grid = powers(ys).map(
    (v) =>
      `<path d="M${LEFT} ${y(v).toFixed(1)}h${w}" stroke="#e5e5e5"/><text x="${LEFT - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">${short(v)}</text>`,
  );
  const ticks = points.map(
    ({ n }) => `<text x="${x(n).toFixed(1)}" y="${TOP + h + 14}" text-anchor="middle" font-size="9">${short(n)}</text>`,
  );
  return [
    `<text x="${LEFT}" y="16" font-weight="bold">${title}</text>`,
    ...grid,
    ...ticks,
    `<text x="${LEFT + w / 2}" y="${HEIGHT - 6}" text-anchor="middle">${unit}</text>`,
    line("peakMb", "#999999"),
    line("ms", "#1f6fb4"),
    `<text x="${LEFT + 6}" y="${TOP + 10}" fill="#1f6fb4">ms</text><text x="${LEFT + 28}" y="${TOP + 10}" fill="#777777">MB</text>`,
  ].join("");
}

/** Whole powers of ten around the values. @param {readonly number[]} values @returns {[number, number]} */
function decades(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  return [low, Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1)];
}

const powers = ([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
const share = (value, [low, high]) => (Math.log10(value) - low) / (high - low);
const short = (value) =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(Number(value.toPrecision(2)));
