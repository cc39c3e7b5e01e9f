// Frames and events of the whole fleet, as they come.
import { html, useEffect, useRef, useState } from "./lib.js";
import { ask, query, useStream, whole } from "./api.js";
import { route, view } from "./router.js";
import { Choice, Notice, Search } from "./parts.js";
import { Frames, Pause, tooFast, useFrames, usePauseKey } from "./frames.js";
import { EventList } from "./events.js";
import { sentence } from "./format.js";

const MOST = 1000; // events that are kept
const FLUSH = 250; // ms

export function Live() {
  const { query: now } = route.use();
  const what = now.what === "events" ? "events" : "frames";
  return html`<h1>Live</h1>
    <div class="bar">
      <div class="chips" role="group" aria-label="What">
        ${["frames", "events"].map((each) => html`<button key=${each} class="chip" aria-pressed=${what === each} onClick=${() => view({ what: each })}>${each}</button>`)}
      </div>
      <${Search} label="Charger" name="charger" placeholder="all" value=${now.charger ?? ""} onChange=${(value) => view({ charger: value })} />
    </div>
    ${what === "frames" ? html`<${FleetFrames} now=${now} />` : html`<${FleetEvents} now=${now} />`}`;
}

/** There is nothing from before; but whether frames are kept at all, a stream that is refused does not say. */
async function before() {
  await ask("/api/fleet/chargers/-/frames?limit=1", { text: true });
  return [];
}

function FleetFrames({ now }) {
  const source = useFrames(`/api/live${query({ what: "frames", charger: whole(now.charger), action: now.action })}`, before);
  const seen = useRef(new Set()); // also before an action was chosen: then no others come
  for (const action of source.log.actions) seen.current.add(action);
  return html`<${Frames} source=${source} actions=${seen.current} filter=${now} onFilter=${view} fleet=${!now.charger} name="frames" />`;
}

const NOTHING = { events: [], leftOut: 0, behind: 0 };

/** Paused, they are gathered on without being shown, as frames are. */
function FleetEvents({ now }) {
  const [{ events, leftOut, behind }, set] = useState(NOTHING);
  const [told, tell] = useState("");
  const [paused, pause] = useState(false);
  const came = useRef({ events: [], leftOut: 0 });
  const seen = useRef(new Set());
  const path = `/api/live${query({ what: "events", charger: whole(now.charger), event: now.event })}`;
  usePauseKey(paused, pause);
  useEffect(() => {
    set(NOTHING);
    came.current = { events: [], leftOut: 0 };
  }, [path]);
  const message = (item) => {
    if (item.kind === "left_out") came.current.leftOut += item.count;
    else if (item.kind === "trouble") tell(item.detail);
    else if (item.kind === "event") {
      seen.current.add(item.event);
      came.current.events.push(item);
    }
  };
  const open = useStream(path, { message }, { opened: () => tell("") });
  useEffect(() => {
    const flush = () => {
      const { events: all, leftOut: more } = came.current;
      if (!all.length && !more) return;
      all.splice(0, Math.max(0, all.length - MOST));
      came.current = { events: paused ? all : [], leftOut: 0 };
      set((before) => {
        if (paused && !more && before.behind === all.length) return before; // nothing has come since
        return { events: paused ? before.events : [...[...all].reverse(), ...before.events].slice(0, MOST), leftOut: before.leftOut + more, behind: paused ? all.length : 0 };
      });
    };
    flush();
    const timer = setInterval(flush, FLUSH);
    return () => clearInterval(timer);
  }, [paused]);
  return html`<div class="bar">
      <${Pause} paused=${paused} pause=${pause} behind=${behind} />
      <${Choice} label="Event" name="event" value=${now.event ?? ""} options=${[...seen.current].sort().map((each) => ({ value: each, label: sentence(each) }))} onChange=${(event) => view({ event })} />
      <span class="grow"></span><span class="dim" role="status">${open ? (paused ? "paused" : "live") : "not connected"} · ${events.length} events${tooFast(leftOut)}</span>
    </div>
    ${told ? html`<${Notice} kind="bad">${told}<//>` : null}
    <${EventList} events=${events.slice(0, 300)} fleet=${!now.charger} />`;
}
