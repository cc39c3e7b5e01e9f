// The fleet at a glance; every number leads to the list behind it.
import { html } from "./lib.js";
import { useAsk, useWatched } from "./api.js";
import { to } from "./router.js";
import { Ago, Notice, Partial, Problem, STATES, STATE_HELP, Table, Time } from "./parts.js";
import { Spark } from "./chart.js";
import { TroubleTable, folded } from "./troubles.js";
import { count, energy, power, rate, stopped, today } from "./format.js";

export function Overview() {
  const { data, refused, error } = useWatched("/api/watch/overview", "/api/overview", (before, changed) => ({ ...before, ...changed }));
  const troubles = useTroubles(data?.troubles ?? []);
  const told = refused ? html`<${Notice} kind="bad">This page is looked at again every few seconds, as it cannot be followed: ${refused}<//>` : null;
  if (!data) return html`<h1>Overview</h1>${told}<${Problem} error=${error} />${error ? null : html`<p class="empty" role="status">Loading…</p>`}`;
  const { chargers = {}, rates = {}, gateways = [], missing = [], gone = [] } = data;
  return html`<h1>Overview</h1>
    ${told}
    <${Warnings} data=${data} />
    <section class="tiles" aria-label="Chargers">
      <${Tile} href=${to("chargers")} label="Chargers" value=${count(chargers.total)} />
      ${STATES.map((state) => html`<${Tile} key=${state} href=${to("chargers", state === "away" ? { state, sort: "-since" } : { state })} label=${state} value=${count(chargers[state] ?? 0)} state=${state} title=${STATE_HELP[state]} quiet=${!chargers[state]} />`)}
    </section>
    <section class="tiles wide" aria-label="Load">
      <${Tile} href=${to("transactions", { state: "running" })} label="Power now" value=${power(data.power_w)} />
      <${Tile} href=${to("transactions", { from: today() })} label="Energy today" value=${energy(data.energy_today_wh)} />
      <${Tile} href=${to("live", { what: "frames" })} label="Messages / s" value=${rate(sum(gateways, "messages_per_second"))}><${Spark} values=${rates.messages} label="messages per second in the last hour" /><//>
      <${Tile} href=${to("live", { what: "events" })} label="Events / s" value=${rate(sum(gateways, "events_per_second"))}><${Spark} values=${rates.events} label="events per second in the last hour" /><//>
    </section>
    <section>
      <h2>Gateways and workers</h2>
      <${Gateways} gateways=${gateways} missing=${missing} gone=${gone} />
    </section>
    <section>
      <h2>Last troubles <a class="more" href=${to("troubles")}>all</a></h2>
      <${TroubleTable} rows=${troubles} unread=${redisTrouble(data)} />
    </section>`;
}

const LATEST = 20; // troubles that are shown
const EVERY = 15000; // ms between two looks at more of them

/** The latest troubles: where many are the same, more of them than the overview tells. */
function useTroubles(rows) {
  const same = folded(rows).length < rows.length;
  const more = useAsk(same ? "/api/troubles?limit=200" : null, EVERY);
  const times = new Set(rows.map((row) => JSON.stringify(row)));
  return folded(same && more.data ? [...rows, ...more.data.rows.filter((row) => !times.has(JSON.stringify(row)))] : rows).slice(0, LATEST);
}

/** Why nothing can be read of Redis, or of the fleet; "" if it can. */
const redisTrouble = ({ redis = {}, trouble = "" }) => trouble || redis.trouble || (redis.state === "away" ? "Redis does not answer" : "");
const REDIS = { ok: ["good", "connected"], refusing: ["bad", "takes no writes"], away: ["bad", "away"] };
const Redis = ({ redis, name = "" }) => {
  const [dot, text] = REDIS[redis?.state] ?? ["", "not known"];
  return html`<span class=${`dot ${dot}`} title=${redis?.trouble}>${name}${text}</span>`;
};

const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);

function Tile({ href, label, value, state = "", title, quiet, children }) {
  return html`<a class=${`tile ${state} ${quiet ? "quiet" : ""}`} href=${href} title=${title}>
    <span class="label">${label}</span><span class="value">${value}</span>${children}
  </a>`;
}

