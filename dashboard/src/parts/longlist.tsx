// A table of thousands of rows. Only the rows in sight are in the DOM, and the keyboard can move
// through all rows. The caller draws the rows.
import type { Signal } from "@preact/signals";
import type { ComponentChildren, CSSProperties, RefObject, VNode } from "preact";
import { useCallback, useEffect, useRef } from "preact/hooks";
import { registerList } from "../state/keyboard";
import { useVirtual } from "./virtual";

/** The position of a row, in pixels, and whether it is selected. */
export interface RowPosition {
  index: number;
  top: number;
  height: number;
  isSelected: boolean;
}

/** Return the attributes of a row's element for its position. */
export function attributesOf({ index, top, height, isSelected }: RowPosition) {
  return {
    role: "row",
    "aria-rowindex": index + 2,
    "aria-selected": isSelected,
    style: { transform: `translateY(${top}px)`, height: `${height}px` },
  } as const;
}

interface Properties<Entry> {
  /** What the rows are, in the plural: used as a CSS class and in the list's label. */
  kind: string;
  label: string;
  entries: readonly Entry[];
  keyOf: (entry: Entry) => string;
  /** Return a row's height in pixels. Pass a new function if a height has changed. */
  heightOf: (entry: Entry) => number;
  header: ComponentChildren;
  row: (entry: Entry, key: string, position: RowPosition) => VNode;
  selected: Signal<string | null>;
  open: (entry: Entry) => void;
  /** Unfold the row with this key. */
  expand?: (key: string) => void;
  scroller: RefObject<HTMLDivElement | null>;
  /** Called on each scroll with the scroll position in pixels. */
  onScroll?: (top: number) => void;
  style?: CSSProperties;
  /** Elements above the list. */
  children?: ComponentChildren;
}

export function LongList<Entry>(properties: Properties<Entry>) {
  const { kind, label, entries, keyOf, heightOf, selected, scroller } = properties;
  const virtual = useVirtual({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => {
      const entry = entries[index];
      return entry ? heightOf(entry) : 0;
    },
    getItemKey: useCallback(
      (index: number) => {
        const entry = entries[index];
        return entry ? keyOf(entry) : index;
      },
      [entries, keyOf],
    ),
  });
  useEffect(() => virtual.measure(), [heightOf, virtual]);
  const lastIndex = useRef(0); // of the selected row
  const latest = useRef(properties);
  latest.current = properties;
  useEffect(() => {
    const keys = () => latest.current.entries.map(latest.current.keyOf);
    return registerList({
      move(by) {
        const all = keys();
        const at = selected.value === null ? -1 : all.indexOf(selected.value);
        // If the selected row is gone, continue from its index, where the row after it is now.
        const from = at >= 0 || selected.value === null ? at : lastIndex.current - (by > 0 ? 1 : 0);
        const next = Math.min(all.length - 1, Math.max(0, from + by));
        selected.value = all[next] ?? null;
        lastIndex.current = next;
        latest.current.scroller.current?.focus({ preventScroll: true });
        virtual.scrollToIndex(next);
      },
      open() {
        const at = selected.value === null ? -1 : keys().indexOf(selected.value);
        const entry = latest.current.entries[at];
        if (entry) {
          latest.current.open(entry);
        }
      },
      expand() {
        if (selected.value !== null) {
          latest.current.expand?.(selected.value);
        }
      },
    });
  }, [virtual, selected]);
  return (
    <div
      class={`table ${kind}`}
      style={properties.style}
      role="table"
      aria-label={label}
      aria-rowcount={entries.length + 1}
    >
      {properties.children}
      <div class="row header" role="row" aria-rowindex={1}>
        {properties.header}
      </div>
      <div
        class="scroll"
        ref={scroller}
        onScroll={({ currentTarget }) => properties.onScroll?.(currentTarget.scrollTop)}
        role="rowgroup"
        tabIndex={0}
        aria-label={`List of ${kind}`}
      >
        <div class="tall" style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map(({ index, start, size, key }) => {
            const entry = entries[index];
            const isSelected = selected.value === key;
            if (isSelected) {
              lastIndex.current = index;
            }
            const position = { index, top: start, height: size, isSelected };
            return entry ? properties.row(entry, String(key), position) : null;
          })}
        </div>
      </div>
    </div>
  );
}
