// What went wrong lately, over all gateways.
import { html } from "./lib.js";
import { route, view } from "./router.js";
import { ChargerLink, Choice, Problem, Search, Table, Time } from "./parts.js";
import { useMore, More } from "./more.js";
import { sentence } from "./format.js";
import { query } from "./api.js";

const KINDS = ["authentication_failed", "clock_skew", "disconnect_charger", "duplicate_identity", "flapping", "flooding", "handshake_rejected", "message_refused", "security_event", "silent", "unresponsive"];
const QUIET = new Set(["charger", "gateway", "time", "event", "seq", "kind", "ocpp"]);

export const kindOf = (row) => row.event ?? row.kind ?? "";
export const chargerOf = (row) => row.charger ?? row.data?.charger ?? "";

/** What an event says, in a line: its members but for those that have a column. */
export function detailOf(row) {
  const data = row.data ?? row;
  return Object.entries(data)
    .filter(([name, value]) => !QUIET.has(name) && value !== null && value !== "" && value !== undefined)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");
}

const COLUMNS = [
  { key: "time", label: "Time", cell: (row) => html`<${Time} at=${row.time ?? row.data?.time} />` },
  { key: "kind", label: "What", cell: (row) => html`<a href=${`#/troubles?kind=${encodeURIComponent(kindOf(row))}`}>${sentence(kindOf(row))}</a>${row.event === "security_event" && row.kind ? html`: ${row.kind.replaceAll("_", " ")}` : null}` },
  { key: "charger", label: "Charger", cell: (row) => html`<${ChargerLink} id=${chargerOf(row)} />` },
  { key: "detail", label: "Detail", wide: true, cell: (row) => html`<span class="detail">${detailOf(row)}</span>` },
  { key: "gateway", label: "Gateway", cell: (row) => row.gateway ?? "" },
];

export const TroubleTable = ({ rows, busy }) => html`<${Table} caption="Troubles" columns=${COLUMNS} rows=${rows} busy=${busy} empty="Nothing went wrong, as far as is remembered." />`;

export function Troubles() {
  const { query: now } = route.use();
  const { charger = "", kind = "" } = now;
  const list = useMore("/api/troubles", query({ charger, kind, limit: 100 }));
  return html`<h1>Troubles</h1>
    <div class="bar">
      <${Choice} label="What" name="kind" value=${kind} options=${KINDS.map((each) => ({ value: each, label: sentence(each) }))} onChange=${(value) => view({ kind: value })} />
      <${Search} label="Charger" name="charger" placeholder="whole identity" value=${charger} onChange=${(value) => view({ charger: value })} />
    </div>
    <${Problem} error=${list.error} />
    <${TroubleTable} rows=${list.rows} busy=${list.loading} />
    <${More} list=${list} />`;
}
