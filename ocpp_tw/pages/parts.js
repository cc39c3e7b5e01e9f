// What several pages show in the same way: states, tables, times, filters, notices.
import { html, useLayoutEffect, useRef, useState } from "./lib.js";
import { Shared } from "./api.js";
import { viewed, toCharger } from "./router.js";
import * as format from "./format.js";

export const STATES = ["charging", "online", "faulted", "unresponsive", "silent", "away"];
export const STATE_HELP = {
  charging: "connected, and a transaction takes energy",
  online: "connected, and nothing charges",
  faulted: "a connector is Faulted",
  unresponsive: "connected, but it does not answer",
  silent: "connected, but it sends nothing",
  away: "not connected",
};

const FLAG_HELP = { gateway_missing: "its gateway does not answer: this is how it was last" };

const tick = new Shared(0);
setInterval(() => document.hidden || tick.set(tick.value + 1), 5000);

/** How long ago, kept up to date; the whole time on the pointer. */
export function Ago({ at }) {
  tick.use();
  return at ? html`<time datetime=${at} title=${format.fullTime(at)}>${format.since(at)}</time>` : html`<span class="none">–</span>`;
}

export const Time = ({ at }) => html`<time datetime=${at} title=${format.fullTime(at)}>${format.time(at)}</time>`;

export const State = ({ state, flags = [] }) => html`<span class="state ${STATES.includes(state) ? state : ""}" title=${STATE_HELP[state]}>${state}</span>
  ${flags.map((flag) => html`<span class="flag" title=${FLAG_HELP[flag]}>${flag.replaceAll("_", " ")}</span>`)}`;

export const ChargerLink = ({ id, tab }) => (id ? html`<a class="id" href=${toCharger(id, tab ? { tab } : {})}><bdi>${id}</bdi></a>` : html`<span class="none">–</span>`);

export const Notice = ({ kind = "", children }) => html`<p class="notice ${kind}" role=${kind === "bad" ? "alert" : "status"}>${children}</p>`;

export function Problem({ error }) {
  return error ? html`<${Notice} kind="bad">${error.message}<//>` : null;
}

/** What is there of an answer that was read of Redis, where gateways were not asked. */
export const LATE = "What has happened since is not shown yet";

/**
 * One line where an answer is not of the whole fleet: `trouble` is why others could not be asked, `missing` those that did not answer, `only` the
 * gateways whose answers it is, and `shown` says what of it is there.
 */
export function Partial({ trouble = "", missing = [], only = [], shown = part(only) }) {
  if (trouble) return html`<${Notice} kind="bad">${format.stopped(`${shown}: ${/^Redis/.test(trouble) ? "" : "others cannot be asked: "}${trouble}`)}<//>`;
  return missing?.length ? html`<${Notice} kind="bad">${missing.join(", ")} ${missing.length === 1 ? "does" : "do"} not answer: of chargers there only their last state is shown.<//>` : null;
}
const part = (only) => (only.length > 1 ? "What is shown may be old, or not all of it" : `Only this gateway${only[0] ? ` (${only[0]})` : ""} is shown`);

