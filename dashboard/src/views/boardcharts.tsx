// The charts of one board: jobs by state, waiting and running times, and throughput.
import { useMemo } from "preact/hooks";
import type { Series } from "../api/types";
import { COUNTS, DURATIONS, RATES } from "../model/axes";
import { chartDataOf } from "../model/chartdata";
import { duration } from "../model/times";
import { Chart } from "../parts/chart";
import { memo } from "../parts/memo";
import { At, Loading, Note } from "../parts/words";
import { zone } from "../state/settings";

interface Properties {
  series: Series | undefined;
  /** When Canary began to watch the board. */
  since: string | null;
}

export const Charts = memo(({ series, since }: Properties) => {
  const data = useMemo(() => (series ? chartDataOf(series) : null), [series]);
  if (!series || !data) {
    return <Loading what="charts" />;
  }
  const startsLater = since !== null && Date.parse(since) > Date.parse(series.start);
  const isUnknown = series.posted.every((posted) => posted === null);
  if (isUnknown && series.gaps.length === 0) {
    return <Unknown series={series} since={startsLater ? since : null} />;
  }
  return (
    <>
      {startsLater && (
        <p class="quiet since">
          Watched since <At iso={since} /> {zone.value}. Nothing is known from before.
        </p>
      )}
      <div class="charts">
        <Chart
          title="On the board"
          unit="jobs by state, stacked"
          data={data}
          lines={data.onBoard}
          isStacked
          axis={COUNTS}
          show={count}
          empty="No data in this window."
        />
        <Chart
          title="Cumulative flow"
          unit="with ended jobs"
          data={data}
          lines={data.flow}
          isStacked
          axis={COUNTS}
          show={count}
          empty="No data in this window."
        />
        <Chart
          title="Waiting and running"
          unit="p50 and p95"
          data={data}
          lines={data.times}
          isOfStep
          axis={DURATIONS}
          show={duration}
          empty="No job was claimed or ended in this window."
        />
        <Chart
          title="Throughput"
          unit="jobs per minute"
          data={data}
          lines={data.throughput}
          isOfStep
          axis={RATES}
          show={(value) => value.toFixed(1)}
          empty="No complete step in this window yet."
        />
      </div>
    </>
  );
});

const count = (value: number) => value.toLocaleString("en");

/** A note instead of the charts, if nothing could be drawn. */
function Unknown({ series, since }: { series: Series; since: string | null }) {
  return (
    <Note kind="since">
      {since === null ? (
        <p>No worker watched this board in this window, so there is no data.</p>
      ) : (
        <p>
          Watched since <At iso={since} /> {zone.value}. Each point of a chart covers{" "}
          {duration(series.step)}, and no such step has been watched from its beginning yet. Choose
          a shorter window, or wait.
        </p>
      )}
    </Note>
  );
}
