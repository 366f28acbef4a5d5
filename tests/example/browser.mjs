// Debian's Chromium, and what a person does on the page of examples/todo.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { eventually } from './check.mjs';

export const base = `http://127.0.0.1:${process.env.PORT}`;
const CHROMIUM = '/usr/bin/chromium';

export async function launch() {
  assert.ok(existsSync(CHROMIUM), `${CHROMIUM} is missing; apt-get install chromium`);
  return chromium.launch({
    executablePath: CHROMIUM,
    // Chromium's own sandbox refuses to run as root.
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
    // The cluster's libraries are not Chromium's.
    env: { ...process.env, LD_LIBRARY_PATH: '' },
  });
}

export class Person {
  static async arrives(browser, name) {
    const person = new Person();
    person.name = name;
    person.email = `${name.toLowerCase()}@example.com`;
    person.password = `${name}'s password`;
    person.context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
    person.page = await person.context.newPage();
    // An error in the page's own code fails the test.
    person.errors = [];
    person.page.on('pageerror', (error) => person.errors.push(error));
    await person.open('/');
    return person;
  }

  async open(path) {
    await this.page.goto(`${base}${path}`);
    await this.page.locator('body[aria-busy=false]').waitFor();
  }

  // Loads the page again: what it shows then is what the database returns now.
  async reload() {
    await this.page.reload();
    await this.page.locator('body[aria-busy=false]').waitFor();
  }

  async fill(form, fields, submit) {
    const here = this.page.locator(form);
    for (const [label, value] of Object.entries(fields)) await here.getByLabel(label).fill(value);
    await here.getByRole('button', { name: submit, exact: true }).click();
  }

  click(name) {
    return this.page.getByRole('button', { name, exact: true }).click();
  }

  async signUp() {
    await this.fill('#sign-up', { Name: this.name, 'E-mail': this.email, Password: this.password }, 'Sign up');
    await eventually(() => this.page.locator('#who').textContent(), this.name);
  }

  async signIn() {
    await this.fill('#sign-in', { 'E-mail': this.email, Password: this.password }, 'Sign in');
    await eventually(() => this.page.locator('#who').textContent(), this.name);
  }

  async add(task) {
    await this.fill('#add', { 'New todo': task }, 'Add');
    await this.page.locator('#todos').getByText(task, { exact: true }).waitFor();
  }

  // The page shows these lists, and on each these todos; the server returns these and no others.
  async sees(lists) {
    await this.reload();
    const names = Object.keys(lists);
    await eventually(() => this.page.locator('#lists button').allTextContents(), names);
    for (const name of names) {
      await this.page.locator('#lists').getByRole('button', { name, exact: true }).click();
      await eventually(() => this.page.locator('#list-title').textContent(), name);
      await eventually(() => this.page.locator('#todos label span').allTextContents(), lists[name]);
    }
    const { status, value } = await this.request('GET', 'todos');
    assert.equal(status, 200);
    assert.deepEqual(value.map(({ task }) => task).sort(), Object.values(lists).flat().sort());
  }

  // The todos of the list that is shown which have a button to remove them.
  removable() {
    return this.page.locator('#todos li:has(button)').locator('label span').allTextContents();
  }

  // What somebody sends who does not use the page, with the browser's cookies.
  async request(method, path, data) {
    const headers = { origin: base, 'content-type': typeof data === 'string' ? 'text/plain' : 'application/json' };
    const answer = await this.context.request.fetch(`${base}/api/${path}`, { method, data, headers });
    const text = await answer.text();
    return { status: answer.status(), value: /json/.test(answer.headers()['content-type']) ? JSON.parse(text) : null };
  }
}