/** A table; a column: {key, label, cell(row), num, sort, wide}. `sort` is "name" or "-name"; without `onSort` nothing is sorted. */
export function Table({ columns, rows, id, sort = "", onSort, caption, empty = "Nothing here.", rowClass, busy = false }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table aria-busy=${busy}>
      <caption class="hidden">${caption}</caption>
      <thead>
        <tr>
          ${columns.map((column) => html`<${Head} key=${column.key} column=${column} sort=${sort} onSort=${onSort} />`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, i) => html`<tr key=${id ? id(row, i) : i} class=${rowClass ? rowClass(row) : ""}>
            ${columns.map((column) => html`<td key=${column.key} class=${`${column.num ? "num" : ""} ${column.wide ? "wide" : ""}`} data-label=${column.label}>${column.cell(row)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
    ${rows.length ? null : html`<p class="empty">${busy ? "Loading…" : empty}</p>`}
  </div>`;
}

function Head({ column, sort, onSort }) {
  const name = column.sort === true ? column.key : column.sort;
  const by = sort.replace(/^-/, "") === name;
  if (!onSort || !name) return html`<th scope="col" class=${column.num ? "num" : ""}>${column.label}</th>`;
  const descending = sort.startsWith("-");
  return html`<th scope="col" class=${column.num ? "num" : ""} aria-sort=${by ? (descending ? "descending" : "ascending") : "none"}>
    <button class="head" onClick=${() => onSort(by && !descending ? `-${name}` : name)}>
      ${column.label}<span class="arrow" aria-hidden="true">${by ? (descending ? "▼" : "▲") : ""}</span>
    </button>
  </th>`;
}

/** A field that tells only when somebody has stopped typing. */
export function Search({ label, value = "", onChange, name, placeholder = "" }) {
  const [text, set] = useState(value);
  const timer = useRef(0);
  const told = useRef(value); // what comes back of it may be older than what has been typed since
  useLayoutEffect(() => {
    if (value === told.current) return;
    told.current = value;
    clearTimeout(timer.current);
    set(value);
  }, [value]);
  const typed = (event) => {
    const next = event.target.value;
    set(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange((told.current = next.trim())), 250);
  };
  return html`<label class="field"><span>${label}</span><input type="search" name=${name} value=${text} placeholder=${placeholder} onInput=${typed} autocomplete="off" spellcheck=${false} /></label>`;
}

export function Choice({ label, value = "", options, onChange, any = "all", name }) {
  return html`<label class="field"><span>${label}</span>
    <select name=${name} value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${any === null ? null : html`<option value="">${any}</option>`}
      ${value && !options.some((each) => (each.value ?? each) === value) ? html`<option value=${value}>${value}</option>` : null}
      ${options.map((each) => html`<option key=${each.value ?? each} value=${each.value ?? each}>${each.label ?? each}</option>`)}
    </select>
  </label>`;
}

export const Check = ({ label, checked, onChange, name }) =>
  html`<label class="check"><input type="checkbox" name=${name} checked=${checked} onChange=${(event) => onChange(event.target.checked)} /><span>${label}</span></label>`;

/** Links to the views of a page: which one is in the address. */
export const Tabs = ({ tabs, now, label }) => html`<nav class="tabs" aria-label=${label}>
  ${tabs.map(
    ([name, text, number]) => html`<a key=${name} href=${viewed({ tab: name === tabs[0][0] ? "" : name })} aria-current=${name === now ? "true" : null}>${text}${number ? html` <span class="count">${format.count(number)}</span>` : null}</a>`,
  )}
</nav>`;

export function Copy({ text, label = "Copy" }) {
  const [done, set] = useState("");
  const copy = async () => {
    const whole = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(whole);
      set("Copied");
    } catch {
      set(legacyCopy(whole) ? "Copied" : "Not allowed"); // over HTTP a browser has no clipboard for pages
    }
    setTimeout(() => set(""), 1500);
  };
  return html`<button class="small" onClick=${copy}>${done || label}</button>`;
}

function legacyCopy(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

export function download(name, text, type = "application/x-ndjson") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Names and values, as a list; what has no value is left out. */
export const Facts = ({ facts }) => html`<dl class="facts">
  ${facts
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;

/** Any JSON value as facts: what a part of the API tells beyond what a page knows. */
export function Told({ value, empty = "Nothing is known." }) {
  const entries = value && typeof value === "object" ? Object.entries(value).filter(([, each]) => each !== null) : [];
  return entries.length ? html`<${Facts} facts=${entries.map(([name, each]) => [format.sentence(name), plain(each)])} />` : html`<p class="empty">${empty}</p>`;
}

export const plain = (value) =>
  typeof value === "boolean" ? (value ? "yes" : "no") : value && typeof value === "object" ? html`<code>${JSON.stringify(value)}</code>` : typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? html`<${Time} at=${value} />` : String(value);
