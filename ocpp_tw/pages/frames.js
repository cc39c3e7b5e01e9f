// Frames as they are exchanged: a list that is live, with the CALL and its answer as a pair.
import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { Check, Choice, Copy, ChargerLink, Notice, Search, download } from "./parts.js";
import { exact, fullTime, latency } from "./format.js";
import { useStream } from "./api.js";

const MOST = 3000; // frames that are kept; the oldest go
const SHOWN = 200; // that are shown at once, until more are asked for
const FLUSH = 250; // ms for which what comes is gathered before it is shown
const KINDS = { 2: "CALL", 3: "CALLRESULT", 4: "CALLERROR", 5: "CALLRESULTERROR", 6: "SEND" };

/** Unix seconds, with the microseconds that a Date would cut. */
const timeOf = (iso) => Date.parse(`${iso.slice(0, 19)}Z`) / 1000 + (Number(/\.\d+/.exec(iso)?.[0]) || 0);

/** What is known of each frame: its kind, action and, of an answer, its CALL. Frames come in the order of their time. */
export class FrameLog {
  #number = 0;
  #open = new Map();
  all = [];
  actions = new Set();
  leftOut = 0;

  add(frames) {
    for (const told of frames) {
      const [type, id, third] = told.frame ?? [];
      const entry = { ...told, told, number: ++this.#number, at: timeOf(told.time), kind: KINDS[type] ?? "no OCPP", action: told.action ?? "", answer: null, call: null, latency: null };
      if (type === 2 || type === 6) entry.action = String(third);
      if (type === 2) this.#open.set(this.#key(told, told.direction, id), entry);
      else if (type === 3 || type === 4 || type === 5) this.#pair(entry, told, id);
      if (entry.action) this.actions.add(entry.action);
      this.all.push(entry);
    }
    if (this.all.length > MOST) {
      for (const gone of this.all.splice(0, this.all.length - MOST)) {
        if (gone.kind === "CALL") this.#open.delete(this.#key(gone, gone.direction, gone.frame[1]));
      }
    }
  }

  #key(told, direction, id) {
    return JSON.stringify([told.charger, direction, id]);
  }

  #pair(entry, told, id) {
    const key = this.#key(told, told.direction === "in" ? "out" : "in", id);
    const call = this.#open.get(key);
    if (!call) return;
    this.#open.delete(key);
    call.answer = entry;
    entry.call = call;
    entry.action = call.action;
    call.latency = entry.latency = entry.at - call.at;
  }
}

const keyOf = ({ time, charger, direction, frame, text }) => `${time}\n${charger}\n${direction}\n${frame ? `${frame[0]} ${frame[1]}` : text}`;

/**
 * A log that follows a stream. `begin` asks for what was before, also for what was missed while the stream was broken; `onOther` gets what is no frame.
 * Paused, it gathers on without showing.
 */
