// Time zones: a zone's local time and its offset from UTC, and which local times occur twice
// because clocks are put back.
const QUARTER = 900_000; // milliseconds; offsets change only at quarters of an hour of UTC
const MAX_SHIFT = 3 * 3_600_000; // milliseconds; clocks are put back by less than this
const MAX_OFFSETS = 10_000; // offsets that are cached

const formats = new Map<string, Intl.DateTimeFormat>();

/** Return the format of a zone's local time: 2026-11-25 16:00:00. */
export function formatOf(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    known = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
    });
    formats.set(zone, known);
  }
  return known;
}

const offsets = new Map<string, number>();

/** Return the milliseconds by which a zone is ahead of UTC at a time. */
function offsetOf(milliseconds: number, zone: string): number {
  const quarter = Math.floor(milliseconds / QUARTER) * QUARTER;
  const key = `${zone} ${quarter}`;
  let known = offsets.get(key);
  if (known === undefined) {
    known = Date.parse(`${formatOf(zone).format(new Date(quarter)).replace(" ", "T")}Z`) - quarter;
    if (offsets.size >= MAX_OFFSETS) {
      offsets.clear();
    }
    offsets.set(key, known);
  }
  return known;
}

/** Return whether a zone's local time at this time occurs twice, because clocks are put back. */
export function comesTwice(milliseconds: number, zone: string): boolean {
  const here = offsetOf(milliseconds, zone);
  return [-MAX_SHIFT, MAX_SHIFT].some((by) => {
    const there = offsetOf(milliseconds + by, zone);
    // The other time with the same local time, if the offset then is really `there`.
    return there !== here && offsetOf(milliseconds + here - there, zone) === there;
  });
}

// The language decides which zones have an abbreviation, and which are shown as "GMT+2".
const LANGUAGES = ["en-GB", "en-US", "en-CA", "en-AU", "en-IN"];

/** Return the short name of a zone at a time: CEST, CET, EDT, GMT+2. */
export function abbreviation(milliseconds: number, zone: string): string {
  const names = LANGUAGES.map((language) => {
    const style = { timeZone: zone, timeZoneName: "short" } as const;
    const parts = new Intl.DateTimeFormat(language, style).formatToParts(new Date(milliseconds));
    return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  });
  return names.find((name) => !/^(GMT|UTC)[+-]/.test(name)) ?? names[0] ?? "";
}
