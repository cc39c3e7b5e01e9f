// Which page is shown, and how: all of it is in the address, behind the #, so that a view can be kept and sent to somebody.
import { Shared, query } from "./api.js";

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    // somebody's own spelling: as it is
  }
  return { page: page || "overview", id, query: Object.fromEntries(new URLSearchParams(search)) };
}

export const route = new Shared(read());
addEventListener("hashchange", () => route.set(read()));

/** The address of a page. */
export const to = (page, values = {}, id = "") => `#/${page}${id ? `/${encodeURIComponent(id)}` : ""}${query(values)}`;
export const toCharger = (id, values = {}) => to("chargers", values, id);

/** The address of this page with another view of it. */
export const viewed = (changes) => {
  const { page, id, query: before } = route.value;
  return to(page, { ...before, ...changes }, id);
};

/** Change the view of this page; "" takes a member out. Typing does not fill the history: `replace`. */
export function view(changes, { replace = true } = {}) {
  const address = viewed(changes);
  if (address === location.hash) return;
  if (replace) {
    history.replaceState(null, "", address);
    route.set(read());
  } else location.hash = address;
}

export const go = (address) => {
  location.hash = address;
};
