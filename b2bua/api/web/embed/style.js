// The style of the embedded form. A page changes it by custom properties and by ::part.

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: block; color: var(--tonewall-ink, CanvasText); font: var(--tonewall-font, 1rem/1.45 system-ui, sans-serif);
  --accent: var(--tonewall-accent, light-dark(#0d5f58, #5cc9bb)); --edge: var(--tonewall-edge, light-dark(#7b8a86, #758681)); }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; padding: 0; }
.form { display: grid; gap: .75rem; padding: 1rem; background: var(--tonewall-paper, Canvas); border: 1px solid var(--edge);
  border-radius: var(--tonewall-radius, .65rem); }
.bill { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1rem; }
.amount { font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.order { overflow-wrap: anywhere; }
.status { padding: .6rem .8rem; border-inline-start: 4px solid var(--edge); }
.status[data-tone="safe"], .status[data-tone="good"] { border-color: var(--tonewall-good, light-dark(#0b7a4b, #6fd3a4)); }
.status[data-tone="bad"] { border-color: var(--tonewall-bad, light-dark(#8a1c16, #ffc9c4)); font-weight: 650; }
.status[data-tone="wait"] { border-color: var(--tonewall-wait, light-dark(#8a5a00, #ffdb9a)); }
.message:empty { display: none; }
.message { color: var(--tonewall-bad, light-dark(#8a1c16, #ffc9c4)); }
ol { display: grid; gap: .5rem; list-style: none; }
li { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; padding: .5rem .7rem; border: 1px solid var(--edge);
  border-radius: var(--tonewall-radius, .65rem); }
li[aria-current] { border: 2px solid var(--accent); }
.label { font-weight: 600; }
.state { margin-inline-end: auto; }
.dots { flex-basis: 100%; min-height: 1.2em; letter-spacing: .2em; overflow-wrap: anywhere; }
.buttons, .calls { display: flex; flex-wrap: wrap; gap: .5rem; }
button { min-height: 2.75rem; padding: .5rem 1rem; border: 1px solid var(--edge); border-radius: var(--tonewall-radius, .65rem);
  background: none; color: inherit; font: inherit; cursor: pointer; }
button.main { flex: 1 1 100%; background: var(--accent); color: var(--tonewall-on-accent, light-dark(#fff, #06201d)); border-color: transparent; font-weight: 650; }
button:disabled { opacity: .55; cursor: default; }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`);
