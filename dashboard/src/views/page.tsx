// The page around the views: navigation, live line, and tools.
import { useSignalEffect } from "@preact/signals";
import { signInMethods } from "../api/credentials";
import { valueOf } from "../model/address";
import { visible } from "../model/text";
import { BROWSER_ZONE, FIRST_ZONES, regions } from "../model/times";
import { isHelpOpen } from "../state/keyboard";
import { heldCount } from "../state/changes";
import { paused } from "../state/connection";
import { place } from "../state/place";
import { times, zone } from "../state/settings";
import { BoardView } from "./board";
import { Conductors } from "./conductors";
import { Help } from "./help";
import { CanaryView } from "./canary";
import { JobView } from "./job";
import { LiveLine } from "./liveline";
import { Overview } from "./overview";
import { SignIn } from "./signin";

const VIEWS = [
  ["overview", "#/", "Boards"],
  ["conductors", "#/conductors", "Conductors"],
  ["canary", "#/canary", "Canary"],
] as const;

const REGIONS = regions();

const PARENT_VIEW: Record<string, string> = { board: "overview", job: "overview" };

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
      <a class="unseen skip" href="#page" onClick={focusMain}>
        Skip to content
      </a>
      <header>
        <nav aria-label="Views">
          <a class="home" href="#/">
            Canary
          </a>
          {VIEWS.map(([name, hash, words]) => (
            <a href={hash} aria-current={(PARENT_VIEW[view] ?? view) === name ? "page" : undefined}>
              {words}
            </a>
          ))}
          <a href="docs">API</a>
        </nav>
        <LiveLine />
        <Tools />
      </header>
      {signInMethods.value === null ? <View view={view} /> : <SignIn />}
      {isHelpOpen.value && <Help />}
    </>
  );
}

function focusMain(event: Event): void {
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
      return <CanaryView />;
    default:
      return (
        <main>
          <h1>Page not found</h1>
          <p>
            There is no view with this name. <a href="#/">All boards</a>
          </p>
        </main>
      );
  }
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
        {paused.value ? `▶ Resume${heldCount.value ? ` (${heldCount.value} new)` : ""}` : "‖ Pause"}
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
          {FIRST_ZONES.map((each) => (
            <option value={each}>
              {each}
              {each === BROWSER_ZONE && each !== "UTC" && " (browser)"}
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
