// Times for people: exact ones in a zone of their choice, durations in two units at most.
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Seconds as text: 63 ms, 0.4 s, 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) {
    return "–";
  }
  const whole = Math.floor(Math.max(0, seconds));
  if (seconds > 0 && seconds < 0.1) {
    return `${Math.ceil(seconds * 1000)} ms`;
  }
  if (seconds < 10) {
    return `${Math.max(0, seconds).toFixed(1)} s`;
  }
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  if (whole < HOUR) {
    return two(whole, MINUTE, "min", 1, "s");
  }
  return whole < DAY ? two(whole, HOUR, "h", MINUTE, "min") : two(whole, DAY, "d", HOUR, "h");
}

/** Seconds that still count up, as text: whole ones, since they are drawn once a second. */
export function counting(seconds: number): string {
  return seconds < 10 ? `${Math.max(0, Math.floor(seconds))} s` : duration(seconds);
}

function two(whole: number, unit: number, name: string, next: number, nextName: string): string {
  const rest = Math.floor((whole % unit) / next);
  const first = `${Math.floor(whole / unit)} ${name}`;
  return rest === 0 ? first : `${first} ${rest} ${nextName}`;
}

/** Seconds that have passed between a moment and `now`, both in milliseconds since 1970. */
export function passed(since: number, now: number): number {
  return Math.max(0, (now - since) / 1000);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
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

/** A moment with its date, to the second, with the zone's name: 2026-11-25 16:00:00 UTC. */
export function exact(iso: string | null, zone: string): string {
  return iso === null ? "–" : `${format(zone).format(new Date(iso))} ${zone}`;
}

/** The same to the millisecond and without the zone, for lists whose head names it. */
export function precise(iso: string, zone: string): string {
  const moment = new Date(iso);
  const fraction = String(moment.getUTCMilliseconds()).padStart(3, "0");
  return `${format(zone).format(moment)}.${fraction}`;
}

/** Only the time of day: 16:00:00. */
export function timeOfDay(milliseconds: number, zone: string): string {
  return format(zone).format(new Date(milliseconds)).slice(-8);
}

/** Only the day: 25 Nov. */
export function dayOf(milliseconds: number, zone: string): string {
  const [, month = "", day = ""] = format(zone).format(new Date(milliseconds)).split(/[- ]/);
  return `${Number(day)} ${MONTHS[Number(month) - 1] ?? ""}`;
}

export const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** UTC first, then the browser's own. */
export const NEAREST: readonly string[] = [...new Set(["UTC", BROWSER_ZONE])];

/** All other zones that the browser knows, by region: the part of their names before the first /. */
export function regions(): Map<string, string[]> {
  const others = Intl.supportedValuesOf("timeZone").filter((each) => !NEAREST.includes(each));
  const found = new Map<string, string[]>();
  for (const each of others) {
    const region = each.includes("/") ? each.slice(0, each.indexOf("/")) : "Other";
    found.set(region, [...(found.get(region) ?? []), each]);
  }
  return found;
}