function Warnings({ data }) {
  const { redis = {}, backend = {}, missing = [] } = data;
  const said = [];
  if (data.trouble) {
    // it is said once, by the line about what is shown
  } else if (redis.trouble) said.push(`${/^Redis/.test(redis.trouble) ? "" : redis.state === "refusing" ? "Redis takes no writes: " : "Redis: "}${redis.trouble}`);
  else if (redis.state === "away") said.push("Redis does not answer");
  if (backend.state === "failing") said.push(`The backend fails${backend.detail ? `: ${backend.detail}` : ""}`);
  return html`<${Partial} trouble=${data.trouble} missing=${missing} only=${(data.gateways ?? []).map((each) => each.name)} />
    ${said.map((text) => html`<${Notice} key=${text} kind="bad">${stopped(text)}<//>`)}
    <p class="health">
      <${Redis} redis=${redis} name="Redis " />
      ${redis.state === "away" || redis.unread === null || redis.unread === undefined ? null : html`<span>${count(redis.unread)} events unread by the backend</span>`}
      <span class=${`dot ${backend.state === "failing" ? "bad" : backend.state === "ok" ? "good" : ""}`}>${backend.state === "none" || !backend.state ? "no backend is asked" : `backend ${backend.state}`}</span>
    </p>`;
}

const spooled = (spool) => (!spool || !Object.keys(spool).length ? "none" : spool.trouble ? `${count(spool.events)}, ${spool.trouble}` : count(spool.events));
const BACKEND = { failing: "bad", ok: "good" };
const GATEWAYS = [
  { key: "name", label: "Gateway", cell: (row) => html`<a href=${to("chargers", { gateway: row.name })}>${row.name}</a>${row.version ? html` <span class="dim">${row.version}</span>` : null}` },
  { key: "chargers", label: "Chargers", num: true, cell: (row) => (row.missing ? "" : html`<a href=${to("chargers", { gateway: row.name })}>${count(row.chargers)}</a>`) },
  { key: "messages", label: "Messages / s", num: true, cell: (row) => (row.missing ? "" : rate(row.messages_per_second)) },
  { key: "events", label: "Events / s", num: true, cell: (row) => (row.missing ? "" : rate(row.events_per_second)) },
  { key: "cpu", label: "CPU", num: true, cell: (row) => (row.cpu === null || row.cpu === undefined ? "" : `${Math.round(row.cpu * 100)} %`) },
  { key: "lag", label: "Loop lag", num: true, cell: (row) => (row.loop_lag_ms === null || row.loop_lag_ms === undefined ? "" : `${row.loop_lag_ms.toFixed(1)} ms`) },
  { key: "memory", label: "Memory", num: true, cell: (row) => (row.memory_mb ? `${Math.round(row.memory_mb)} MB` : "") },
  { key: "redis", label: "Redis", cell: (row) => (row.missing ? "" : html`<${Redis} redis=${row.redis} />`) },
  { key: "backend", label: "Backend", cell: (row) => (row.missing || !row.backend ? "" : html`<span class=${`dot ${BACKEND[row.backend.state] ?? ""}`} title=${row.backend.detail}>${row.backend.state === "none" ? "not asked" : row.backend.state}</span>`) },
  { key: "spool", label: "Spooled", cell: (row) => (row.missing ? "" : spooled(row.spool)) },
  { key: "up", label: "Up", cell: (row) => (row.gone ? html`<span class="dot bad">gone since <${Time} at=${row.since} />${row.chargers ? `, with ${count(row.chargers)} chargers` : ""}</span>` : row.missing ? html`<span class="dot bad">does not answer</span>` : html`<${Ago} at=${row.started} />`) },
];
const Gateways = ({ gateways, missing, gone }) =>
  html`<${Table} caption="Gateways and workers" columns=${GATEWAYS} rows=${[...gateways, ...missing.filter((name) => !gone.some((each) => each.name === name)).map((name) => ({ name, missing: true })), ...gone.map((each) => ({ ...each, missing: true, gone: true }))]} id=${(row) => row.name} rowClass=${(row) => (row.missing ? "lost" : "")} />`;
