// What is said about signing in, about sessions and passwords, and which passwords somebody can have.

import { has, say as sayWhole, t } from "./i18n.js";

/** The sentence of this name, among those of signing in. */
export const words = (name, values) => t(`sign_in.${name}`, values);

export const roleWords = (roles) => roles.map((role) => (has(`role.${role}`) ? t(`role.${role}`) : role)).join(", ");

/** How long to wait, in words. */
export const waitWords = (seconds) => (seconds < 120 ? words("seconds", { count: Math.ceil(seconds) }) : words("minutes", { count: Math.ceil(seconds / 60) }));

/** Put the sentence of this name into an element; what is none of signing in is one of the service. */
export function say(element, name, values) {
  sayWhole(element, has(`sign_in.${name}`) ? `sign_in.${name}` : name, values);
}

/** Why somebody of this name cannot have this new password: the name of a sentence; "" where they can. The service has the last word. */
export function weakness(next, again, name, before) {
  const length = [...next].length;
  if (length < 12 || length > 256) return "length";
  if (!/\p{L}/u.test(next) || !/\p{Nd}/u.test(next)) return "kinds";
  if (name && next.toLowerCase().includes(name.toLowerCase())) return "has_name";
  if (new Set(next).size < 6) return "different";
  if (next === before) return "same";
  return next === again ? "" : "unequal";
}
