// A chart's legend: the name, line style and pattern of each line, and its value at one step.
import type { Line } from "../model/chartdata";
import { MARKS } from "./paint";

interface Properties {
  lines: readonly Line[];
  when: string;
  /** Whether a part of the step is in a gap. */
  isInGap: boolean;
  valueOf: (line: Line) => string;
}

export function Legend({ lines, when, isInGap, valueOf }: Properties) {
  return (
    <div class="legend">
      <p class="when figure">
        {when}
        {isInGap && <span class="busy"> ⚠ in a gap</span>}
      </p>
      <dl>
        {lines.map((line) => (
          <div data-line={line.label}>
            <dt>
              <Swatch line={line} /> {line.label}
            </dt>
            <dd class="figure">{valueOf(line)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Swatch({ line }: { line: Line }) {
  return (
    <svg class={`swatch of-${line.colour}`} viewBox="0 0 24 12" aria-hidden="true">
      {line.mark && (
        <>
          <rect class="band" y="2" width="24" height="10" />
          {[0, 8, 16].map((x) => (
            <path
              class={`mark ${line.mark}`}
              d={MARKS[line.mark ?? "plain"]}
              transform={`translate(${x} 3)`}
            />
          ))}
        </>
      )}
      <line
        x1="0"
        x2="24"
        y1={line.mark ? 2 : 6}
        y2={line.mark ? 2 : 6}
        stroke-dasharray={line.dash?.join(" ")}
      />
    </svg>
  );
}
