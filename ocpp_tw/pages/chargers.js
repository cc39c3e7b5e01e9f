// All chargers in one table: filtered, sorted and paged by the gateways, and followed as they change.
import { html } from "./lib.js";
import { query, useWatched, whole } from "./api.js";
import { route, to, toCharger, view } from "./router.js";
import { Ago, ChargerLink, Check, Choice, Notice, Partial, Problem, Search, STATES, State, Table } from "./parts.js";
import { count, energy, power } from "./format.js";

export const FILTERS = ["search", "state", "ocpp", "model", "firmware", "gateway", "violations"];
const SIZE = 100;

const COLUMNS = [
  { key: "id", label: "Charger", sort: true, cell: (row) => html`<${ChargerLink} id=${row.id} />` },
  { key: "state", label: "State", sort: true, cell: (row) => html`<${State} state=${row.state} flags=${row.flags} />` },
  { key: "since", label: "Since", sort: true, cell: (row) => html`<${Ago} at=${row.since} />` },
  { key: "connectors", label: "Connectors", cell: (row) => (row.state === "away" ? html`<span class="none" title="not known while it is away">–</span>` : html`<${Connectors} all=${row.connectors} />`) },
  { key: "power_w", label: "Power", sort: true, num: true, cell: (row) => (row.power_w ? power(row.power_w) : html`<span class="none">–</span>`) },
  { key: "energy_wh", label: "Energy", sort: true, num: true, cell: (row) => (row.energy_wh ? energy(row.energy_wh) : html`<span class="none">–</span>`) },
  { key: "ocpp", label: "OCPP", sort: true, cell: (row) => row.ocpp ?? "" },
  { key: "model", label: "Model", sort: true, cell: (row) => html`<span class="cut" title=${[row.vendor, row.model].filter(Boolean).join(" ")}><span class="dim">${row.vendor ?? ""}</span> ${row.model ?? ""}</span>` },
  { key: "firmware", label: "Firmware", sort: true, cell: (row) => html`<span class="cut">${row.firmware ?? ""}</span>` },
  { key: "gateway", label: "Gateway", sort: true, cell: (row) => row.gateway ?? "" },
  { key: "violations", label: "Violations", sort: true, num: true, cell: (row) => (row.violations ? html`<a href=${to("chargers", { tab: "schemas" }, row.id)}>${count(row.violations)}</a>` : html`<span class="none">0</span>`) },
  { key: "last_message", label: "Last message", sort: true, cell: (row) => html`<${Ago} at=${row.last_message} />` },
];

function Connectors({ all }) {
  // of 1.6, connector 0 is the charger itself, which is told only if something is the matter
  return (all ?? []).filter((each) => each.connector || each.evse || each.status !== "Available").map(
    (each) => html`<span key=${`${each.evse}/${each.connector}`} class=${`connector ${(each.status ?? "").toLowerCase()}`} title=${`${each.evse === null || each.evse === undefined ? "" : `EVSE ${each.evse}, `}connector ${each.connector}: ${each.status}${each.error_code && each.error_code !== "NoError" ? `, ${each.error_code}` : ""}`}>${each.status}</span>`,
  );
}

/** The page as it is after what has changed. */
function changed(before, { rows = [], order, total, states, ...more }) {
  const known = new Map([...(before?.rows ?? []), ...rows].map((row) => [row.id, row]));
  const shown = order ? order.map((id) => known.get(id)).filter(Boolean) : (before?.rows ?? []).map((row) => known.get(row.id));
  return { ...before, ...more, rows: shown, total: total ?? before?.total, states: states ?? before?.states };
}

