/** Style and script of the report page. */

export const style = `
:root { --ink: #1c2024; --soft: #60646c; --line: #d9dce1; --page: #fbfcfd; --card: #fff; --mark: #2f6fde; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #9ba1a6; --line: #33373c; --page: #141618; --card: #1c1f22; --mark: #7aa7ff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .75rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0 0 1rem; color: var(--soft); }
dl div { display: flex; gap: .4rem; } dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; } tbody th { white-space: nowrap; } td:last-child { min-width: 18rem; } td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
a { color: var(--mark); } pre { overflow-x: auto; font-size: 12px; } summary { cursor: pointer; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem; }
.chart { min-width: 0; } .chart h3 { margin: 0; font-size: .85rem; font-weight: 500; color: var(--soft); }
.chart h3 b { color: var(--ink); font-weight: 600; float: right; } .chart div { position: relative; height: 9.5rem; }
.sheets { display: flex; gap: 1rem; overflow-x: auto; margin-top: 1rem; padding-bottom: .5rem; }
figure { margin: 0; } figure img { max-height: 24rem; display: block; border: 1px solid var(--line); } figcaption { color: var(--soft); font-size: .85rem; }
`;

/** @param live reload the page when the server has a new version of it */
export function script(live: boolean): string {
  return `
const css = getComputedStyle(document.documentElement);
const [ink, line, mark] = ["--soft", "--line", "--mark"].map((name) => css.getPropertyValue(name).trim());
Chart.defaults.color = ink;
Chart.defaults.borderColor = line;
Chart.defaults.animation = false;
const order = (name) => (name === "loss" ? 0 : name.startsWith("validation/") ? 1 : 2);
for (const { name, curves } of JSON.parse(document.getElementById("data").textContent)) {
  const place = [...document.querySelectorAll(".charts")].find((element) => element.dataset.stage === name);
  for (const curve of curves.sort((a, b) => order(a.name) - order(b.name))) {
    const box = document.createElement("div");
    box.className = "chart";
    const heading = document.createElement("h3");
    const last = document.createElement("b");
    const points = curve.points.map(([x, y]) => ({ x, y }));
    last.textContent = String(Number(points[points.length - 1].y.toPrecision(4)));
    heading.append(curve.name.startsWith("validation/") ? "validation: " + curve.label : curve.label, last);
    const frame = document.createElement("div");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name + ": " + curve.label + ", last " + last.textContent);
    frame.append(canvas);
    box.append(heading, frame);
    place.append(box);
    const few = points.length < 40;
    new Chart(canvas, {
      type: "line",
      data: { datasets: [{ data: points, borderColor: mark, borderWidth: 1.5, pointRadius: few ? 2 : 0, pointHitRadius: 8 }] },
      options: {
        parsing: false, normalized: true, maintainAspectRatio: false, interaction: { mode: "nearest", axis: "x", intersect: false },
        plugins: { legend: { display: false }, tooltip: { displayColors: false, callbacks: { title: (items) => "step " + items[0].parsed.x.toLocaleString("en") } } },
        scales: { x: { type: "linear", ticks: { maxTicksLimit: 5 } }, y: { ticks: { maxTicksLimit: 5 } } },
      },
    });
  }
}
${live ? LIVE : ""}`;
}

const LIVE = `
const known = fetch("version").then((answer) => answer.text());
setInterval(async () => {
  try {
    const now = await (await fetch("version")).text();
    if (now !== (await known)) location.reload();
  } catch {
    // The server has ended; the page stays as it is.
  }
}, 4000);
`;
