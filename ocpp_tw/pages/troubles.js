// What went wrong lately, over all gateways.
import { html } from "./lib.js";
import { route, view } from "./router.js";
import { ChargerLink, Choice, LATE, Partial, Problem, Search, Table, Time } from "./parts.js";
import { useMore, More } from "./more.js";
import { count, duration, sentence, stopped } from "./format.js";
import { query } from "./api.js";

const KINDS = ["authentication_failed", "clock_skew", "disconnect_charger", "duplicate_identity", "flapping", "flooding", "gateway_gone", "handshake_rejected", "message_refused", "security_event", "silent", "unresponsive"];
const QUIET = new Set(["times", "first", "charger", "gateway", "time", "event", "over", "seq", "kind", "ocpp"]);

export const kindOf = (row) => row.event ?? row.kind ?? "";
export const chargerOf = (row) => row.charger ?? row.data?.charger ?? "";

/** Numbers that have words of their own; those that are not here are told with their names. "": not worth a word. */
const WORDS = {
  seconds: (n, event) => (event === "clock_skew" ? `its clock is ${duration(Math.abs(n))} ${n < 0 ? "slow" : "fast"}` : event === "flapping" || event === "flooding" ? `within ${duration(n)}` : `for ${duration(n)}`),
  count: (n) => (n > 1 ? `${count(n)} times` : ""),
  left_out: (n) => (n ? `${count(n)} more like it are left out` : ""),
  received: (n) => `${count(n)} frames received`,
  sent: (n) => (typeof n === "number" ? `${count(n)} sent` : null),
  violations: (n) => (n ? `${count(n)} broke their schema` : ""),
  timeouts: (n) => `${count(n)} commands without an answer`,
  connects: (n) => `connected ${count(n)} times`,
  takeovers: (n) => `taken over ${count(n)} times`,
  messages: (n) => `${count(n)} messages`,
  bytes: (n) => `${count(n)} bytes`,
  code: (n) => (typeof n === "number" ? `close code ${n}` : String(n)),
  status: (n) => (typeof n === "number" ? `answered ${n}` : null),
  remote_address: (text) => `from ${text}`,
  addresses: (all) => (Array.isArray(all) ? `from ${all.join(" and ")}` : null),
  offered: (all) => (Array.isArray(all) ? (all.length ? `offered ${all.join(", ")}` : "offered no subprotocol") : null),
  // of a gateway that is gone they are in its description
  name: (_, event) => (event === "gateway_gone" ? "" : null),
  since: (_, event) => (event === "gateway_gone" ? "" : null),
  chargers: (_, event) => (event === "gateway_gone" ? "" : null),
  reason: (text) => String(text),
  description: (text) => String(text),
  detail: (text) => String(text),
};
/** What is different each time that the same happens. */
const VARIES = new Set(["seconds", "count", "left_out", "received", "sent", "connection", "messages", "bytes", "connects", "timeouts", "takeovers", "text"]);

function words(name, value, event) {
  const own = Object.hasOwn(WORDS, name) ? WORDS[name](value, event) : null;
  if (own !== null) return own;
  const label = name.replaceAll("_", " ");
  if (typeof value === "boolean") return value ? label : "";
  return `${label}: ${typeof value === "object" ? JSON.stringify(value) : value}`;
}

/** What an event says, in a line: its members but for those that have a column, or that are `without`. */
export function detailOf(row, without = new Set()) {
  const data = row.data ?? row;
  return Object.entries(data)
    .filter(([name, value]) => !QUIET.has(name) && !without.has(name) && value !== null && value !== "" && value !== undefined)
    .map(([name, value]) => words(name, value, kindOf(row)))
    .filter(Boolean)
    .join(" · ");
}

/** The same troubles of the same charger as one row each, the latest, with how often it was as `times` and since when as `first`. */
export function folded(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = JSON.stringify([kindOf(row), row.kind, chargerOf(row), detailOf(row, VARIES)]);
    const before = found.get(key);
    const time = row.time ?? row.data?.time;
    if (!before) found.set(key, { ...row, times: row.times ?? 1, first: row.first ?? time });
    else Object.assign(before, { times: before.times + (row.times ?? 1), first: row.first ?? time });
  }
  return [...found.values()];
}

const COLUMNS = [
  { key: "time", label: "Time", cell: (row) => html`<${Time} at=${row.time ?? row.data?.time} />` },
  { key: "kind", label: "What", cell: (row) => html`<a href=${`#/troubles?kind=${encodeURIComponent(kindOf(row))}`}>${sentence(kindOf(row))}</a>${row.event === "security_event" && row.kind ? html`: ${row.kind.replaceAll("_", " ")}` : null}${row.over ? " is over" : ""}${row.times > 1 ? html` <span class="flag">${count(row.times)} times since <${Time} at=${row.first} /></span>` : null}` },
  { key: "charger", label: "Charger", cell: (row) => html`<${ChargerLink} id=${chargerOf(row)} />` },
  { key: "detail", label: "Detail", wide: true, cell: (row) => html`<span class="detail">${detailOf(row)}</span>` },
  { key: "gateway", label: "Gateway", cell: (row) => row.gateway ?? "" },
];

/** `unread`: why troubles cannot be read; "" if they can. */
export const TroubleTable = ({ rows, busy, unread = "", error }) => html`<${Table} caption="Troubles" columns=${COLUMNS} rows=${folded(rows)} busy=${busy} empty=${unread || error ? stopped(`What went wrong cannot be read at the moment${unread ? `: ${unread}` : ""}`) : "Nothing went wrong, as far as is remembered."} />`;

export function Troubles() {
  const { query: now } = route.use();
  const { charger = "", kind = "" } = now;
  const list = useMore("/api/troubles", query({ charger, kind, limit: 100 }));
  return html`<h1>Troubles</h1>
    <div class="bar">
      <${Choice} label="What" name="kind" value=${kind} options=${KINDS.map((each) => ({ value: each, label: sentence(each) }))} onChange=${(value) => view({ kind: value })} />
      <${Search} label="Charger" name="charger" placeholder="whole identity" value=${charger} onChange=${(value) => view({ charger: value })} />
    </div>
    <${Partial} trouble=${list.trouble} missing=${list.missing} shown=${LATE} />
    <${Problem} error=${list.error} />
    <${TroubleTable} rows=${list.rows} busy=${list.loading} error=${list.error} />
    <${More} list=${list} />`;
}
