// What the tests of the examples share.
import assert from 'node:assert/strict';

let passed = 0;

// Names what is checked; the steps follow from each other, so the first that fails ends the program.
export async function step(name, work) {
  try {
    await work();
  } catch (error) {
    console.error(`not ok: ${name}`);
    throw error;
  }
  passed += 1;
  console.log(`ok: ${name}`);
}

export function summary(what) {
  console.log(`${what}: ${passed} passed, 0 failed`);
}

// Waits until `read` returns `expected`. For what a page shows after a click; it ends with a difference after 10 s.
export async function eventually(read, expected) {
  for (let tries = 0; ; tries++) {
    const found = await read();
    try {
      return assert.deepEqual(found, expected);
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

// The SQLSTATE with which something is refused.
export async function refusal(promise) {
  const error = await promise.then(() => assert.fail('it was not refused'), (refused) => refused);
  return error.cause?.code ?? error.code;
}

// A user of examples/todo without a browser: the value of the session cookie, as sent, and the token in it.
export async function signUp(name) {
  const base = `http://127.0.0.1:${process.env.PORT}`;
  const post = (path, cookie, body) => fetch(`${base}/api/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', origin: base, cookie }, body: JSON.stringify(body),
  });
  const answer = await post('auth/sign-up/email', '', { name, email: `${name.toLowerCase()}@example.com`, password: `${name}'s password` });
  assert.equal(answer.status, 200);
  const [header, , cookie] = /^([^=]*)=([^;]*)/.exec(answer.headers.get('set-cookie'));
  const { user, token } = await answer.json();
  return { header, cookie, token, id: user.id, post: (path, body) => post(path, header, body) };
}
