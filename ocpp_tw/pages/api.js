// Asks the gateway: requests, streams that come again by themselves, and whether it answers at all.
import { useEffect, useRef, useState } from "./lib.js";

const RETRY = [1000, 2000, 5000, 10000]; // ms until a stream that broke is opened again, each time longer
const POLL = 6000; // ms between two looks at what a stream would have told, where it is refused
const HIDDEN = 20000; // ms after which a tab that nobody looks at follows nothing any more

export class Failed extends Error {
  constructor(status, detail, body) {
    super(detail);
    this.status = status;
    this.body = body;
  }
}

/** Something that components follow: `set` tells all that use it. */
export class Shared {
  #value;
  #followers = new Set();
  constructor(value) {
    this.#value = value;
  }
  get value() {
    return this.#value;
  }
  set(value) {
    if (value === this.#value) return;
    this.#value = value;
    for (const follower of [...this.#followers]) follower(value);
  }
  use() {
    const [, again] = useState(0);
    const shown = this.#value;
    useEffect(() => {
      const follower = () => again((n) => n + 1);
      this.#followers.add(follower);
      if (this.#value !== shown) follower(); // it was set between the drawing and this
      return () => this.#followers.delete(follower);
    }, []);
    return this.#value;
  }
}

/** Who is logged in: null as long as that is not known, {login: true, needed: true} for nobody. */
export const who = new Shared(null);
/** What the line below the head says; "" if all is well. */
export const trouble = new Shared("");

export async function ask(path, { method = "GET", body, headers = {}, signal, text = false } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (why) {
    if (why.name === "AbortError") throw why;
    trouble.set("The gateway does not answer. Trying again…");
    throw new Failed(0, "The gateway does not answer");
  }
  if (answer.status === 401 && path !== "/api/session") {
    who.set({ needed: true });
  }
  if (!answer.ok) {
    let said = null;
    try {
      said = await answer.json();
    } catch {
      // not ours, a proxy's
    }
    throw new Failed(answer.status, (said && said.detail) || `${answer.status} ${answer.statusText}`, said);
  }
  if (trouble.value.startsWith("The gateway does not answer")) trouble.set("");
  return text ? answer.text() : answer.json();
}

export const post = (path, body) => ask(path, { method: "POST", body });

export async function recognise() {
  try {
    who.set(await ask("/api/session"));
  } catch (why) {
    if (why.status === 401 || why.status === 429) who.set({ needed: true });
    else if (!who.value) setTimeout(recognise, 2000);
  }
}

/** A query string of what is set: no "", null, undefined or false. */
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  const text = new URLSearchParams(set).toString();
  return text ? `?${text}` : "";
}

/** A value of a parameter that may have several: the commas in it separate nothing. */
export const whole = (value) => value?.replace(/[\\,]/g, "\\$&");

/** What a path answers, asked again whenever it changes and every `every` ms while somebody looks: {data, error, loading, again}. */
export function useAsk(path, every = 0) {
  const [state, set] = useState({ data: null, error: null, loading: true });
  const asked = useRef(0);
  const again = useRef(() => {});
  useEffect(() => {
    if (!path) {
      set({ data: null, error: null, loading: false });
      return undefined;
    }
    const number = ++asked.current;
    const stop = new AbortController();
    let timer = 0;
    let asking = false;
    let onceMore = false; // it was asked for while an answer was on its way, which may be older
    const go = async () => {
      clearTimeout(timer);
      if (asking) {
        onceMore = true;
        return;
      }
      asking = true;
      try {
        const data = await ask(path, { signal: stop.signal });
        if (asked.current === number) set({ data, error: null, loading: false, path });
      } catch (why) {
        if (why.name === "AbortError") return;
        if (asked.current === number) set((before) => ({ data: before.path === path ? before.data : null, error: why, loading: false, path }));
      }
      asking = false;
      if (asked.current !== number) return;
      if (onceMore) {
        onceMore = false;
        go();
      } else if (every) timer = setTimeout(look, every);
    };
    const look = () => (document.hidden ? (timer = setTimeout(look, every)) : go());
    again.current = go;
    set((before) => ({ ...before, loading: true }));
    go();
    return () => {
      asked.current++;
      clearTimeout(timer);
      stop.abort();
    };
  }, [path, every]);
  return { ...state, again: () => again.current() };
}

/** Follow a stream of server-sent events; `handlers` maps their names to functions ("message" those without one). It comes again by itself. */
export function useStream(path, handlers, { opened, failed, refused } = {}) {
  const [open, setOpen] = useState(null); // the path that is followed
  const now = useRef(handlers);
  now.current = { path, handlers, opened, failed, refused };
  useEffect(() => {
    if (!path) return undefined;
    let source = null;
    let over = false;
    let retry = 0;
    let timer = 0;
    let hiding = 0;
    const close = () => {
      clearTimeout(timer);
      if (source) source.close();
      source = null;
    };
    const followed = () => now.current.path === path; // else another path is asked for, and this stream is closed as soon as the browser comes to it
    const start = () => {
      close();
      source = new EventSource(path);
      source.onopen = () => {
        retry = 0;
        setOpen(path);
        if (followed()) now.current.opened?.();
        if (trouble.value.startsWith("The gateway does not answer")) trouble.set("");
      };
      source.onerror = () => {
        setOpen(null);
        if (source?.readyState === EventSource.CLOSED) why(path).then((said) => said && source === null && !over && followed() && now.current.refused?.(said));
        close();
        if (!retry && followed()) now.current.failed?.();
        timer = setTimeout(start, RETRY[Math.min(retry++, RETRY.length - 1)]);
        ask("/api/session").catch((why) => why.status === 401 && who.set({ needed: true }));
      };
      for (const name of Object.keys(now.current.handlers)) {
        source.addEventListener(name, (event) => followed() && now.current.handlers[name](JSON.parse(event.data)));
      }
    };
    const visible = () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(close, HIDDEN);
      else if (!source) start();
    };
    start();
    document.addEventListener("visibilitychange", visible);
    return () => {
      document.removeEventListener("visibilitychange", visible);
      clearTimeout(hiding);
      over = true;
      close();
    };
  }, [path]);
  return Boolean(path) && open === path;
}

/** Why a stream is refused, which an `EventSource` does not tell; "" if it is not, or if nobody says. */
async function why(path) {
  const stop = new AbortController();
  try {
    const answer = await fetch(path, { signal: stop.signal, cache: "no-store" });
    if (answer.ok || answer.status === 401) return "";
    const said = await answer.json().catch(() => null);
    return said?.detail || `${answer.status} ${answer.statusText}`;
  } catch {
    return "";
  } finally {
    stop.abort();
  }
}

/**
 * A view that a stream keeps up to date: {data, path, refused}, where `path` is what it was followed by. Where the stream is refused, `refused` says why,
 * and `plain` is asked for the same again and again. `merge` makes the view after what has changed.
 */
export function useWatched(path, plain, merge) {
  const [shown, set] = useState({ path: "", data: null });
  const [refused, refuse] = useState("");
  useStream(
    path,
    {
      snapshot: (data) => {
        set({ path, data });
        refuse("");
      },
      changes: (changes) => set((before) => (before.path === path ? { path, data: merge(before.data, changes) } : before)),
    },
    { refused: refuse },
  );
  const polled = useAsk(refused ? plain : null, POLL);
  if (!refused) return { ...shown, refused, error: null };
  return polled.data && polled.path === plain ? { data: polled.data, path, refused, error: polled.error } : { ...shown, refused, error: polled.error };
}
