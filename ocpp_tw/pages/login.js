// Exchanges a token for a cookie, which no script can read.
import { html, useState } from "./lib.js";
import { ask, recognise } from "./api.js";
import { Notice } from "./parts.js";

export function Login() {
  const [token, set] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (!/^[!-~]+$/.test(token.trim())) {
      setFault("A token has letters, digits and signs of ASCII only.");
      return;
    }
    setBusy(true);
    try {
      await ask("/api/session", { method: "POST", headers: { authorization: `Bearer ${token.trim()}` } });
      set("");
      await recognise();
    } catch (why) {
      setFault(why.status === 401 ? "This token is not good for anything here." : why.message);
      setBusy(false);
    }
  };
  return html`<main class="login">
    <form onSubmit=${submit}>
      <h1>ocpp_tw</h1>
      <p>This gateway asks for a token: the one of <code>--http-token</code>, or yours of <code>--http-tokens</code>.</p>
      <label class="field whole"><span>Token</span><input type="password" name="token" value=${token} onInput=${(event) => set(event.target.value)} autocomplete="current-password" required autofocus /></label>
      ${fault ? html`<${Notice} kind="bad">${fault}<//>` : null}
      <button class="primary" disabled=${busy}>${busy ? "Logging in…" : "Log in"}</button>
    </form>
  </main>`;
}
