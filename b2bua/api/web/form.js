// The forms that customers key, as the API describes them: which fields there are, and how long each is.

let forms = [];
let form = { fields: [] };

export function takeForms(known) {
  forms = known;
  form = known[0];
}

/** Show the form of this name; whether it is another than before. */
export function useForm(name) {
  const found = formNamed(name);
  const changed = found !== form;
  form = found;
  return changed;
}

const formNamed = (name) => forms.find((one) => one.name === name) ?? forms[0];

/** What becomes of the form of this name. */
export const resultOf = (name) => formNamed(name)?.result ?? "charge";

/** The countries whose IBAN can be keyed in the form of this name. */
export function countriesOf(name) {
  return formNamed(name)?.fields.flatMap(({ countries }) => countries) ?? [];
}

export const formNames = () => forms.map(({ name }) => name);
export const formFields = () => form.fields;
export const endKey = () => form.end_key;
export const clearKey = () => form.clear_key;

export const fieldOf = (name) => form.fields.find(({ field }) => field === name);

/** How many digits a field usually has, with this brand, or of this country. */
export function usualLength(name, brand, country) {
  const field = fieldOf(name);
  return field?.usual_length_by_brand[brand?.toLowerCase()] ?? field?.usual_length_by_country[country] ?? field?.usual_length ?? 0;
}

/** After which of so many digits a gap stands: as people write this brand, or each so many digits. */
export function groupsOf({ group, groups_by_brand: byBrand = {} }, brand, length) {
  const own = byBrand[brand?.toLowerCase()] ?? [];
  const fits = own.reduce((sum, each) => sum + each, 0) === length;
  const groups = fits ? own : group ? Array(Math.ceil(length / group)).fill(group) : [];
  return groups.map((_, place) => groups.slice(0, place + 1).reduce((sum, each) => sum + each, 0));
}
