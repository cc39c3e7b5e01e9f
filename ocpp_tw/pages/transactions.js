// Transactions: running and recent, with filters, and as CSV.
import { html } from "./lib.js";
import { query, useAsk } from "./api.js";
import { route, view } from "./router.js";
import { Ago, ChargerLink, Check, Choice, Notice, Partial, Problem, Search, Table, Time } from "./parts.js";
import { More, useMore } from "./more.js";
import { count, duration, energy, field, moment, power } from "./format.js";

const seconds = (row) => row.duration_s ?? (row.ended && row.started ? (moment(row.ended) - moment(row.started)) / 1000 : null);
/** When it began: as the charger says, else when its first message came. */
export const begun = (row) => row.started ?? (typeof row.since === "number" ? new Date(row.since * 1000).toISOString() : null);
const running = (row) => row.state === "running" || (!row.ended && row.state !== "ended");
/** One whose end is missing, while a later one has begun on its connector. */
export const Open = ({ row }) => (row.open ? html` <span class="flag" title="a later one has begun on its connector, and its charger has not told that this one has ended">open, its end is missing</span>` : null);
const COLUMNS = [
  { key: "charger", label: "Charger", cell: (row) => html`<${ChargerLink} id=${row.charger} tab=${running(row) ? "" : "history"} />` },
  { key: "id", label: "Transaction", cell: (row) => html`<bdi>${String(row.id)}</bdi>${row.provisional ? html` <span class="flag" title="the charger has begun it on its own, or the backend has not been asked yet">provisional</span>` : null}` },
  { key: "conn", label: "Connector", cell: (row) => row.conn ?? row.connector ?? "" },
  { key: "tag", label: "Tag", cell: (row) => html`<bdi>${row.tag ?? ""}</bdi>` },
  { key: "state", label: "State", cell: (row) => html`<span class=${`state ${row.open ? "silent" : running(row) ? "charging" : ""}`}>${row.open ? "open" : running(row) ? "running" : "ended"}</span><${Open} row=${row} />` },
  { key: "started", label: "Started", cell: (row) => html`<${Time} at=${begun(row)} />` },
  { key: "duration", label: "Duration", num: true, cell: (row) => (running(row) ? html`<${Ago} at=${begun(row)} />` : duration(seconds(row))) },
  { key: "energy", label: "Energy", num: true, cell: (row) => energy(row.energy_wh) },
  { key: "power", label: "Power", num: true, cell: (row) => (running(row) ? power(row.power_w) : "") },
  { key: "soc", label: "SoC", num: true, cell: (row) => (row.soc === null || row.soc === undefined ? "" : `${Math.round(row.soc)} %`) },
  { key: "reason", label: "Ended by", cell: (row) => row.reason ?? "" },
  { key: "gateway", label: "Gateway", cell: (row) => row.gateway ?? "" },
];

export const TransactionTable = ({ rows, busy, of, error }) =>
  html`<${Table} caption="Transactions" columns=${of ? COLUMNS.slice(1) : COLUMNS} rows=${rows} busy=${busy} empty=${error ? "They cannot be read at the moment." : "No transaction fits this, as far as is remembered."} />`;

const EVERY = 10000; // ms between two looks whether the whole fleet answers

/** What is wrong with asking the whole fleet: where an answer does not say so itself, the overview does. */
export function useReach(list) {
  const asked = useAsk(list.loading || list.trouble === "" ? null : "/api/overview", EVERY).data;
  const trouble = list.trouble ?? asked?.trouble ?? "";
  return { trouble, only: trouble ? (asked?.gateways ?? []).map((each) => each.name) : [] };
}

function Count({ list }) {
  const shown = list.rows.filter((row) => running(row) && !row.open).length;
  const more = list.cursor && list.rows.length && running(list.rows.at(-1));
  if (list.loading || (!shown && !list.running)) return null;
  return html`<span class="dim" role="status">${count(list.running ?? shown)} running${list.running === undefined && more ? ", and more" : ""}</span>`;
}

/** A local time as UTC; "" for none, and for what is none. */
const utc = (local) => moment(local)?.toISOString() ?? "";

export function Transactions() {
  const { query: now } = route.use();
  const { state = "", charger = "", tag = "", provisional = "", from = "", to = "" } = now;
  const none = [from, to].filter((each) => each && !moment(each));
  const search = query({ state, charger, tag, provisional, from: utc(from), to: utc(to), limit: 100 });
  const list = useMore("/api/transactions", search);
  const { trouble, only } = useReach(list);
  const date = (name, label, value) => html`<label class="field"><span>${label}</span><input type="datetime-local" name=${name} value=${field(value)} onChange=${(event) => view({ [name]: event.target.value })} /></label>`;
  return html`<div class="bar"><h1>Transactions</h1><${Count} list=${list} /><span class="grow"></span><a class="button" href=${`/api/transactions.csv${query({ state, charger, tag, provisional, from: utc(from), to: utc(to) })}`} download="transactions.csv">Export CSV</a></div>
    <div class="bar">
      <${Choice} label="State" name="state" value=${state} options=${["running", "ended"]} onChange=${(value) => view({ state: value })} />
      <${Search} label="Charger" name="charger" placeholder="whole identity" value=${charger} onChange=${(value) => view({ charger: value })} />
      <${Search} label="Tag" name="tag" placeholder="whole tag" value=${tag} onChange=${(value) => view({ tag: value })} />
      ${date("from", "From", from)} ${date("to", "To", to)}
      <${Check} label="provisional only" name="provisional" checked=${provisional === "true"} onChange=${(value) => view({ provisional: value ? "true" : "" })} />
    </div>
    ${none.map((each) => html`<${Notice} key=${each} kind="bad">“${each}” in the address is no time: it is not filtered by.<//>`)}
    <${Partial} trouble=${trouble} missing=${list.missing} only=${only} />
    <${Problem} error=${list.error} />
    <${TransactionTable} rows=${list.rows} busy=${list.loading} error=${list.error} />
    <${More} list=${list} />`;
}
