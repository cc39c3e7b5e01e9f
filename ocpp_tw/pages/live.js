// Frames and events of the whole fleet, as they come.
import { html, useEffect, useRef, useState } from "./lib.js";
import { ask, query, useStream } from "./api.js";
import { route, view } from "./router.js";
import { Choice, Search } from "./parts.js";
import { Frames, useFrames } from "./frames.js";
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
  const source = useFrames(`/api/live${query({ what: "frames", charger: now.charger, action: now.action })}`, before);
  return html`<${Frames} source=${source} filter=${now} onFilter=${view} fleet=${!now.charger} name="frames" />`;
}

function FleetEvents({ now }) {
  const [events, set] = useState([]);
  const [paused, pause] = useState(false);
  const waiting = useRef([]);
  const seen = useRef(new Set());
  const path = `/api/live${query({ what: "events", charger: now.charger, event: now.event })}`;
  useEffect(() => {
    set([]);
    waiting.current = [];
  }, [path]);
  const open = useStream(paused ? null : path, {
    message: (event) => {
      if (event.kind !== "event") return;
      seen.current.add(event.event);
      waiting.current.push(event);
    },
  });
  useEffect(() => {
    const timer = setInterval(() => {
      const came = waiting.current.splice(0);
      if (came.length) set((before) => [...came.reverse(), ...before].slice(0, MOST));
    }, FLUSH);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="bar">
      <button class=${paused ? "primary" : ""} aria-pressed=${paused} onClick=${() => pause(!paused)}>${paused ? "Go on" : "Pause"}</button>
      <${Choice} label="Event" name="event" value=${now.event ?? ""} options=${[...seen.current].sort().map((each) => ({ value: each, label: sentence(each) }))} onChange=${(event) => view({ event })} />
      <span class="grow"></span><span class="dim" role="status">${paused ? "paused" : open ? "live" : "not connected"} · ${events.length} events</span>
    </div>
    <${EventList} events=${events.slice(0, 300)} fleet=${!now.charger} />`;
}
