// How one board fared: its jobs by state, their waiting and running times, and its throughput.
import { useMemo } from "preact/hooks";
import type { Series } from "../api/types";
import { COUNTS, DURATIONS, RATES } from "../model/axes";
import { courseOf } from "../model/course";
import { duration } from "../model/times";
import { Chart } from "../parts/chart";
import { memo } from "../parts/memo";
import { At, Loading, Note } from "../parts/words";
import { zone } from "../state/settings";

interface Properties {
  series: Series | undefined;
  /** Since when the board is watched. */
  since: string | null;
}

export const Charts = memo(({ series, since }: Properties) => {
  const course = useMemo(() => (series ? courseOf(series) : null), [series]);
  if (!series || !course) {
    return <Loading what="charts" />;
  }
  const isYoung = since !== null && Date.parse(since) > Date.parse(series.start);
  const isUnknown = series.posted.every((posted) => posted === null);
  if (isUnknown && series.gaps.length === 0) {
    return <Unknown series={series} since={isYoung ? since : null} />;
  }
  return (
    <>
      {isYoung && (
        <p class="quiet since">
          Watched since <At iso={since} /> {zone.value}: what was before is not known.
        </p>
      )}
      <div class="charts">
        <Chart
          title="On the board"
          unit="jobs by state, stacked"
          course={course}
          lines={course.there}
          isStacked
          axis={COUNTS}
          show={count}
          empty="Not known in this window."
        />
        <Chart
          title="Cumulative flow"
          unit="with ended, stacked"
          course={course}
          lines={course.flow}
          isStacked
          axis={COUNTS}
          show={count}
          empty="Not known in this window."
        />
        <Chart
          title="Waiting and running"
          unit="p50 and p95"
          course={course}
          lines={course.times}
          isOfStep
          axis={DURATIONS}
          show={duration}
          empty="No job was claimed or ended in this window."
        />
        <Chart
          title="Throughput"
          unit="jobs a minute"
          course={course}
          lines={course.throughput}
          isOfStep
          axis={RATES}
          show={(value) => value.toFixed(1)}
          empty="No step of this window is over yet."
        />
      </div>
    </>
  );
});

const count = (value: number) => value.toLocaleString("en");

/** Instead of charts of which nothing could be drawn. */
function Unknown({ series, since }: { series: Series; since: string | null }) {
  return (
    <Note kind="since">
      {since === null ? (
        <p>Nobody watched this board in this window: nothing is known of it.</p>
      ) : (
        <p>
          Watched since <At iso={since} /> {zone.value}. A chart of this window has a point each{" "}
          {duration(series.step)}, and none of those has been watched from its beginning yet: a
          shorter window shows more.
        </p>
      )}
    </Note>
  );
}
