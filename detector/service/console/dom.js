// Makes elements. Text only ever becomes text: nothing here, or anywhere in the console, parses markup, because names,
// user agents and error messages are chosen by whoever makes a call. The page's policy demands it too.

const SVG = "http://www.w3.org/2000/svg";
// Control and direction-changing characters and those that show as nothing; as the service's own `visible` has them.
const HIDDEN =
  /[\p{Cc}\u{ad}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{fe00}-\u{fe0f}\u{feff}\u{ffa0}\u{fff9}-\u{fffb}\u{e0000}-\u{e0fff}]/gu;
// The same but for line ends and tabs, for commands and queries of several lines.
const HIDDEN_IN_LINES = new RegExp(`(?![\\n\\t])${HIDDEN.source}`, "gu");
const ATTRIBUTES =
  /^(class|id|for|href|rel|target|type|name|value|title|lang|role|tabindex|scope|colspan|datetime|key|open|checked|disabled|required|readonly|hidden|rows|cols|minlength|maxlength|autocomplete|spellcheck|placeholder|viewBox|width|height|preserveAspectRatio|x|y|x1|y1|x2|y2|cx|cy|r|rx|d|points|transform|text-anchor|focusable|aria-[a-z]+|data-[a-z-]+)$/;
const LINKS = /^(#|\/(?!\/)|https?:\/\/)/;

const escaped = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;

/** The text with every character that hides or redirects written out. */
export function visible(text) {
  return String(text).replace(HIDDEN, escaped);
}

/** The same for text of several lines. */
export function visibleLines(text) {
  return String(text).replace(HIDDEN_IN_LINES, escaped);
}

/** An HTML element: `h("p", { class: "x" }, "text", element, [more])`. Children that are null or false are left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Several lines of text, as they are. */
export function lines(tag, attributes, text) {
  const element = fill(document.createElement(tag), attributes, []);
  element.append(document.createTextNode(visibleLines(text)));
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (!ATTRIBUTES.test(name)) throw new Error(`the console sets no attribute ${name}`);
    if (name === "href" && !LINKS.test(value)) continue;
    if (name === "key") element.dataset.key = value;
    else element.setAttribute(name, value === true ? "" : visible(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else if (child instanceof Node) element.append(child);
    else element.append(document.createTextNode(visible(child)));
  }
}
