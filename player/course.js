/**
 * Where a viewer is, and what there is to say of it: takes events in, one after the other, has their
 * effects performed, and keeps the view. Nothing else changes its state.
 */

import { step } from './machine.js';
import { consequences, NOTHING } from './view.js';

/** @typedef {import('./machine.js').Effect} Effect */
/** @typedef {import('./view.js').View} View */
/**
 * @typedef {{
 *   perform: Record<Effect, (reason: string) => void>,
 *   left: (effects: readonly Effect[]) => Partial<View>,
 *   changed: (view: View) => void,
 * }} Performer `left`: what there is to see after these effects were performed.
 */

export class Course {
  /** @type {View} */
  view = NOTHING;
  /** @type {import('./view.js').Happening[]} */
  #events = [];

  /** @param {Performer} performer */
  constructor(performer) {
    this.performer = performer;
  }

  /**
   * Takes the event in, after those before it: an effect, or whoever listens to `changed`, may
   * bring about the next one.
   *
   * @param {import('./machine.js').Event} event
   * @param {import('./view.js').Reason | null} reason
   */
  happened(event, reason = null) {
    this.#events.push({ event, reason });
    if (this.#events.length > 1) return;
    for (; this.#events.length > 0; this.#events.shift()) this.#take(this.#events[0]);
  }

  /** @param {import('./view.js').Happening} happening */
  #take(happening) {
    const { perform, left } = this.performer;
    const from = this.view.state;
    const { to, effects } = step(from, happening.event);
    for (const effect of effects) perform[effect](happening.reason?.code ?? '');
    this.update({ state: to, ...left(effects), ...consequences(from, to, happening) });
  }

  /** @param {Partial<View>} facts */
  update(facts) {
    const changed = Object.entries(facts).some(([k, v]) => this.view[/** @type {keyof View} */ (k)] !== v);
    if (!changed) return;
    this.view = { ...this.view, ...facts };
    this.performer.changed(this.view);
  }
}
