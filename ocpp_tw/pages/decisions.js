// What an operator has decided about a charger, and deciding it.
import { html, useState } from "./lib.js";
import { ask, who } from "./api.js";
import { Choice, Notice, Problem, Told } from "./parts.js";

const DECIDED = ["boot_status", "retry_interval", "version", "security_profile", "certificate"];

export function Decisions({ id, record, again }) {
  const me = who.use();
  const [state, set] = useState({});
  const [boot, setBoot] = useState(record.boot_status ?? "");
  const [version, setVersion] = useState(record.version ?? "");
  const decide = async (event) => {
    event.preventDefault();
    set({ busy: true });
    try {
      await ask(`/api/chargers/${encodeURIComponent(id)}`, { method: "PUT", body: { boot_status: boot || null, version: version || null } });
      set({ done: true });
      again();
    } catch (error) {
      set({ error });
    }
  };
  const decided = Object.fromEntries(DECIDED.filter((name) => record[name] !== undefined && record[name] !== null).map((name) => [name, record[name]]));
  return html`<${Told} value=${decided} empty="Nothing: the settings and the backend decide." />
    ${me?.role === "admin"
      ? html`<form class="bar" onSubmit=${decide}>
          <${Choice} label="BootNotification" name="boot_status" any="as the settings say" value=${boot} options=${["Accepted", "Pending", "Rejected"]} onChange=${setBoot} />
          <${Choice} label="Only OCPP" name="version" any="any version" value=${version} options=${["1.6", "2.0.1", "2.1"]} onChange=${setVersion} />
          <button disabled=${state.busy}>Decide</button>
        </form>`
      : null}
    <${Problem} error=${state.error} />
    ${state.done ? html`<${Notice} kind="good">Decided. It is in force now, on every gateway.<//>` : null}
    <details><summary>All that is stored</summary><pre>${JSON.stringify(record, null, 2)}</pre></details>`;
}
