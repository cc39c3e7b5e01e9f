// Giving a command: its form, and what came of it, in place.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { ask, post, useAsk, who } from "./api.js";
import { Choice, Notice, Problem } from "./parts.js";
import { latency } from "./format.js";
import { SchemaForm, beginning, lines } from "./schema_form.js";

const LOOK = [300, 500, 1000, 2000]; // ms between two looks whether there is a result
export const NEUTRAL = "any";
export const LEFT_OUT = "the answer is too long to be kept: it is in the event";

/** Random, for a message id: also where a page is not served securely, and has no randomUUID. */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((each) => each.toString(16).padStart(2, "0")).join("");

/** Choose an action and fill its form in; `ocpp` is a version or `NEUTRAL`. `onSend` gets {action, payload}; `chosen` is the action in the address. */
export function CommandForm({ ocpp, chosen, onChoose, onSend, sending, disabled = false, label = "Send", before, children }) {
  const actions = useAsk("/api/actions");
  const mayNot = who.use()?.role === "read";
  const { neutral = [], raw = {} } = actions.data ?? {};
  const names = ocpp === NEUTRAL ? neutral : Object.hasOwn(raw, ocpp) ? raw[ocpp] : []; // it is from the address
  const listed = useMemo(() => names.map((each) => each.name ?? each).sort(), [actions.data, ocpp]);
  const schema = useAsk(chosen && ocpp !== NEUTRAL ? `/api/actions/${encodeURIComponent(ocpp)}/${encodeURIComponent(chosen)}` : null);
  const [value, setValue] = useState({});
  const [text, setText] = useState(null);
  const [fault, setFault] = useState("");
  const form = schema.data && schema.path?.endsWith(`/${encodeURIComponent(chosen)}`) ? schema.data : null;
  // before the form can be seen: an effect after that would undo what was filled in at once
  useLayoutEffect(() => {
    setValue(form ? beginning({ ...form, default: undefined }) : {});
    setText(ocpp === NEUTRAL ? "{}" : null);
    setFault("");
  }, [form, chosen, ocpp]);
  const asJson = () => setText(JSON.stringify(value, null, 2));
  const asForm = () => {
    try {
      setValue(JSON.parse(text));
      setText(null);
      setFault("");
    } catch (why) {
      setFault(`This is not JSON: ${why.message}`);
    }
  };
  const submit = (event) => {
    event.preventDefault();
    let payload = value;
    if (text !== null) {
      try {
        payload = JSON.parse(text);
      } catch (why) {
        setFault(`This is not JSON: ${why.message}`);
        return;
      }
    }
    setFault("");
    onSend({ action: chosen, payload });
  };
  return html`<form class="command" onSubmit=${submit}>
    <div class="bar">
      ${before}
      <${Choice} label="Command" name="command" any="choose…" value=${chosen} options=${listed} onChange=${onChoose} />
      ${form ? html`<button type="button" class="small" onClick=${text === null ? asJson : asForm}>${text === null ? "Edit as JSON" : "Back to the form"}</button>` : null}
    </div>
    <${Problem} error=${actions.error ?? schema.error} />
    ${form && lines(form.description) ? html`<p class="help">${lines(form.description)}</p>` : null}
    ${text !== null && chosen ? html`<label class="field whole"><span>Payload (JSON)</span><textarea name="payload" rows="10" value=${text} onInput=${(event) => setText(event.target.value)} spellcheck=${false}></textarea></label>` : null}
    ${text === null && form ? html`<${SchemaForm} schema=${form} value=${value} onChange=${setValue} id=${`form-${chosen}`} />` : null}
    ${fault ? html`<${Notice} kind="bad">${fault}<//>` : null}
    ${children}
    ${mayNot ? html`<${Notice}>You are logged in with a token that may only read: commands need one with the role command.<//>` : null}
    ${chosen ? html`<div class="bar"><button class="primary" disabled=${mayNot || disabled || sending || (!form && ocpp !== NEUTRAL)}>${sending ? "Waiting for the answer…" : label}</button></div>` : null}
  </form>`;
}

/** Send one, called `action`, and look until there is a result: [state, send], where state is {action, waiting, result, error}. */
export function useCommand() {
  const [state, set] = useState({});
  const number = useRef(0);
  useEffect(() => () => void number.current++, []);
  const send = async (action, command) => {
    const mine = ++number.current;
    set({ action, waiting: true });
    try {
      const { id } = await post("/api/commands", command);
      for (let i = 0; ; i++) {
        const said = await ask(`/api/commands/${encodeURIComponent(id)}`);
        if (number.current !== mine) return;
        if (said.state !== "waiting") {
          set({ action, result: said });
          return;
        }
        await new Promise((done) => setTimeout(done, LOOK[Math.min(i, LOOK.length - 1)]));
      }
    } catch (error) {
      if (number.current === mine) set({ action, error });
    }
  };
  return [state, send];
}

/** What came of it, with its name: another one may have been chosen since. */
export function Outcome({ state }) {
  if (state.error) return html`<${Notice} kind="bad">${state.action}: ${state.error.message}<//>`;
  if (state.waiting) return html`<${Notice}>Waiting for the charger's answer to ${state.action}…<//>`;
  if (!state.result) return null;
  const { outcome = state.result.state, status, error, payload, latency_ms: ms, detail, left_out: leftOut } = state.result;
  const took = ms === undefined || ms === null ? null : ms / 1000;
  const good = outcome === "result";
  return html`<div class=${`outcome notice ${good ? "good" : "bad"}`} role="status">
    <p>${state.action}: <strong>${outcome}</strong>${status ? ` · ${status}` : ""}${took !== null && took !== undefined ? ` · ${latency(took)}` : ""}${detail ? ` · ${detail}` : ""}${error ? ` · ${[error.code, error.description].filter(Boolean).join(": ")}` : ""}${leftOut ? ` · ${LEFT_OUT}` : ""}</p>
    ${payload ? html`<pre>${JSON.stringify(payload, null, 2)}</pre>` : null}
  </div>`;
}
