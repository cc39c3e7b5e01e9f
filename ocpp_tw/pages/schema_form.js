// A form from a JSON Schema (drafts 4 and 6, as OCPP's official ones are written): what it says is the value, what is left empty is left out.
import { html, useEffect, useState } from "./lib.js";

const LOCAL = /^#\/definitions\//;
const DEEPEST = 12; // a schema may refer to itself
const FEW = 5; // members that are all shown

function resolved(schema, root) {
  for (let i = 0; schema?.$ref && i < DEEPEST; i++) {
    const { $ref, ...more } = schema;
    schema = { ...root.definitions?.[$ref.replace(LOCAL, "")], ...more };
  }
  return schema ?? {};
}

const typeOf = (schema) => (Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type) ?? (schema.properties ? "object" : schema.enum ? "string" : "");
const NOISE = /^(?:[^\n]*\n)?\s*urn:x-(?:oca|enexis):\S*\s*/; // OCPP 2.x: the name of the element in OCA's model, and its URN below

/** A description as somebody reads it: without what is only for OCA's own tools. */
export function lines(text) {
  let left = String(text ?? "").replaceAll("\r\n", "\n").trim();
  while (NOISE.test(left)) left = left.replace(NOISE, "");
  return left.replace(/^image::.*$/gm, "").replace(/ \+$/gm, "").replace(/(^|[\s(])_([A-Za-z]\w*?)_(?=[\s,.;:)]|$)/gm, "$1$2").replace(/\n{3,}/g, "\n\n").trim(); // it is AsciiDoc
}

/** What a form begins with: what must be there, with its defaults. */
export function beginning(schema, root = schema, depth = 0) {
  schema = resolved(schema, root);
  if (schema.default !== undefined) return schema.default;
  const type = typeOf(schema);
  if (type === "object" && depth < DEEPEST) {
    const value = {};
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const begun = schema.required?.includes(name) ? beginning(member, root, depth + 1) : resolved(member, root).default;
      if (begun !== undefined) value[name] = begun;
    }
    return value;
  }
  if (type === "array" && depth < DEEPEST) return schema.minItems ? Array.from({ length: schema.minItems }, () => beginning(schema.items, root, depth + 1) ?? "") : [];
  if (schema.enum?.length === 1) return schema.enum[0];
  return type === "boolean" ? false : undefined;
}

export function SchemaForm({ schema, value, onChange, id }) {
  const members = Object.keys(schema.properties ?? {}).filter((name) => name !== "customData");
  if (!members.length) return html`<p class="dim">This command has no members.</p>`;
  return html`<${Members} schema=${schema} root=${schema} value=${value ?? {}} onChange=${onChange} path=${id} depth=${0} />`;
}

