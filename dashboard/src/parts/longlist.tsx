// A table of thousands of rows, of which those in sight are in the page; the keyboard goes through
// it. What a row looks like is its owner's.
import type { Signal } from "@preact/signals";
import type { ComponentChildren, CSSProperties, RefObject, VNode } from "preact";
import { useCallback, useEffect, useRef } from "preact/hooks";
import { asList } from "../state/keys";
import { useVirtual } from "./virtual";

/** Where a row stands, and whether it is the selected one. */
export interface Standing {
  index: number;
  top: number;
  height: number;
  isSelected: boolean;
}

/** Return what the element of a row says of where it stands. */
export function attributesOf({ index, top, height, isSelected }: Standing) {
  return {
    role: "row",
    "aria-rowindex": index + 2,
    "aria-selected": isSelected,
    style: { transform: `translateY(${top}px)`, height: `${height}px` },
  } as const;
}

interface Properties<Entry> {
  /** What they are: as a name of a class, in the title, and in the middle of a sentence. */
  kind: string;
  label: string;
  entries: readonly Entry[];
  keyOf: (entry: Entry) => string;
  /** Pixels; another function where a height is another one. */
  heightOf: (entry: Entry) => number;
  header: ComponentChildren;
  row: (entry: Entry, key: string, standing: Standing) => VNode;
  selected: Signal<string | null>;
  open: (entry: Entry) => void;
  /** Unfold the row with this key. */
  expand?: (key: string) => void;
  scroller: RefObject<HTMLDivElement | null>;
  /** Told of each scrolling by how many pixels the list is scrolled. */
  onScroll?: (top: number) => void;
  style?: CSSProperties;
  /** What lies above the list. */
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
  const last = useRef(0); // where the selected row stood
  const latest = useRef(properties);
  latest.current = properties;
  useEffect(() => {
    const keys = () => latest.current.entries.map(latest.current.keyOf);
    return asList({
      move(by) {
        const all = keys();
        const at = selected.value === null ? -1 : all.indexOf(selected.value);
        // Where the selected one has gone, on from where it was: what came behind it is there now.
        const from = at >= 0 || selected.value === null ? at : last.current - (by > 0 ? 1 : 0);
        const next = Math.min(all.length - 1, Math.max(0, from + by));
        selected.value = all[next] ?? null;
        last.current = next;
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
              last.current = index;
            }
            const standing = { index, top: start, height: size, isSelected };
            return entry ? properties.row(entry, String(key), standing) : null;
          })}
        </div>
      </div>
    </div>
  );
}