export function useFrames(path, begin, onOther) {
  const [shown, show] = useState({ log: new FrameLog(), version: 0, behind: 0 });
  const [paused, pause] = useState(false);
  const [told, tell] = useState("");
  const now = useRef({});
  Object.assign(now.current, { paused, begin, onOther });
  const state = useRef(null);
  if (state.current?.path !== path) state.current = { path, log: new FrameLog(), ready: false, waiting: [], held: [], timer: 0 };
  const flush = () => {
    const mine = state.current;
    mine.timer = 0;
    if (!mine.ready) return;
    if (now.current.paused) {
      mine.held.push(...mine.waiting.splice(0));
      mine.held.splice(0, Math.max(0, mine.held.length - MOST));
      show((before) => ({ ...before, behind: mine.held.length }));
      return;
    }
    mine.log.add([...mine.held.splice(0), ...mine.waiting.splice(0)]);
    show((before) => ({ log: mine.log, version: before.version + 1, behind: 0 }));
  };
  const message = (item) => {
    const mine = state.current;
    if (item.kind === "left_out") mine.log.leftOut += item.count;
    else if (item.kind === "trouble") tell(item.detail);
    else if (item.kind === "frame") mine.waiting.push(item);
    else now.current.onOther?.(item);
    mine.timer ||= setTimeout(flush, FLUSH);
  };
  const fill = async () => {
    const mine = state.current;
    tell("");
    try {
      const all = now.current.begin ? await now.current.begin() : [];
      const seen = [...mine.log.all, ...mine.held];
      const known = new Set(seen.map(keyOf));
      const last = seen.at(-1)?.time ?? "";
      const missed = all.filter((each) => each.time >= last && !known.has(keyOf(each)));
      const filled = new Set(missed.map(keyOf));
      mine.waiting = [...missed, ...mine.waiting.filter((each) => !filled.has(keyOf(each)))];
    } catch (error) {
      if (mine === state.current) tell(error.message);
    }
    if (mine !== state.current) return;
    mine.ready = true;
    flush();
  };
  useEffect(() => {
    show({ log: state.current.log, version: 0, behind: 0 });
    return () => clearTimeout(state.current.timer);
  }, [path]);
  useEffect(() => {
    if (!paused) flush();
  }, [paused]);
  const open = useStream(path, { message }, { opened: fill, failed: fill });
  return { ...shown, open, paused, pause, told };
}

export const Pause = ({ paused, pause, behind }) => html`<button class=${paused ? "primary" : ""} aria-pressed=${paused} onClick=${() => pause(!paused)} title="Pause or go on (p)">${paused ? `Go on${behind ? ` (${behind} new)` : ""}` : "Pause"}</button>`;

