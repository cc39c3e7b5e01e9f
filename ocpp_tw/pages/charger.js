// One charger: how it is, what it says, what was decided about it, and every command of its version.
import { html, useEffect, useRef, useState } from "./lib.js";
import { ask, query, useAsk, whole } from "./api.js";
import { route, to, view, viewed } from "./router.js";
import { Ago, Facts, Notice, Partial, Problem, State, Table, Tabs, Time, Told } from "./parts.js";
import { PowerCurve } from "./chart.js";
import { Frames, useFrames } from "./frames.js";
import { CommandForm, NEUTRAL, Outcome, newId, useCommand } from "./command.js";
import { Choice } from "./parts.js";
import { Open, TransactionTable, begun } from "./transactions.js";
import { CommandTable } from "./commands.js";
import { TroubleTable } from "./troubles.js";
import { EventList } from "./events.js";
import { More, useMore } from "./more.js";
import { Decisions } from "./decisions.js";
import { count, duration, energy, power } from "./format.js";

const EVERY = 4000; // ms between two looks at a charger, beside those that its events cause
const SOON = 1000; // ms after an event until it is looked at, so that several cause one look

export function Charger({ id }) {
  const { query: now } = route.use();
  const tab = now.tab || "frames";
  const path = `/api/fleet/chargers/${encodeURIComponent(id)}`;
  const asked = useAsk(path, EVERY);
  const soon = useRef(0);
  const [events, setEvents] = useState([]);
  useEffect(() => () => clearTimeout(soon.current), []);
  const looked = useRef(null);
  looked.current = asked.again;
  const received = (event) => {
    if (event.kind !== "event") return;
    setEvents((before) => [event, ...before].slice(0, 500));
    soon.current ||= setTimeout(() => {
      soon.current = 0;
      looked.current();
    }, SOON);
  };
  // one stream for both: a browser has six connections to a host, for all its tabs
  const frames = useFrames(`/api/live${query({ what: "frames,events", charger: whole(id) })}`, () => before(path), received);
  const { data, error } = asked;
  if (!data) return html`<h1><bdi>${id}</bdi></h1>${error ? html`<${Problem} error=${error} /><p>If it was refused, that is among the <a href=${to("troubles", { charger: id })}>troubles of ${id}</a>.</p>` : html`<p class="empty" role="status">Loading…</p>`}`;
  const row = data.row ?? {};
  const breaks = (data.breaks ?? []).flatMap((model) => model.breaches ?? []);
  return html`<div class="bar title"><h1><bdi>${id}</bdi></h1>${data.row ? html`<${State} state=${row.state} flags=${row.flags} /><span class="dim">since <${Ago} at=${row.since} /></span>` : html`<span class="dim">not connected, and has not been of late</span>`}</div>
    <${Problem} error=${error} />
    <${Partial} trouble=${data.trouble} missing=${data.missing} only=${row.gateway && data.connected ? [row.gateway] : []} />
    ${data.connected && REFUSING.has(row.registration) ? html`<${Registration} registration=${row.registration} record=${data.record ?? {}} />` : null}
    ${data.last_refusal ? html`<${Refused} refusal=${data.last_refusal} id=${id} connected=${data.connected} />` : null}
    ${data.away ? html`<${Away} away=${data.away} />` : null}
    <${Facts} facts=${[
      ["Model", [row.vendor, row.model].filter(Boolean).join(" ")],
      ["Firmware", row.firmware],
      ["Serial", row.serial],
      ["OCPP", row.ocpp],
      ["Registration", row.registration],
      ["Security profile", row.security_profile],
      ["Address", row.remote_address],
      ["Gateway", row.gateway && html`<a href=${to("chargers", { gateway: row.gateway })}>${row.gateway}</a>`],
      ["Last message", row.last_message ? html`<${Time} at=${row.last_message} /> (<${Ago} at=${row.last_message} /> ago)` : null],
      ["Power now", row.power_w ? power(row.power_w) : null],
      ["Energy of running transactions", row.energy_wh ? energy(row.energy_wh) : null],
    ]} />
    <div class="columns">
      <section><h2>Connectors</h2><${Table} caption="Connectors" columns=${CONNECTORS} rows=${row.connectors ?? []} empty=${data.connected ? "It has told no status yet." : "Not known while it is away."} /></section>
      ${newestFirst(data.transactions ?? []).map((each) => html`<${Running} key=${each.id} each=${each} />`)}
    </div>
    <${Tabs} label="About this charger" now=${tab} tabs=${[["frames", "Frames"], ["command", "Send a command"], ["history", "Transactions"], ["commands", "Commands"], ["events", "Events"], ["troubles", "Troubles"], ["security", "Decisions and security"], ["schemas", "Schema violations", breaks.length]]} />
    ${tab === "frames" ? html`<${Frames} source=${frames} filter=${now} onFilter=${view} name=${`frames-${id}`} empty=${lost(data)} />` : null}
    ${tab === "command" ? html`<${Commanding} id=${id} ocpp=${row.ocpp} connected=${data.connected} />` : null}
    ${tab === "history" ? html`<${History} path="/api/transactions" id=${id} Show=${TransactionTable} />` : null}
    ${tab === "commands" ? html`<${History} path="/api/commands" id=${id} Show=${CommandTable} />` : null}
    ${tab === "troubles" ? html`<${History} path="/api/troubles" id=${id} Show=${TroubleTable} />` : null}
    ${tab === "events" ? html`<${Events} path=${path} live=${events} />` : null}
    ${tab === "security" ? html`<${Security} id=${id} data=${data} again=${asked.again} />` : null}
    ${tab === "schemas" ? html`<${Breaks} breaks=${breaks} own=${row.violations} />` : null}`;
}

