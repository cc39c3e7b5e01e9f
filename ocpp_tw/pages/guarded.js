// What an error of a page does to the others: nothing. It is told in the page's place, until another view is asked for.
import { Component, html } from "./lib.js";
import { route } from "./router.js";
import { Notice } from "./parts.js";

/** Shows the page within it, called `title`; has to be drawn again whenever the route changes. */
export class Guarded extends Component {
  state = { error: null, at: null };

  componentDidCatch(error) {
    console.error(error);
    this.setState({ error, at: route.value });
  }

  render({ title, children }, { error, at }) {
    if (at !== route.value) return children;
    return html`<h1>${title}</h1>
      <${Notice} kind="bad">This page cannot be shown, by an error of its own: ${String(error)}. Other pages and other views are not affected.<//>
      <p class="bar"><button onClick=${() => this.setState({ error: null, at: null })}>Show the page again</button></p>
      <details><summary>Where it was, for a report</summary><pre>${error?.stack ?? String(error)}</pre></details>`;
  }
}
