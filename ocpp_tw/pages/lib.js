// The reactive view library and its templates, under the names that all modules here use.
import { Component, h, render, Fragment } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { Component, h, render, Fragment };
export const html = htm.bind(h);
