// What the page says about signing in, about sessions and passwords, in the agent's language.

import { language } from "./reasons.js";

const WORDS = {
  sign_in: { en: "Sign in", pl: "Zaloguj się" },
  name: { en: "Name", pl: "Nazwa użytkownika" },
  password: { en: "Password", pl: "Hasło" },
  code: { en: "Code of your app", pl: "Kod z aplikacji" },
  code_hint: { en: "Six digits. Leave it empty if you have no authenticator app.", pl: "Sześć cyfr. Zostaw puste, jeśli nie masz aplikacji uwierzytelniającej." },
  new_password: { en: "New password", pl: "Nowe hasło" },
  new_again: { en: "New password again", pl: "Nowe hasło jeszcze raz" },
  rules: {
    en: "12 to 256 characters, six of them different; letters and digits; your name is not in it.",
    pl: "Od 12 do 256 znaków, w tym sześć różnych; litery i cyfry; bez Twojej nazwy.",
  },
  company: { en: "Sign in with your company", pl: "Zaloguj się przez firmę" },
  company_out: { en: "Sign out at your company, too", pl: "Wyloguj się także w firmie" },
  with_token: { en: "Sign in with a token", pl: "Zaloguj się tokenem" },
  token: { en: "Access token", pl: "Token dostępu" },
  token_hint: { en: "Your access token is kept in this browser tab only, until you close it.", pl: "Token pozostaje tylko w tej karcie przeglądarki, dopóki jej nie zamkniesz." },

  type_name: { en: "Type your name.", pl: "Wpisz nazwę użytkownika." },
  type_password: { en: "Type your password.", pl: "Wpisz hasło." },
  type_token: { en: "Type your access token.", pl: "Wpisz token dostępu." },
  wrong: { en: "The name, the password or the code is wrong.", pl: "Nazwa, hasło lub kod są nieprawidłowe." },
  wrong_code: { en: "The code is wrong, or its time is over. Type the newest one.", pl: "Kod jest nieprawidłowy albo wygasł. Wpisz najnowszy." },
  wrong_token: { en: "This token is not valid.", pl: "Ten token jest nieprawidłowy." },
  choose: { en: "Choose a password of your own, then sign in with it.", pl: "Wybierz własne hasło i zaloguj się nim." },
  needs_app: {
    en: "Your role needs an authenticator app, and you have none here. Ask your administrator for one (tonewall user totp).",
    pl: "Twoja rola wymaga aplikacji uwierzytelniającej, a nie masz jej tutaj. Poproś administratora (tonewall user totp).",
  },
  nobody: { en: "Nobody has a password here.", pl: "Nikt nie ma tu hasła." },
  gone: { en: "The service does not answer. Trying again by itself.", pl: "Usługa nie odpowiada. Kolejna próba nastąpi automatycznie." },
  back: { en: "The service is back. Sign in again.", pl: "Usługa znów działa. Zaloguj się ponownie." },
  wait: { en: "Too many tries. Wait {}.", pl: "Zbyt wiele prób. Poczekaj {}." },
  waited: { en: "You can try again now.", pl: "Możesz spróbować ponownie." },
  seconds: { en: "{} s", pl: "{} s" },
  minutes: { en: "{} min", pl: "{} min" },
  not_kept: {
    en: "Your browser does not keep the sign-in: it refuses cookies, or this page is inside one of another site. Sign in with a token here.",
    pl: "Przeglądarka nie zachowuje logowania: odrzuca pliki cookie albo ta strona jest osadzona w innej witrynie. Zaloguj się tutaj tokenem.",
  },

  length: { en: "A password has 12 to 256 characters.", pl: "Hasło ma od 12 do 256 znaków." },
  kinds: { en: "A password has letters and digits.", pl: "Hasło zawiera litery i cyfry." },
  has_name: { en: "The name may not be in the password.", pl: "Hasło nie może zawierać nazwy użytkownika." },
  different: { en: "A password has six different characters or more.", pl: "Hasło zawiera co najmniej sześć różnych znaków." },
  same: { en: "Choose another password than the one before.", pl: "Wybierz inne hasło niż dotychczasowe." },
  unequal: { en: "The two new passwords are not the same.", pl: "Nowe hasła nie są jednakowe." },

  signed_in_as: { en: "Signed in as", pl: "Zalogowano jako" },
  change: { en: "Change password", pl: "Zmień hasło" },
  sign_out: { en: "Sign out", pl: "Wyloguj się" },
  everywhere: { en: "Sign out everywhere", pl: "Wyloguj się wszędzie" },
  so_far: { en: "Password so far", pl: "Dotychczasowe hasło" },
  change_hint: { en: "It ends all your sessions; sign in with the new one then.", pl: "Kończy to wszystkie Twoje sesje; potem zaloguj się nowym hasłem." },
  cancel: { en: "Cancel", pl: "Anuluj" },
  wrong_so_far: { en: "The password so far is wrong.", pl: "Dotychczasowe hasło jest nieprawidłowe." },

  still: { en: "Are you still there?", pl: "Czy nadal tu jesteś?" },
  still_text: { en: "If not, you are signed out in {}.", pl: "Jeśli nie, wylogowanie nastąpi za {}." },
  here: { en: "I am here", pl: "Jestem" },

  away: { en: "You were away for too long. Sign in again.", pl: "Zbyt długa nieobecność. Zaloguj się ponownie." },
  elsewhere: { en: "You signed out in another tab or window.", pl: "Wylogowano w innej karcie lub innym oknie." },
  over: {
    en: "Your session is over: it was ended elsewhere, or its time was up. Sign in again.",
    pl: "Sesja się skończyła: zakończono ją gdzie indziej albo upłynął jej czas. Zaloguj się ponownie.",
  },
  token_over: { en: "Your token is no longer valid. Sign in again.", pl: "Token nie jest już ważny. Zaloguj się ponownie." },
  signed_out: { en: "You are signed out.", pl: "Wylogowano." },
  signed_out_everywhere: { en: "You are signed out everywhere.", pl: "Wylogowano wszędzie." },
  changed: { en: "Your password is changed. Sign in with the new one.", pl: "Hasło zostało zmienione. Zaloguj się nowym." },
  leaving: {
    en: "The service does not answer, so your session may still be open. Trying again by itself: stay until it is ended.",
    pl: "Usługa nie odpowiada, więc sesja może być nadal otwarta. Kolejna próba nastąpi automatycznie: zostań do jej zakończenia.",
  },
  not_ended: { en: "Your session could not be ended. Close the browser.", pl: "Nie udało się zakończyć sesji. Zamknij przeglądarkę." },
  no_calls: { en: "Your role sees no calls on this page.", pl: "Twoja rola nie widzi rozmów na tej stronie." },
};
const ROLES = {
  agent: { en: "agent", pl: "agent" },
  supervisor: { en: "supervisor", pl: "kierownik" },
  administrator: { en: "administrator", pl: "administrator" },
  auditor: { en: "auditor", pl: "audytor" },
  integration: { en: "program", pl: "program" },
  metrics: { en: "metrics", pl: "metryki" },
};

/** The sentence of this name, with a value in it; what is no name is a sentence of the service, as it is. */
export const words = (name, value = "") => (WORDS[name]?.[language] ?? name).replace("{}", value);

export const roleWords = (roles) => roles.map((role) => ROLES[role]?.[language] ?? role).join(", ");

/** How long to wait, in words. */
export const waitWords = (seconds) => (seconds < 120 ? words("seconds", Math.ceil(seconds)) : words("minutes", Math.ceil(seconds / 60)));

/** Put a sentence into an element, with the language that it is in. */
export function say(element, name, value) {
  element.lang = Object.hasOwn(WORDS, name) ? language : "en";
  const text = name && words(name, value);
  if (element.textContent !== text) element.textContent = text;
}

/** Fill every element that names its words. */
export function translate() {
  for (const element of document.querySelectorAll("[data-words]")) say(element, element.dataset.words);
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
