// The plain page: boards and their jobs as they change. What boards hold is hostile, so everything
// is put into the page as text and nothing as markup. Addresses are relative to the page's: a proxy
// may show it below any path.

const SHOWN_JOBS = 200; // rows of one board; a browser is slow with thousands
const SHOWN_CHANGES = 50;
const RECONNECT = 2000; // milliseconds, after an answer that EventSource does not retry by itself
const REFETCH = 3000; // milliseconds between two fetches of one board's jobs, at least
const REFETCH_SHARE = 10; // and as many times as long as the last fetch took
const ENDINGS = new Set(["consumed", "trashed", "removed", "ended"]);

const boards = new Map(); // path → board
const byId = (id) => document.getElementById(id);
let generation = 0; // counts connections: what an old one still brings is left alone
let lostSince = null;

function connect() {
  const events = new EventSource("v2/stream");
  events.addEventListener("open", () => {
    lostSince = null;
    showConnection("connected", "connected");
    reload();
  });
  events.addEventListener("error", () => {
    lostSince ??= new Date();
    showConnection("lost", `disconnected since ${clock(lostSince)}`);
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(connect, RECONNECT);
    }
  });
  on(events, "board", takeBoard);
  on(events, "change", takeChange);
  on(events, "gap", (gap) => {
    note(gap.to, `${gap.path}: not everything was seen since ${clock(gap.from)} (${gap.reason})`);
  });
  on(events, "store", ({ available, since }) => {
    if (available) {
      showConnection("connected", "connected");
    } else {
      showConnection("lost", `nothing comes from MongoDB since ${clock(since)}`);
    }
  });
  on(events, "reset", reload);
}

function on(events, name, take) {
  events.addEventListener(name, (event) => take(JSON.parse(event.data)));
}

function showConnection(state, text) {
  const place = byId("connection");
  place.dataset.state = state;
  place.textContent = text;
}

// Everything anew: after connecting, and when events were missed.
async function reload() {
  generation += 1;
  const mine = generation;
  try {
    const paths = new Set();
    for (let cursor = ""; cursor !== null; ) {
      const answer = await ask(`v2/boards?limit=1000${cursor && `&cursor=${cursor}`}`);
      if (mine !== generation) {
        return;
      }
      for (const state of answer.boards) {
        paths.add(state.path);
        takeBoard(state);
      }
      cursor = answer.next;
    }
    for (const path of [...boards.keys()].filter((known) => !paths.has(known))) {
      takeBoard({ path, registered: false });
    }
    for (const board of boards.values()) {
      board.next = 0;
      refetch(board);
    }
  } catch {
    setTimeout(() => mine === generation && reload(), RECONNECT);
  }
}

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) {
    throw new Error(`${address}: ${answer.status}`);
  }
  return answer.json();
}

function takeBoard(state) {
  if (!state.registered) {
    boards.get(state.path)?.element.remove();
    boards.delete(state.path);
  } else {
    const board = boards.get(state.path) ?? makeBoard(state.path);
    board.state = state;
    draw(board);
  }
  byId("no-boards").hidden = boards.size > 0;
}

function makeBoard(path) {
  const element = byId("board").content.cloneNode(true).firstElementChild;
  element.querySelector(".path").textContent = path;
  const board = { path, element, jobs: new Map(), during: null, timer: null, next: 0, isDue: false };
  boards.set(path, board);
  const after = [...boards.keys()].sort().find((other) => other > path);
  byId("boards").insertBefore(element, after ? boards.get(after).element : null);
  refetch(board);
  return board;
}

// Fetches a board's jobs: soon, but never so often that the server has little else to do.
function refetch(board) {
  if (board.timer !== null || board.during !== null) {
    board.isDue = true;
    return;
  }
  const wait = Math.max(0, board.next - performance.now());
  board.timer = setTimeout(() => fetchJobs(board), wait);
}

