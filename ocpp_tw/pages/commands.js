// Commands: what came of them, failed ones first; and one to many chargers.
import { html, useEffect, useState } from "./lib.js";
import { ask, post, query, useAsk, whole } from "./api.js";
import { route, view } from "./router.js";
import { ChargerLink, Choice, Facts, LATE, Notice, Partial, Problem, Search, Table, Time } from "./parts.js";
import { CommandForm, LEFT_OUT, NEUTRAL, newId } from "./command.js";
import { FILTERS } from "./chargers.js";
import { More, useMore } from "./more.js";
import { count, latency } from "./format.js";

const OUTCOMES = ["result", "error", "timeout", "connection_lost", "offline", "expired", "invalid", "not_allowed", "duplicate"];
const LOOK = 1000; // ms between two looks how far a batch is
const data = (row) => row.data ?? row;
const outcome = (row) => data(row).outcome ?? row.state ?? "";
const refuses = (status) => /^(Rejected|NotSupported|Failed|NotImplemented|Faulted|Unknown|Unavailable|UnlockFailed|VersionMismatch|Occupied)/.test(status ?? "");
const refused = (row) => refuses(data(row).status);
const look = (row) => (outcome(row) === "result" ? (refused(row) ? "silent" : "charging") : outcome(row) === "duplicate" ? "away" : "faulted"); // a class of .state
const COLUMNS = [
  { key: "charger", label: "Charger", cell: (row) => html`<${ChargerLink} id=${data(row).charger} tab="commands" />` },
  { key: "action", label: "Command", cell: (row) => data(row).action ?? data(row).command ?? "" },
  { key: "outcome", label: "Outcome", cell: (row) => html`<span class=${`state ${look(row)}`}>${outcome(row)}</span>` },
  { key: "status", label: "Status", cell: (row) => data(row).status ?? "" },
  { key: "why", label: "Why", wide: true, cell: (row) => html`<span class="detail">${[why(data(row).error), data(row).left_out ? LEFT_OUT : ""].filter(Boolean).join(" · ")}</span>` },
  { key: "latency", label: "Latency", num: true, cell: (row) => took(data(row)) },
  { key: "by", label: "Given by", cell: (row) => (data(row).by === null || data(row).by === undefined ? "backend" : data(row).by || "operator") },
  { key: "time", label: "Time", cell: (row) => html`<${Time} at=${row.time} />` },
  { key: "id", label: "Id", cell: (row) => html`<code class="cut">${data(row).id ?? ""}</code>` },
];
const took = ({ latency_ms: ms }) => (ms === null || ms === undefined ? "" : latency(ms / 1000));
const why = (error) => (error ? [error.code, error.description].filter(Boolean).join(": ") : "");

export const CommandTable = ({ rows, busy, of, error }) =>
  html`<${Table} caption="Commands" columns=${of ? COLUMNS.slice(1) : COLUMNS} rows=${rows} busy=${busy} empty=${error ? "They cannot be read at the moment." : "No command fits this, as far as is remembered."} />`;

export function Commands() {
  const { query: now } = route.use();
  const { outcome: wanted = "", charger = "", action = "", by = "", failed = "" } = now;
  const filters = { charger, action, by, limit: 100 };
  const plain = !wanted && !failed;
  const first = useMore(plain ? "/api/commands" : null, query({ ...filters, failed: "true", limit: 10 }));
  const list = useMore("/api/commands", query({ ...filters, outcome: wanted, failed }));
  const sending = now.send === "many";
  return html`<div class="bar"><h1>Commands</h1><span class="grow"></span>
      <button aria-expanded=${sending} onClick=${() => view({ send: sending ? "" : "many" }, { replace: false })}>${sending ? "Close" : "Send to many"}</button></div>
    ${sending ? html`<${ToMany} now=${now} />` : null}
    <div class="bar">
      <${Choice} label="Outcome" name="outcome" value=${failed ? "failed" : wanted} options=${[{ value: "failed", label: "all that failed" }, ...OUTCOMES]} onChange=${(value) => view(value === "failed" ? { failed: "true", outcome: "" } : { failed: "", outcome: value })} />
      <${Search} label="Charger" name="charger" placeholder="whole identity" value=${charger} onChange=${(value) => view({ charger: value })} />
      <${Search} label="Command" name="action" placeholder="as Reset" value=${action} onChange=${(value) => view({ action: value })} />
      <${Search} label="Given by" name="by" placeholder="name, or list" value=${by} onChange=${(value) => view({ by: value })} />
    </div>
    <${Partial} trouble=${list.trouble} missing=${list.missing} shown=${LATE} />
    <${Problem} error=${list.error} />
    ${plain && first.rows.length ? html`<section><h2>Failed lately <a class="more" href="#/commands?failed=true">all</a></h2><${CommandTable} rows=${first.rows} /></section><h2>All</h2>` : null}
    <${CommandTable} rows=${list.rows} busy=${list.loading} error=${list.error} />
    <${More} list=${list} />`;
}

const WHOLE = new Set(["model", "firmware"]);

