// How one board fared: its jobs by state, their waiting and running times, and its throughput.
import { useMemo } from "preact/hooks";
import type { Series } from "../api/types";
import { COUNTS, DURATIONS, RATES } from "../model/axes";
import { courseOf } from "../model/course";
import { duration } from "../model/times";
import { Chart } from "../parts/chart";
import { Loading } from "../parts/words";

export function Charts({ series }: { series: Series | undefined }) {
  const course = useMemo(() => (series ? courseOf(series) : null), [series]);
  if (!course) {
    return <Loading what="charts" />;
  }
  return (
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
  );
}

const count = (value: number) => value.toLocaleString("en");
