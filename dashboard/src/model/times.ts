// Times and durations as text: times in a chosen time zone, durations in at most two units.
import { abbreviation, comesTwice, formatOf } from "./zones";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Return seconds as text: 63 ms, 0.4 s, 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h; "–" if there are
 * none. They are rounded to the millisecond, and then always down: the time that is shown has
 * passed in full. The command line has the same rule.
 */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) {
    return "–";
  }
  const milliseconds = Math.round(Math.max(0, seconds) * 1000);
  const whole = Math.floor(milliseconds / 1000);
  if (milliseconds > 0 && milliseconds < 100) {
    return `${milliseconds} ms`;
  }
  if (whole < 10) {
    return `${whole}.${Math.floor((milliseconds % 1000) / 100)} s`;
  }
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  if (whole < HOUR) {
    return inTwoUnits(whole, MINUTE, "min", 1, "s");
  }
  return whole < DAY
    ? inTwoUnits(whole, HOUR, "h", MINUTE, "min")
    : inTwoUnits(whole, DAY, "d", HOUR, "h");
}

/** Return the text of a running timer in its largest unit only, for narrow places. */
export function coarseTimerText(seconds: number): string {
  return timerText(seconds).split(" ").slice(0, 2).join(" ");
}

/** Return the text of a running timer: whole seconds, because it is drawn once a second. */
export function timerText(seconds: number): string {
  return seconds < 10 ? `${Math.max(0, Math.floor(seconds))} s` : duration(seconds);
}

function inTwoUnits(
  whole: number,
  unit: number,
  name: string,
  next: number,
  nextName: string,
): string {
  const rest = Math.floor((whole % unit) / next);
  const first = `${Math.floor(whole / unit)} ${name}`;
  return rest === 0 ? first : `${first} ${rest} ${nextName}`;
}

/** Return the seconds from `since` to `now`, both in milliseconds since 1970; never less than 0. */
export function elapsed(since: number, now: number): number {
  return Math.max(0, (now - since) / 1000);
}

/** Return date and time to the second, with the time zone: 2026-11-25 16:00:00 UTC. */
export function dateTimeWithZone(iso: string | null, zone: string): string {
  return iso === null
    ? "–"
    : `${formatOf(zone).format(new Date(iso))}${zoneMark(Date.parse(iso), zone)} ${zone}`;
}

/** Return date and time to the millisecond, without the time zone: 2026-11-25 16:00:00.000. */
export function dateTimeToMs(iso: string, zone: string): string {
  const moment = new Date(iso);
  const fraction = String(moment.getUTCMilliseconds()).padStart(3, "0");
  return `${formatOf(zone).format(moment)}.${fraction}${zoneMark(moment.getTime(), zone)}`;
}

/** Return the time of day: 16:00:00, or 16:00 if not `isFine`. */
export function timeOfDay(milliseconds: number, zone: string, isFine = true): string {
  const time = formatOf(zone).format(new Date(milliseconds)).slice(-8);
  return (isFine ? time : time.slice(0, 5)) + zoneMark(milliseconds, zone);
}

/** Return " CEST" or " CET" if the local time occurs twice in the zone, or else "". */
function zoneMark(milliseconds: number, zone: string): string {
  return comesTwice(milliseconds, zone) ? ` ${abbreviation(milliseconds, zone)}` : "";
}

/** Return the date without the year: 25 Nov. */
export function dayOf(milliseconds: number, zone: string): string {
  const [, month = "", day = ""] = formatOf(zone).format(new Date(milliseconds)).split(/[- ]/);
  return `${Number(day)} ${MONTHS[Number(month) - 1] ?? ""}`;
}

export const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zones at the top of the list: UTC, then the browser's. */
export const FIRST_ZONES: readonly string[] = [...new Set(["UTC", BROWSER_ZONE])];

/** Return all other zones that the browser knows, by region: their names up to the first /. */
export function regions(): Map<string, string[]> {
  const others = Intl.supportedValuesOf("timeZone").filter((each) => !FIRST_ZONES.includes(each));
  const found = new Map<string, string[]>();
  for (const each of others) {
    const region = each.includes("/") ? each.slice(0, each.indexOf("/")) : "Other";
    found.set(region, [...(found.get(region) ?? []), each]);
  }
  return found;
}