/** The key that pauses, or goes on. */
export function usePauseKey(paused, pause) {
  useEffect(() => {
    const key = (event) => {
      if (event.key === "p" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest?.("input, select, textarea")) pause(!paused);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [paused]);
}

export const tooFast = (leftOut) => (leftOut ? ` · ${leftOut} left out, they came too fast` : "");

/** `actions` are those to choose from beside the ones of its frames. */
export function Frames({ source, filter, onFilter, actions = [], fleet = false, name = "frames", empty = "" }) {
  const { log, version, behind, open, paused, pause, told } = source;
  const [most, setMost] = useState(SHOWN);
  const [expanded, setExpanded] = useState(new Set());
  const { action = "", direction = "", text = "", failed = "" } = filter;
  const found = useMemo(() => {
    const wanted = text.toLowerCase();
    const all = [];
    for (let i = log.all.length - 1; i >= 0; i--) {
      const each = log.all[i];
      if (action && each.action !== action) continue;
      if (direction && each.direction !== direction) continue;
      if (failed && each.kind !== "CALLERROR" && each.kind !== "CALLRESULTERROR" && each.answer?.kind !== "CALLERROR") continue;
      if (wanted && !(each.text ?? JSON.stringify(each.frame)).toLowerCase().includes(wanted) && !(fleet && each.charger.toLowerCase().includes(wanted))) continue;
      all.push(each);
    }
    return all;
  }, [version, log, action, direction, text, failed]);
  usePauseKey(paused, pause);
  const toggle = (number) => {
    const next = new Set(expanded);
    if (!next.delete(number)) next.add(number);
    setExpanded(next);
  };
  const lines = () => [...found].reverse().map(line).join("");
  return html`<section class="frames" aria-label="Frames">
    <div class="bar">
      <${Pause} paused=${paused} pause=${pause} behind=${behind} />
      <${Choice} label="Action" name="action" value=${action} options=${[...new Set([...log.actions, ...actions])].sort()} onChange=${(value) => onFilter({ action: value })} />
      <${Choice} label="Direction" name="direction" any="both" value=${direction} options=${[{ value: "in", label: "from the charger" }, { value: "out", label: "to the charger" }]} onChange=${(value) => onFilter({ direction: value })} />
      <${Search} label="Contains" name="text" value=${text} onChange=${(value) => onFilter({ text: value })} />
      <${Check} label="errors only" name="failed" checked=${Boolean(failed)} onChange=${(value) => onFilter({ failed: value ? "1" : "" })} />
      <span class="grow"></span>
      <span class="dim" role="status">${open ? (paused ? "paused" : "live") : "not connected"} · ${found.length} of ${log.all.length} frames${tooFast(log.leftOut)}</span>
      <button class="small" onClick=${() => download(`${name}.jsonl`, lines())} disabled=${!found.length}>Export JSON lines</button>
    </div>
    ${told ? html`<${Notice} kind="bad">${told}<//>` : null}
    <ol class="framelist">
      ${found.slice(0, most).map((each) => html`<${Frame} key=${each.number} each=${each} answered=${each.answer?.number} open=${expanded.has(each.number)} toggle=${toggle} fleet=${fleet} />`)}
    </ol>
    ${found.length ? null : html`<p class="empty">${log.all.length ? "No frame fits these filters." : empty || "No frames yet. They appear as the charger and the gateway exchange them."}</p>`}
    ${found.length > most ? html`<button onClick=${() => setMost(most + SHOWN)}>Show ${Math.min(SHOWN, found.length - most)} more</button>` : null}
  </section>`;
}

/** As the API tells it, but for the kind that only the stream has. */
const line = ({ told: { kind, ...frame } }) => `${JSON.stringify(frame)}\n`;
const content = ({ kind, frame, text }) => (kind === "CALL" || kind === "SEND" ? frame[3] : kind === "CALLRESULT" ? frame[2] : frame ? frame.slice(2) : text);

function Frame({ each, open, toggle, fleet }) {
  const bad = each.kind === "CALLERROR" || each.kind === "CALLRESULTERROR";
  const inwards = each.direction === "in";
  return html`<li class=${`frame ${each.direction} ${bad ? "bad" : ""}`}>
    <button class="summary" aria-expanded=${open} onClick=${() => toggle(each.number)}>
      <time datetime=${each.time} title=${fullTime(each.time)}>${exact(each.time)}</time>
      <span class="way" title=${inwards ? "from the charger" : "to the charger"}><span aria-hidden="true">${inwards ? "→" : "←"}</span><span class="hidden">${inwards ? "from the charger" : "to the charger"}</span></span>
      ${fleet ? html`<span class="of"><bdi>${each.charger}</bdi></span>` : null}
      <span class="kind">${each.kind}</span>
      <span class="action">${each.action || "?"}</span>
      <span class="latency">${each.latency === null ? (each.kind === "CALL" ? "…" : "") : latency(each.latency)}</span>
      <span class="preview">${JSON.stringify(content(each))?.slice(0, 300)}</span>
    </button>
    ${open ? html`<${Expanded} each=${each} fleet=${fleet} />` : null}
  </li>`;
}

function Expanded({ each, fleet }) {
  const pair = each.call ? [each.call, each] : each.answer ? [each, each.answer] : [each];
  return html`<div class="pair">
    ${pair.map(
      (one) => html`<div class="one" key=${one.number}>
        <div class="bar">
          <strong>${one.kind}</strong> <span class="dim">${one.direction === "in" ? "from the charger" : "to the charger"}, ${exact(one.time)}${one.kind !== "CALL" && one.latency !== null ? `, ${latency(one.latency)} after the CALL` : ""}</span>
          ${fleet ? html`<${ChargerLink} id=${one.charger} tab="frames" />` : null}
          <span class="grow"></span><${Copy} text=${one.text ?? JSON.stringify(one.frame)} />
        </div>
        <pre>${one.text ?? JSON.stringify(one.frame, null, 2)}</pre>
      </div>`,
    )}
    ${pair.length === 1 && each.kind === "CALL" ? html`<p class="dim">No answer yet.</p>` : null}
  </div>`;
}
