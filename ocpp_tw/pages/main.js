// The frame around all pages: head, navigation, shortcuts, and which page is shown.
import { html, render, useEffect, useRef, useState } from "./lib.js";
import { ask, recognise, trouble, who } from "./api.js";
import { go, route, to } from "./router.js";
import { Guarded } from "./guarded.js";
import { Login } from "./login.js";
import { Overview } from "./overview.js";
import { Chargers } from "./chargers.js";
import { Charger } from "./charger.js";
import { Transactions } from "./transactions.js";
import { Commands } from "./commands.js";
import { Live } from "./live.js";
import { Troubles } from "./troubles.js";

const PAGES = {
  overview: ["Overview", Overview, "o"],
  chargers: ["Chargers", Chargers, "c"],
  transactions: ["Transactions", Transactions, "t"],
  commands: ["Commands", Commands, "m"],
  live: ["Live", Live, "l"],
  troubles: ["Troubles", Troubles, "r"],
};
const NONE = ["No such page", () => html`<h1>No such page</h1><p class="empty">There is no such page. <a href="#/">Overview</a></p>`];
const THEMES = ["", "light", "dark"];

function Shell() {
  const { page, id } = route.use();
  const me = who.use();
  const said = trouble.use();
  const [help, setHelp] = useState(false);
  const main = useRef(null);
  useShortcuts(setHelp);
  const [title, Page] = Object.hasOwn(PAGES, page) ? PAGES[page] : NONE;
  useEffect(() => {
    document.title = `${id && page === "chargers" ? id : title} – ocpp_tw`;
  }, [page, id]);
  useFocusOnPage(main, `${page}/${id}`);
  if (!me) return html`<p class="empty" role="status">${said || "Loading…"}</p>`;
  if (me.needed) return html`<${Login} />`;
  return html`<a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/"><img src=${new URL("icon.svg", import.meta.url).href} alt="" width="20" height="20" /> ocpp_tw</a>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(([name, [label, , key]]) => html`<a key=${name} href=${to(name)} aria-current=${name === page ? "page" : null} title=${`g ${key}`}>${label}</a>`)}
      </nav>
      <span class="grow"></span>
      <${Find} />
      <${Theme} />
      <button class="small" onClick=${() => setHelp(true)} title="Keyboard shortcuts (?)" aria-label="Keyboard shortcuts">?</button>
      ${me.login ? html`<span class="dim me" title=${`role ${me.role}`}>${me.name || me.role}</span><button class="small" onClick=${logOut}>Log out</button>` : null}
    </header>
    <${Trouble} />
    <main id="main" tabindex="-1" ref=${main}><${Guarded} title=${id || title}>${page === "chargers" && id ? html`<${Charger} key=${id} id=${id} />` : html`<${Page} />`}<//></main>
    ${help ? html`<${Help} close=${() => setHelp(false)} />` : null}`;
}

function Trouble() {
  const text = trouble.use();
  return html`<div role="alert" class="alert">${text ? html`<p class="notice bad">${text}</p>` : null}</div>`;
}

/** A page that was asked for by a link gets the focus, as a new document would; the first one has it anyway. */
function useFocusOnPage(main, page) {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && main.current) {
      main.current.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [page]);
}

function Find() {
  const [text, set] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (text.trim()) go(to("chargers", { search: text.trim() }));
    set("");
  };
  return html`<form role="search" class="find" onSubmit=${submit}>
    <input type="search" name="find" aria-label="Find a charger" placeholder="Find a charger  /" value=${text} onInput=${(event) => set(event.target.value)} autocomplete="off" spellcheck=${false} />
  </form>`;
}

function Theme() {
  const [now, set] = useState(document.documentElement.dataset.theme ?? "");
  const next = () => {
    const chosen = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    set(chosen);
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem("theme", chosen);
    } catch {
      // then it is chosen for this page only
    }
  };
  return html`<button class="small" onClick=${next} title="Light, dark, or as the system is">${now || "auto"}</button>`;
}

function useShortcuts(setHelp) {
  useEffect(() => {
    let before = "";
    let timer = 0;
    const key = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") {
        setHelp(false);
        if (event.target.closest?.("input, textarea")) event.target.blur();
        return;
      }
      if (event.target.closest?.("input, select, textarea")) return;
      const page = before === "g" && Object.entries(PAGES).find(([, [, , letter]]) => letter === event.key);
      before = event.key;
      clearTimeout(timer);
      timer = setTimeout(() => (before = ""), 1500);
      if (page) go(to(page[0]));
      else if (event.key === "?") setHelp(true);
      else if (event.key === "/") {
        event.preventDefault();
        document.querySelector("input[name=find]")?.focus();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
}

function Help({ close }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="help-title">
    <h2 id="help-title">Keyboard</h2>
    <dl class="facts">
      ${Object.values(PAGES).map(([label, , key]) => html`<div key=${key}><dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${label}</dd></div>`)}
      <div><dt><kbd>/</kbd></dt><dd>Find a charger</dd></div>
      <div><dt><kbd>p</kbd></dt><dd>Pause frames or events, or go on</dd></div>
      <div><dt><kbd>Esc</kbd></dt><dd>Leave a field, close this</dd></div>
    </dl>
    <form method="dialog"><button class="primary">Close</button></form>
  </dialog>`;
}

async function logOut() {
  try {
    await ask("/api/session", { method: "DELETE" });
  } catch {
    // it has ended already
  }
  who.set({ needed: true });
}

recognise();
render(html`<${Shell} />`, document.getElementById("app"));
