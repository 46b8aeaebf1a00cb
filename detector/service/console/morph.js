// Changes what a part of the page shows into something else with as few steps as possible, so that focus, selection,
// scroll positions and opened details stay as they are while the page is live.

const ELEMENT = 1;
const keyOf = (node) => node.dataset?.key;

/** Makes `target` show exactly `children`. */
export function show(target, ...children) {
  const wanted = document.createElement(target.nodeName);
  wanted.append(...children.flat(Infinity).filter(Boolean));
  const focused = document.activeElement;
  morphChildren(target, wanted);
  // Moving an element takes its focus away.
  if (focused && focused !== document.activeElement && focused !== document.body && target.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function isAlike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
}

function morph(from, to) {
  if (from.nodeType !== ELEMENT) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  for (const { name, value } of [...to.attributes]) {
    if (name === "open") continue; // what a person opened or closed stays so
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (name !== "open" && !to.hasAttribute(name)) from.removeAttribute(name);
  }
  morphChildren(from, to);
}

function morphChildren(from, to) {
  const keyed = new Map();
  for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let at = from.firstChild;
  for (const child of [...to.childNodes]) {
    const candidate = keyOf(child) ? keyed.get(keyOf(child)) : at;
    if (!candidate || !isAlike(candidate, child)) {
      from.insertBefore(child, at);
      continue;
    }
    if (candidate === at) at = at.nextSibling;
    else from.insertBefore(candidate, at);
    morph(candidate, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
