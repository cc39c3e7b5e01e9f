// Events as the backend gets them, in a list.
import { html, useState } from "./lib.js";
import { ChargerLink, Copy } from "./parts.js";
import { exact, fullTime, sentence } from "./format.js";
import { chargerOf, detailOf } from "./troubles.js";

export function EventList({ events, fleet = false, busy = false }) {
  const [expanded, set] = useState(null);
  return html`<ol class="framelist">
      ${events.map((each) => {
        const open = expanded === each.id;
        return html`<li key=${each.id} class="frame event">
          <button class="summary" aria-expanded=${open} onClick=${() => set(open ? null : each.id)}>
            <time datetime=${each.time} title=${fullTime(each.time)}>${exact(each.time)}</time>
            ${fleet ? html`<span class="of"><bdi>${chargerOf(each)}</bdi></span>` : null}
            <span class="action">${sentence(each.event)}</span>
            <span class="preview">${detailOf(each).slice(0, 300)}</span>
          </button>
          ${open ? html`<div class="pair"><div class="one"><div class="bar">${fleet ? html`<${ChargerLink} id=${chargerOf(each)} />` : null}<span class="grow"></span><${Copy} text=${JSON.stringify(each)} /></div><pre>${JSON.stringify(each, null, 2)}</pre></div></div>` : null}
        </li>`;
      })}
    </ol>
    ${events.length ? null : html`<p class="empty">${busy ? "Loading…" : "No events yet."}</p>`}`;
}
