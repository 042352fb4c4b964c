// Text that somebody else wrote, made visible: what would turn the writing around, hide, or fill the
// page is shown as what it is.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Return text with each character that can't be seen written out, as in ⟨202E⟩. */
export function visible(text: string, most = 300): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(HIDDEN, (each) => {
    const code = (each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `⟨${code}⟩`;
  });
}

/** Return what to show of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

export interface Excerpt {
  text: string;
  isCut: boolean;
}

/** Return JSON for people, at most so many characters and lines of it. */
export function pretty(value: unknown, mostCharacters = 50_000, mostLines = 1_000): Excerpt {
  const whole = JSON.stringify(value, null, 2);
  const lines = whole.slice(0, mostCharacters).split("\n", mostLines);
  const text = lines.join("\n");
  return { text: visible(text, Infinity), isCut: text.length < whole.length };
}
