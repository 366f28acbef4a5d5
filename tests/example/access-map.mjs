// The page of neon_auth.access_map about examples/todo, in a browser.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browser.mjs';
import { step, summary } from './check.mjs';

const psql = (sql) => execFileSync('psql', ['-XAtqc', sql], { encoding: 'utf8' }).trimEnd();
const schema = psql(`SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.relname = 'todos' AND c.relkind = 'r'`);
const report = JSON.parse(psql(`SELECT json_agg(r) FROM neon_auth.access_report(schemas => '{${schema}}') AS r`));
const directory = mkdtempSync(join(tmpdir(), 'neon_auth_map.'));
const file = join(directory, 'map.html');
writeFileSync(file, psql(`SELECT neon_auth.access_map(schemas => '{${schema}}')`));
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1540, height: 340 } });
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => problems.push(message.text()));
  page.on('request', (request) => { if (!request.url().startsWith('file:')) problems.push(request.url()); });
  await page.goto(pathToFileURL(file).href);

  await step('the page has a cell for each table, user and command', async () => {
    assert.ok(report.length > 0);
    assert.equal(await page.locator('svg g').count(), 4 * report.length);
    const shown = (value) => String(value ?? '?');
    const expected = report.flatMap((row) => [row.selects, row.inserts, row.updates, row.deletes].map(shown));
    assert.deepEqual(await page.locator('svg .count').allTextContents(), expected);
  });
  await step('nothing overlaps, and nothing is cut off', async () => {
    const boxes = await page.locator('svg rect, svg .head, svg .name').evaluateAll((all) => all.map((each) => {
      const { left, right, top, bottom } = each.getBoundingClientRect();
      return { left, right, top, bottom };
    }));
    const svg = await page.locator('svg').boundingBox();
    for (const [number, one] of boxes.entries()) {
      assert.ok(one.right <= svg.x + svg.width && one.bottom <= svg.y + svg.height, 'something is outside the picture');
      for (const other of boxes.slice(number + 1)) {
        assert.ok(one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top,
          'two cells or names overlap');
      }
    }
    const outside = await page.locator('svg g').evaluateAll((all) => all.filter((each) => {
      const [cell, label] = ['rect', 'text'].map((name) => each.querySelector(name).getBoundingClientRect());
      return label.left < cell.left || label.right > cell.right;
    }).length);
    assert.equal(outside, 0, 'a text is wider than its cell');
  });
  await step('hovering says why', async () => {
    const [first] = report;
    const why = await page.locator('svg g title').first().textContent();
    assert.ok(why.startsWith(`${first.table}, ${first.user_id ? `user ${first.user_id}` : 'nobody'} as authenticated`), why);
    for (const policy of first.policies) assert.ok(why.includes(policy), `${policy} is not in ${why}`);
  });
  await step('it needs nothing else, and has no errors', async () => assert.deepEqual(problems, []));
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT.replace('example.png', 'access-map.png') });
} finally {
  await browser.close();
  rmSync(directory, { recursive: true });
}
summary('access map');
