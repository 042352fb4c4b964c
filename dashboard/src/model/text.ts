// Text that others wrote, made safe to show: characters that are invisible or change the direction
// of text are written out, and long text is cut. It is still text, not HTML, and must be shown as
// such.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Return text, cut to `maxLength`, with each invisible character written out, as in ⟨202E⟩. */
export function visible(text: string, maxLength = 300): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(HIDDEN, (each) => {
    const code = (each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `⟨${code}⟩`;
  });
}

const END_LENGTH = 9; // characters: enough to tell a UUID from thousands of others
const MAX_MARKS = 32; // combining marks that are not cut off their character
const MAX_UNCUT = 24; // characters of a text that is not cut

/** Split a text so that its end can be shown if there is no room for all; the end may be "". */
export function halves(text: string): readonly [string, string] {
  if (text.length <= MAX_UNCUT) {
    return [text, ""];
  }
  let at = text.length - END_LENGTH;
  const earliest = Math.max(0, at - MAX_MARKS);
  while (at > earliest && /^[\udc00-\udfff\p{M}]/u.test(text.slice(at))) {
    at -= 1; // not within a surrogate pair, or between a character and its marks
  }
  return [text.slice(0, at), text.slice(at)];
}

/** Return the message of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

export interface Excerpt {
  text: string;
  isCut: boolean;
}

/** Return a value as indented JSON with visible characters, cut to so many characters and lines. */
export function pretty(value: unknown, maxCharacters = 50_000, maxLines = 1_000): Excerpt {
  const whole = JSON.stringify(value, null, 2);
  const lines = whole.slice(0, maxCharacters).split("\n", maxLines);
  const text = lines.join("\n");
  return { text: visible(text, Infinity), isCut: text.length < whole.length };
}
