// Numbers, times and quantities as an engineer reads them.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const number = new Intl.NumberFormat("en");

export const count = (n) => (n === null || n === undefined ? "–" : number.format(n));
const digits = (n) => (Math.abs(n) >= 100 ? n.toFixed(0) : Math.abs(n) >= 10 ? n.toFixed(1) : n.toFixed(2));

function scaled(value, units) {
  if (value === null || value === undefined) return "–";
  let at = 0;
  while (Math.abs(value) >= 1000 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at ? digits(value) : Math.round(value)} ${units[at]}`;
}
export const power = (watts) => scaled(watts, ["W", "kW", "MW", "GW"]);
export const energy = (wh) => scaled(wh, ["Wh", "kWh", "MWh", "GWh"]);
export const rate = (n) => (n === null || n === undefined ? "–" : digits(n));

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}
export const latency = (seconds) =>
  seconds === null || seconds === undefined ? "" : seconds < 0.01 ? `${(seconds * 1000).toFixed(1)} ms` : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;

export const moment = (iso) => {
  const at = iso ? new Date(iso) : null;
  return at && !Number.isNaN(at.getTime()) ? at : null;
};
export const since = (iso) => {
  const at = moment(iso);
  return at ? duration((Date.now() - at) / 1000) : "–";
};
export const fullTime = (iso) => {
  const at = moment(iso);
  return at ? full.format(at) : String(iso ?? "");
};
export function time(iso) {
  const at = moment(iso);
  if (!at) return String(iso ?? "–");
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : `${day(at)} ${clock.format(at)}`;
}
const day = (at) => `${String(at.getFullYear()).padStart(4, "0")}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
/** A time as a field for one has it, local and to the minute; "" for none. */
export const field = (iso) => {
  const at = moment(iso);
  return at ? `${day(at)}T${pad(at.getHours())}:${pad(at.getMinutes())}` : "";
};
/** The last midnight, in the same way. */
export const today = () => `${day(new Date())}T00:00`;
export function exact(iso) {
  const at = moment(iso);
  return at ? `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}` : String(iso ?? "–");
}
const pad = (n) => String(n).padStart(2, "0");
export const sentence = (name) => {
  const words = String(name ?? "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};
/** A text with a full stop, unless it ends with one, or the like: others' messages do, or do not. */
export const stopped = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
