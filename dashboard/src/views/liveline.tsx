// The live line: in one line, how far the page can be trusted.
//
// The text is computed apart from the component, so that pageguard.ts can compare what the page
// shows with what it should show.
import { computed } from "@preact/signals";
import { hangingMessage } from "../api/connectionlimit";
import { visible } from "../model/text";
import { timeOfDay } from "../model/times";
import { connection, paused } from "../state/connection";
import { retry } from "../state/live";
import { zone } from "../state/settings";

const SIGNS = { connecting: "◌", live: "●", catching_up: "◐", disconnected: "✕", resting: "◌" };

/** The text of the line, with its sign, in parts. */
export const lineParts = computed(() => {
  const { condition, since, why, next } = connection.value;
  const words = {
    connecting: "connecting…",
    live: "live",
    catching_up: "catching up…",
    disconnected: `disconnected since ${timeOfDay(since, zone.value)}`,
    resting: "no updates while this tab is hidden",
  }[condition];
  const parts = [`${SIGNS[condition]} ${words}${paused.value ? ", paused" : ""}`];
  if (condition === "disconnected") {
    parts.push(
      `${why === null ? "" : `: ${visible(why, 300)}`}. Everything below may be out of date.`,
    );
    if (next !== null) {
      parts.push(` Next try at ${timeOfDay(next, zone.value)}.`);
    }
  } else if (hangingMessage.value !== null) {
    parts.push(`: ${hangingMessage.value}`);
  }
  return parts;
});

export function LiveLine() {
  const { condition } = connection.value;
  const [first, ...rest] = lineParts.value;
  return (
    <div class="standing">
      <p id="live" role="status" data-condition={condition} class={`live ${condition}`}>
        {first}
        {rest.length > 0 && <span class="why">{rest.join("")}</span>}
      </p>
      {condition === "disconnected" && (
        <button type="button" class="small" onClick={retry}>
          Try now
        </button>
      )}
    </div>
  );
}
