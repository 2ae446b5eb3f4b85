// The words of the embedded form, by language. `{}` is an amount, a name or a count.

const WORDS = {
  en: {
    form: "Card payment", token: "This form waits for its page.", over: "This form needs a new token.",
    call: "Waiting for the call.", choose: "Which call is yours?", ended: "The call has ended.", ringing: "The call has not been answered yet.",
    lost: "Connection lost. Trying again by itself; the call and its protection go on.",
    normal: "Key presses reach you. Do not ask for card details yet.", starting: "Securing the line. The customer must not key yet.",
    collecting: "You hear the customer; the digits do not reach you.", ready: "All is keyed. Charge only when the customer agrees.",
    charging: "One moment: the bank is answering.", held: "The line is still protected until you open it.",
    keying: "The customer is still keying; nothing reaches you. Ask them to stop.",
    open_line: "The line is not protected. Ask the customer to stop keying, and cancel.", theirs: "{} drives this payment.",
    approved: "{} paid.", partially_approved: "Only {} was approved. The rest is still to be paid.", declined: "Declined. Nothing was charged.",
    failed: "Nothing was charged. It is safe to try again.", unknown: "It is not known whether the card was charged. Do not charge it again: have it checked.",
    cancelled: "Cancelled. Nothing was charged.", aborted: "Ended before the charge.", order: "The page gave no valid order.",
    repeated: "This order was charged already, or may have been.",
    take: "Take card payment: {}", charge: "Charge {}", cancel: "Cancel payment", again: "Try again", release: "Keying is over: open the line",
    ask: "Ask again", skip: "Skip", waits: "Waiting for the customer", keyed: "Being keyed", complete: "Complete", wrong: "Not valid, to be keyed again",
    skipped: "Skipped", digits: "{} digits keyed", last: "ending in {}", card_number: "Card number", expiry: "Expiry date", security_code: "Security code",
  },
  de: {
    form: "Kartenzahlung", token: "Dieses Formular wartet auf seine Seite.", over: "Dieses Formular braucht ein neues Token.",
    call: "Warten auf den Anruf.", choose: "Welcher Anruf ist Ihrer?", ended: "Der Anruf ist beendet.", ringing: "Der Anruf ist noch nicht angenommen.",
    lost: "Verbindung verloren. Sie wird von selbst erneuert; Anruf und Schutz laufen weiter.",
    normal: "Tasten erreichen Sie. Fragen Sie noch nicht nach Kartendaten.", starting: "Die Leitung wird geschützt. Noch darf nichts eingegeben werden.",
    collecting: "Sie hören den Kunden; die Ziffern erreichen Sie nicht.", ready: "Alles ist eingegeben. Belasten Sie erst, wenn der Kunde zustimmt.",
    charging: "Einen Moment: die Bank antwortet.", held: "Die Leitung ist geschützt, bis Sie sie öffnen.",
    keying: "Der Kunde tippt noch; nichts erreicht Sie. Bitten Sie ihn aufzuhören.",
    open_line: "Die Leitung ist nicht geschützt. Bitten Sie den Kunden aufzuhören, und brechen Sie ab.", theirs: "{} führt diese Zahlung.",
    approved: "{} bezahlt.", partially_approved: "Nur {} wurde genehmigt. Der Rest ist noch zu zahlen.", declined: "Abgelehnt. Es wurde nichts belastet.",
    failed: "Es wurde nichts belastet. Ein neuer Versuch ist sicher.", unknown: "Es ist nicht bekannt, ob die Karte belastet wurde. Nicht erneut belasten: prüfen lassen.",
    cancelled: "Abgebrochen. Es wurde nichts belastet.", aborted: "Vor der Belastung beendet.", order: "Die Seite hat keine gültige Bestellung übergeben.",
    repeated: "Diese Bestellung wurde schon belastet, oder vielleicht.",
    take: "Kartenzahlung starten: {}", charge: "{} belasten", cancel: "Zahlung abbrechen", again: "Noch einmal", release: "Eingabe ist beendet: Leitung öffnen",
    ask: "Erneut erbitten", skip: "Auslassen", waits: "Warten auf den Kunden", keyed: "Wird eingegeben", complete: "Vollständig", wrong: "Ungültig, bitte erneut eingeben lassen",
    skipped: "Ausgelassen", digits: "{} Ziffern eingegeben", last: "endet auf {}", card_number: "Kartennummer", expiry: "Ablaufdatum", security_code: "Prüfnummer",
  },
  pl: {
    form: "Płatność kartą", token: "Formularz czeka na swoją stronę.", over: "Formularz potrzebuje nowego tokenu.",
    call: "Oczekiwanie na połączenie.", choose: "Które połączenie jest Twoje?", ended: "Połączenie zakończone.", ringing: "Połączenie nie zostało jeszcze odebrane.",
    lost: "Utracono połączenie z usługą. Zostanie wznowione; rozmowa i jej ochrona trwają.",
    normal: "Naciśnięcia klawiszy docierają do Ciebie. Nie pytaj jeszcze o dane karty.", starting: "Zabezpieczanie linii. Klient nie może jeszcze nic wpisywać.",
    collecting: "Słyszysz klienta; cyfry do Ciebie nie docierają.", ready: "Wszystko wpisane. Obciąż kartę dopiero za zgodą klienta.",
    charging: "Chwileczkę: bank odpowiada.", held: "Linia jest chroniona, dopóki jej nie otworzysz.",
    keying: "Klient nadal wpisuje; nic do Ciebie nie dociera. Poproś, aby przestał.",
    open_line: "Linia nie jest chroniona. Poproś klienta, aby przestał wpisywać, i anuluj.", theirs: "Tę płatność prowadzi {}.",
    approved: "Zapłacono {}.", partially_approved: "Zatwierdzono tylko {}. Resztę trzeba jeszcze zapłacić.", declined: "Odmowa. Nic nie pobrano.",
    failed: "Nic nie pobrano. Można bezpiecznie spróbować ponownie.", unknown: "Nie wiadomo, czy karta została obciążona. Nie obciążaj ponownie: zleć sprawdzenie.",
    cancelled: "Anulowano. Nic nie pobrano.", aborted: "Zakończono przed obciążeniem.", order: "Strona nie podała prawidłowego zamówienia.",
    repeated: "To zamówienie zostało już opłacone lub mogło zostać.",
    take: "Przyjmij płatność kartą: {}", charge: "Obciąż kartę: {}", cancel: "Anuluj płatność", again: "Spróbuj ponownie", release: "Wpisywanie zakończone: otwórz linię",
    ask: "Poproś ponownie", skip: "Pomiń", waits: "Oczekiwanie na klienta", keyed: "Wpisywanie", complete: "Kompletne", wrong: "Nieprawidłowe, trzeba wpisać ponownie",
    skipped: "Pominięto", digits: "Wpisane cyfry: {}", last: "kończy się na {}", card_number: "Numer karty", expiry: "Data ważności", security_code: "Kod zabezpieczający",
  },
  fr: {
    form: "Paiement par carte", token: "Ce formulaire attend sa page.", over: "Ce formulaire a besoin d’un nouveau jeton.",
    call: "En attente de l’appel.", choose: "Quel appel est le vôtre ?", ended: "L’appel est terminé.", ringing: "L’appel n’a pas encore été pris.",
    lost: "Connexion perdue. Elle reprend d’elle-même ; l’appel et sa protection continuent.",
    normal: "Les touches vous parviennent. Ne demandez pas encore les données de la carte.", starting: "Protection de la ligne. Le client ne doit encore rien saisir.",
    collecting: "Vous entendez le client ; les chiffres ne vous parviennent pas.", ready: "Tout est saisi. Ne débitez qu’avec l’accord du client.",
    charging: "Un instant : la banque répond.", held: "La ligne reste protégée jusqu’à ce que vous l’ouvriez.",
    keying: "Le client saisit encore ; rien ne vous parvient. Demandez-lui d’arrêter.",
    open_line: "La ligne n’est pas protégée. Demandez au client d’arrêter, puis annulez.", theirs: "{} conduit ce paiement.",
    approved: "{} payés.", partially_approved: "Seuls {} ont été acceptés. Le reste est encore à payer.", declined: "Refusé. Rien n’a été débité.",
    failed: "Rien n’a été débité. Un nouvel essai est sûr.", unknown: "On ne sait pas si la carte a été débitée. Ne débitez pas à nouveau : faites vérifier.",
    cancelled: "Annulé. Rien n’a été débité.", aborted: "Terminé avant le débit.", order: "La page n’a pas donné de commande valable.",
    repeated: "Cette commande a déjà été débitée, ou l’a peut-être été.",
    take: "Prendre le paiement : {}", charge: "Débiter {}", cancel: "Annuler le paiement", again: "Réessayer", release: "La saisie est finie : ouvrir la ligne",
    ask: "Redemander", skip: "Passer", waits: "En attente du client", keyed: "Saisie en cours", complete: "Complet", wrong: "Non valable, à saisir à nouveau",
    skipped: "Passé", digits: "{} chiffres saisis", last: "se termine par {}", card_number: "Numéro de carte", expiry: "Date d’expiration", security_code: "Cryptogramme",
  },
  es: {
    form: "Pago con tarjeta", token: "Este formulario espera a su página.", over: "Este formulario necesita un token nuevo.",
    call: "Esperando la llamada.", choose: "¿Qué llamada es la suya?", ended: "La llamada ha terminado.", ringing: "La llamada aún no se ha atendido.",
    lost: "Conexión perdida. Se reanuda sola; la llamada y su protección continúan.",
    normal: "Las teclas le llegan. No pida todavía los datos de la tarjeta.", starting: "Protegiendo la línea. El cliente aún no debe teclear.",
    collecting: "Usted oye al cliente; los dígitos no le llegan.", ready: "Todo está tecleado. Cobre solo cuando el cliente esté de acuerdo.",
    charging: "Un momento: el banco responde.", held: "La línea sigue protegida hasta que usted la abra.",
    keying: "El cliente sigue tecleando; nada le llega. Pídale que pare.",
    open_line: "La línea no está protegida. Pida al cliente que pare y cancele.", theirs: "{} lleva este pago.",
    approved: "{} pagados.", partially_approved: "Solo se aprobaron {}. El resto queda por pagar.", declined: "Rechazado. No se ha cobrado nada.",
    failed: "No se ha cobrado nada. Es seguro volver a intentarlo.", unknown: "No se sabe si se ha cobrado. No vuelva a cobrar: haga que lo comprueben.",
    cancelled: "Cancelado. No se ha cobrado nada.", aborted: "Terminó antes del cobro.", order: "La página no dio un pedido válido.",
    repeated: "Este pedido ya se cobró, o quizá.",
    take: "Cobrar con tarjeta: {}", charge: "Cobrar {}", cancel: "Cancelar el pago", again: "Intentar de nuevo", release: "Ya no se teclea: abrir la línea",
    ask: "Pedir de nuevo", skip: "Omitir", waits: "Esperando al cliente", keyed: "Tecleando", complete: "Completo", wrong: "No válido, hay que teclearlo de nuevo",
    skipped: "Omitido", digits: "{} dígitos tecleados", last: "termina en {}", card_number: "Número de tarjeta", expiry: "Fecha de caducidad", security_code: "Código de seguridad",
  },
};

/** The locale that a page asks for, where it is one; else the browser's. */
export function localeOf(text) {
  try { return Intl.getCanonicalLocales(text || navigator.language)[0] ?? "en"; } catch { return "en"; }
}

/** The language that the form has for a locale. */
export const languageOf = (locale) => (Object.hasOwn(WORDS, locale.slice(0, 2)) ? locale.slice(0, 2) : "en");

/** A sentence in a language. */
export const say = (language, name, value = "") => WORDS[language][name].replace("{}", value);

/** What a field is called. */
export const labelIn = (language, { field, label }) =>
  label || (Object.hasOwn(WORDS[language], field) ? WORDS[language][field] : field.replaceAll("_", " "));
