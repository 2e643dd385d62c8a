// Comfort for browsers with JavaScript; every page works without it.

const notice = document.getElementById("meldung");

/** Tell screen readers what happened; an emptied region speaks the same words again. */
function announce(text) {
  notice.textContent = "";
  setTimeout(() => { notice.textContent = text; }, 50);
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  announce(button.dataset.copied);
  const label = button.querySelector("span");
  const before = label.textContent;
  label.textContent = button.dataset.copied;
  setTimeout(() => { label.textContent = before; }, 4000);
}

function prepare(root) {
  root.querySelectorAll("button[data-copy][hidden]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  });
  root.querySelectorAll("form[data-leave]").forEach((form) => {
    form.addEventListener("input", () => { form.dataset.typed = "yes"; });
    form.addEventListener("submit", () => { delete form.dataset.typed; });
  });
}

// The browser asks in its own words whether typed text may be left behind.
addEventListener("beforeunload", (event) => {
  if (document.querySelector("form[data-typed]")) event.preventDefault();
});

// After a part of the page was replaced: the focus goes where the part says, its message is spoken.
document.addEventListener("htmx:after:swap", (event) => {
  const part = event.target instanceof Element ? event.target : document.body;
  prepare(part);
  part.querySelector("[data-focus], #fehler")?.focus();
  const said = part.querySelector("[data-announce]");
  if (said) announce(said.dataset.announce);
});

prepare(document);
// The summary has autofocus; this is for browsers that keep it to controls.
addEventListener("load", () => {
  if (document.activeElement === document.body) document.getElementById("fehler")?.focus();
});
