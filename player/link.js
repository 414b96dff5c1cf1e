/**
 * The link: `http://host:4545/#room.secret`, or `/#room` for a public room.
 *
 * Everything private is in the fragment, which a browser sends to no server (RFC 9110 §7.1).
 */

/** @typedef {{ room: string, secret: string | null }} Link */

const FRAGMENT = /^#?([A-Za-z0-9][A-Za-z0-9_-]{0,63})(?:\.([A-Za-z0-9_-]+))?$/;

/**
 * Room and secret of a fragment; null when it names no room.
 *
 * @param {string} fragment
 * @returns {Link | null}
 */
export function parseFragment(fragment) {
  const match = FRAGMENT.exec(unescaped(fragment.trim()));
  return match && { room: match[1], secret: match[2] ?? null };
}

/**
 * What a person pasted: a whole link, or only its end.
 *
 * @param {string} text
 * @returns {Link | null}
 */
export function parseLink(text) {
  return parseFragment(text.slice(text.indexOf('#') + 1));
}

/** @param {Link} link */
export const fragment = ({ room, secret }) => `#${room}${secret ? `.${secret}` : ''}`;

const KEY_ROOM = /^[a-z2-7]{32}$/; // PROTOCOL.md §1

/** The room as people can tell it from others; a name that somebody chose stays as it is. @param {string} room */
export const shortened = (room) => (KEY_ROOM.test(room) ? `${room.slice(0, 6)}…${room.slice(-6)}` : room);

/** Messengers escape what they do not know. @param {string} text */
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