const REFUSING = new Set(["Pending", "Rejected"]);
const newestFirst = (all) => [...all].sort((a, b) => Boolean(a.open) - Boolean(b.open) || Date.parse(begun(b) ?? 0) - Date.parse(begun(a) ?? 0));

/** Why a charger that has no frames has none, where that is known: they are in the memory of the gateway that had it. */
const lost = ({ connected, away }) => (connected || !away ? "" : `No frames are there: they are in the memory of the gateway that had the charger${away.gateway ? ` (${away.gateway})` : ""}, and are gone with it when it ends, or when newer ones need the place.`);

/** What a charger may not do yet, and who has said so. */
function Registration({ registration, record }) {
  const why =
    record.boot_status === registration
      ? "an operator has decided so"
      : record.backend_verdict === "pending" || record.backend_verdict === "refuse"
        ? "the backend has said so"
        : "nobody has decided about it, and the setting for unknown chargers says so";
  const what = registration === "Pending" ? "it may only answer what it is asked until it is accepted" : "what it sends is refused until it is accepted";
  return html`<${Notice} kind="bad">Its BootNotification was answered ${registration}, as ${why}: ${what}. <a href=${viewed({ tab: "security" })}>Decisions</a><//>`;
}

/** The frames that gateways still have, oldest first. */
async function before(path) {
  const text = await ask(`${path}/frames?limit=500`, { text: true });
  return text.split("\n").filter(Boolean).map((each) => JSON.parse(each));
}

const Away = ({ away }) => html`<${Notice} kind="bad">Away since <${Time} at=${away.time} />${away.code ? `, the connection ended with ${away.code}` : ""}${away.reason ? ` (${away.reason})` : ""}${away.seconds ? `, after ${duration(away.seconds)}` : ""}${away.gateway ? `, at ${away.gateway}` : ""}.<//>`;

const Refused = ({ refusal, id, connected }) => html`<${Notice} kind=${connected ? "" : "bad"}>Not let in <${Time} at=${refusal.time} />, from ${refusal.remote_address}: ${refusal.reason} (answered ${refusal.status}). <a href=${to("chargers", { tab: "troubles" }, id)}>Its troubles</a><//>`;

const CONNECTORS = [
  { key: "connector", label: "Connector", cell: (row) => (row.evse === null || row.evse === undefined ? row.connector || "0, the charger" : `EVSE ${row.evse}, ${row.connector}`) },
  { key: "status", label: "Status", cell: (row) => html`<span class=${`connector ${(row.status ?? "").toLowerCase()}`}>${row.status}</span>` },
  { key: "error", label: "Error", cell: (row) => (row.error_code && row.error_code !== "NoError" ? row.error_code : "") },
  { key: "info", label: "Info", wide: true, cell: (row) => row.info ?? "" },
  { key: "since", label: "Since", cell: (row) => html`<${Ago} at=${row.since} />` },
];

