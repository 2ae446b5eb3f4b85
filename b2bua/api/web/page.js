// Small tools for the document. Text goes in as text only: nothing on this page is ever parsed as HTML.

export const $ = (id) => document.getElementById(id);

/** A new element with a class, a text and children. */
export function make(tag, { className, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set a text only where it changed, so that nothing flickers and no screen reader repeats itself. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function icon(id, name) {
  $(id).setAttribute("href", `#i-${name}`);
}

/** Say it through screen readers, also where it is the same sentence as before. */
export function announce(text) {
  const place = $("announce");
  if (text) place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** Empty these elements, of what is hidden too: whoever comes next finds nothing of the last call in the page. */
export function wipe(...ids) {
  for (const id of ids) {
    $(id).replaceChildren();
    delete $(id).dataset.drawn;
  }
}
