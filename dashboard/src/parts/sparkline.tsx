// A small chart of the number of changes in each step: posted, claimed and ended.
//
// A step whose number is not known has a flat grey mark and not a bar. Gaps are marked. The last
// step is faint, because it is not over.
import type { Series } from "../api/types";
import { duration } from "../model/times";

const WIDTH = 120;
const HEIGHT = 24;

export function Sparkline({ series }: { series: Series | undefined }) {
  if (!series) {
    return <span class="quiet">…</span>;
  }
  const sums = series.posted.map((posted, step) =>
    posted === null ? null : posted + (series.claimed[step] ?? 0) + (series.ended[step] ?? 0),
  );
  const known = sums.filter((sum) => sum !== null);
  const most = Math.max(1, ...known);
  const width = WIDTH / sums.length;
  const start = Date.parse(series.start);
  const span = series.step * 1000 * sums.length;
  const x = (iso: string) => Math.min(1, Math.max(0, (Date.parse(iso) - start) / span)) * WIDTH;
  const total = known.reduce((sum, each) => sum + each, 0);
  const label = `${total} changes in ${duration(span / 1000)}, at most ${most} per step; ${series.gaps.length ? "with" : "without"} gaps`;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {sums.map((sum, step) =>
        sum === null ? (
          <rect class="unknown" x={step * width} y={HEIGHT - 2} width={width} height={2} />
        ) : (
          <rect
            class={step === sums.length - 1 ? "known unfinished" : "known"}
            x={step * width + 0.5}
            y={HEIGHT - 1 - (sum / most) * (HEIGHT - 3)}
            width={Math.max(0.5, width - 1)}
            height={(sum / most) * (HEIGHT - 3) + 1}
          />
        ),
      )}
      {series.gaps.map((gap) => (
        <rect
          class="gap"
          x={x(gap.from)}
          y={0}
          width={Math.max(1.5, x(gap.to) - x(gap.from))}
          height={HEIGHT}
        />
      ))}
    </svg>
  );
}
