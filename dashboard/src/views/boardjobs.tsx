// The jobs of one board that match the filters in the URL.
import { useCallback, useEffect, useMemo, useRef } from "preact/hooks";
import * as api from "../api/client";
import { hashOf, valueOf, withValue } from "../model/address";
import {
  COLUMNS,
  DEFAULT_COLUMNS,
  isColumn,
  NARROW_COLUMNS,
  orderFrom,
  type Column,
} from "../model/columns";
import { filtersFrom, queryOf, withFilter, type Filter } from "../model/filters";
import { useClickElsewhere, useEscape } from "../parts/dismiss";
import { Download } from "../parts/download";
import { isNarrow } from "../parts/narrow";
import { Failure } from "../parts/words";
import { onChanges, onReset } from "../state/changes";
import { Jobs } from "../state/jobs";
import { place, pushQuery, replaceQuery } from "../state/place";
import { FilterBar } from "./filterbar";
import { JobTable } from "./jobtable";

const ON_BOARD: readonly Filter[] = [
  { field: "state", negated: false, value: "UNCLAIMED" },
  { field: "state", negated: false, value: "CLAIMED" },
];
const NOT_FILTERS = new Set(["path", "window", "sort", "columns", "at"]);

function withoutFilters(query: api.Query): api.Query {
  return query.filter(([name]) => NOT_FILTERS.has(name));
}

export function JobsOf({ path }: { path: string }) {
  const { query } = place.value;
  const filterQuery = JSON.stringify(query.filter(([name]) => !NOT_FILTERS.has(name)));
  const isUnfiltered = filterQuery === "[]";
  const filters = useMemo(
    () => (isUnfiltered ? ON_BOARD : filtersFrom(JSON.parse(filterQuery) as api.Query)),
    [filterQuery, isUnfiltered],
  );
  const jobs = useMemo(() => new Jobs(path, filters), [path, filters]);
  useEffect(() => {
    void jobs.load();
    const stops = [onChanges((changes) => jobs.take(changes)), onReset(() => void jobs.load())];
    return () => {
      jobs.close();
      stops.forEach((stop) => stop());
    };
  }, [jobs]);

  const rest = withoutFilters(query);
  const change = useCallback((changed: Filter[]) => {
    pushQuery([...withoutFilters(place.peek().query), ...queryOf(changed)]);
  }, []);
  const narrowTo = useCallback(
    (filter: Filter) => change(withFilter(filters, filter)),
    [change, filters],
  );
  const columnNames = valueOf(query, "columns");
  const chosen = useMemo(() => columnNames?.split(",").filter(isColumn), [columnNames]);
  const columns: readonly Column[] = chosen?.length
    ? chosen
    : isNarrow.value
      ? NARROW_COLUMNS
      : DEFAULT_COLUMNS;
  const sort = valueOf(query, "sort");
  const order = useMemo(() => orderFrom(sort), [sort]);
  const error = jobs.error.value;
  const isEmpty = jobs.rows.value.all.size === 0 && !jobs.isLoading.value;
  return (
    <section>
      <div class="head">
        <h2>Jobs</h2>
        <span class="quiet" role="status">
          {jobs.isLoading.value
            ? "loading…"
            : `${jobs.rows.value.all.size.toLocaleString("en")} shown`}
        </span>
        <Columns
          columns={columns}
          change={(picked) => replaceQuery(withValue(query, "columns", picked.join(",")))}
        />
        <Download
          href={api.address("v2/jobs", [["path", path], ...queryOf(filters), ["format", "csv"]])}
          name="jobs.csv"
        >
          CSV
        </Download>
      </div>
      <FilterBar filters={filters} change={change} />
      <Failure error={error?.text ?? null} isFinal={error?.isFinal ?? false} />
      {isEmpty ? (
        error === null && (
          <p class="empty">
            {isUnfiltered ? (
              "There are no jobs on this board."
            ) : (
              <>
                No job matches these filters.{" "}
                <a href={hashOf({ view: "board", query: rest })}>Clear filters</a>
              </>
            )}
          </p>
        )
      ) : (
        <JobTable
          jobs={jobs}
          columns={columns}
          order={order}
          sort={({ column, isDescending }) =>
            replaceQuery(withValue(query, "sort", isDescending ? `-${column}` : column))
          }
          narrow={narrowTo}
        />
      )}
      {jobs.isMore.value && (
        <p>
          More than {jobs.rows.value.all.size.toLocaleString("en")} jobs match.{" "}
          <button type="button" class="small" onClick={() => jobs.more()}>
            Load more
          </button>
        </p>
      )}
    </section>
  );
}

interface ColumnsProperties {
  columns: readonly Column[];
  change: (columns: Column[]) => void;
}

function Columns({ columns, change }: ColumnsProperties) {
  const picker = useRef<HTMLDetailsElement>(null);
  const close = useCallback(() => picker.current?.removeAttribute("open"), []);
  useClickElsewhere(picker, close);
  useEscape(
    useCallback(() => {
      if (picker.current?.contains(document.activeElement)) {
        picker.current.querySelector("summary")?.focus();
      }
      close();
    }, [close]),
  );
  return (
    <details class="picker" ref={picker}>
      <summary class="small">Columns</summary>
      <div class="menu">
        {Object.entries(COLUMNS).map(([name, words]) =>
          isColumn(name) ? (
            <label>
              <input
                type="checkbox"
                checked={columns.includes(name)}
                onChange={(event) => {
                  const isOn = event.currentTarget.checked;
                  const all = Object.keys(COLUMNS).filter(isColumn);
                  change(all.filter((each) => (each === name ? isOn : columns.includes(each))));
                }}
              />{" "}
              {words}
            </label>
          ) : null,
        )}
      </div>
    </details>
  );
}
