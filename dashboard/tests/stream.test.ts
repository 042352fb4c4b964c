import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Stream } from "../src/api/stream";

/** A document that a test hides and shows. */
class Page extends EventTarget {
  hidden = false;

  become(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

const page = new Page();
vi.stubGlobal("document", page);
vi.stubGlobal("addEventListener", () => undefined);
vi.stubGlobal("removeEventListener", () => undefined);

interface Asked {
  signal: AbortSignal;
  headers: Record<string, string>;
  say: (line: object) => void;
  end: () => void;
}

describe("the stream", () => {
  const listener = {
    board: vi.fn(),
    change: vi.fn(),
    gap: vi.fn(),
    store: vi.fn(),
    reset: vi.fn(),
    opened: vi.fn(),
    reached: vi.fn(),
    lost: vi.fn(),
    rested: vi.fn(),
  };
  let asked: Asked[];
  /** What the server does with a request: sends the stream, a response, or never answers. */
  let answers: () => Response | "stream" | "never";
  let stream: Stream;

  function respond(_: string, options: RequestInit): Promise<Response> {
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const { signal } = options as { signal: AbortSignal };
    writer.closed.catch(() => undefined);
    asked.push({
      signal,
      headers: options.headers as Record<string, string>,
      say: (line) => {
        writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`)).catch(() => undefined);
      },
      end: () => {
        writer.close().catch(() => undefined);
      },
    });
    const given = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        reject(signal.reason as Error);
        writer.abort(signal.reason).catch(() => undefined);
      });
    });
    given.catch(() => undefined);
    const answer = answers();
    if (answer === "never") {
      return given;
    }
    return Promise.resolve(answer === "stream" ? new Response(body.readable) : answer);
  }

  beforeEach(() => {
    vi.useFakeTimers();
    vi.clearAllMocks();
    asked = [];
    answers = () => "stream";
    page.hidden = false;
    vi.stubGlobal("fetch", respond);
    stream = new Stream([], listener, () => 0.5);
  });

  afterEach(() => {
    stream.stop();
    vi.useRealTimers();
  });

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  const start = async () => {
    stream.start();
    await pass(0);
  };
  const last = (): Asked => {
    const it = asked.at(-1);
    if (it === undefined) {
      throw new Error("nothing was asked");
    }
    return it;
  };
  const reach = async (id: string | null = null) => {
    last().say({ event: "heartbeat", id, data: { reached: true } });
    await pass(0);
  };

  it("has reached the present when a heartbeat says so, not with the first one", async () => {
    await start();
    last().say({ event: "heartbeat", id: null, data: { reached: false } });
    last().say({ event: "heartbeat", id: "a place on the way", data: { reached: false } });
    last().say({ event: "gap", id: "another", data: {} });
    await pass(0);
    expect(listener.gap).toHaveBeenCalled();
    expect(listener.reached).not.toHaveBeenCalled();
    await reach("the end");
    expect(listener.reached).toHaveBeenCalledOnce();
  });

  it("is tried again after growing pauses, and says when", async () => {
    answers = () => new Response(null, { status: 502 });
    await start();
    const pauses = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
    for (const [failures, pause] of pauses.entries()) {
      expect(asked).toHaveLength(failures + 1);
      expect(listener.lost).toHaveBeenLastCalledWith("The server answered 502.", pause);
      await pass(pause - 1);
      expect(asked).toHaveLength(failures + 1);
      await pass(1);
    }
  });

  it("waits as long as Retry-After says", async () => {
    answers = () => new Response(null, { status: 503, headers: { "Retry-After": "20" } });
    await start();
    await pass(20_499);
    expect(asked).toHaveLength(1);
    await pass(1);
    expect(asked).toHaveLength(2);
  });

  it("does not reconnect quickly if the server ends each stream at once", async () => {
    answers = () => new Response(new Blob([]).stream());
    await start();
    await pass(60_000);
    expect(listener.opened.mock.calls.length).toBeGreaterThan(3);
    expect(asked.length).toBeLessThan(9); // 12 with pauses of five seconds, 60 with one
  });

  it("begins again with short pauses once it was live", async () => {
    answers = () => new Response(null, { status: 502 });
    await start();
    await pass(500 + 1_000);
    answers = () => "stream";
    await pass(2_000);
    await reach("here");
    last().end();
    await pass(0);
    expect(listener.lost).toHaveBeenLastCalledWith("the server ended the stream", 500);
    await pass(500);
    expect(last().headers["Last-Event-ID"]).toBe("here");
  });

  it("is tried at once on request", async () => {
    answers = () => new Response(null, { status: 502 });
    await start();
    await pass(500 + 1_000 + 2_000);
    expect(asked).toHaveLength(4);
    stream.retry();
    await pass(0);
    expect(asked).toHaveLength(5);
    expect(listener.lost).toHaveBeenLastCalledWith(expect.any(String), 500);
  });

  it("says so if the server never answers", async () => {
    answers = () => "never";
    await start();
    await pass(7_000);
    expect(listener.lost.mock.calls[0]?.[0]).toContain("did not answer within 5 s");
    expect(listener.opened).not.toHaveBeenCalled();
  });

  describe("of a hidden tab", () => {
    it("is closed after 30 seconds, and continues where it was when the tab is visible", async () => {
      await start();
      await reach("before");
      page.become(true);
      const beats = setInterval(() => void reach("before"), 2_000);
      await pass(29_999);
      expect(last().signal.aborted).toBe(false);
      await pass(1);
      clearInterval(beats);
      expect(last().signal.aborted).toBe(true);
      expect(listener.rested).toHaveBeenCalledOnce();
      await pass(600_000);
      expect(asked).toHaveLength(1);
      expect(listener.lost).not.toHaveBeenCalled();
      page.become(false);
      await pass(0);
      expect(asked).toHaveLength(2);
      expect(last().headers["Last-Event-ID"]).toBe("before");
    });

    it("stays open if the tab is hidden for a moment", async () => {
      await start();
      await reach();
      page.become(true);
      await pass(4_000);
      page.become(false);
      await reach();
      await pass(4_000);
      expect(asked).toHaveLength(1);
      expect(last().signal.aborted).toBe(false);
    });

    it("is not opened before the tab is visible", async () => {
      page.hidden = true;
      await start();
      await pass(60_000);
      expect(asked).toHaveLength(0);
      page.become(false);
      await pass(0);
      expect(asked).toHaveLength(1);
    });

    it("is closed at once when another tab gets no answer", async () => {
      await start();
      const other = new BroadcastChannel("canary.connections");
      const sent = async () => {
        other.postMessage("a connection is wanted");
        vi.useRealTimers(); // messages arrive in real time
        await new Promise((resolve) => setTimeout(resolve, 50));
        vi.useFakeTimers();
      };
      await sent();
      expect(last().signal.aborted).toBe(false);
      page.become(true);
      await sent();
      expect(last().signal.aborted).toBe(true);
      other.close();
    });
  });
});
