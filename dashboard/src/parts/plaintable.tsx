// A table whose rows are all in the DOM. On a phone each row is a card with the columns' names.
import type { ComponentChildren } from "preact";
import { boardAt } from "../model/address";
import { Foreign } from "./words";

export interface PlainColumn<Row> {
  name: string;
  cell: (row: Row) => ComponentChildren;
  isFigure?: boolean;
  /** An explanation of the name, if it needs one. */
  meaning?: string;
}

/** The column with a row's board. */
export const BOARD: PlainColumn<{ path: string }> = {
  name: "Board",
  cell: ({ path }) => (
    <a href={boardAt(path)}>
      <Foreign text={path} />
    </a>
  ),
};

interface Properties<Row> {
  label: string;
  columns: readonly PlainColumn<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  classOf?: (row: Row) => string;
}

/**
 * The elements have explicit roles, because on a phone CSS shows them as blocks, and browsers then
 * drop their implicit roles.
 */
export function PlainTable<Row>({ label, columns, rows, keyOf, classOf }: Properties<Row>) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={label}>
      <table class="plain" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ name, meaning }) => (
              <th scope="col" role="columnheader" title={meaning}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} class={classOf?.(row) ?? ""} role="row">
              {columns.map(({ name, cell, isFigure }) => (
                <td class={isFigure ? "figure" : ""} role="cell" data-name={name}>
                  <div>{cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