async function fetchJobs(board) {
  const begun = performance.now();
  board.timer = null;
  board.isDue = false;
  board.during = [];
  try {
    const query = new URLSearchParams({ path: board.path, interval: 0 });
    const [answer] = await ask(`v1.0/jobs?${query}`);
    board.jobs = new Map(answer.jobs.map((job) => [job._path, fromApi(job)]));
    board.during.forEach((change) => apply(board, change)); // what came while it was under way
    draw(board);
  } catch {
    board.isDue = true;
  }
  board.during = null;
  const took = performance.now() - begun;
  board.next = performance.now() + Math.max(REFETCH, REFETCH_SHARE * took);
  if (board.isDue && boards.get(board.path) === board) {
    refetch(board);
  }
}

function fromApi(job) {
  const status = job.malformed ? `${job.status}, malformed: ${job.malformed}` : job.status;
  const since = job.claimed_at ?? job.posted_at;
  return { uuid: job._uuid, name: job._name, status, owner: job.owner, since };
}

function takeChange(change) {
  const who = change.owner ? ` by ${change.owner}` : "";
  const how = change.outcome && change.outcome !== change.kind ? ` (${change.outcome})` : "";
  note(change.seen_at, `${change.path}: ${change.job_name ?? change.name} ${change.uuid ?? ""} ${change.kind}${how}${who}`);
  const board = boards.get(change.path);
  if (board) {
    board.during?.push(change);
    apply(board, change);
    draw(board);
    refetch(board);
  }
}

function apply(board, change) {
  const key = `${change.path}/${change.name}`;
  const job = board.jobs.get(key);
  const since = change.at ?? change.seen_at;
  if (ENDINGS.has(change.kind)) {
    board.jobs.delete(key);
  } else if (change.kind === "posted" || change.kind === "malformed") {
    const name = change.job_name ?? job?.name ?? "…";
    board.jobs.set(key, { uuid: change.uuid, name, status: "UNCLAIMED", owner: null, since });
  } else if (job && change.kind === "claimed") {
    Object.assign(job, { status: "CLAIMED", owner: change.owner, since });
  } else if (job && change.kind === "abandoned") {
    Object.assign(job, { status: "UNCLAIMED", owner: null, since });
  }
}

// Draws a board in the next frame, however many changes come before it.
function draw(board) {
  board.frame ??= requestAnimationFrame(() => {
    board.frame = null;
    drawNow(board);
  });
}

function drawNow({ element, state, jobs }) {
  const find = (selector) => element.querySelector(selector);
  const all = [...jobs.values()];
  const claimed = all.filter((job) => job.status.startsWith("CLAIMED")).length;
  const badge = find(".badge");
  badge.dataset.freshness = state.freshness;
  badge.textContent = `${state.freshness.replace("_", " ")} since ${clock(state.freshness_since)}`;
  find(".counts").textContent = `${all.length - claimed} waiting, ${claimed} running`;
  find(".watcher").textContent = state.watcher ? `watched by ${state.watcher}` : "";
  find("tbody").replaceChildren(...all.slice(0, SHOWN_JOBS).map(row));
  const more = all.length - SHOWN_JOBS;
  find(".more").textContent = more > 0 ? `and ${more} more` : "";
}

function row(job) {
  const line = document.createElement("tr");
  for (const text of [job.uuid, job.name, job.status, job.owner, job.since && clock(job.since)]) {
    const cell = document.createElement("td");
    cell.textContent = text ?? "–";
    cell.title = text ?? "";
    line.append(cell);
  }
  return line;
}

function note(moment, text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = moment;
  time.textContent = clock(moment);
  line.append(time, ` ${text}`);
  const list = byId("changes");
  list.prepend(line);
  while (list.children.length > SHOWN_CHANGES) {
    list.lastElementChild.remove();
  }
  byId("no-changes").hidden = true;
}

function clock(moment) {
  const date = new Date(moment);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

connect();