function Members({ schema, root, value, onChange, path, depth }) {
  const put = (name, next) => {
    const changed = { ...value, [name]: next };
    if (next === undefined) delete changed[name];
    onChange(changed);
  };
  const names = Object.keys(schema.properties ?? {}).filter((name) => name !== "customData");
  const required = (name) => schema.required?.includes(name) ?? false;
  const member = (name) => html`<${Member} key=${name} name=${name} schema=${resolved(schema.properties[name], root)} root=${root} value=${value[name]} required=${required(name)} onChange=${(next) => put(name, next)} path=${`${path}-${name}`} depth=${depth} />`;
  const first = names.filter(required);
  const optional = names.filter((name) => !required(name));
  const given = optional.filter((name) => value[name] !== undefined).length;
  return html`<div class="members">
    ${first.map(member)}
    ${first.length + optional.length > FEW && optional.length > 1
      ? html`<${Folded} optional=${optional} given=${given} begun=${given > 0}>${optional.map(member)}<//>`
      : optional.map(member)}
  </div>`;
}

/** What may be left out, folded until somebody wants it: the official forms have up to sixty members. It is open where one of them has a value. */
function Folded({ optional, given, begun, children }) {
  const [open, set] = useState(begun);
  useEffect(() => {
    if (begun) set(true);
  }, [begun]);
  return html`<details class="optional" open=${open} onToggle=${(event) => event.target === event.currentTarget && set(event.currentTarget.open)}>
    <summary>${optional.length} more that may be left out${given ? `, ${given} given` : ""}: <span class="names">${optional.join(", ")}</span></summary>
    <div class="members">${open ? children : null}</div>
  </details>`;
}

function Member({ name, schema, root, value, required, onChange, path, depth, onRemove }) {
  const type = typeOf(schema);
  if ((type === "object" || type === "array") && depth < DEEPEST) {
    return html`<${Nested} ...${{ name, schema, root, value, required, onChange, path, depth, onRemove, type }} />`;
  }
  const help = [lines(schema.description), limits(schema)].filter(Boolean).join("\n");
  return html`<div class="member">
    <label for=${path}>${name}${required ? html`<span class="required" title="must be there"> *</span>` : null}</label>
    <div class="input">
      <${Input} ...${{ schema, type, value, required, onChange, path, help }} />
      ${onRemove ? html`<button type="button" class="small" onClick=${onRemove}>Remove</button>` : null}
    </div>
    <${Help} text=${help} id=${`${path}-help`} />
  </div>`;
}

function Nested({ name, schema, root, value, required, onChange, path, depth, onRemove, type }) {
  const there = value !== undefined;
  const items = type === "array" ? resolved(schema.items, root) : null;
  const list = Array.isArray(value) ? value : [];
  const full = schema.maxItems !== undefined && list.length >= schema.maxItems;
  const add = () => onChange(items ? [...list, beginning(items, root, depth + 1) ?? ""] : beginning({ ...schema, default: undefined }, root));
  const without = (at) => {
    const left = list.filter((_, i) => i !== at);
    onChange(left.length || required ? left : undefined);
  };
  return html`<fieldset class="nested">
    <legend>${name}${required ? html`<span class="required" title="must be there"> *</span>` : null}
      ${items ? html` <span class="dim">list${list.length ? ` of ${list.length}` : ""}</span>` : null}
      ${!items && !there ? html` <button type="button" class="small" onClick=${add}>Add ${name}</button>` : null}
      ${!items && there && !required ? html` <button type="button" class="small" onClick=${() => onChange(undefined)}>Leave out</button>` : null}
      ${onRemove ? html` <button type="button" class="small" onClick=${onRemove}>Remove</button>` : null}
    </legend>
    <${Help} text=${lines(schema.description)} id=${`${path}-help`} />
    ${!items && there ? html`<${Members} schema=${schema} root=${root} value=${value} onChange=${onChange} path=${path} depth=${depth + 1} />` : null}
    ${items
      ? html`${list.map((each, i) => html`<${Member} key=${i} name=${`${i + 1}`} schema=${items} root=${root} value=${each} required=${true} onChange=${(next) => onChange(list.with(i, next ?? ""))} onRemove=${() => without(i)} path=${`${path}-${i}`} depth=${depth + 1} />`)}
          <button type="button" class="small" onClick=${add} disabled=${full}>Add to ${name}</button>`
      : null}
  </fieldset>`;
}

function Input({ schema, type, value, required, onChange, path, help }) {
  const described = help ? `${path}-help` : null;
  if (schema.enum) {
    return html`<select id=${path} value=${value ?? ""} required=${required} aria-describedby=${described} onChange=${(event) => onChange(event.target.value || undefined)}>
      <option value="">${required ? "choose…" : "(left out)"}</option>
      ${schema.enum.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
    </select>`;
  }
  if (type === "boolean") {
    return html`<select id=${path} value=${value === undefined ? "" : String(value)} required=${required} aria-describedby=${described} onChange=${(event) => onChange(event.target.value === "" ? undefined : event.target.value === "true")}>
      ${required ? null : html`<option value="">(left out)</option>`}<option value="true">true</option><option value="false">false</option>
    </select>`;
  }
  if (type === "integer" || type === "number") {
    return html`<input id=${path} type="number" step=${type === "integer" ? 1 : (schema.multipleOf ?? "any")} min=${schema.minimum} max=${schema.maximum} required=${required} value=${value ?? ""} aria-describedby=${described}
      onInput=${(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))} />`;
  }
  if (type === "string") {
    const time = schema.format === "date-time";
    const long = schema.maxLength > 300;
    const typed = (event) => onChange(event.target.value === "" && !required ? undefined : event.target.value);
    return html`${long
      ? html`<textarea id=${path} rows="3" maxlength=${schema.maxLength} required=${required} value=${value ?? ""} aria-describedby=${described} onInput=${typed} spellcheck=${false}></textarea>`
      : html`<input id=${path} type="text" maxlength=${schema.maxLength} required=${required} value=${value ?? ""} aria-describedby=${described} onInput=${typed} placeholder=${time ? "2026-01-31T12:00:00Z" : ""} autocomplete="off" spellcheck=${false} />`}
    ${time ? html`<button type="button" class="small" onClick=${() => onChange(new Date().toISOString())}>Now</button>` : null}`;
  }
  return html`<${AnyJson} ...${{ value, onChange, path, described }} />`;
}

/** A member that may be anything. */
function AnyJson({ value, onChange, path, described }) {
  const [text, set] = useState(value === undefined ? "" : JSON.stringify(value));
  const typed = (event) => {
    set(event.target.value);
    try {
      onChange(event.target.value === "" ? undefined : JSON.parse(event.target.value));
      event.target.setCustomValidity("");
    } catch {
      event.target.setCustomValidity("This must be JSON");
    }
  };
  return html`<input id=${path} type="text" value=${text} placeholder="JSON" aria-describedby=${described} onInput=${typed} spellcheck=${false} />`;
}

function limits(schema) {
  const said = [];
  if (schema.maxLength !== undefined) said.push(`at most ${schema.maxLength} characters`);
  if (schema.minimum !== undefined) said.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) said.push(`to ${schema.maximum}`);
  if (schema.default !== undefined) said.push(`by default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

const Help = ({ text, id }) => (text ? html`<p class="help" id=${id}>${text}</p>` : null);
