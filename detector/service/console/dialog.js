// One dialog at a time: a form with a question, its errors in place, and a button that does what it says.
//
// The element itself keeps the focus inside and gives it back; Escape and Cancel do nothing but close.

import { h } from "./dom.js";

const dialog = () => document.getElementById("dialog");

/** A field with its label; `hint` is read out with it. */
export function field(name, label, input, hint) {
  const id = `field-${name}`;
  const hintId = hint ? `${id}-hint` : null;
  input.id = id;
  input.name = name;
  if (hintId) input.setAttribute("aria-describedby", hintId);
  return h(
    "p",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint ? h("span", { class: "muted", id: hintId }, hint) : null,
  );
}

/** Choices of which one is made. */
export function choices(name, label, options) {
  return h(
    "fieldset",
    {},
    h("legend", {}, label),
    options.map(([value, words], place) =>
      h("label", { class: "choice" }, h("input", { type: "radio", name, value, checked: place === 0 }), " ", words),
    ),
  );
}

/**
 * Asks. `doing(values)` is called with what was filled in when the form is sent; what it throws is shown and the dialog
 * stays. Resolves to whether it was done.
 */
export function askFor({ title, intro, fields, confirm, isGrave = false, doing }) {
  const error = h("p", { class: "error", role: "alert", id: "dialog-error" });
  const button = h("button", { type: "submit", class: isGrave ? "grave" : "main" }, confirm);
  const form = h(
    "form",
    { "aria-describedby": "dialog-error" },
    h("h2", { id: "dialog-title" }, title),
    intro,
    fields,
    error,
    h("p", { class: "actions" }, button, h("button", { type: "button", "data-close": "" }, "Cancel")),
  );
  return new Promise((resolve) => {
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      error.textContent = "";
      try {
        await doing(Object.fromEntries(new FormData(form)));
        done = true;
        dialog().close();
      } catch (failure) {
        error.textContent = failure.message;
        button.disabled = false;
        button.focus();
      }
    });
    form.querySelector("[data-close]").addEventListener("click", () => dialog().close());
    dialog().addEventListener("close", () => resolve(done), { once: true });
    dialog().replaceChildren(form);
    dialog().showModal();
    // The first field, not the first button.
    form.querySelector("input, select, textarea")?.focus();
  });
}