function Running({ each }) {
  const curve = each.curve ?? [];
  return html`<section class="running"><h2>${each.open ? "Open" : "Running"} transaction ${each.id}<${Open} row=${each} /></h2>
    <${Facts} facts=${[
      ["Connector", each.conn],
      ["Tag", each.tag],
      ["Since", html`<${Ago} at=${begun(each)} />`],
      ["Power", power(each.power_w)],
      ["Energy", energy(each.energy_wh)],
      ["SoC", each.soc === null || each.soc === undefined ? null : `${Math.round(each.soc)} %`],
      ["", each.provisional ? html`<span class="flag">provisional</span>` : null],
    ]} />
    ${curve.length > 1 ? html`<${PowerCurve} curve=${curve} label=${`Power of transaction ${each.id} over time, now ${power(each.power_w)}`} />` : html`<p class="empty">${each.away ? "Its curve is not known any more." : "The curve begins with its second meter value."}</p>`}
  </section>`;
}

function Commanding({ id, ocpp, connected }) {
  const { query: now } = route.use();
  const [state, send] = useCommand();
  const form = now.form || ocpp || NEUTRAL;
  const give = ({ action, payload }) => send(action, form === NEUTRAL ? { cp_id: id, command: action, data: payload } : { CpID: id, data: [2, newId(), action, payload] });
  return html`<section aria-label="Send a command">
    ${connected ? null : html`<${Notice}>It is away: a command ends as offline unless it comes back meanwhile.<//>`}
    <${CommandForm} ocpp=${form} chosen=${now.command ?? ""} onChoose=${(command) => view({ command })} onSend=${give} sending=${state.waiting} before=${html`<${Choice} label="Written for" name="form" any=${null} value=${form} options=${[...(ocpp ? [{ value: ocpp, label: `OCPP ${ocpp}` }] : []), { value: NEUTRAL, label: "any version" }]} onChange=${(value) => view({ form: value === ocpp ? "" : value, command: "" })} />`}>
      <${Outcome} state=${state} />
    <//>
  </section>`;
}

function History({ path, id, Show }) {
  const list = useMore(path, query({ charger: id, limit: 50 }));
  return html`<${Problem} error=${list.error} /><${Show} rows=${list.rows} busy=${list.loading} error=${list.error} of=${id} /><${More} list=${list} />`;
}

function Events({ path, live }) {
  const past = useAsk(`${path}/events?limit=200`);
  // by their ids: during an outage events have no number, and some are numbered apart
  const known = new Set(live.map((each) => each.id));
  const earlier = [...(past.data?.events ?? [])].reverse().filter((each) => !known.has(each.id));
  return html`<${Problem} error=${past.error} />
    ${past.data && past.data.complete === false ? html`<p class="dim">Only what gateways still remember.</p>` : null}
    <${EventList} events=${[...live, ...earlier]} busy=${past.loading} />`;
}

function Security({ id, data, again }) {
  return html`<div class="columns">
    <section><h2>Decided about it</h2><${Decisions} id=${id} record=${data.record ?? {}} again=${again} /></section>
    <section><h2>Certificate</h2><${Told} value=${data.certificate} empty="It has shown none." /></section>
    <section><h2>Clock</h2><${Told} value=${typeof data.clock === "number" ? { skew_seconds: data.clock } : data.clock} empty="Nothing wrong with it is known." /></section>
    <section><h2>Liveness</h2><${Told} value=${data.liveness} /></section>
  </div>`;
}

const BREAKS = [
  { key: "action", label: "Action", cell: (row) => row.action },
  { key: "path", label: "Where", cell: (row) => html`<code>${row.path || "(the payload)"}</code>` },
  { key: "rule", label: "Rule", cell: (row) => row.rule },
  { key: "count", label: "Times", num: true, cell: (row) => count(row.count) },
  { key: "refused", label: "Refused", num: true, cell: (row) => count(row.refused) },
  { key: "last", label: "Last", cell: (row) => html`<${Time} at=${row.last} />` },
  { key: "example", label: "Example", wide: true, cell: (row) => html`<code>${typeof row.example === "string" ? row.example : JSON.stringify(row.example)}</code>` },
];

const Breaks = ({ breaks, own }) => html`<p class="dim">All chargers of this vendor, model and firmware; ${own ? `${count(own)} messages of them from this one, on this connection` : "none from this one, on this connection"}.</p>
  <${Table} caption="Schema violations" empty="It keeps to its schemas, as far as is remembered." rows=${breaks} columns=${BREAKS} />`;
