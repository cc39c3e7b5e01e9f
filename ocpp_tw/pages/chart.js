// Lines over time: the power of a transaction (uPlot), and the small ones of the overview (SVG).
import { html, useEffect, useRef } from "./lib.js";
import uPlot from "./vendor/uplot.js";

const HEIGHT = 200; // px
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const exact = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const at = (seconds, format = exact) => (seconds === null || seconds === undefined ? "–" : format.format(new Date(seconds * 1000)));
const ticks = (_, all) => all.map((each) => at(each, all.length > 1 && all[1] - all[0] < 60 ? exact : clock));
const kilowatts = (value) => `${Number(value.toFixed(2))} kW`;
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `curve`: [[unix seconds, W, Wh, SoC], …] */
export function PowerCurve({ curve, label }) {
  const place = useRef(null);
  const plot = useRef(null);
  const soc = curve.some((each) => each[3] !== null && each[3] !== undefined);
  const data = [curve.map((each) => each[0]), curve.map((each) => (each[1] === null ? null : each[1] / 1000))];
  if (soc) data.push(curve.map((each) => each[3] ?? null));
  useEffect(() => {
    const box = place.current; // its own: on the way out the observer may be told once more, when the reference is empty already
    const axis = { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 }, font: "11px system-ui" };
    const series = [{ label: "Time", value: (_, v) => at(v) }, { label: "Power", stroke: color("--accent"), fill: color("--accent-soft"), width: 2, value: (_, v) => (v === null || v === undefined ? "–" : kilowatts(v)), spanGaps: true }];
    const axes = [{ ...axis, space: 60, values: ticks }, { ...axis, size: 64, values: (_, all) => all.map(kilowatts) }];
    if (soc) {
      series.push({ label: "SoC", scale: "%", stroke: color("--warn"), width: 1.5, value: (_, v) => (v === null || v === undefined ? "–" : `${v.toFixed(0)} %`), spanGaps: true });
      axes.push({ ...axis, scale: "%", side: 1, size: 56, grid: { show: false }, values: (_, all) => all.map((v) => `${v} %`) });
    }
    const width = () => Math.max(200, box.clientWidth);
    const made = new uPlot({ width: width(), height: HEIGHT, series, axes, scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] }, "%": { range: [0, 100] } }, cursor: { y: false } }, data, box);
    plot.current = made;
    const sized = new ResizeObserver(() => box.isConnected && made.setSize({ width: width(), height: HEIGHT }));
    sized.observe(box);
    return () => {
      sized.disconnect();
      plot.current = null;
      made.destroy();
    };
  }, [soc, document.documentElement.dataset.theme]);
  useEffect(() => plot.current?.setData(data), [curve]);
  return html`<div class="chart" ref=${place} role="img" aria-label=${label}></div>`;
}

/** The values of the last hour, one a minute. */
export function Spark({ values, label }) {
  if (!values || values.length < 2) return html`<svg class="spark" viewBox="0 0 100 24" aria-hidden="true"></svg>`;
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, i) => `${((i * 100) / (values.length - 1)).toFixed(1)},${(23 - (22 * value) / most).toFixed(1)}`).join(" ");
  return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}>
    <polygon points=${`0,24 ${points} 100,24`} /><polyline points=${points} />
  </svg>`;
}
