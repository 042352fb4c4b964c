// The page around the views: where one can go, and how fresh all is.
import { useSignalEffect } from "@preact/signals";
import { refused } from "../api/credentials";
import { valueOf } from "../model/address";
import { visible } from "../model/text";
import { BROWSER_ZONE, NEAREST, regions, timeOfDay } from "../model/times";
import { Foreign } from "../parts/words";
import { isHelpOpen } from "../state/keys";
import { held } from "../state/changes";
import { connection, paused } from "../state/connection";
import { place } from "../state/place";
import { times, zone } from "../state/settings";
import { BoardView } from "./board";
import { Conductors } from "./conductors";
import { Help } from "./help";
import { ItselfView } from "./itself";
import { JobView } from "./job";
import { Overview } from "./overview";
import { SignIn } from "./signin";

const VIEWS = [
  ["overview", "#/", "Boards"],
  ["conductors", "#/conductors", "Conductors"],
  ["canary", "#/canary", "Canary"],
] as const;

const REGIONS = regions();

const WITHIN: Record<string, string> = { board: "overview", job: "overview" };

export function Page() {
  const { view } = place.value;
  useSignalEffect(() => {
    const { view: shown, query } = place.value;
    const job = shown === "job" ? (valueOf(query, "uuid") ?? valueOf(query, "znode")) : null;
    const name = job ?? valueOf(query, "path") ?? VIEWS.find(([each]) => each === shown)?.[2];
    document.title = name ? `${visible(name, 100)} · Canary` : "Canary";
  });
  return (
    <>
      <a class="unseen skip" href="#page" onClick={skip}>
        To the content
      </a>
      <header>
        <nav aria-label="Views">
          <a class="home" href="#/">
            Canary
          </a>
          {VIEWS.map(([name, hash, words]) => (
            <a href={hash} aria-current={(WITHIN[view] ?? view) === name ? "page" : undefined}>
              {words}
            </a>
          ))}
          <a href="docs">API</a>
        </nav>
        <LiveLine />
        <Tools />
      </header>
      {refused.value === null ? <View view={view} /> : <SignIn />}
      {isHelpOpen.value && <Help />}
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  const main = document.querySelector<HTMLElement>("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

function View({ view }: { view: string }) {
  switch (view) {
    case "overview":
      return <Overview />;
    case "board":
      return <BoardView />;
    case "job":
      return <JobView />;
    case "conductors":
      return <Conductors />;
    case "canary":
      return <ItselfView />;
    default:
      return (
        <main>
          <h1>Nothing is here</h1>
          <p>
            There is no view of that name. <a href="#/">All boards</a>
          </p>
        </main>
      );
  }
}

function LiveLine() {
  const { condition, since, why } = connection.value;
  const at = timeOfDay(since, zone.value);
  const words = {
    connecting: "connecting…",
    live: "live",
    catching_up: "catching up…",
    disconnected: `disconnected since ${at}`,
  }[condition];
  const signs = { connecting: "◌", live: "●", catching_up: "◐", disconnected: "✕" };
  return (
    <p id="live" role="status" data-condition={condition} class={`live ${condition}`}>
      <span aria-hidden="true">{signs[condition]}</span> {words}
      {paused.value && ", paused"}
      {condition === "disconnected" && why !== null && (
        <span class="why">
          : <Foreign text={why} most={120} />. Nothing below is live.
        </span>
      )}
    </p>
  );
}

function Tools() {
  return (
    <div class="tools">
      <button
        type="button"
        class="small"
        aria-pressed={paused.value}
        onClick={() => (paused.value = !paused.value)}
      >
        {paused.value ? `▶ Go on${held.value ? ` (${held.value} new)` : ""}` : "‖ Pause"}
      </button>
      <button
        type="button"
        class="small"
        aria-pressed={times.value === "exact"}
        onClick={() => (times.value = times.value === "exact" ? "relative" : "exact")}
      >
        Exact times
      </button>
      <label>
        <span class="unseen">Time zone</span>
        <select
          class="small"
          value={zone.value}
          onChange={(event) => (zone.value = event.currentTarget.value)}
        >
          {NEAREST.map((each) => (
            <option value={each}>
              {each}
              {each === BROWSER_ZONE && each !== "UTC" && " (here)"}
            </option>
          ))}
          {[...REGIONS].map(([region, zones]) => (
            <optgroup label={region}>
              {zones.map((each) => (
                <option value={each}>{each.replace(`${region}/`, "").replaceAll("_", " ")}</option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="small"
        aria-label="Help"
        onClick={() => (isHelpOpen.value = true)}
      >
        ?
      </button>
    </div>
  );
}
