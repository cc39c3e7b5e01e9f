// A list that comes in pieces, newest first, with a cursor to the next one.
import { html, useEffect, useRef, useState } from "./lib.js";
import { ask } from "./api.js";

const EVERY = 5000; // ms after which the first piece is asked for again, as long as nobody has asked for more

export function useMore(path, search) {
  const [state, set] = useState({ rows: [], cursor: null, error: null, loading: true, pieces: 0 });
  const number = useRef(0);
  const pieces = useRef(0);
  const load = async (cursor) => {
    const mine = number.current;
    const sign = search ? "&" : "?";
    try {
      const { rows, cursor: next, missing, trouble, running } = await ask(`${path}${search}${cursor ? `${sign}cursor=${encodeURIComponent(cursor)}` : ""}`);
      if (mine !== number.current) return;
      pieces.current = cursor ? pieces.current + 1 : 1;
      set((before) => ({ rows: cursor ? [...before.rows, ...rows] : rows, cursor: next ?? null, error: null, loading: false, missing: missing ?? [], trouble, running }));
    } catch (error) {
      if (mine === number.current) set((before) => ({ ...before, error, loading: false }));
    }
  };
  useEffect(() => {
    number.current++;
    pieces.current = 0;
    if (!path) return undefined;
    set({ rows: [], cursor: null, error: null, loading: true });
    load(null);
    const timer = setInterval(() => !document.hidden && pieces.current <= 1 && load(null), EVERY);
    return () => {
      number.current++;
      clearInterval(timer);
    };
  }, [path, search]);
  return { ...state, more: () => load(state.cursor), again: () => load(null) };
}

export const More = ({ list }) => (list.cursor ? html`<p class="bar"><button onClick=${list.more}>Show more</button></p>` : null);
