// Requests that change something, with the session's token against forged requests.

const DEADLINE_MS = 10000;

/** Send JSON; gives {ok, body}. Throws when the service cannot be reached in time. */
export async function send(method, address, csrf, value) {
  const answer = await fetch(address, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify(value),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  return { ok: answer.ok, body: await answer.json() };
}
