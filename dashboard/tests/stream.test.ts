import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Stream, type Listener } from "../src/api/stream";

vi.stubGlobal("sessionStorage", { getItem: () => null });
vi.stubGlobal("addEventListener", () => undefined);
vi.stubGlobal("removeEventListener", () => undefined);

describe("the stream", () => {
  const [opened, reached, gap] = [vi.fn(), vi.fn(), vi.fn()];
  const listener: Listener = {
    board: vi.fn(),
    change: vi.fn(),
    gap,
    store: vi.fn(),
    reset: vi.fn(),
    opened,
    reached,
    lost: vi.fn(),
  };
  let stream: Stream;
  let say: (line: object) => void;

  beforeEach(async () => {
    vi.clearAllMocks();
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    say = (line) => void writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(body.readable)));
    stream = new Stream([], listener);
    stream.start();
    await vi.waitFor(() => expect(opened).toHaveBeenCalled());
  });

  afterEach(() => stream.stop());

  it("has reached the present when a heartbeat says so, not with the first of them", async () => {
    say({ event: "heartbeat", id: null, data: { reached: false } });
    say({ event: "heartbeat", id: "a place on the way", data: { reached: false } });
    say({ event: "gap", id: "another", data: {} });
    await vi.waitFor(() => expect(gap).toHaveBeenCalled());
    expect(reached).not.toHaveBeenCalled();
    say({ event: "heartbeat", id: "the end", data: { reached: true } });
    await vi.waitFor(() => expect(reached).toHaveBeenCalledOnce());
  });
});
