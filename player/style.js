/**
 * How the player looks. The picture's surround is dark in every theme, as in a cinema; a page
 * may set the custom properties named --porthole-… and style the parts.
 */

const CSS = `
:host {
  --accent: var(--porthole-accent, #7cc7ff);
  /* Light with dark inside: one of the two stands out on any page and any picture. */
  --ring: 3px solid var(--porthole-ring, var(--accent));
  --ring-gap: 0 0 0 3px #0a0f16;
  --surround: var(--porthole-surround, #0a0f16);
  --text: var(--porthole-text, #f2f6fa);
  --soft: var(--porthole-soft-text, #b9c6d3);
  --radius: var(--porthole-radius, 16px);
  display: block;
  container-type: inline-size;
  font: 400 16px/1.5 var(--porthole-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  color: var(--text);
}
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
p, dl, dd { margin: 0; }
[hidden] { display: none !important; }

.player { height: 100%; }
.stage {
  position: relative;
  display: grid;
  overflow: hidden;
  width: 100%;
  aspect-ratio: var(--aspect, 16 / 9);
  min-height: 260px;
  max-height: var(--porthole-max-height, none);
  border-radius: var(--radius);
  background: radial-gradient(120% 90% at 50% 0%, #16222f 0%, var(--surround) 70%);
  isolation: isolate;
}
.stage:fullscreen { border-radius: 0; max-height: none; background: #000; }
.stage:focus-visible { outline: var(--ring); outline-offset: 3px; box-shadow: var(--ring-gap); }
.stage:fullscreen:focus-visible { outline: none; } /* it is all there is */

video, .still {
  position: absolute;
  z-index: -1;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: contain;
  transition: opacity .35s ease, filter .35s ease;
}
video { opacity: 0; }
.still { opacity: 0; pointer-events: none; }
.has-picture video { opacity: 1; }
.has-still .still { opacity: 1; transition-duration: 0s, .35s; }
.has-still.has-message .still, .has-picture.has-message video { filter: brightness(.55) saturate(.55); }

/* ── over the picture, or in its place ── */
.scene {
  display: flex;
  flex-direction: column;
  align-items: center;
  justify-content: center;
  gap: clamp(10px, 2.4cqw, 26px);
  min-height: 0;
  padding: 58px 16px 66px;
  pointer-events: none;
}
.has-picture .scene, .has-still .scene { justify-content: flex-end; }
.scene:has(.call[data-offer="play"]:not([hidden])) { justify-content: center; }

.porthole {
  flex: 0 1 auto;
  width: clamp(84px, 19cqw, 176px);
  min-height: 0;
  animation: appear .35s ease both;
}
.has-picture .porthole, .has-still .porthole { display: none; }
.porthole .rim { fill: #1d2b3a; stroke: #3a4f64; stroke-width: 1.5; }
.porthole .bolts { fill: #4b627a; stroke: none; }
.porthole .glass { fill: #0d1721; stroke: none; }
.porthole .ring { fill: none; stroke: #4b627a; stroke-width: 2.5; }
.porthole .wave { fill: var(--accent); stroke: none; animation: drift 7s linear infinite; }
.porthole .far { opacity: .28; animation-duration: 11s; }
.porthole .near { opacity: .5; }
[data-tone="error"] .wave, [data-tone="quiet"] .wave { animation-play-state: paused; }
@keyframes drift { to { transform: translateX(60px); } }

/* ── words ── */
.chip {
  position: absolute;
  top: 14px;
  left: 14px;
  display: inline-flex;
  align-items: center;
  gap: 7px;
  padding: 5px 13px 5px 9px;
  border-radius: 99px;
  background: rgb(8 13 20 / .78);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .14);
  backdrop-filter: blur(10px);
  font-size: 14px;
  font-weight: 600;
  letter-spacing: .01em;
}
.tone { display: grid; color: var(--tone); }
.tone svg { width: 18px; height: 18px; }
[data-tone="quiet"] { --tone: #b9c6d3; }
[data-tone="busy"] { --tone: #7cc7ff; }
[data-tone="live"] { --tone: #4ade9b; }
[data-tone="warning"] { --tone: #ffcc66; }
[data-tone="error"] { --tone: #ff9d94; }

.message {
  display: grid;
  gap: 4px;
  max-width: 560px;
  pointer-events: auto;
  text-align: center;
  text-wrap: balance;
}
.message:not(.said) { display: none; }
.message.said { animation: appear .35s ease both; }
@keyframes appear { from { opacity: 0; transform: translateY(6px); } }
.title { font-size: clamp(18px, 2.6cqw, 24px); font-weight: 650; line-height: 1.3; letter-spacing: -.01em; }
.detail { color: var(--soft); font-size: 15px; }
.has-picture .message, .has-still .message, [data-tone="error"] .message {
  padding: 16px 22px;
  border-radius: 14px;
  background: rgb(8 13 20 / .84);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .12), 0 12px 40px rgb(0 0 0 / .35);
  backdrop-filter: blur(14px);
}
[data-tone="error"] .message { box-shadow: inset 0 0 0 2px var(--tone), 0 12px 40px rgb(0 0 0 / .35); }
[data-tone="error"] .detail { color: var(--text); }

/* ── buttons ── */
svg { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
button {
  min-width: 44px;
  min-height: 44px;
  border: 0;
  color: inherit;
  font: inherit;
  cursor: pointer;
  -webkit-tap-highlight-color: transparent;
}
button:focus-visible { outline: var(--ring); outline-offset: 3px; box-shadow: var(--ring-gap); }
button svg { display: block; width: 24px; height: 24px; }
.bar {
  position: absolute;
  z-index: -1;
  inset: auto 0 0;
  display: flex;
  gap: 6px;
  padding: 36px 12px 10px;
  background: linear-gradient(transparent, rgb(5 9 14 / .82));
  transition: opacity .25s ease;
}
.gap { flex: 1; }
.route {
  align-self: center;
  padding: 4px 10px;
  border-radius: 10px;
  background: rgb(8 13 20 / .6);
  font-size: 14px;
  line-height: 1.25;
  text-align: center;
}
.route:has(.short:empty) { display: none; }
.route .long { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } /* heard, not seen */
.bar button {
  display: grid;
  place-items: center;
  padding: 0;
  border-radius: 12px;
  background: rgb(8 13 20 / .6);
  transition: background .2s ease;
}
.bar button[aria-pressed="true"] { background: rgb(58 78 98 / .92); }
@media (hover: hover) {
  .bar button:hover { background: rgb(58 78 98 / .92); }
  .stage.has-picture:not(.has-message, :hover, :focus-visible, :has(:focus-visible)) .bar { opacity: 0; }
  .stage.at-rest .bar { opacity: 0; }
  .stage.at-rest { cursor: none; }
}

.call {
  display: flex;
  flex: none;
  align-items: center;
  gap: 10px;
  pointer-events: auto;
  padding: 12px 24px 12px 18px;
  border-radius: 99px;
  background: rgb(242 246 250 / .95);
  color: #0b1118;
  font-size: 17px;
  font-weight: 650;
  white-space: nowrap;
  box-shadow: 0 10px 34px rgb(0 0 0 / .45);
  transition: background .2s ease, scale .2s ease;
}
.call:hover { background: #fff; scale: 1.03; }
/* Whoever wants to see and not to hear gets the whole picture; it comes back with the pointer. */
.call[data-offer="hear"] { animation: appear .35s ease both, leave .5s 20s ease forwards; }
.stage:hover .call, .call:focus-visible { animation: none; }
@keyframes leave { to { opacity: 0; visibility: hidden; } }

/* ── statistics ── */
.panel {
  position: absolute;
  top: 14px;
  right: 14px;
  width: min(340px, calc(100% - 28px));
  max-height: calc(100% - 28px - 58px);
  overflow: auto;
  padding: 12px 16px;
  border-radius: 14px;
  background: rgb(8 13 20 / .86);
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .12);
  backdrop-filter: blur(14px);
  font-size: 14px;
  font-variant-numeric: tabular-nums;
}
.panel dl { display: grid; grid-template-columns: auto 1fr; gap: 3px 16px; }
.panel dt { color: var(--soft); }
.panel dd { text-align: right; font-weight: 550; }

@container (max-width: 520px) {
  .stage { min-height: 330px; }
  .scene { padding: 50px 12px 62px; }
  .porthole { max-height: 96px; }
  .chip { top: 10px; left: 10px; }
  .detail { font-size: 14px; line-height: 1.4; }
  .has-picture .message, .has-still .message, [data-tone="error"] .message { padding: 12px 14px; }
  .panel { top: 54px; right: 10px; width: calc(100% - 20px); max-height: calc(100% - 54px - 62px); padding: 4px 14px; font-size: 13px; line-height: 1.28; }
  .panel dl { gap: 0 16px; }
  .bar { gap: 4px; }
  .route { padding: 4px; font-size: 13px; white-space: nowrap; }
}

@media (prefers-reduced-motion: reduce) {
  /* At once instead of never: what leaves by an animation must still leave. */
  *, *::before, *::after {
    animation-duration: 0s !important;
    animation-iteration-count: 1 !important;
    transition-duration: 0s !important;
  }
}
@media not (prefers-reduced-motion: reduce) {
  .turning { transform-origin: 50% 50%; animation: turn 1.1s linear infinite; }
  .pulse { transform-origin: 50% 50%; animation: pulse 2.4s ease-out infinite; }
}
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes pulse { from { opacity: .9; transform: scale(.6); } 70%, to { opacity: .15; transform: scale(1.1); } }
@media (forced-colors: active) {
  /* The system's colours replace ours, but not our transparency: nothing may shine through. */
  .chip, .message.said, .panel, .route { border: 1px solid CanvasText; background: Canvas !important; }
  .message.said { padding: 12px 14px; border-radius: 14px; }
  .bar button, .call { border: 1px solid ButtonText; background: ButtonFace !important; transition: none; }
  .bar button[aria-pressed="true"] { background: Highlight !important; color: HighlightText; forced-color-adjust: none; }
}
`;

/** @param {ShadowRoot} root */
export function dress(root) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];
}
