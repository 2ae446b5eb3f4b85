// The form that the customer keys, as the API describes it: which fields there are, and how long each is.

let fields = [];

export function takeForm(form) { fields = form.fields; }
export const formFields = () => fields;

/** How many digits a field usually has, with this brand. */
export function usualLength(name, brand) {
  const field = fields.find((one) => one.field === name);
  return field?.usual_length_by_brand[brand?.toLowerCase()] ?? field?.usual_length ?? 0;
}