export function Chargers() {
  const { query: now } = route.use();
  const { search = "", state = "", ocpp = "", model = "", firmware = "", gateway = "", violations = "", sort = "id" } = now;
  const offset = Math.max(0, Number(now.offset) || 0);
  const asked = query({ search, state, ocpp, model: whole(model), firmware: whole(firmware), gateway, violations, sort, limit: SIZE, offset: offset || "" });
  const path = `/api/watch/chargers${asked}`;
  const shown = useWatched(path, `/api/fleet/chargers${asked}`, changed);
  const { data, refused, error } = shown;
  const put = (changes) => view({ offset: "", ...changes });
  const filters = Object.fromEntries(FILTERS.map((name) => [name, now[name] ?? ""]));
  const total = data?.total ?? 0;
  const anyState = Object.values(data?.states ?? {}).reduce((sum, each) => sum + each, 0);
  const filtered = FILTERS.some((name) => now[name]);
  const nothing = total ? "The list is not that long." : filtered ? "No charger fits these filters." : "No charger has come yet. They connect to this gateway's WebSocket port; `ocpp-tw simulate --count 50` plays some.";
  return html`<div class="bar"><h1>Chargers</h1><span class="dim" role="status">${data ? `${count(total)}${filtered ? " fit these filters" : ""} ${data.trouble ? ` at this gateway` : ""}` : error || refused ? "" : "Loading…"}</span><span class="grow"></span>
      <a class="button" href=${to("commands", { ...filters, send: "many" })}>Send a command to ${!data ? "these" : total === 1 ? "it" : `these ${count(total)}`}${data?.trouble ? ", only those of this gateway" : ""}</a></div>
    <div class="bar chips" role="group" aria-label="State">
      <button class="chip" aria-pressed=${!state} onClick=${() => put({ state: "" })}>any state <b>${count(anyState)}</b></button>
      ${STATES.map((each) => html`<button key=${each} class=${`chip ${each}`} aria-pressed=${state === each} onClick=${() => put({ state: state === each ? "" : each })}>${each} <b>${count(data?.states?.[each] ?? 0)}</b></button>`)}
    </div>
    <div class="bar">
      <${Search} label="Search" name="search" placeholder="identity, vendor, model, serial" value=${search} onChange=${(value) => put({ search: value })} />
      <${Choice} label="OCPP" name="ocpp" value=${ocpp} options=${["1.6", "2.0.1", "2.1"]} onChange=${(value) => put({ ocpp: value })} />
      <${Choice} label="Model" name="model" value=${model} options=${data?.models ?? []} onChange=${(value) => put({ model: value })} />
      <${Choice} label="Firmware" name="firmware" value=${firmware} options=${data?.firmwares ?? []} onChange=${(value) => put({ firmware: value })} />
      <${Choice} label="Gateway" name="gateway" value=${gateway} options=${data?.gateways ?? []} onChange=${(value) => put({ gateway: value })} />
      <${Check} label="breaks its schemas" name="violations" checked=${violations === "true"} onChange=${(value) => put({ violations: value ? "true" : "" })} />
      ${filtered ? html`<button class="small" onClick=${() => put(Object.fromEntries(FILTERS.map((name) => [name, ""])))}>Clear filters</button>` : null}
    </div>
    ${refused ? html`<${Notice} kind="bad">This list is looked at again every few seconds, as it cannot be followed: ${refused}<//>` : null}
    <${Problem} error=${error} />
    <${Partial} trouble=${data?.trouble} missing=${data?.missing} only=${data?.gateways} />
    <${Table} caption="Chargers" columns=${COLUMNS} rows=${data?.rows ?? []} id=${(row) => row.id} sort=${sort} onSort=${(value) => put({ sort: value === "id" ? "" : value })} busy=${!error && (!data || shown.path !== path)} empty=${nothing} />
    ${data && !total && search ? html`<p>Nobody of that name is known to be connected or away. What was refused is on <a href=${toCharger(search)}>the page of ${search}</a>.</p>` : null}
    ${data ? html`<${Pager} total=${total} offset=${offset} />` : null}`;
}

function Pager({ total, offset }) {
  if (total <= SIZE && !offset) return null;
  const last = Math.floor(Math.max(0, total - 1) / SIZE) * SIZE; // the list may have become shorter than what is asked for
  const turn = (to) => view({ offset: to > 0 ? to : "" });
  return html`<nav class="bar pager" aria-label="Pages of the list">
    <button disabled=${offset <= 0} onClick=${() => turn(0)}>First</button>
    <button disabled=${offset <= 0} onClick=${() => turn(Math.min(offset - SIZE, last))}>Previous</button>
    <span>${offset < total ? `${count(offset + 1)}–${count(Math.min(offset + SIZE, total))}` : "none"} of ${count(total)}</span>
    <button disabled=${offset >= last} onClick=${() => turn(offset + SIZE)}>Next</button>
    <button disabled=${offset >= last} onClick=${() => turn(last)}>Last</button>
  </nav>`;
}
