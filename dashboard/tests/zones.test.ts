import { describe, expect, it } from "vitest";
import { timeLabels } from "../src/model/axes";
import { dateTimeToMs, dateTimeWithZone, timeOfDay } from "../src/model/times";

const BERLIN = "Europe/Berlin";

describe("the hour that occurs twice", () => {
  // 25 October 2026: at 01:00 UTC Berlin's clocks go from 03:00 CEST back to 02:00 CET.
  it.each([
    ["2026-10-24T23:59:59.000Z", "2026-10-25 01:59:59"],
    ["2026-10-25T00:00:00.000Z", "2026-10-25 02:00:00 CEST"],
    ["2026-10-25T00:59:59.000Z", "2026-10-25 02:59:59 CEST"],
    ["2026-10-25T01:00:00.000Z", "2026-10-25 02:00:00 CET"],
    ["2026-10-25T01:59:59.000Z", "2026-10-25 02:59:59 CET"],
    ["2026-10-25T02:00:00.000Z", "2026-10-25 03:00:00"],
    ["2026-03-29T01:00:00.000Z", "2026-03-29 03:00:00"], // an hour that is left out
    ["2026-11-25T01:30:00.000Z", "2026-11-25 02:30:00"],
  ])("is marked with the zone's short name: %s", (iso, text) => {
    expect(dateTimeWithZone(iso, BERLIN)).toBe(`${text} ${BERLIN}`);
    const [day = "", time = "", name] = text.split(" ");
    const marked = name === undefined ? "" : ` ${name}`;
    expect(dateTimeToMs(iso, BERLIN)).toBe(`${day} ${time}.000${marked}`);
    expect(timeOfDay(Date.parse(iso), BERLIN)).toBe(`${time}${marked}`);
    expect(timeOfDay(Date.parse(iso), BERLIN, false)).toBe(`${time.slice(0, 5)}${marked}`);
    expect(dateTimeWithZone(iso, "UTC")).not.toMatch(/CES?T/);
  });

  it.each([
    ["America/New_York", "2026-11-01T05:30:00Z", "01:30:00 EDT"],
    ["America/New_York", "2026-11-01T06:30:00Z", "01:30:00 EST"],
    ["Australia/Lord_Howe", "2026-04-04T14:45:00Z", "01:45:00 LHDT"], // put back by half an hour
    ["Australia/Lord_Howe", "2026-04-04T15:15:00Z", "01:45:00 LHST"],
    ["Africa/Casablanca", "2027-02-07T01:30:00Z", "02:30:00 GMT+1"], // has no abbreviation
    ["America/Sao_Paulo", "2026-11-01T05:30:00Z", "02:30:00"], // no longer puts its clocks back
  ])("differs between zones: %s at %s", (zone, iso, text) => {
    expect(timeOfDay(Date.parse(iso), zone)).toBe(text);
  });

  it("is marked on an axis", () => {
    const first = Date.parse("2026-10-25T00:00:00Z") / 1000;
    const ticks = [0, 1, 2, 3, 4].map((half) => first + half * 1800);
    expect(timeLabels(ticks, [first, first + 7_200], BERLIN)).toEqual([
      "02:00 CEST",
      "02:30 CEST",
      "02:00 CET",
      "02:30 CET",
      "03:00",
    ]);
  });
});
