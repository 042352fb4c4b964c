// Short names for the types of the API's answers. `make types` generates schema.d.ts from the API.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Board = Schemas["Board"];
export type Job = Schemas["Job"];
export type JobInFull = Schemas["JobInFull"];
export type JobAnswer = Schemas["JobAnswer"];
export type Change = Schemas["Change"];
export type Gap = Schemas["Gap"];
export type Conductor = Schemas["Conductor"];
export type Series = Schemas["SeriesOfBoard"];
export type Itself = Schemas["Itself"];
export type Worker = Schemas["Worker"];
export type Freshness = Board["freshness"];
export type State = Job["state"];

/** A board in the event stream: only its registration, freshness and watcher. */
export type BoardState = Pick<
  Board,
  "path" | "registered" | "freshness" | "freshness_since" | "watcher" | "epoch"
>;
