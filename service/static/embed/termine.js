// The dates of a Terminbuch in any page, as a list that looks like the text around it:
// <termin-liste src="https://…/einbetten/termine.json" heading-level="3"><a href="…">Termine</a></termin-liste>
// What stands between the tags is shown until the dates are there, and below them afterwards.

const STYLE = `
:host { display: block; color: inherit; font: inherit; }
ul { list-style: none; margin: 0 0 1em; padding: 0; }
li { margin: 0 0 .75em; overflow-wrap: anywhere; }
p { margin: 0; }
a { color: inherit; }
`;

function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  return element;
}

function item(one) {
  const row = make("li");
  const title = make("p");
  const link = make("a", one.title);
  if (/^https?:/.test(one.url)) link.href = one.url;
  title.append(link, one.state_text ? ` (${one.state_text})` : "");
  const when = one.date ? make("time", one.when, { datetime: one.date }) : make("span", one.when);
  const line = make("p");
  line.append(when, ...[one.before, one.place].filter(Boolean).map((text) => ` · ${text}`));
  row.append(title, line);
  return row;
}

function section(one, level) {
  const part = make("section");
  part.append(make(`h${level}`, one.title));
  if (one.items.length) {
    const list = make("ul", "", { role: "list" });
    list.append(...one.items.map(item));
    part.append(list);
  } else {
    part.append(make("p", one.empty));
  }
  return part;
}

class TerminListe extends HTMLElement {
  async connectedCallback() {
    if (this.shadowRoot) return;
    try {
      const answer = await fetch(this.getAttribute("src"), { credentials: "omit" });
      if (!answer.ok) return;
      const data = await answer.json();
      const asked = Number(this.getAttribute("heading-level"));
      const level = asked >= 2 && asked <= 6 ? asked : 3;
      const body = make("div", "", { lang: data.language });
      body.append(...data.sections.map((one) => section(one, level)));
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      root.append(body, make("slot"));
    } catch {
      // The link between the tags stays: that is the list for whoever cannot be reached.
    }
  }
}

customElements.define("termin-liste", TerminListe);
