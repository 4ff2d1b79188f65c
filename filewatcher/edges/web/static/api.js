// Questions to the server; what it refuses becomes one sentence for a person.

const BASE = new URL("api/", document.baseURI);

/** What the server said no to, in its words; `status` as of HTTP, 0 = it was not reached. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The address of a resource: `address("collections", id, "cells", {scan: 0})`; a list is said word by word. */
export function address(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const url = new URL(parts.map(encodeURIComponent).join("/"), BASE);
  for (const [name, value] of Object.entries(query)) for (const word of [value].flat()) if (word !== null && word !== undefined) url.searchParams.append(name, word);
  return url;
}

/** Ask; returns the response. Throws `Refused`, and `AbortError` where the question was taken back. */
export async function ask(url, { method = "GET", body, signal } = {}) {
  let response;
  try {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    response = await fetch(url, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the server cannot be reached", 0);
  }
  if (response.ok) return response;
  throw new Refused(await reason(response), response.status);
}

export const askJson = async (url, options) => (await ask(url, options)).json();

/** The words of problem details (RFC 9457), or of the status. */
async function reason(response) {
  try {
    const problem = await response.json();
    return problem.detail || problem.title || `the server answered ${response.status}`;
  } catch {
    return `the server answered ${response.status} ${response.statusText}`.trim();
  }
}
