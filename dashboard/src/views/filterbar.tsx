// The filters of a board's jobs. They are the API's filters, and all of them are in the URL.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useEscape } from "../parts/dismiss";
import { Foreign } from "../parts/words";
import {
  CHOICES,
  FIELDS,
  isField,
  withFilter,
  withoutFilter,
  wordsOf,
  type Field,
  type Filter,
} from "../model/filters";

interface Properties {
  filters: readonly Filter[];
  change: (filters: Filter[]) => void;
}

const STATES = [
  ["UNCLAIMED", "Unclaimed"],
  ["CLAIMED", "Claimed"],
  ["COMPLETE", "Ended"],
] as const;

export function FilterBar({ filters, change }: Properties) {
  const text = filters.find(({ field, negated }) => field === "q" && !negated)?.value ?? "";
  const chips = filters.filter(
    ({ field, negated, value }) =>
      negated || !(field === "q" || (field === "state" && STATES.some(([each]) => each === value))),
  );
  return (
    <div class="filters" role="group" aria-label="Filters">
      {STATES.map(([value, word]) => {
        const active = filters.find(
          (each) => each.field === "state" && !each.negated && each.value === value,
        );
        return (
          <button
            type="button"
            class="toggle"
            aria-pressed={active !== undefined}
            onClick={() =>
              change(
                active
                  ? withoutFilter(filters, active)
                  : withFilter(filters, { field: "state", negated: false, value }),
              )
            }
          >
            {word}
          </button>
        );
      })}
      <Search
        text={text}
        search={(value) => change(withFilter(filters, { field: "q", negated: false, value }))}
      />
      {chips.map((each) => (
        <span class="chip">
          {wordsOf(each)} <Foreign text={each.value} maxLength={60} />
          <button
            type="button"
            aria-label={`Remove the filter ${each.field}`}
            onClick={() => change(withoutFilter(filters, each))}
          >
            ×
          </button>
        </span>
      ))}
      <AddFilter filters={filters} change={change} />
    </div>
  );
}

/** The search field. What is being typed stays while the list is drawn again. */
function Search({ text, search }: { text: string; search: (text: string) => void }) {
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  return (
    <label class="search">
      <span class="unseen">Find jobs by a text in name, uuid, owner or payload</span>
      <input
        type="search"
        data-search
        placeholder="Find jobs  ( / )"
        value={draft}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onChange={(event) => search(event.currentTarget.value)}
      />
    </label>
  );
}

/** Return an example of a field's value, or "" if the field needs none. */
function exampleOf(field: Field): string {
  switch (field) {
    case "age>":
    case "waiting>":
    case "running>":
      return "5m";
    case "claims>":
      return "5";
    case "since":
    case "until":
      return "2026-11-25T16:00Z";
    default:
      return "";
  }
}

function AddFilter({ filters, change }: Properties) {
  const [isOpen, setOpen] = useState(false);
  const [field, setField] = useState<Field>("owner");
  const [isNot, setNot] = useState(false);
  const [value, setValue] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(false);
  useEffect(() => {
    if (isOpen) {
      form.current?.querySelector<HTMLElement>("[aria-label=Value]")?.focus();
    } else if (wasOpen.current && document.activeElement === document.body) {
      opener.current?.focus(); // unless the focus is elsewhere by now
    }
    wasOpen.current = isOpen;
  }, [isOpen]);
  useEscape(useCallback(() => setOpen(false), []));
  if (!isOpen) {
    return (
      <button type="button" class="small" onClick={() => setOpen(true)} ref={opener}>
        + Filter
      </button>
    );
  }
  const choices = CHOICES[field];
  const add = () => {
    const chosen = value || (choices?.[0] ?? "");
    if (chosen !== "") {
      change(withFilter(filters, { field, negated: isNot, value: chosen }));
    }
    setOpen(false);
    setValue("");
  };
  return (
    <form
      class="adder"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
    >
      <select
        aria-label="Field"
        value={field}
        onChange={(event) => {
          if (isField(event.currentTarget.value)) {
            setField(event.currentTarget.value);
            setValue("");
          }
        }}
      >
        {Object.entries(FIELDS).map(([name, words]) => (
          <option value={name}>{words}</option>
        ))}
      </select>
      <select
        aria-label="Is or is not"
        value={isNot ? "not" : "is"}
        onChange={(event) => setNot(event.currentTarget.value === "not")}
      >
        <option value="is">is</option>
        <option value="not">is not</option>
      </select>
      {choices ? (
        <select
          aria-label="Value"
          value={value || choices[0]}
          onChange={(event) => setValue(event.currentTarget.value)}
        >
          {choices.map((each) => (
            <option>{each}</option>
          ))}
        </select>
      ) : (
        <input
          aria-label="Value"
          placeholder={exampleOf(field)}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      )}
      <button type="submit" class="small">
        Add
      </button>
      <button type="button" class="small" onClick={() => setOpen(false)}>
        Cancel
      </button>
    </form>
  );
}
