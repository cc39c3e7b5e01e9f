// The fleet at a glance; every number leads to the list behind it.
import { html, useState } from "./lib.js";
import { trouble, useStream } from "./api.js";
import { to } from "./router.js";
import { Ago, Notice, STATES, STATE_HELP, Table } from "./parts.js";
import { Spark } from "./chart.js";
import { TroubleTable } from "./troubles.js";
import { count, energy, power, rate } from "./format.js";

export function Overview() {
  const [data, set] = useState(null);
  useStream("/api/watch/overview", { snapshot: set, changes: (changed) => set((before) => ({ ...before, ...changed })) });
  if (!data) return html`<h1>Overview</h1><p class="empty" role="status">Loading…</p>`;
  const { chargers = {}, rates = {}, gateways = [], missing = [], troubles = [] } = data;
  return html`<h1>Overview</h1>
    <${Warnings} data=${data} />
    <section class="tiles" aria-label="Chargers">
      <${Tile} href=${to("chargers")} label="Chargers" value=${count(chargers.total)} />
      ${STATES.map((state) => html`<${Tile} key=${state} href=${to("chargers", state === "away" ? { state, sort: "-since" } : { state })} label=${state} value=${count(chargers[state] ?? 0)} state=${state} title=${STATE_HELP[state]} quiet=${!chargers[state]} />`)}
    </section>
    <section class="tiles wide" aria-label="Load">
      <${Tile} href=${to("transactions", { state: "running" })} label="Power now" value=${power(data.power_w)} />
      <${Tile} href=${to("transactions")} label="Energy today" value=${energy(data.energy_today_wh)} />
      <${Tile} href=${to("live", { what: "frames" })} label="Messages / s" value=${rate(sum(gateways, "messages_per_second"))}><${Spark} values=${rates.messages} label="messages per second in the last hour" /><//>
      <${Tile} href=${to("live", { what: "events" })} label="Events / s" value=${rate(sum(gateways, "events_per_second"))}><${Spark} values=${rates.events} label="events per second in the last hour" /><//>
    </section>
    <section>
      <h2>Gateways and workers</h2>
      <${Gateways} gateways=${gateways} missing=${missing} />
    </section>
    <section>
      <h2>Last troubles <a class="more" href=${to("troubles")}>all</a></h2>
      <${TroubleTable} rows=${troubles} />
    </section>`;
}

const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);

function Tile({ href, label, value, state = "", title, quiet, children }) {
  return html`<a class=${`tile ${state} ${quiet ? "quiet" : ""}`} href=${href} title=${title}>
    <span class="label">${label}</span><span class="value">${value}</span>${children}
  </a>`;
}

function Warnings({ data }) {
  const { redis = {}, backend = {}, missing = [] } = data;
  const said = [];
  if (missing.length) said.push(`No answer from ${missing.join(", ")}: their chargers are not counted here.`);
  if (data.trouble) said.push(data.trouble);
  if (redis.connected === false) said.push(`Redis does not answer${redis.trouble ? `: ${redis.trouble}` : ""}.`);
  else if (redis.trouble) said.push(`Redis: ${redis.trouble}`);
  if (backend.state === "failing") said.push(`The backend fails${backend.detail ? `: ${backend.detail}` : ""}.`);
  return html`${said.map((text) => html`<${Notice} key=${text} kind="bad">${text}<//>`)}
    <p class="health">
      <span class=${`dot ${redis.connected === false ? "bad" : "good"}`}>Redis ${redis.connected === false ? "away" : "connected"}</span>
      ${redis.unread === null || redis.unread === undefined ? null : html`<span>${count(redis.unread)} events unread by the backend</span>`}
      <span class=${`dot ${backend.state === "failing" ? "bad" : backend.state === "ok" ? "good" : ""}`}>${backend.state === "none" || !backend.state ? "no backend is asked" : `backend ${backend.state}`}</span>
    </p>`;
}

const spooled = (spool) => (!spool || !Object.keys(spool).length ? "none" : spool.trouble ? `${count(spool.events)}, ${spool.trouble}` : count(spool.events));
const GATEWAYS = [
  { key: "name", label: "Gateway", cell: (row) => html`<a href=${to("chargers", { gateway: row.name })}>${row.name}</a>${row.version ? html` <span class="dim">${row.version}</span>` : null}` },
  { key: "chargers", label: "Chargers", num: true, cell: (row) => (row.missing ? "" : html`<a href=${to("chargers", { gateway: row.name })}>${count(row.chargers)}</a>`) },
  { key: "messages", label: "Messages / s", num: true, cell: (row) => (row.missing ? "" : rate(row.messages_per_second)) },
  { key: "events", label: "Events / s", num: true, cell: (row) => (row.missing ? "" : rate(row.events_per_second)) },
  { key: "cpu", label: "CPU", num: true, cell: (row) => (row.cpu === null || row.cpu === undefined ? "" : `${Math.round(row.cpu * 100)} %`) },
  { key: "lag", label: "Loop lag", num: true, cell: (row) => (row.loop_lag_ms === null || row.loop_lag_ms === undefined ? "" : `${row.loop_lag_ms.toFixed(1)} ms`) },
  { key: "memory", label: "Memory", num: true, cell: (row) => (row.memory_mb ? `${Math.round(row.memory_mb)} MB` : "") },
  { key: "redis", label: "Redis", cell: (row) => (row.missing ? "" : row.redis?.connected === false ? html`<span class="dot bad">away</span>` : html`<span class="dot good">connected</span>`) },
  { key: "spool", label: "Spooled", cell: (row) => (row.missing ? "" : spooled(row.spool)) },
  { key: "up", label: "Up", cell: (row) => (row.missing ? html`<span class="dot bad">does not answer</span>` : html`<${Ago} at=${row.started} />`) },
];
const Gateways = ({ gateways, missing }) =>
  html`<${Table} caption="Gateways and workers" columns=${GATEWAYS} rows=${[...gateways, ...missing.map((name) => ({ name, missing: true }))]} id=${(row) => row.name} />`;