/** One command to all chargers of a filter, which is in the address as on the page of chargers. */
function ToMany({ now }) {
  const filter = Object.fromEntries(FILTERS.filter((name) => now[name]).map((name) => [name, WHOLE.has(name) ? whole(now[name]) : now[name]]));
  const form = now.form || NEUTRAL;
  const wanted = { ...filter, ...(form === NEUTRAL ? {} : { ocpp: form }), ...(filter.violations ? { violations: true } : {}) };
  const to = useAsk(`/api/fleet/chargers${query({ ...wanted, limit: 5 })}`);
  const [batch, set] = useState({});
  const many = to.data?.total ?? 0;
  const only = to.data?.trouble ? ` of this gateway only${to.data.gateways?.length === 1 ? ` (${to.data.gateways[0]})` : ""}` : "";
  const send = async ({ action, payload }) => {
    set({ busy: true });
    try {
      const command = form === NEUTRAL ? { command: action, data: payload } : { data: [2, newId(), action, payload] };
      set({ action, batch: await post("/api/batches", { command, filter: wanted }) });
    } catch (error) {
      set({ error });
    }
  };
  const option = (name, label, options) => html`<${Choice} label=${label} name=${`to-${name}`} value=${now[name] ?? ""} options=${options ?? []} onChange=${(value) => view({ [name]: value })} />`;
  return html`<section class="panel" aria-label="Send a command to many chargers">
    <h2>Send a command to many chargers</h2>
    <div class="bar">
      <${Choice} label="Written for" name="form" any=${null} value=${form} options=${[{ value: NEUTRAL, label: "any version" }, "1.6", "2.0.1", "2.1"]} onChange=${(value) => view({ form: value === NEUTRAL ? "" : value, command: "" })} />
      <${Search} label="Whose identity, vendor, model has" name="to-search" value=${now.search ?? ""} onChange=${(value) => view({ search: value })} />
      ${option("state", "State", ["charging", "online", "faulted", "unresponsive", "silent"])} ${option("model", "Model", to.data?.models)} ${option("firmware", "Firmware", to.data?.firmwares)} ${option("gateway", "Gateway", to.data?.gateways)}
    </div>
    <${Partial} trouble=${to.data?.trouble} missing=${to.data?.missing} only=${to.data?.gateways} />
    <p role="status">${to.data ? html`<strong>${count(many)}</strong> chargers${only}${many ? ": " : "."}${(to.data.rows ?? []).map((row, i) => html`${i ? ", " : ""}<${ChargerLink} id=${row.id} />`)}${many > 5 ? ", …" : ""}` : to.error ? "" : "Loading…"}</p>
    <${Problem} error=${to.error} />
    <${CommandForm} ocpp=${form} chosen=${now.command ?? ""} onChoose=${(command) => view({ command })} sending=${batch.busy} disabled=${!many} onSend=${(what) => confirm(`Send ${what.action} to ${count(many)} chargers${only}?`) && send(what)} label=${`Send to ${count(many)} chargers${only}`}>
      <${Problem} error=${batch.error} />
    <//>
    ${batch.batch ? html`<${Progress} key=${batch.batch.id} batch=${batch.batch} action=${batch.action} />` : null}
  </section>`;
}

/** How far it is, with the name of its command: another one may have been chosen since. */
function Progress({ batch, action }) {
  const [state, set] = useState({ total: batch.total, done: 0, outcomes: {}, failed: [] });
  const [error, setError] = useState(null);
  useEffect(() => {
    let timer = 0;
    let over = false;
    const look = async () => {
      try {
        const now = await ask(`/api/batches/${encodeURIComponent(batch.id)}`);
        if (over) return;
        set(now);
        setError(null);
        if (now.done < now.total) timer = setTimeout(look, LOOK);
      } catch (why) {
        if (over) return;
        setError(why);
        if (why.status !== 404) timer = setTimeout(look, 3 * LOOK);
      }
    };
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [batch.id]);
  const over = state.done >= state.total;
  const no = Object.entries(state.statuses ?? {}).reduce((sum, [status, number]) => sum + (refuses(status) ? number : 0), 0);
  // which ones refuse, only the history says: their commands have been given by the same one since
  const ended = useAsk(over && no ? "/api/commands?outcome=result&limit=500" : null, 5 * LOOK).data?.rows ?? [];
  const refusing = ended.map(data).filter((row) => refused(row) && row.time >= state.time && (row.by ?? "") === (state.by ?? ""));
  const failed = [...(state.failed ?? []), ...refusing];
  return html`<div class="progress" role="status">
    <p>${action}: ${over ? "done, " : ""}${count(state.done)} of ${count(state.total)}</p>
    <progress max=${state.total || 1} value=${state.done} aria-label="Commands that have ended"></progress>
    <${Facts} facts=${counted(state)} />
    <${Problem} error=${error} />
    ${failed.length ? html`<${Table} caption="Failed" columns=${FAILED} rows=${failed} />` : null}
    ${over && !state.failed?.length ? (no ? html`<${Notice} kind="bad">All of them answered, ${count(no)} with a refusal.<//>` : html`<${Notice} kind="good">All of them answered.<//>`) : null}
  </div>`;
}

/** What came of them: of results, those that refuse apart, with the charger's word. */
function counted({ outcomes = {}, statuses = {} }) {
  const no = Object.entries(statuses).filter(([status]) => refuses(status));
  const rest = (outcomes.result ?? 0) - no.reduce((sum, [, number]) => sum + number, 0);
  const facts = Object.entries(outcomes).map(([name, number]) => (name === "result" ? [no.length ? "done" : name, rest ? count(rest) : ""] : [name, count(number)]));
  return [...facts, ...no.map(([status, number]) => [status, html`<span class="state faulted">${count(number)}</span>`])];
}

const FAILED = [
  { key: "charger", label: "Failed", cell: (row) => html`<${ChargerLink} id=${row.charger ?? row} tab="commands" />` },
  { key: "outcome", label: "Outcome", cell: (row) => row.outcome ?? "" },
  { key: "status", label: "Status", cell: (row) => row.status ?? "" },
  { key: "why", label: "Why", wide: true, cell: (row) => row.detail ?? why(row.error) },
];
