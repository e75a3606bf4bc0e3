/* The server's public API: JSON, event streams, problems. Knows HTTP; never touches the page.
 * Addresses are relative to the page, so that it works behind a proxy's prefix. */

const MAX_PAUSE_MS = 15000;
const FINAL = new Set(['completed', 'failed', 'canceled', 'expired']);

let key = sessionStorage.getItem('api-key') ?? '';

/* The key is kept as long as the tab, no longer. */
export function useKey(text) {
  key = text.trim();
  sessionStorage.setItem('api-key', key);
}

/* A reply that is no success; problem is the server's problem object. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.status = problem.status;
    this.errors = problem.errors ?? [];
  }
}

async function ask(path, init = {}) {
  const headers = new Headers(init.headers);
  if (key) headers.set('Authorization', `Bearer ${key}`);
  const reply = await fetch(path, {...init, headers});
  if (reply.ok) return reply;
  const problem = await reply.json().catch(() => null);
  throw new Refused(problem ?? {status: reply.status, title: `The server answered ${reply.status}.`});
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function getBlob(path) {
  return (await ask(path)).blob();
}

/* Makes a job of a body and returns its job object at once. */
export async function submit(path, body) {
  const reply = await ask(path, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', Prefer: 'respond-async'},
    body: JSON.stringify(body),
  });
  return reply.json();
}

export async function post(path) {
  return (await ask(path, {method: 'POST'})).json();
}

/* An event from its lines; without data it is a comment or a hint when to come again. */
function parse(block) {
  const event = {type: 'message', id: '', data: null};
  for (const line of block.split('\n')) {
    const [, name, rest] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (name === 'event') event.type = rest;
    else if (name === 'id') event.id = rest;
    else if (name === 'data') event.data = JSON.parse(rest);
  }
  return event;
}

/* Events of one reply, as far as it goes. */
async function* read(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      const blocks = (text + value).split('\n\n');
      text = blocks.pop();
      yield* blocks.map(parse).filter(({data}) => data !== null);
    }
  } finally {
    reader.cancel();
  }
}

/* Events of a job until its last one; a line that breaks is taken up where it was. EventSource
 * would do the same, but cannot send a key. */
export async function* follow(id, signal) {
  let last = '';
  for (let pause = 500; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      const headers = {Accept: 'text/event-stream'};
      if (last) headers['Last-Event-ID'] = last;
      const reply = await ask(`v1/jobs/${id}/events?preview_every=1`, {headers, signal});
      if (reply.status === 204) return;
      for await (const event of read(reply)) {
        pause = 500;
        last = event.id || last;
        yield event;
        if (FINAL.has(event.type)) return;
      }
    } catch (error) {
      const forGood = error instanceof Refused && error.status < 500 && error.status !== 429;
      if (signal.aborted || forGood) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
