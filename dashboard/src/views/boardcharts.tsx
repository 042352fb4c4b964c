// How one board fared: its jobs by state, their waiting and running times, and its throughput.
import { useMemo } from "preact/hooks";
import type { Gap, Series } from "../api/types";
import { duration } from "../model/times";
import { Chart, type Line } from "../parts/chart";
import { Loading } from "../parts/words";

export function Charts({ series }: { series: Series | undefined }) {
  const drawn = useMemo(() => (series ? linesOf(series) : null), [series]);
  if (!drawn) {
    return <Loading what="charts" />;
  }
  const { moments, there, flow, times, throughput, gaps } = drawn;
  return (
    <div class="charts">
      <Chart
        title="On the board"
        unit="jobs by state"
        moments={moments}
        lines={there}
        gaps={gaps}
        show={count}
      />
      <Chart
        title="Cumulative flow"
        unit="jobs by state, with those that ended"
        moments={moments}
        lines={flow}
        gaps={gaps}
        show={count}
      />
      <Chart
        title="Waiting and running"
        unit="by claim, by end"
        moments={moments}
        lines={times}
        gaps={gaps}
        show={duration}
      />
      <Chart
        title="Throughput"
        unit="jobs a minute"
        moments={moments}
        lines={throughput}
        gaps={gaps}
        show={(value) => value.toFixed(value < 10 ? 1 : 0)}
      />
    </div>
  );
}

const count = (value: number) => value.toLocaleString("en");

interface Drawn {
  moments: number[];
  there: Line[];
  flow: Line[];
  times: Line[];
  throughput: Line[];
  gaps: readonly Gap[];
}

function linesOf(series: Series): Drawn {
  const start = Date.parse(series.start) / 1000;
  const moments = series.posted.map((_, step) => start + series.step * (step + 1));
  let sum = 0;
  const done = series.ended.map((ended) => (ended === null ? null : (sum += ended)));
  const plus = (a: readonly (number | null)[], b: readonly (number | null)[]) =>
    a.map((each, step) => {
      const other = b[step] ?? null;
      return each === null || other === null ? null : each + other;
    });
  const claimed = plus(done, series.jobs_claimed);
  const all = plus(claimed, series.jobs_unclaimed);
  const perMinute = (values: readonly (number | null)[]) =>
    values.map((value) => (value === null ? null : (value * 60) / series.step));
  return {
    moments,
    there: [
      {
        label: "unclaimed",
        colour: "--unclaimed",
        values: plus(series.jobs_claimed, series.jobs_unclaimed),
        isFilled: true,
      },
      { label: "claimed", colour: "--claimed", values: series.jobs_claimed, isFilled: true },
    ],
    flow: [
      { label: "unclaimed", colour: "--unclaimed", values: all, isFilled: true },
      { label: "claimed", colour: "--claimed", values: claimed, isFilled: true },
      { label: "ended", colour: "--ended", values: done, isFilled: true },
    ],
    times: [
      { label: "waiting p50", colour: "--unclaimed", values: series.waiting_p50 },
      { label: "waiting p95", colour: "--unclaimed", values: series.waiting_p95, dash: [4, 3] },
      { label: "running p50", colour: "--claimed", values: series.running_p50 },
      { label: "running p95", colour: "--claimed", values: series.running_p95, dash: [4, 3] },
    ],
    throughput: [
      { label: "posted", colour: "--unclaimed", values: perMinute(series.posted) },
      { label: "claimed", colour: "--claimed", values: perMinute(series.claimed) },
      { label: "ended", colour: "--ended", values: perMinute(series.ended) },
    ],
    gaps: series.gaps,
  };
}
